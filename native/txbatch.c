/*
 * What one flush sends, handed to the kernel in one system call where it is several frames: a call for each
 * costs a third of a small frame's time. Where the kernel has no io_uring for us (before 6.1, or forbidden by
 * sysctl or seccomp) each frame is a write of its own, as it is for one or two.
 */
#include "internal.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>

/* Below so many frames the ring costs more than it saves. */
#define BATCH_MIN 3
#define BATCH_MIN_DEAR 2 /* where calls are dear */

struct entry {
  struct tx_mark mark;
  size_t length;
  unsigned pieces;
  struct iovec piece[1 + TX_PIECES_MAX]; /* what was copied, then what lies where it was */
  uint8_t copied[sizeof(struct virtio_net_hdr) + TX_JOIN_MAX];
};

struct tx_batch {
  bool open; /* tx_batch_begin said so */
  unsigned count;
  int results[URING_MAX];
  struct entry entries[URING_MAX];
};

bool tx_batch_prepare(struct nic_queue *queue) {
  struct tx_batch *batch = malloc(sizeof *batch);
  if (batch == NULL)
    return false;
  batch->open = false;
  batch->count = 0;
  queue->tx_batch = batch;
  return true;
}

void tx_batch_begin(struct nic_queue *queue, uint32_t frames) {
  if (frames >= (queue->dear_calls ? BATCH_MIN_DEAR : BATCH_MIN) && queue->ring != NULL && !queue->fills)
    queue->tx_batch->open = true;
}

bool tx_batch_open(const struct nic_queue *queue) { return queue->ring != NULL && queue->tx_batch->open; }

/* Small frames whole, and of others the headers, which may stand on somebody's stack. */
int tx_batch_add(struct nic_queue *queue, const struct iovec *iov, unsigned count, size_t length) {
  struct tx_batch *batch = queue->tx_batch;
  if (batch->count == 0) /* it may have changed with what was sent (tx_count) */
    uring_use(queue->ring, queue_tx_fd(queue));
  struct entry *entry = &batch->entries[batch->count++];
  size_t copied = 0;
  unsigned i = 0;
  for (; i < count && copied + iov[i].iov_len <= sizeof entry->copied; i++) {
    memcpy(entry->copied + copied, iov[i].iov_base, iov[i].iov_len);
    copied += iov[i].iov_len;
  }
  unsigned pieces = 0;
  if (copied > 0)
    entry->piece[pieces++] = (struct iovec){entry->copied, copied};
  for (; i < count; i++)
    entry->piece[pieces++] = iov[i];
  entry->pieces = pieces;
  entry->length = length;
  entry->mark = queue->here;
  uring_write(queue->ring, entry->piece, pieces);
  return batch->count == URING_MAX ? tx_batch_send(queue) : 0;
}

int tx_batch_send(struct nic_queue *queue) {
  struct tx_batch *batch = queue->tx_batch;
  const unsigned count = batch->count;
  if (count == 0)
    return 0;
  batch->count = 0;
  const bool usable = uring_run(queue->ring, batch->results);
  int result = 0;
  for (unsigned i = 0; i < count; i++) {
    const struct entry *entry = &batch->entries[i];
    int sent = batch->results[i];
    if (sent == -ENOSYS) /* the ring has not done it: as without one, and nothing overtakes what waits */
      sent = result == -EAGAIN ? -EAGAIN : tx_write_now(queue_tx_fd(queue), entry->piece, entry->pieces);
    else if (sent >= 0)
      queue->stats.tx_batched++;
    const int error = tx_count(queue, sent, entry->length);
    if (error == -EAGAIN && result != -EAGAIN)
      queue->resume = entry->mark;
    else if (error != -EAGAIN && result == -EAGAIN && entry->mark.whole)
      tx_frame_done(queue, entry->mark.tail); /* it overtook another, and is not sent again with that */
    if (error != 0 && result != -EAGAIN)
      result = error;
  }
  if (!usable)
    queue_no_ring(queue);
  return result;
}

int tx_batch_end(struct nic_queue *queue) {
  if (!tx_batch_open(queue))
    return 0;
  const int result = tx_batch_send(queue);
  queue->tx_batch->open = false;
  return result;
}

void tx_batch_close(struct nic_queue *queue) {
  free(queue->tx_batch);
  queue->tx_batch = NULL;
}
