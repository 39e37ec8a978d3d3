/*
 * Transmit: the ring's descriptors to the device, each in one write. Here partial checksums are
 * completed or, where the device has a virtio header, described to the kernel instead.
 */
#include "internal.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static ssize_t write_joined(int fd, const struct iovec *iov, unsigned count) {
  if (count == 1)
    return write(fd, iov->iov_base, iov->iov_len);
  uint8_t frame[sizeof(struct virtio_net_hdr) + TX_JOIN_MAX];
  size_t size = 0;
  for (unsigned i = 0; i < count; i++) {
    memcpy(frame + size, iov[i].iov_base, iov[i].iov_len);
    size += iov[i].iov_len;
  }
  return write(fd, frame, size);
}

static size_t iov_length(const struct iovec *iov, unsigned count) {
  size_t length = 0;
  for (unsigned i = 0; i < count; i++)
    length += iov[i].iov_len;
  return length;
}

int tx_write_now(int fd, const struct iovec *iov, unsigned count) {
  const bool joined = iov_length(iov, count) <= sizeof(struct virtio_net_hdr) + TX_JOIN_MAX;
  ssize_t sent;
  do
    sent = joined ? write_joined(fd, iov, count) : writev(fd, iov, (int)count);
  while (sent < 0 && errno == EINTR);
  return sent < 0 ? -errno : (int)sent;
}

int tx_count(struct nic_queue *queue, int sent, size_t length) {
  if (sent >= 0) {
    queue->stats.tx_frames++;
    queue->stats.tx_bytes += length;
    return 0;
  }
  if (sent == -EAGAIN) {
    queue->stats.tx_eagain++;
    return -EAGAIN;
  }
  queue->stats.tx_dropped++;
  if (sent == -EBUSY && queue->direct_fd >= 0) { /* it is detached, and not every kernel need take it so */
    close(queue->direct_fd);
    queue->direct_fd = -1;
  }
  if (!queue_lost(-sent))
    return 0;
  queue->gone = true;
  return sent;
}

int tx_write(struct nic_queue *queue, const struct iovec *iov, unsigned count, size_t length) {
  if (tx_batch_open(queue))
    return tx_batch_add(queue, iov, count, length);
  int error = tx_count(queue, tx_write_now(queue_tx_fd(queue), iov, count), length);
  if (error == -EAGAIN)
    queue->resume = queue->here;
  return error;
}

/* Completes the checksum in its place, and puts back what stood there, since a frame that has to wait is read
 * anew. A batch has a copy of the headers, unless they are longer than headers are. */
static int write_summed(struct nic_queue *queue, struct tx_frame *frame) {
  uint16_t sum = (uint16_t)~csum_fold(csum_iov(0, frame->piece, frame->pieces, frame->csum_start)), partial;
  if (sum == 0) /* as skb_checksum_help: a zero would mean "none" to UDP and equals 0xffff to the others */
    sum = 0xffff;
  uint8_t *field = (uint8_t *)frame->piece[0].iov_base + frame->csum_start + frame->csum_offset;
  memcpy(&partial, field, sizeof partial);
  memcpy(field, &sum, sizeof sum);
  int error = tx_write(queue, frame->piece, frame->pieces, frame->length);
  if (error == 0 && tx_batch_open(queue) && frame->piece[0].iov_len > TX_JOIN_MAX)
    error = tx_batch_send(queue);
  memcpy(field, &partial, sizeof partial);
  return error;
}

/* Piece 0 grows downwards by the virtio header, into the room that the descriptor's check made sure of. */
static void prepend_vnet(struct tx_frame *frame) {
  struct virtio_net_hdr header = {0};
  if (frame->csum_start != 0) {
    header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    header.csum_start = (uint16_t)frame->csum_start;
    header.csum_offset = (uint16_t)frame->csum_offset;
    header.hdr_len = (uint16_t)frame->piece[0].iov_len;
  }
  if (frame->flags & NIC_TX_GSO_TCP4) {
    header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
    if (frame->flags & NIC_TX_ECN)
      header.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
    header.gso_size = (uint16_t)frame->gso_size;
    header.hdr_len = (uint16_t)frame->header;
  }
  frame->piece[0].iov_base = (uint8_t *)frame->piece[0].iov_base - sizeof header;
  frame->piece[0].iov_len += sizeof header;
  memcpy(frame->piece[0].iov_base, &header, sizeof header);
}

static int transmit(struct nic_queue *queue, struct tx_frame *frame) {
  if (frame->flags & NIC_TX_IPV4_CSUM) {
    uint8_t *ip = (uint8_t *)frame->piece[0].iov_base + ETH_HEADER;
    csum_ipv4_header(ip, (ip[0] & 15u) * 4);
  }
  /* A virtio header can say that CWR is the first segment's, but not that it is everybody's. */
  if ((frame->flags & NIC_TX_GSO_TCP4) && (!queue->vnet_hdr || (frame->flags & NIC_TX_ACCECN)))
    return gso_cut(queue, frame);
  if (queue->vnet_hdr)
    prepend_vnet(frame);
  else if (frame->csum_start != 0)
    return write_summed(queue, frame);
  return tx_write(queue, frame->piece, frame->pieces, frame->length);
}

int nic_flush(struct nic_queue *queue) {
  uint32_t head = (uint32_t)*nic_ctrl(queue, NIC_CTRL_TX_HEAD);
  uint32_t tail = (uint32_t)*nic_ctrl(queue, NIC_CTRL_TX_TAIL);
  int result = 0;
  if (head - tail > queue->at.tx_slots) { /* no producer can be so far ahead: the words are garbage */
    queue->stats.tx_invalid++;
    tail = head;
  }
  tx_batch_begin(queue, head - tail);
  for (; tail != head; tail++) {
    struct tx_frame frame;
    if (queue->gone) {
      queue->stats.tx_dropped++;
      continue;
    }
    if (tx_frame_is_done(queue, tail))
      continue;
    if (!tx_frame_read(queue, tail, &frame)) {
      queue->stats.tx_invalid++;
      continue;
    }
    queue->here = (struct tx_mark){.tail = tail, .whole = true};
    int error = transmit(queue, &frame);
    if (error != 0)
      result = error;
    if (error == -EAGAIN)
      break;
  }
  const int error = tx_batch_end(queue);
  if (error != 0)
    result = error;
  *nic_ctrl(queue, NIC_CTRL_TX_TAIL) = (int32_t)(result == -EAGAIN ? queue->resume.tail : tail);
  return result;
}
