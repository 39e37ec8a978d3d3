/*
 * Receive under whatever a device may hand over: segments that go on and ones that only seem to, headers that
 * lie, frames too short and too long, virtio headers of garbage, blocks at the very end of the memory. The
 * judges are AddressSanitizer, and that nothing changes but posted blocks and receive descriptors.
 */
#include "check.h"

#include <linux/virtio_net.h>
#include <sys/socket.h>
#include <unistd.h>

#define SMALLEST_BLOCK (NIC_FRAME_ROOM + 8)

static uint8_t packet[NIC_FRAME_MAX + 100], before[1 << 20];

struct range {
  uint32_t from, to;
};

static bool within(const struct range *ranges, unsigned count, uint32_t from, uint32_t to) {
  for (unsigned i = 0; i < count; i++)
    if (from >= ranges[i].from && to <= ranges[i].to)
      return true;
  return false;
}

static int by_start(const void *a, const void *b) {
  const uint32_t x = ((const struct range *)a)->from, y = ((const struct range *)b)->from;
  return x < y ? -1 : x > y;
}

/* Nothing outside of the ranges has changed since `before`. */
static bool untouched(const struct bench *bench, struct range *ranges, unsigned count) {
  uint32_t at = 0;
  bool same = true;
  qsort(ranges, count, sizeof *ranges, by_start);
  for (unsigned i = 0; i < count; at = ranges[i++].to)
    same = same && memcmp(before + at, bench->memory + at, ranges[i].from - at) == 0;
  return same && memcmp(before + at, bench->memory + at, bench->size - at) == 0;
}

/* Posts blocks, by chance fewer than there are, at any alignment, one often last in the memory; and says
 * where. */
static unsigned post(struct bench *bench, struct range *ranges) {
  unsigned count = 0;
  uint32_t end = (uint32_t)bench->size;
  for (int i = 0; i < 4; i++) {
    int32_t offset = below(5) == 0 ? (int32_t)random32() : -(int32_t)below(SMALLEST_BLOCK + 10);
    if (offset >= 0 && (uint64_t)offset + SMALLEST_BLOCK <= bench->size)
      offset = -offset; /* no block of ours may be hit by chance */
    if (below(4) != 0) {
      end -= SMALLEST_BLOCK + below(50);
      offset = (int32_t)end;
      ranges[count++] = (struct range){end, end + SMALLEST_BLOCK};
    }
    memcpy(bench->memory + bench->at.rx_list_offset + 4 * i, &offset, sizeof offset);
  }
  return count;
}

static uint32_t sequence, mss;

static uint32_t a_frame(uint8_t *frame) {
  if (below(30) == 0) {
    random_fill(frame, 2000);
    return below(12) == 0 ? NIC_FRAME_MAX - 3 + below(8) : 1 + below(2000);
  }
  const uint32_t options = below(3) == 0 ? below(11) * 4 : 12;
  const uint32_t size = below(4) != 0 ? mss : below(40) == 0 ? below(60000) : below(1500);
  uint8_t *ip = build_ipv4(frame, 6, 0, 20 + options + size), *tcp = ip + 20;
  memset(ip + 12, 9, 8);
  memset(tcp, 0, 20 + options);
  put16(tcp + 4, sequence >> 16);
  put16(tcp + 6, sequence & 0xffff);
  tcp[12] = (uint8_t)((20 + options) << 2);
  tcp[13] = below(10) != 0 ? 0x10 : 0x18;
  memset(tcp + 20 + options, 5, size);
  if (below(20) == 0)
    tcp[12] = (uint8_t)random32();
  put16(ip + 10, 0);
  put16(ip + 10, 0xffff ^ naive_sum(0, ip, 20));
  put16(tcp + 16, 0xffff ^ naive_l4(ip, 20 + options + size));
  sequence += size;
  uint32_t length = ETH_HEADER + 40 + options + size;
  if (below(5) == 0)
    for (uint32_t damage = 1 + below(3); damage > 0; damage--)
      frame[below(ETH_HEADER + 60)] = (uint8_t)random32();
  return below(12) == 0 ? below(length + 1) : length + (below(12) == 0 ? below(30) : 0);
}

static void fuzz(bool vnet, bool ring) {
  struct bench bench = bench_open(vnet);
  if (!ring)
    queue_no_batches(bench.queue);
  bench.at.rx_block_size = SMALLEST_BLOCK;
  CHECK(nic_queue_attach(bench.queue, bench.memory, bench.size, &bench.at, NULL));
  uint64_t frames = 0, sent = 0;
  for (int turn = 0; turn < 8000; turn++) {
    static const uint32_t sizes[] = {1448, 1448, 1448, 9000, 20000, 30};
    mss = sizes[below(6)];
    for (uint32_t i = below(20); i > 0; i--) {
      const uint32_t ahead = vnet ? sizeof(struct virtio_net_hdr) : 0;
      random_fill(packet, ahead);
      if (below(4) != 0)
        memset(packet, 0, ahead);
      if (below(2) != 0)
        packet[0] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
      const uint32_t length = ahead + a_frame(packet + ahead);
      const uint32_t cut = below(40) == 0 ? 1 + below(length + 1) : length;
      if (cut == 0 || send(bench.wire, packet, cut < length ? cut : length, 0) < 0)
        break;
      sent++;
    }
    struct range ranges[5];
    unsigned blocks = post(&bench, ranges);
    memcpy(before, bench.memory, bench.size);
    const int count = nic_receive(bench.queue);
    CHECK(count >= 0 && count <= 8 && (blocks > 0 || (count == 0 && bench.queue->stuck)));
    for (int d = 0; d < count; d++) {
      int32_t word[NIC_RX_DESC_WORDS];
      memcpy(word, bench.memory + bench.at.rx_desc_offset + (size_t)d * sizeof word, sizeof word);
      CHECK(word[1] >= (int32_t)ETH_HEADER && word[1] <= NIC_FRAME_MAX && word[3] >= 0 && word[3] <= 65535);
      CHECK(within(ranges, blocks, (uint32_t)word[0], (uint32_t)word[0] + (uint32_t)word[1]));
    }
    ranges[blocks] = (struct range){bench.at.rx_desc_offset,
                                    bench.at.rx_desc_offset + bench.at.rx_desc_count * NIC_RX_DESC_WORDS * 4};
    CHECK(untouched(&bench, ranges, blocks + 1));
    frames += (unsigned)count;
  }
  const struct nic_stats *stats = &bench.queue->stats;
  CHECK(stats->rx_frames + stats->rx_dropped + nic_waiting(bench.queue) <= sent && stats->rx_errors == 0);
  CHECK(stats->rx_dropped > 50 && frames > 10000 && stats->rx_frames > frames + 500);
  bench_close(&bench);
}

int main(void) {
  fuzz(false, false);
  fuzz(false, true);
  fuzz(true, false);
  return check_result("rx_fuzz");
}
