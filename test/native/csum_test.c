/* Checksums against the naive reference: every short length, random long ones, gather lists cut anywhere. */
#include "check.h"

static uint16_t big_endian(uint16_t sum) {
  uint8_t bytes[2];
  memcpy(bytes, &sum, 2);
  return (uint16_t)get16(bytes);
}

/* 0 and 0xffff are the same number in ones' complement, but a sum of anything non-zero is never 0. */
static void same(uint64_t sum, uint32_t reference) { CHECK(big_endian(csum_fold(sum)) == reference); }

static void lengths(void) {
  uint8_t *data = malloc(70000);
  random_fill(data, 70000);
  for (size_t length = 0; length < 700; length++)
    for (size_t at = 0; at < 9; at++)
      same(csum_add(0, data + at, length), naive_sum(0, data + at, length));
  for (int i = 0; i < 200; i++) {
    size_t at = below(100), length = below(65536);
    same(csum_add(0, data + at, length), naive_sum(0, data + at, length));
  }
  memset(data, 0xff, 70000); /* as many carries as there can be */
  for (size_t length = 1; length < 66000; length += 977)
    same(csum_add(0, data, length), naive_sum(0, data, length));
  memset(data, 0, 70000);
  same(csum_add(0, data, 70000), 0);
  free(data);
}

static void gather(void) {
  uint8_t *data = malloc(20000);
  for (int i = 0; i < 5000; i++) {
    size_t length = 1 + below(i % 50 == 0 ? 20000 : 300), skip = below((uint32_t)length), from = 0;
    random_fill(data, length);
    struct iovec iov[5];
    unsigned count = 0;
    while (from < length && count < 5) {
      size_t take = count == 4 ? length - from : below((uint32_t)(length - from) + 1); /* may be empty */
      iov[count].iov_base = data + from;
      iov[count++].iov_len = take;
      from += take;
    }
    uint64_t start = random32();
    uint8_t bytes[8];
    memcpy(bytes, &start, 8);
    same(csum_iov(start, iov, count, skip), naive_sum(naive_sum(0, bytes, 8), data + skip, length - skip));
  }
  free(data);
}

static void headers(void) {
  uint8_t frame[200];
  for (uint32_t options = 0; options <= 40; options += 4) {
    uint8_t *ip = build_ipv4(frame, 6, options, 100);
    uint32_t right = get16(ip + 10);
    put16(ip + 10, random32());
    csum_ipv4_header(ip, 20 + options);
    CHECK(get16(ip + 10) == right);
    uint8_t pseudo[12];
    memcpy(pseudo, ip + 12, 8);
    pseudo[8] = 0;
    pseudo[9] = 6;
    put16(pseudo + 10, 0xabcd);
    same(csum_pseudo4(ip, 6, 0xabcd), naive_sum(0, pseudo, 12));
  }
}

int main(void) {
  lengths();
  gather();
  headers();
  return check_result("csum");
}
