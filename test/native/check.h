/* The C tests' few words: CHECK says what was false and where; a test that checked nothing fails. */
#ifndef TAPSTACK_CHECK_H
#define TAPSTACK_CHECK_H

#include "../../native/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long check_count, check_failures;

#define CHECK(condition)                                                                                     \
  do {                                                                                                       \
    check_count++;                                                                                           \
    if (!(condition)) {                                                                                      \
      if (check_failures++ < 20)                                                                             \
        fprintf(stderr, "%s:%d: %s: not true: %s\n", __FILE__, __LINE__, __func__, #condition);              \
    }                                                                                                        \
  } while (0)

static inline int check_result(const char *name) {
  printf("%-10s %lu checks, %lu failed\n", name, check_count, check_failures);
  return check_failures != 0 || check_count == 0;
}

/* xorshift: the same numbers in every run. */
static uint32_t random_state = 0x9e3779b9;
static inline uint32_t random32(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 17;
  random_state ^= random_state << 5;
  return random_state;
}
static inline uint32_t below(uint32_t n) { return random32() % n; }
static inline void random_fill(uint8_t *data, size_t length) {
  for (size_t i = 0; i < length; i++)
    data[i] = (uint8_t)random32();
}

static inline void put16(uint8_t *p, uint32_t value) {
  p[0] = (uint8_t)(value >> 8);
  p[1] = (uint8_t)value;
}
static inline uint32_t get16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }
static inline uint32_t get32(const uint8_t *p) { return get16(p) << 16 | get16(p + 2); }

/* RFC 1071 as its words have it, one byte pair at a time, big-endian: the reference that shares no code. */
static inline uint32_t naive_sum(uint32_t sum, const uint8_t *data, size_t length) {
  for (size_t i = 0; i < length; i++) {
    sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return sum;
}

/* Sum over pseudo-header and segment; 0xffff when the checksum in it is right. */
static inline uint32_t naive_l4(const uint8_t *ip, uint32_t length) {
  uint8_t pseudo[12];
  memcpy(pseudo, ip + 12, 8);
  pseudo[8] = 0;
  pseudo[9] = ip[9];
  put16(pseudo + 10, length);
  uint32_t sum = ip[9] == 1 ? 0 : naive_sum(0, pseudo, sizeof pseudo);
  return naive_sum(sum, ip + (ip[0] & 15) * 4, length);
}

/* An Ethernet and IPv4 header for `payload` bytes of `protocol`, with `options` bytes of IP options. */
static inline uint8_t *build_ipv4(uint8_t *frame, uint8_t protocol, uint32_t options, uint32_t payload) {
  uint8_t *ip = frame + ETH_HEADER;
  memset(frame, 0x02, 12);
  put16(frame + 12, 0x0800);
  memset(ip, 0, 20 + options);
  memset(ip + 20, 1, options); /* NOP */
  ip[0] = (uint8_t)(0x45 + options / 4);
  put16(ip + 2, 20 + options + payload);
  put16(ip + 4, random32() & 0xffff);
  ip[8] = 64;
  ip[9] = protocol;
  random_fill(ip + 12, 8);
  put16(ip + 10, 0xffff ^ naive_sum(0, ip, 20 + options));
  return ip;
}

#define BENCH_BLOCK (68 * 1024)

/* A NIC on one end of a socketpair, which keeps frames apart and gives EAGAIN as a device does. */
struct bench {
  struct nic *nic;
  struct nic_queue *queue;
  int device, wire; /* our end and the other one */
  uint8_t *memory;
  size_t size;
  struct nic_layout at;
};

struct bench bench_open(bool vnet_hdr);
void bench_close(struct bench *bench);

#endif
