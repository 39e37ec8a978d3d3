/*
 * Where the next frame goes: into the block at hand as long as it has room for any frame, then into the next
 * that was posted.
 */
#include "internal.h"

#include <linux/virtio_net.h>
#include <string.h>

static inline uint32_t align8(uint32_t offset) { return (offset + 7) & ~7u; }

uint32_t rx_ahead(const struct nic_queue *queue) {
  return queue->vnet_hdr ? sizeof(struct virtio_net_hdr) : 0;
}

/* Either way the frame starts at 2 mod 8, so that its IP header is aligned (NET_IP_ALIGN). */
uint8_t *rx_place_frame(const struct nic_queue *queue, const struct rx_place *at) {
  return queue->base + at->position + (queue->vnet_hdr ? sizeof(struct virtio_net_hdr) : 2);
}

/* JavaScript may have left anything in the list: what is no block inside the memory is passed over. */
bool rx_place_find(const struct nic_queue *queue, struct rx_place *at) {
  while (at->end == 0 || at->position + NIC_FRAME_ROOM > at->end) {
    if (at->block == queue->at.rx_blocks)
      return false;
    int32_t offset;
    memcpy(&offset, queue->base + queue->at.rx_list_offset + 4 * (size_t)at->block++, sizeof offset);
    if (offset <= 0 || (uint64_t)offset + queue->at.rx_block_size > queue->size)
      continue;
    at->position = align8((uint32_t)offset);
    at->end = (uint32_t)offset + queue->at.rx_block_size;
  }
  return true;
}

bool rx_place_next_block(const struct nic_queue *queue, struct rx_place *at) {
  at->end = 0;
  return rx_place_find(queue, at);
}

void rx_place_behind(const struct nic_queue *queue, struct rx_place *at, const uint8_t *end) {
  at->position = align8((uint32_t)(end - queue->base));
}
