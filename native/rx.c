/*
 * Receive: frames from the device into the arena, packed one after another, one descriptor each. What arrives
 * here goes to JavaScript in one call.
 */
#include "internal.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <unistd.h>

static inline uint32_t align8(uint32_t offset) { return (offset + 7) & ~7u; }

static uint32_t vnet_flags(const struct virtio_net_hdr *header) {
  switch (header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
  case VIRTIO_NET_HDR_GSO_NONE:
    return 0;
  case VIRTIO_NET_HDR_GSO_TCPV4:
    return NIC_RX_GSO_TCP4;
  default:
    return NIC_RX_GSO_OTHER;
  }
}

int nic_receive(struct nic_queue *queue) {
  if (queue->gone)
    return -ENODEV;
  const uint32_t end = queue->at.rx_offset + queue->at.rx_size;
  const uint32_t before = queue->vnet_hdr ? sizeof(struct virtio_net_hdr) : 2;
  uint32_t position = align8(queue->at.rx_offset);
  uint32_t count = 0;

  while (count < queue->at.rx_desc_count && position + NIC_FRAME_ROOM <= end) {
    /* Either way the frame starts at 2 mod 8, so that its IP header is aligned (NET_IP_ALIGN). */
    uint8_t *frame = queue->base + position + before;
    const uint32_t ahead = queue->vnet_hdr ? before : 0;
    ssize_t got = read(queue->fd, frame - ahead, ahead + NIC_FRAME_MAX + 1);
    if (got < 0) {
      if (errno == EINTR)
        continue;
      if (errno == EAGAIN)
        break;
      if (count > 0) /* hand up what is here; the next call meets the error again */
        break;
      queue->gone = true;
      return -errno;
    }
    if (got == 0) { /* a stand-in's end of file; a TAP never says so */
      if (count > 0)
        break;
      queue->gone = true;
      return -ENODEV;
    }
    /* One byte more than the longest frame was asked for: who fills it was cut short by read. */
    if ((size_t)got < ahead + ETH_HEADER || (size_t)got > ahead + NIC_FRAME_MAX) {
      queue->stats.rx_dropped++;
      continue;
    }
    uint32_t length = (uint32_t)got - ahead;
    int32_t descriptor[NIC_RX_DESC_WORDS] = {(int32_t)(position + before), (int32_t)length, 0, 0};
    struct virtio_net_hdr header = {0};
    if (queue->vnet_hdr)
      memcpy(&header, frame - before, sizeof header);
    if (header.flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID))
      descriptor[2] = NIC_RX_L4_OK;
    else
      descriptor[2] = (int32_t)nic_verdict(frame, length);
    uint32_t gso = vnet_flags(&header);
    if (gso != 0) {
      descriptor[2] |= (int32_t)gso;
      descriptor[3] = header.gso_size;
    }
    memcpy(queue->base + queue->at.rx_desc_offset + count * sizeof descriptor, descriptor, sizeof descriptor);
    queue->stats.rx_frames++;
    queue->stats.rx_bytes += length;
    position = align8(position + before + length);
    count++;
  }
  return (int)count;
}
