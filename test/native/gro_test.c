/* Receive offload: what joins a run, what ends one, and that no byte is lost or changed whichever way it
 * goes. */
#include "check.h"

#include <linux/virtio_net.h>
#include <sys/socket.h>

enum { CWR = 0x80, ECE = 0x40, ACK = 0x10, PSH = 0x08, FIN = 0x01, HEADER = ETH_HEADER + 20 + 32 };

static int32_t word(const struct bench *bench, int descriptor, int index) {
  int32_t value;
  memcpy(&value,
         bench->memory + bench->at.rx_desc_offset + (size_t)(descriptor * NIC_RX_DESC_WORDS + index) * 4, 4);
  return value;
}

static void put32(uint8_t *p, uint32_t value) {
  put16(p, value >> 16);
  put16(p + 2, value & 0xffff);
}

static void finish(uint8_t *frame, uint32_t size) {
  uint8_t *ip = frame + ETH_HEADER;
  put16(ip + 10, 0);
  put16(ip + 10, 0xffff ^ naive_sum(0, ip, 20));
  put16(ip + 20 + 16, 0);
  put16(ip + 20 + 16, 0xffff ^ naive_l4(ip, 32 + size));
}

/* A data segment of stream `port` with timestamps; byte n of a stream is its number times 7, so order shows.
 */
static uint32_t segment(uint8_t *frame, uint32_t port, uint32_t seq, uint32_t size, uint32_t flags) {
  uint8_t *ip = build_ipv4(frame, 6, 0, 32 + size), *tcp = ip + 20;
  static const uint8_t ends[8] = {10, 0, 0, 1, 10, 0, 0, 2},
                       stamps[12] = {1, 1, 8, 10, 0, 0, 0, 5, 0, 0, 0, 9};
  memcpy(ip + 12, ends, 8);
  put16(tcp, port);
  put16(tcp + 2, 7002);
  put32(tcp + 4, seq);
  put32(tcp + 8, 77);
  tcp[12] = 8 << 4;
  tcp[13] = (uint8_t)flags;
  put16(tcp + 14, 500 + (seq & 63));
  put16(tcp + 18, 0);
  memcpy(tcp + 20, stamps, 12);
  for (uint32_t i = 0; i < size; i++)
    tcp[32 + i] = (uint8_t)((seq + i) * 7);
  finish(frame, size);
  return HEADER + size;
}

static void give(struct bench *bench, const uint8_t *frame, uint32_t length) {
  static uint8_t packet[sizeof(struct virtio_net_hdr) + 20000];
  const uint32_t ahead = bench->queue->vnet_hdr ? sizeof(struct virtio_net_hdr) : 0;
  memset(packet, 0, ahead);
  memcpy(packet + ahead, frame, length);
  CHECK(send(bench->wire, packet, ahead + length, 0) == (ssize_t)(ahead + length));
}

/* The descriptor holds `size` bytes of the stream from `seq` on, under headers that are true of them. */
static void holds(const struct bench *bench, int descriptor, uint32_t seq, uint32_t size, int32_t gso) {
  const uint8_t *frame = bench->memory + word(bench, descriptor, 0), *ip = frame + ETH_HEADER;
  CHECK(word(bench, descriptor, 0) % 8 == 2);
  CHECK(word(bench, descriptor, 1) == (int32_t)(HEADER + size));
  CHECK(word(bench, descriptor, 2) == (gso == 0 ? NIC_RX_L4_OK : NIC_RX_L4_OK | NIC_RX_GSO_TCP4));
  CHECK(word(bench, descriptor, 3) == gso);
  CHECK(get16(ip + 2) == 52 + size && naive_sum(0, ip, 20) == 0xffff);
  CHECK(get32(ip + 24) == seq);
  bool same = true;
  for (uint32_t i = 0; i < size; i++)
    same &= frame[HEADER + i] == (uint8_t)((seq + i) * 7);
  CHECK(same);
}

static void runs(bool vnet, uint32_t flags) {
  struct bench bench = bench_open(vnet);
  uint8_t frame[2000];
  /* Three full segments, and a short one that ends the run; the next begins another. */
  uint32_t seq = 0xfffff000; /* across the wrap */
  for (int i = 0; i < 3; i++, seq += 1448)
    give(&bench, frame, segment(frame, 1000, seq, 1448, flags));
  give(&bench, frame, segment(frame, 1000, seq, 100, flags | PSH));
  give(&bench, frame, segment(frame, 1000, seq + 100, 1448, flags));
  CHECK(nic_receive(bench.queue) == 2);
  holds(&bench, 0, 0xfffff000, 3 * 1448 + 100, 1448);
  CHECK(bench.memory[word(&bench, 0, 0) + HEADER - 32 + 13] == (flags | PSH));
  CHECK(get16(bench.memory + word(&bench, 0, 0) + HEADER - 32 + 14) ==
        500 + (seq & 63)); /* the latest window */
  holds(&bench, 1, seq + 100, 1448, 0);
  CHECK(bench.queue->stats.rx_frames == 5);
  bench_close(&bench);
}

