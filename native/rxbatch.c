/*
 * Frames that are read from the device several at a time, as many as rxguess.c expects. They come to lie here
 * and are copied to their places, since where the next one belongs depends on the one before it (gro.c); the
 * system calls cost more. Large ones are read in place, each into a block of its own.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define FRAMES_MAX 32
/* Whole pages, of which only those are ever touched that frames reach. */
#define SLOT (17 * 4096u)

struct rx_batch {
  unsigned count, next;
  bool dry;      /* the device had no more */
  bool in_place; /* where each lies: */
  struct rx_place places[FRAMES_MAX];
  int results[URING_MAX];
  uint8_t *slots;
};

bool rx_batch_prepare(struct nic_queue *queue) {
  struct rx_batch *batch = calloc(1, sizeof *batch);
  if (batch == NULL)
    return false;
  batch->slots = mmap(NULL, (size_t)FRAMES_MAX * SLOT, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if ((void *)batch->slots == MAP_FAILED) {
    free(batch);
    return false;
  }
  queue->rx_batch = batch;
  return true;
}

/* A block for each, from the place at hand on; how many there are. */
static unsigned find_places(const struct nic_queue *queue, struct rx_batch *batch, const struct rx_place *at,
                            unsigned most) {
  struct rx_place place = *at;
  unsigned found = 0;
  do
    batch->places[found++] = place;
  while (found < most && rx_place_next_block(queue, &place));
  return found;
}

/* False: the next frame is to be read by itself. */
static bool fill(struct nic_queue *queue, struct rx_batch *batch, const struct rx_place *at, unsigned more) {
  unsigned frames = queue->ring != NULL ? rx_guess_more(&queue->rx_guess, queue->dear_calls) : 0;
  if (frames > FRAMES_MAX)
    frames = FRAMES_MAX;
  const uint32_t ahead = rx_ahead(queue);
  const bool in_place = rx_guess_large(&queue->rx_guess);
  if (in_place && frames >= 2 && more >= 2)
    frames = find_places(queue, batch, at, frames < more ? frames : more);
  if (frames < 2 || (in_place && more < 2))
    return false;
  uring_use(queue->ring, queue->fd);
  for (unsigned i = 0; i < frames; i++) {
    uint8_t *to =
        in_place ? rx_place_frame(queue, &batch->places[i]) - ahead : batch->slots + (size_t)i * SLOT;
    uring_read(queue->ring, to, ahead + NIC_FRAME_MAX + 1);
  }
  batch->in_place = in_place;
  batch->count = frames;
  batch->next = 0;
  if (!uring_run(queue->ring, batch->results))
    queue_no_ring(queue);
  return true;
}

void rx_batch_begin(struct nic_queue *queue) {
  struct rx_batch *batch = queue->rx_batch;
  if (batch == NULL)
    return;
  batch->dry = false;
  if (batch->in_place) /* an error ended the last call before they were reached */
    nic_drop_waiting(queue);
  for (unsigned i = batch->next; i < batch->count; i++)
    if (batch->results[i] == -EAGAIN)
      batch->results[i] = -ENOSYS;
}

int rx_batch_next(struct nic_queue *queue, struct rx_place *at, unsigned more, const uint8_t **frame) {
  struct rx_batch *batch = queue->rx_batch;
  if (batch == NULL)
    return 0;
  for (;;) {
    while (batch->next < batch->count) {
      const unsigned i = batch->next++;
      const int got = batch->results[i];
      if (got == -EAGAIN) {
        batch->dry = true; /* a later read may have found something */
      } else if (got != -ENOSYS) {
        queue->stats.rx_batched += got > 0;
        if (got < 0)
          queue->rx_guess.failed = true; /* a read without the ring may do better */
        if (batch->in_place)
          *at = batch->places[i];
        *frame =
            batch->in_place ? rx_place_frame(queue, at) - rx_ahead(queue) : batch->slots + (size_t)i * SLOT;
        return got == 0 ? -ENODEV : got; /* end of file: as nic_receive has it */
      }
    }
    if (batch->dry) {
      batch->dry = false;
      return -EAGAIN;
    }
    if (!fill(queue, batch, at, more))
      return 0;
  }
}

unsigned nic_waiting(const struct nic_queue *queue) {
  const struct rx_batch *batch = queue->rx_batch;
  unsigned frames = 0;
  for (unsigned i = batch != NULL ? batch->next : 0; batch != NULL && i < batch->count; i++)
    frames += batch->results[i] > 0;
  return frames;
}

void nic_drop_waiting(struct nic_queue *queue) {
  queue->stats.rx_dropped += nic_waiting(queue);
  if (queue->rx_batch != NULL)
    queue->rx_batch->next = queue->rx_batch->count;
}

void rx_batch_close(struct nic_queue *queue) {
  if (queue->rx_batch == NULL)
    return;
  munmap(queue->rx_batch->slots, (size_t)FRAMES_MAX * SLOT);
  free(queue->rx_batch);
  queue->rx_batch = NULL;
}
