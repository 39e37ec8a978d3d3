/* A queue's rings in the shared memory: where they lie, and that they lie inside it. */
#include "internal.h"

#include <errno.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

struct region {
  const char *name;
  uint64_t from, length;
};

static bool layout_fits(const struct nic_layout *at, uint64_t size, struct nic_error *error) {
  const struct region regions[] = {
      {"receive blocks' list", at->rx_list_offset, (uint64_t)at->rx_blocks * 4},
      {"receive descriptors", at->rx_desc_offset, (uint64_t)at->rx_desc_count * NIC_RX_DESC_WORDS * 4},
      {"transmit headers", at->tx_header_offset, (uint64_t)at->tx_header_slot * at->tx_slots},
      {"transmit descriptors", at->tx_desc_offset, (uint64_t)at->tx_slots * NIC_TX_DESC_WORDS * 4},
      {"control words", at->ctrl_offset, NIC_CTRL_WORDS * 4},
  };
  const unsigned count = sizeof regions / sizeof regions[0];
  if (at->rx_block_size < NIC_FRAME_ROOM + 8)
    return nic_fail(error, EINVAL, NULL, "layout", "a receive block must hold at least %d bytes",
                    NIC_FRAME_ROOM + 8);
  if (at->tx_slots == 0 || at->tx_slots > 1u << 20 || (at->tx_slots & (at->tx_slots - 1)) != 0)
    return nic_fail(error, EINVAL, NULL, "layout", "the number of transmit slots must be a power of two");
  if (at->rx_blocks == 0 || at->rx_blocks > 1u << 16 || at->rx_desc_count == 0 ||
      at->rx_desc_count > 1u << 20 || at->tx_header_slot > 1u << 16)
    return nic_fail(error, EINVAL, NULL, "layout", "a ring is empty or absurdly large");
  for (unsigned i = 0; i < count; i++) {
    if (regions[i].from % 4 != 0 || regions[i].from + regions[i].length > size)
      return nic_fail(error, EINVAL, NULL, "layout", "the %s do not fit the packet memory", regions[i].name);
    for (unsigned j = 0; j < i; j++)
      if (regions[i].from < regions[j].from + regions[j].length &&
          regions[j].from < regions[i].from + regions[i].length)
        return nic_fail(error, EINVAL, NULL, "layout", "the %s overlap the %s", regions[i].name,
                        regions[j].name);
  }
  return true;
}

bool nic_queue_attach(struct nic_queue *queue, void *memory, size_t size, const struct nic_layout *layout,
                      struct nic_error *error) {
  if (memory == NULL || size > INT32_MAX) /* descriptors are int32 */
    return nic_fail(error, EINVAL, NULL, "layout", "the packet memory must be at most 2 GiB");
  if (!layout_fits(layout, size, error))
    return false;
  queue->at = *layout;
  queue->base = memory;
  queue->size = (uint32_t)size;
  queue->resume = (struct tx_mark){0};
  return true;
}

bool nic_queue_rebase(struct nic_queue *queue, void *memory, size_t size) {
  if (memory == NULL || size > INT32_MAX || queue->base == NULL)
    return false;
  if (size != queue->size && !layout_fits(&queue->at, size, NULL))
    return false;
  queue->base = memory;
  queue->size = (uint32_t)size;
  return true;
}

/* A TAP takes what it is given, unless somebody bounded its buffer (TUNSETSNDBUF, which lasts as long as the
 * device). Anything else may be full at one frame of a batch and have room at the next, which would overtake
 * it. */
static bool may_fill(int fd) {
  int buffer;
  return ioctl(fd, TUNGETSNDBUF, &buffer) < 0 || buffer != INT_MAX;
}

/*
 * All others pass, and cost at most the one frame: EIO (tun_get_user: the interface is down), EINVAL (a frame
 * the kernel dislikes; tun_put_user: one of a kind that no virtio header can express), ENOBUFS, ENOMEM
 * (io_uring may lack the memory for a request), ENETDOWN (of a packet socket, told once).
 */
bool queue_lost(int errnum) {
  switch (errnum) {
  case EBADFD: /* tun_chr_read_iter, tun_chr_write_iter: the device was deleted */
  case EBADF:
  case ENODEV:
  case ENXIO:
  case EPIPE: /* the three of a socket that stands in for a device */
  case ECONNRESET:
  case ENOTCONN:
    return true;
  default:
    return false;
  }
}

int queue_batches(struct nic_queue *queue) {
  queue->fills = may_fill(queue_tx_fd(queue));
  queue->ring = uring_open(queue->fd);
  if (queue->ring == NULL)
    return errno;
  queue->dear_calls = calls_are_dear();
  if (tx_batch_prepare(queue) && rx_batch_prepare(queue))
    return 0;
  queue_no_batches(queue);
  return ENOMEM;
}

void queue_no_ring(struct nic_queue *queue) {
  uring_close(queue->ring);
  queue->ring = NULL;
}

void queue_no_batches(struct nic_queue *queue) {
  queue_no_ring(queue);
  tx_batch_close(queue);
  rx_batch_close(queue);
}

int32_t *nic_ctrl(const struct nic_queue *queue, enum nic_ctrl word) {
  return (int32_t *)(void *)(queue->base + queue->at.ctrl_offset) + word;
}