/* Each of these is no continuation of the segment before it, and arrives as it was sent. */
static void strangers(void) {
  enum {
    GAP,
    OTHER_PORT,
    OTHER_ACK,
    OTHER_STAMP,
    LARGER,
    PUSHED_BEFORE,
    FINAL,
    EMPTY,
    ECHO,
    REDUCED,
    ACCURATE,
    MARK,
    TTL,
    FRAGMENT,
    PADDED,
    COUNT
  };
  for (int what = 0; what < COUNT; what++) {
    struct bench bench = bench_open(false);
    uint8_t first[2000], frame[2000] = {0};
    uint32_t length = segment(first, 1000, 1, 1000, what == PUSHED_BEFORE ? ACK | PSH : ACK);
    give(&bench, first, length);
    uint32_t size = what == LARGER ? 1001 : what == EMPTY ? 0 : 1000;
    length = segment(frame, what == OTHER_PORT ? 1001 : 1000, what == GAP ? 1002 : 1001, size,
                     what == FINAL     ? ACK | FIN
                     : what == ECHO    ? ACK | ECE
                     : what == REDUCED ? ACK | CWR
                                       : ACK);
    uint8_t *ip = frame + ETH_HEADER;
    if (what == ACCURATE)
      ip[32] |= 1;
    if (what == MARK)
      ip[1] |= 3;
    if (what == OTHER_ACK)
      put32(ip + 28, 78);
    if (what == OTHER_STAMP)
      put32(ip + 44, 6);
    if (what == TTL)
      ip[8] = 63;
    if (what == FRAGMENT)
      put16(ip + 6, 0x2000);
    finish(frame, size);
    if (what == PADDED)
      length += 4;
    give(&bench, frame, length);
    CHECK(nic_receive(bench.queue) == 2);
    CHECK(word(&bench, 0, 1) == HEADER + 1000 && word(&bench, 0, 3) == 0);
    CHECK(word(&bench, 1, 1) == (int32_t)length && word(&bench, 1, 3) == 0);
    CHECK(memcmp(bench.memory + word(&bench, 1, 0), frame, length) == 0);
    CHECK(word(&bench, 1, 2) == (what == FRAGMENT ? NIC_RX_L4_NONE : NIC_RX_L4_OK));
    bench_close(&bench);
  }
}

/* A damaged segment keeps its own verdict, and what follows it is not glued to what came before. */
static void damage(void) {
  struct bench bench = bench_open(false);
  uint8_t frame[2000];
  give(&bench, frame, segment(frame, 1000, 1, 1000, ACK));
  uint32_t length = segment(frame, 1000, 1001, 1000, ACK);
  frame[length - 1] ^= 1;
  give(&bench, frame, length);
  give(&bench, frame, segment(frame, 1000, 2001, 1000, ACK));
  CHECK(nic_receive(bench.queue) == 3);
  holds(&bench, 0, 1, 1000, 0);
  CHECK(word(&bench, 1, 2) == NIC_RX_L4_BAD);
  holds(&bench, 2, 2001, 1000, 0);
  bench_close(&bench);
}

/* No run grows beyond what an IPv4 header can say. */
static void longest(void) {
  struct bench bench = bench_open(false);
  uint8_t frame[2000];
  uint32_t seq = 0, total = 0;
  for (int i = 0; i < 100; i++, seq += 1448) {
    give(&bench, frame, segment(frame, 1000, seq, 1448, ACK));
    if (i % 20 != 19)
      continue; /* the stand-in's buffer is small */
    int count = nic_receive(bench.queue);
    for (int d = 0; d < count; d++) {
      uint32_t size = (uint32_t)word(&bench, d, 1) - HEADER;
      CHECK(size + 52 <= 65535);
      holds(&bench, d, total, size, size > 1448 ? 1448 : 0);
      total += size;
    }
  }
  CHECK(total == seq);
  bench_close(&bench);
}

/* Streams, gaps, repeats and sizes at random: what is received is, stream by stream, what was sent, in order.
 */
static void anything(bool vnet, bool large) {
  struct bench bench = bench_open(vnet);
  if (large) { /* so that more are there than can be taken at once: three of four blocks */
    bench.at.rx_desc_count = 3;
    CHECK(nic_queue_attach(bench.queue, bench.memory, bench.size, &bench.at, NULL));
  }
  for (int round = 0; round < 2000; round++) {
    static uint8_t frame[20000];
    struct {
      uint32_t port, seq, size;
    } sent[8];
    uint32_t next[2] = {random32(), random32()};
    uint32_t number = 1 + below(8), full = 1 + below(large && below(2) ? 14000 : 1448);
    for (uint32_t i = 0; i < number; i++) {
      uint32_t stream = below(4) == 0, size = below(5) ? full : below(full) + 1;
      if (below(6) == 0)
        next[stream] += below(3) * 100 - 100;
      sent[i].port = 1000 + stream;
      sent[i].seq = next[stream];
      sent[i].size = size;
      give(&bench, frame, segment(frame, 1000 + stream, next[stream], size, below(8) ? ACK : ACK | PSH));
      next[stream] += size;
    }
    uint32_t at = 0;
    for (int calls = 0; at < number && calls < 8; calls++) { /* one that comes alone is handed up alone */
      int count = nic_receive(bench.queue);
      CHECK(count > 0 && count <= (int)number && count <= (int)bench.at.rx_desc_count);
      for (int d = 0; d < count; d++) {
        const uint8_t *tcp = bench.memory + word(&bench, d, 0) + ETH_HEADER + 20;
        uint32_t seq = get32(tcp + 4), size = (uint32_t)word(&bench, d, 1) - HEADER, had = 0;
        holds(&bench, d, seq, size, word(&bench, d, 3));
        while (had < size && at < number) {
          CHECK(sent[at].port == get16(tcp) && sent[at].seq == seq + had);
          had += sent[at++].size;
        }
        CHECK(had == size);
      }
    }
    CHECK(at == number);
    CHECK(nic_receive(bench.queue) == 0 && nic_waiting(bench.queue) == 0);
    CHECK(bench.queue->stats.rx_dropped == 0);
  }
  bench_close(&bench);
}

int main(void) {
  runs(false, ACK);
  runs(false, ACK | ECE);
  runs(true, ACK);
  strangers();
  damage();
  longest();
  anything(false, false);
  anything(true, false);
  anything(false, true);
  anything(true, true);
  return check_result("gro");
}
