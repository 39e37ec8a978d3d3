/*
 * The Internet checksum (RFC 1071), as a NIC computes it: over gather lists, at memory speed.
 * Sums are of 16-bit words in memory order; the result is stored as it is, whatever the byte order (section
 * 2(B)).
 */
#include "internal.h"

#include <string.h>

/* RFC 1071 section 4.1: carries come back in at the low end. */
uint16_t csum_fold(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)sum;
}

static inline uint64_t add_carry(uint64_t sum, uint64_t value) {
  sum += value;
  return sum + (sum < value);
}

static inline uint64_t load64(const uint8_t *data) {
  uint64_t value;
  memcpy(&value, data, sizeof value);
  return value;
}

uint64_t csum_add(uint64_t sum, const void *data, size_t length) {
  const uint8_t *p = data;
  /*
   * 32-bit halves into 64-bit lanes: no carry can be lost below 2^32 words, and without the carry chain
   * the compiler turns the block into vector additions.
   */
  if (length >= 64) {
    uint64_t lane[4] = {0, 0, 0, 0};
    do {
      for (int i = 0; i < 4; i++) {
        uint64_t a = load64(p + 8 * i), b = load64(p + 32 + 8 * i);
        lane[i] += (a & 0xffffffff) + (a >> 32) + (b & 0xffffffff) + (b >> 32);
      }
      p += 64;
      length -= 64;
    } while (length >= 64);
    for (int i = 0; i < 4; i++)
      sum = add_carry(sum, lane[i]);
  }
  for (; length >= 8; p += 8, length -= 8)
    sum = add_carry(sum, load64(p));
  if (length > 0) {
    uint64_t tail = 0; /* the missing bytes are zero, as section 4.1 pads an odd one */
    memcpy(&tail, p, length);
    sum = add_carry(sum, tail);
  }
  return sum;
}

/* Adds data that stands `position` bytes into the summed text: at an odd place its words are swapped. */
uint64_t csum_add_at(uint64_t sum, size_t position, const void *data, size_t length) {
  if ((position & 1) == 0)
    return csum_add(sum, data, length);
  uint16_t part = csum_fold(csum_add(0, data, length));
  return add_carry(sum, (uint16_t)(part << 8 | part >> 8));
}

/* Sums a gather list, leaving out its first `skip` bytes. */
uint64_t csum_iov(uint64_t sum, const struct iovec *iov, unsigned count, size_t skip) {
  size_t position = 0;
  for (unsigned i = 0; i < count; i++) {
    if (skip >= iov[i].iov_len) {
      skip -= iov[i].iov_len;
      continue;
    }
    size_t length = iov[i].iov_len - skip;
    sum = csum_add_at(sum, position, (const uint8_t *)iov[i].iov_base + skip, length);
    position += length;
    skip = 0;
  }
  return sum;
}

/* The pseudo-header of RFC 9293 section 3.1 and RFC 768, from an IPv4 header. */
uint64_t csum_pseudo4(const uint8_t *ip, uint8_t protocol, uint32_t length) {
  const uint8_t rest[4] = {0, protocol, (uint8_t)(length >> 8), (uint8_t)length};
  return csum_add(csum_add(0, ip + 12, 8), rest, sizeof rest);
}

void csum_ipv4_header(uint8_t *ip, size_t length) {
  ip[10] = ip[11] = 0;
  uint16_t sum = (uint16_t)~csum_fold(csum_add(0, ip, length));
  memcpy(ip + 10, &sum, sizeof sum);
}
