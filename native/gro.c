/*
 * Generic receive offload: consecutive segments of one TCP stream become one frame, as the kernel's
 * tcp_gro_receive makes them, so that the stack parses one header for many. rx.c reads the next frame's
 * headers beside the arena and its payload straight behind the run's: what continues the run costs no copy,
 * what does not is moved into its place.
 */
#include "internal.h"

#include <netinet/in.h>
#include <string.h>

enum { FIN = 1, PSH = 8, ACK = 16, ECE = 64 };

static inline uint32_t get16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }
static inline uint32_t get32(const uint8_t *p) { return get16(p) << 16 | get16(p + 2); }
static inline void put16(uint8_t *p, uint32_t value) {
  p[0] = (uint8_t)(value >> 8);
  p[1] = (uint8_t)value;
}

/* May a run begin with this frame? Its checksums hold, it is a bare data segment, and nothing pads it. CWR is
 * one segment's only, unless it is part of Accurate ECN's number, which nobody here can know. */
void gro_begin(struct gro_run *run, uint8_t *frame, uint32_t length) {
  const uint8_t *ip = frame + ETH_HEADER;
  run->frame = NULL;
  if (length < ETH_HEADER + 40 || get16(frame + 12) != 0x0800 || ip[0] != 0x45 || ip[9] != IPPROTO_TCP)
    return;
  const uint8_t *tcp = ip + 20;
  uint32_t header = ETH_HEADER + 20 + (tcp[12] >> 4) * 4u;
  if (get16(ip + 2) != length - ETH_HEADER || header < ETH_HEADER + 40 || header >= length ||
      (get16(ip + 6) & 0x3fff) != 0 || (tcp[13] & ~ECE) != ACK)
    return;
  run->frame = frame;
  run->header = header;
  run->length = length;
  run->size = length - header;
  run->next = get32(tcp + 4) + run->size;
  run->segments = 1;
  run->closed = ETH_HEADER + 65535 < length + run->size;
}

/* Bytes of two frames' headers that must be equal: all but length, IP id and checksum, sequence number, PSH,
 * window and TCP checksum (the acknowledgement must be, too: tcp_gro_receive flushes otherwise). */
static bool same_stream(const uint8_t *a, const uint8_t *b, uint32_t header) {
  const uint8_t *x = a + ETH_HEADER, *y = b + ETH_HEADER;
  return memcmp(a, b, ETH_HEADER + 2) == 0 && memcmp(x + 6, y + 6, 4) == 0 &&
         memcmp(x + 12, y + 12, 12) == 0 && memcmp(x + 28, y + 28, 5) == 0 && ((x[33] ^ y[33]) & ~PSH) == 0 &&
         memcmp(x + 38, y + 38, header - ETH_HEADER - 38) == 0;
}

static bool checksums_hold(const uint8_t *headers, uint32_t header, const uint8_t *payload, uint32_t size) {
  const uint8_t *ip = headers + ETH_HEADER, *tcp = ip + 20;
  uint32_t tcp_header = header - ETH_HEADER - 20;
  if (csum_fold(csum_add(0, ip, 20)) != 0xffff)
    return false;
  uint64_t sum = csum_add(csum_pseudo4(ip, IPPROTO_TCP, tcp_header + size), tcp, tcp_header);
  return csum_fold(csum_add(sum, payload, size)) == 0xffff; /* a header is a whole number of words */
}

/* Takes a payload, whose headers are `headers`, into the run, and to its end where it is not there already;
 * false if it is no continuation. */
bool gro_append(struct gro_run *run, const uint8_t *headers, const uint8_t *payload, uint32_t size,
                bool verified) {
  const uint8_t *ip = headers + ETH_HEADER, *tcp = ip + 20;
  uint8_t *first = run->frame + ETH_HEADER;
  if (size == 0 || size > run->size || get16(ip + 2) != run->header - ETH_HEADER + size ||
      get32(tcp + 4) != run->next || !same_stream(run->frame, headers, run->header))
    return false;
  if (!verified && !checksums_hold(headers, run->header, payload, size))
    return false;
  uint8_t *end = run->frame + run->length;
  const bool push = (tcp[13] & PSH) != 0;
  first[20 + 13] |= tcp[13] & PSH;
  memcpy(first + 20 + 14, tcp + 14, 2); /* the latest window */
  if (payload != end)
    memmove(end, payload, size); /* over the headers, where it was read right behind the run */
  run->length += size;
  run->next += size;
  run->segments++;
  /* A push or a short segment ends what the sender wrote at once; it waits for nothing more. */
  run->closed = push || size < run->size || ETH_HEADER + 65535 < run->length + run->size;
  return true;
}

/* The run's one IP header says how long it has become. */
void gro_end(const struct gro_run *run) {
  if (run->frame == NULL || run->segments < 2)
    return;
  put16(run->frame + ETH_HEADER + 2, run->length - ETH_HEADER);
  csum_ipv4_header(run->frame + ETH_HEADER, 20);
}
