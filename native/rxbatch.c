/*
 * Plain bulk frames, read from the device several at a time. They come to lie here and are copied to their
 * places, since where the next one belongs depends on the one before it (gro.c); the system calls cost more.
 * Small frames are read one by one: there are seldom many, and a read that finds nothing costs more than a
 * batch saves.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define FRAMES_MIN 4
#define FRAMES_MAX 32
/* A frame of so many bytes is seldom the only one. */
#define BULK 1024
/* Whole pages, of which only those are ever touched that frames reach. */
#define SLOT (17 * 4096u)

struct rx_batch {
  bool bulk;
  unsigned size;        /* of the next batch */
  unsigned count, next; /* of this one */
  bool dry;             /* the device had no more */
  int results[URING_MAX];
  uint8_t *slots;
};

bool rx_batch_prepare(struct nic_queue *queue) {
  struct rx_batch *batch = calloc(1, sizeof *batch);
  if (batch == NULL)
    return false;
  batch->size = FRAMES_MIN;
  batch->slots = mmap(NULL, (size_t)FRAMES_MAX * SLOT, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if ((void *)batch->slots == MAP_FAILED) {
    free(batch);
    return false;
  }
  queue->rx_batch = batch;
  return true;
}

static void fill(struct nic_queue *queue, struct rx_batch *batch) {
  for (unsigned i = 0; i < batch->size; i++)
    uring_read(queue->ring, batch->slots + (size_t)i * SLOT, NIC_FRAME_MAX + 1);
  batch->count = batch->size;
  batch->next = 0;
  batch->size = batch->size * 2 > FRAMES_MAX ? FRAMES_MAX : batch->size * 2;
  if (!uring_run(queue->ring, batch->results))
    queue_no_ring(queue);
}

static void expect_little(struct rx_batch *batch) {
  batch->bulk = false;
  batch->size = FRAMES_MIN;
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
        if (got < 0)
          expect_little(batch);          /* a read without the ring may do better */
        return got == 0 ? -ENODEV : got; /* end of file: as nic_receive has it */
      }
    }
    if (batch->dry) {
      batch->dry = false;
      expect_little(batch);
      return -EAGAIN;
    }
    if (!batch->bulk || queue->ring == NULL)
      return 0;
    fill(queue, batch);
  }
}

void rx_batch_expect(struct nic_queue *queue, size_t length) {
  if (queue->rx_batch == NULL)
    return;
  if (length < BULK)
    expect_little(queue->rx_batch);
  else
    queue->rx_batch->bulk = true;
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
