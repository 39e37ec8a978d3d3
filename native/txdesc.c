/*
 * Transmit descriptors come from JavaScript: any int32 may stand in them. Each is copied out of the ring once
 * and every value checked before a pointer is made of it; what passes here can only touch the shared memory,
 * and the NIC itself writes only inside the header areas.
 */
#include "internal.h"

#include <netinet/in.h>
#include <string.h>

static inline uint32_t get16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }

static bool inside(int32_t offset, int32_t length, uint32_t from, uint64_t end) {
  return offset >= 0 && length >= 0 && (uint32_t)offset >= from && (uint64_t)offset + (uint32_t)length <= end;
}

/* The IPv4 header length, or 0 if piece 0 does not hold a whole IPv4 header. */
static uint32_t ipv4_header(const uint8_t *frame, size_t length) {
  if (length < ETH_HEADER + 20 || get16(frame + 12) != 0x0800 || frame[ETH_HEADER] >> 4 != 4)
    return 0;
  uint32_t header = (frame[ETH_HEADER] & 15u) * 4;
  return header < 20 || ETH_HEADER + header > length ? 0 : header;
}

/* A TSO frame must be TCP over IPv4 with all its headers in piece 0. */
static bool gso_read(struct tx_frame *frame) {
  const uint8_t *bytes = frame->piece[0].iov_base;
  size_t length = frame->piece[0].iov_len;
  uint32_t ip = ipv4_header(bytes, length);
  if (ip == 0 || bytes[ETH_HEADER + 9] != IPPROTO_TCP || length < ETH_HEADER + ip + 20)
    return false;
  uint32_t tcp = (bytes[ETH_HEADER + ip + 12] >> 4) * 4u;
  frame->header = ETH_HEADER + ip + tcp;
  return tcp >= 20 && frame->header <= length && frame->csum_start == ETH_HEADER + ip &&
         frame->csum_offset == 16 && frame->length - ETH_HEADER <= 65535;
}

/* Where its flags stand. */
static uint8_t *flags_at(const struct nic_queue *queue, uint32_t index) {
  const uint32_t slot = index & (queue->at.tx_slots - 1);
  return queue->base + queue->at.tx_desc_offset + ((size_t)slot * NIC_TX_DESC_WORDS + 11) * sizeof(int32_t);
}

void tx_frame_done(struct nic_queue *queue, uint32_t index) {
  const int32_t flags = NIC_TX_DONE;
  memcpy(flags_at(queue, index), &flags, sizeof flags);
}

bool tx_frame_is_done(const struct nic_queue *queue, uint32_t index) {
  int32_t flags;
  memcpy(&flags, flags_at(queue, index), sizeof flags);
  return flags == NIC_TX_DONE;
}

bool tx_frame_read(const struct nic_queue *queue, uint32_t index, struct tx_frame *frame) {
  int32_t word[NIC_TX_DESC_WORDS];
  uint32_t slot = index & (queue->at.tx_slots - 1);
  memcpy(word, queue->base + queue->at.tx_desc_offset + (size_t)slot * sizeof word, sizeof word);

  const uint32_t headers = queue->at.tx_header_offset;
  const uint64_t headers_end = headers + (uint64_t)queue->at.tx_slots * queue->at.tx_header_slot;
  if (!inside(word[0], word[1], headers + NIC_TX_HEADROOM, headers_end) || word[1] < (int32_t)ETH_HEADER)
    return false;
  uint64_t length = 0;
  frame->pieces = 0;
  for (int i = 0; i < NIC_TX_PIECES; i++) {
    int32_t offset = word[2 * i], size = word[2 * i + 1];
    if (size == 0)
      continue;
    if (!inside(offset, size, 0, queue->size))
      return false;
    frame->piece[frame->pieces].iov_base = queue->base + offset;
    frame->piece[frame->pieces++].iov_len = (size_t)size;
    length += (uint32_t)size;
  }
  int32_t csum_start = word[8], csum_offset = word[9], gso_size = word[10];
  const int32_t known = NIC_TX_IPV4_CSUM | NIC_TX_GSO_TCP4 | NIC_TX_ECN | NIC_TX_ACCECN;
  if (length > NIC_FRAME_MAX || (word[11] & ~known) != 0)
    return false;
  if (csum_start != 0 && (csum_start < (int32_t)ETH_HEADER || csum_offset < 0 ||
                          (int64_t)csum_start + csum_offset + 2 > word[1]))
    return false;
  frame->length = (uint32_t)length;
  frame->csum_start = (uint32_t)csum_start;
  frame->csum_offset = (uint32_t)csum_offset;
  frame->gso_size = (uint32_t)gso_size;
  frame->flags = (uint32_t)word[11];
  frame->header = 0;
  if ((frame->flags & NIC_TX_IPV4_CSUM) &&
      ipv4_header(frame->piece[0].iov_base, frame->piece[0].iov_len) == 0)
    return false;
  if (frame->flags & NIC_TX_GSO_TCP4)
    return gso_size > 0 && gso_size <= 65535 && gso_read(frame);
  return gso_size == 0;
}
