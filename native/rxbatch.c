/*
 * Frames that are read from the device several at a time, as many as rxguess.c expects. They come to lie here
 * and are copied to their places, since where the next one belongs depends on the one before it (gro.c); the
 * system calls cost more.
 */
#include "internal.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <sys/mman.h>

#define FRAMES_MAX 32
/* Whole pages, of which only those are ever touched that frames reach. */
#define SLOT (17 * 4096u)

struct rx_batch {
  unsigned count, next;
  bool dry; /* the device had no more */
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

/* False: the next frame is to be read by itself. */
static bool fill(struct nic_queue *queue, struct rx_batch *batch) {
  unsigned frames = queue->ring != NULL ? rx_guess_more(&queue->rx_guess, queue->dear_calls) : 0;
  if (frames < 2)
    return false;
  if (frames > FRAMES_MAX)
    frames = FRAMES_MAX;
  const uint32_t ahead = queue->vnet_hdr ? sizeof(struct virtio_net_hdr) : 0;
  for (unsigned i = 0; i < frames; i++)
    uring_read(queue->ring, batch->slots + (size_t)i * SLOT, ahead + NIC_FRAME_MAX + 1);
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
  for (unsigned i = batch->next; i < batch->count; i++)
    if (batch->results[i] == -EAGAIN)
      batch->results[i] = -ENOSYS;
}

int rx_batch_next(struct nic_queue *queue, const uint8_t **frame) {
  struct rx_batch *batch = queue->rx_batch;
  if (batch == NULL)
    return 0;
  for (;;) {
    while (batch->next < batch->count) {
      const unsigned i = batch->next++;
      const int got = batch->results[i];
      *frame = batch->slots + (size_t)i * SLOT;
      if (got == -EAGAIN) {
        batch->dry = true; /* a later read may have found something */
      } else if (got != -ENOSYS) {
        queue->stats.rx_batched += got > 0;
        if (got < 0)
          queue->rx_guess.singly = true; /* a read without the ring may do better */
        return got == 0 ? -ENODEV : got; /* end of file: as nic_receive has it */
      }
    }
    if (batch->dry) {
      batch->dry = false;
      return -EAGAIN;
    }
    if (!fill(queue, batch))
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
