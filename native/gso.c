/*
 * TSO in software, for a device without a virtio header, and for what such a header cannot say: cuts one big
 * TCP/IPv4 frame into segments of gso_size payload bytes and finishes every header and checksum, as
 * tcp_gso_segment and inet_gso_segment do.
 */
#include "internal.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <string.h>

#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_CWR 0x80
#define HEADERS_MAX (ETH_HEADER + 60 + 60)

static inline uint32_t get32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline void put16(uint8_t *p, uint32_t value) {
  p[0] = (uint8_t)(value >> 8);
  p[1] = (uint8_t)value;
}
static inline void put32(uint8_t *p, uint32_t value) {
  put16(p, value >> 16);
  put16(p + 2, value);
}

/* The `size` payload bytes that start `skip` bytes into the frame, as a gather list. */
static unsigned slice(const struct tx_frame *frame, size_t skip, size_t size, struct iovec *out) {
  unsigned count = 0;
  for (unsigned i = 0; i < frame->pieces && size > 0; i++) {
    size_t length = frame->piece[i].iov_len;
    if (skip >= length) {
      skip -= length;
      continue;
    }
    size_t take = length - skip < size ? length - skip : size;
    out[count].iov_base = (uint8_t *)frame->piece[i].iov_base + skip;
    out[count++].iov_len = take;
    size -= take;
    skip = 0;
  }
  return count;
}

int gso_cut(struct nic_queue *queue, const struct tx_frame *frame) {
  const uint32_t payload = frame->length - frame->header;
  uint8_t whole[HEADERS_MAX], headers[HEADERS_MAX];
  memcpy(whole, frame->piece[0].iov_base, frame->header);
  const uint32_t ip_header = frame->csum_start - ETH_HEADER;
  const uint32_t tcp_header = frame->header - frame->csum_start;
  const uint32_t id = (uint32_t)whole[ETH_HEADER + 4] << 8 | whole[ETH_HEADER + 5];
  const uint32_t sequence = get32(whole + frame->csum_start + 4);

  uint32_t done = 0, segment = 0;
  if (queue->resume.tail == queue->here.tail && queue->resume.done < payload) {
    done = queue->resume.done;
    segment = queue->resume.segment;
  }
  queue->resume.done = 0;
  tx_batch_begin(queue, (payload - done) / frame->gso_size);
  do {
    queue->here.done = done;
    queue->here.segment = segment;
    queue->here.whole = false;
    uint32_t size = payload - done < frame->gso_size ? payload - done : frame->gso_size;
    memcpy(headers, whole, frame->header);
    uint8_t *ip = headers + ETH_HEADER, *tcp = headers + frame->csum_start;
    put16(ip + 2, ip_header + tcp_header + size);
    put16(ip + 4, id + segment);
    csum_ipv4_header(ip, ip_header);
    put32(tcp + 4, sequence + done);
    if (done + size < payload)
      tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    if (segment > 0 && !(frame->flags & NIC_TX_ACCECN))
      tcp[13] &= (uint8_t)~TCP_CWR;

    struct virtio_net_hdr nothing_left = {0};
    struct iovec all[2 + NIC_TX_PIECES] = {{&nothing_left, sizeof nothing_left}, {headers, frame->header}};
    struct iovec *iov = all + 1;
    unsigned count = 1 + slice(frame, frame->header + done, size, iov + 1);
    put16(tcp + 16, 0);
    uint64_t pseudo = csum_pseudo4(ip, IPPROTO_TCP, tcp_header + size);
    uint16_t sum = (uint16_t)~csum_fold(csum_iov(pseudo, iov, count, frame->csum_start));
    memcpy(tcp + 16, &sum, sizeof sum);

    const unsigned vnet = queue->vnet_hdr ? 1 : 0;
    int error = tx_write(queue, iov - vnet, count + vnet, frame->header + size);
    if (error != 0)
      return error;
    done += size;
    segment++;
  } while (done < payload);
  return 0;
}
