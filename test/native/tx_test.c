/*
 * Transmit: partial checksums, the virtio header, software TSO re-summed by the reference, a full device and
 * what resumes after it, and descriptors of pure garbage.
 */
#include "check.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAYLOAD_AT (600 << 10) /* where these tests keep payload, behind the rings */

struct descriptor {
  int32_t word[NIC_TX_DESC_WORDS];
};

static void push(struct bench *bench, const struct descriptor *descriptor) {
  int32_t *head = nic_ctrl(bench->queue, NIC_CTRL_TX_HEAD);
  uint32_t slot = (uint32_t)*head & (bench->at.tx_slots - 1);
  memcpy(bench->memory + bench->at.tx_desc_offset + slot * sizeof *descriptor, descriptor,
         sizeof *descriptor);
  *head = (int32_t)((uint32_t)*head + 1);
}

static uint32_t header_at(const struct bench *bench) {
  uint32_t slot = (uint32_t)*nic_ctrl(bench->queue, NIC_CTRL_TX_HEAD) & (bench->at.tx_slots - 1);
  return bench->at.tx_header_offset + slot * bench->at.tx_header_slot + 18;
}

/* A TCP frame as the stack leaves it: pseudo-header sum in the checksum field, IPv4 checksum wanted. */
static struct descriptor tcp_frame(struct bench *bench, uint32_t ip_options, uint32_t tcp_options,
                                   uint32_t payload, int32_t gso_size) {
  uint32_t at = header_at(bench), tcp_header = 20 + tcp_options, tcp_at = ETH_HEADER + 20 + ip_options;
  uint8_t *frame = bench->memory + at, *ip = build_ipv4(frame, 6, ip_options, tcp_header + payload);
  uint8_t *tcp = frame + tcp_at, pseudo[12];
  random_fill(tcp, tcp_header);
  tcp[12] = (uint8_t)(tcp_header << 2);
  tcp[13] = 0x80 | 0x10 | 0x08 | 0x01; /* CWR ACK PSH FIN */
  memcpy(pseudo, ip + 12, 8);
  pseudo[8] = 0;
  pseudo[9] = 6;
  put16(pseudo + 10, tcp_header + payload);
  put16(tcp + 16, naive_sum(0, pseudo, 12));
  put16(ip + 10, 0xdead);
  random_fill(bench->memory + PAYLOAD_AT, payload);

  struct descriptor d = {{(int32_t)at, (int32_t)(tcp_at + tcp_header)}};
  uint32_t from = PAYLOAD_AT, left = payload;
  for (int piece = 1; piece < 4; piece++) { /* three pieces, of any length, odd ones too */
    uint32_t take = piece == 3 ? left : below(left + 1);
    d.word[2 * piece] = (int32_t)from;
    d.word[2 * piece + 1] = (int32_t)take;
    from += take;
    left -= take;
  }
  d.word[8] = (int32_t)tcp_at;
  d.word[9] = 16;
  d.word[10] = gso_size;
  d.word[11] = NIC_TX_IPV4_CSUM | (gso_size != 0 ? NIC_TX_GSO_TCP4 : 0);
  return d;
}

/* The linker sends the NIC's writev here (run.sh). */
ssize_t __real_writev(int fd, const struct iovec *iov, int count);
ssize_t __wrap_writev(int fd, const struct iovec *iov, int count);
static unsigned gathered;

ssize_t __wrap_writev(int fd, const struct iovec *iov, int count) {
  gathered++;
  return __real_writev(fd, iov, count);
}

/* And its ring: the kernel's, or a `fake` that does of each batch only what the dice say. */
struct uring *__real_uring_open(int fd);
struct uring *__wrap_uring_open(int fd);
void __real_uring_close(struct uring *ring);
void __wrap_uring_close(struct uring *ring);
void __real_uring_use(struct uring *ring, int fd);
void __wrap_uring_use(struct uring *ring, int fd);
void __real_uring_write(struct uring *ring, const struct iovec *iov, unsigned count);
void __wrap_uring_write(struct uring *ring, const struct iovec *iov, unsigned count);
bool __real_uring_run(struct uring *ring, int *results);
bool __wrap_uring_run(struct uring *ring, int *results);

static bool fake;
static struct {
  int fd;
  unsigned count;
  struct {
    const struct iovec *iov;
    unsigned count;
  } put[64];
} ring_of_dice;

struct uring *__wrap_uring_open(int fd) {
  if (!fake)
    return __real_uring_open(fd);
  ring_of_dice.fd = fd;
  ring_of_dice.count = 0;
  return (struct uring *)&ring_of_dice;
}

void __wrap_uring_close(struct uring *ring) {
  if (ring != (struct uring *)&ring_of_dice)
    __real_uring_close(ring);
}

void __wrap_uring_use(struct uring *ring, int fd) {
  if (!fake)
    __real_uring_use(ring, fd);
  else
    ring_of_dice.fd = fd;
}

void __wrap_uring_write(struct uring *ring, const struct iovec *iov, unsigned count) {
  if (!fake) {
    __real_uring_write(ring, iov, count);
    return;
  }
  CHECK(ring_of_dice.count < 64);
  ring_of_dice.put[ring_of_dice.count].iov = iov;
  ring_of_dice.put[ring_of_dice.count++].count = count;
}

bool __wrap_uring_run(struct uring *ring, int *results) {
  if (!fake)
    return __real_uring_run(ring, results);
  const bool breaks = below(100) == 0;
  for (unsigned i = 0; i < ring_of_dice.count; i++) {
    results[i] = below(6) == 0 ? -EAGAIN : breaks && below(2) == 0 ? -ENOSYS : 0;
    if (results[i] == 0)
      results[i] = tx_write_now(ring_of_dice.fd, ring_of_dice.put[i].iov, ring_of_dice.put[i].count);
  }
  ring_of_dice.count = 0;
  return !breaks;
}

static bool have_ring(void) {
  struct uring *ring = __real_uring_open(0);
  if (ring == NULL)
    printf("tx         no io_uring here (%s): frames are written one by one\n", strerror(errno));
  else
    __real_uring_close(ring);
  return ring != NULL;
}

static void check_sums(const uint8_t *frame, uint32_t length) {
  const uint8_t *ip = frame + ETH_HEADER;
  uint32_t header = (ip[0] & 15u) * 4, total = get16(ip + 2);
  CHECK(total == length - ETH_HEADER);
  CHECK(naive_sum(0, ip, header) == 0xffff);
  CHECK(naive_l4(ip, total - header) == 0xffff);
}

static void plain(void) {
  struct bench bench = bench_open(false);
  uint8_t frame[70000];
  for (int i = 0; i < 2000; i++) {
    uint32_t options = below(11) * 4, tcp_options = below(11) * 4, payload = below(1460);
    struct descriptor d = tcp_frame(&bench, options, tcp_options, payload, 0);
    push(&bench, &d);
    CHECK(nic_flush(bench.queue) == 0);
    ssize_t got = recv(bench.wire, frame, sizeof frame, 0);
    CHECK(got == (ssize_t)(ETH_HEADER + 40 + options + tcp_options + payload));
    check_sums(frame, (uint32_t)got);
    CHECK(memcmp(frame + got - payload, bench.memory + PAYLOAD_AT, payload) == 0);
  }
  CHECK(bench.queue->stats.tx_frames == 2000 && bench.queue->stats.tx_invalid == 0);

  /* ICMP has no pseudo-header; UDP must not say "no checksum" when its sum comes out as zero. */
  uint32_t at = header_at(&bench);
  uint8_t *ip = build_ipv4(bench.memory + at, 1, 0, 32);
  random_fill(ip + 20, 32);
  put16(ip + 22, 0);
  struct descriptor icmp = {{(int32_t)at, ETH_HEADER + 52, 0, 0, 0, 0, 0, 0, 34, 2, 0, NIC_TX_IPV4_CSUM}};
  push(&bench, &icmp);
  CHECK(nic_flush(bench.queue) == 0);
  check_sums(frame, (uint32_t)recv(bench.wire, frame, sizeof frame, 0));

  at = header_at(&bench);
  memset(bench.memory + at, 0, 64);
  put16(bench.memory + at + 40, 0xffff); /* as if the pseudo-header summed to that */
  struct descriptor udp = {{(int32_t)at, 64, 0, 0, 0, 0, 0, 0, 34, 6, 0, 0}};
  push(&bench, &udp);
  CHECK(nic_flush(bench.queue) == 0);
  CHECK(recv(bench.wire, frame, sizeof frame, 0) == 64);
  CHECK(get16(frame + 40) == 0xffff);
  bench_close(&bench);
}

/* What one TSO frame became: every segment re-summed, sequence, id and flags followed, payload put together.
 */
static void check_cut(struct bench *bench, const struct descriptor *d, const uint8_t *before,
                      uint32_t payload) {
  static const uint8_t nothing[sizeof(struct virtio_net_hdr)];
  const size_t vnet = bench->queue->vnet_hdr ? sizeof nothing : 0;
  uint8_t packet[70000], *frame = packet + vnet, *again = malloc(payload + 1);
  const uint32_t header = (uint32_t)d->word[1], tcp_at = (uint32_t)d->word[8], mss = (uint32_t)d->word[10];
  uint32_t done = 0;
  for (uint32_t i = 0; done < payload || i == 0; i++) {
    ssize_t got = recv(bench->wire, packet, sizeof packet, 0);
    if (got < 0 && nic_flush(bench->queue) != 1) /* it was full: more comes now */
      got = recv(bench->wire, packet, sizeof packet, 0);
    CHECK(memcmp(packet, nothing, vnet) == 0); /* nothing is left for the kernel to do */
    got -= (ssize_t)vnet;
    uint32_t expected = payload - done < mss ? payload - done : mss;
    CHECK(got == (ssize_t)(header + expected));
    if (got != (ssize_t)(header + expected))
      break;
    check_sums(frame, (uint32_t)got);
    bool last = done + expected == payload;
    CHECK(get16(frame + 18) == ((get16(before + 18) + i) & 0xffff));
    CHECK(get32(frame + tcp_at + 4) == get32(before + tcp_at + 4) + done);
    CHECK(get32(frame + tcp_at + 8) == get32(before + tcp_at + 8));
    const bool cwr = i == 0 || (d->word[11] & NIC_TX_ACCECN) != 0;
    CHECK(frame[tcp_at + 13] == (0x10 | (cwr ? 0x80 : 0) | (last ? 0x09 : 0)));
    CHECK(memcmp(frame + tcp_at + 20, before + tcp_at + 20, header - tcp_at - 20) == 0);
    memcpy(again + done, frame + header, expected);
    done += expected;
  }
  CHECK(done == payload && memcmp(again, bench->memory + PAYLOAD_AT, payload) == 0);
  free(again);
}

/* `vnet`: only what bears Accurate ECN's number is cut here. */
static void cut(bool vnet) {
  struct bench bench = bench_open(vnet);
  int little = 20000; /* less than most TSO frames: cuts stop half-way and resume */
  setsockopt(bench.device, SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
  for (int i = 0; i < 300; i++) {
    uint32_t options = i % 5 == 0 ? 8 : 0, tcp_options = below(11) * 4;
    uint32_t mss = i % 10 == 0 ? 1 + below(100) : 500 + below(9000);
    uint32_t payload = i % 10 == 0 ? below(2000) : below(65535 - 60 - 60);
    struct descriptor d = tcp_frame(&bench, options, tcp_options, payload, (int32_t)mss);
    if (vnet || i % 3 == 0)
      d.word[11] |= NIC_TX_ACCECN;
    uint8_t before[134];
    memcpy(before, bench.memory + d.word[0], (size_t)d.word[1]);
    push(&bench, &d);
    nic_flush(bench.queue);
    check_cut(&bench, &d, before, payload);
    CHECK(nic_flush(bench.queue) == 0);
  }
  CHECK(bench.queue->stats.tx_eagain > 0);
  CHECK(bench.queue->stats.tx_dropped == 0 && bench.queue->stats.tx_invalid == 0);
  bench_close(&bench);
}

static void virtio(void) {
  struct bench bench = bench_open(true);
  uint8_t packet[70000];
  for (int i = 0; i < 200; i++) {
    uint32_t payload = 1 + below(30000);
    struct descriptor d = tcp_frame(&bench, 0, 12, payload, i % 2 ? 1448 : 0);
    if (i % 4 == 1)
      d.word[11] |= NIC_TX_ECN;
    push(&bench, &d);
    CHECK(nic_flush(bench.queue) == 0);
    struct virtio_net_hdr header;
    ssize_t got = recv(bench.wire, packet, sizeof packet, 0);
    CHECK(got == (ssize_t)(sizeof header + 66 + payload));
    memcpy(&header, packet, sizeof header);
    CHECK(header.flags == VIRTIO_NET_HDR_F_NEEDS_CSUM && header.csum_start == 34 && header.csum_offset == 16);
    CHECK(header.gso_size == (i % 2 ? 1448 : 0) && header.hdr_len == 66);
    CHECK(header.gso_type ==
          (i % 2 ? VIRTIO_NET_HDR_GSO_TCPV4 | (i % 4 == 1 ? VIRTIO_NET_HDR_GSO_ECN : 0) : 0));
    uint8_t *ip = packet + sizeof header + ETH_HEADER;
    CHECK(naive_sum(0, ip, 20) == 0xffff);
    CHECK(memcmp(packet + got - payload, bench.memory + PAYLOAD_AT, payload) == 0);
  }
  bench_close(&bench);
}

/* A frame of up to 2048 bytes is cheaper to the kernel in one piece, a longer one by reference. */
static void pieces(void) {
  for (int vnet_hdr = 0; vnet_hdr < 2; vnet_hdr++) {
    struct bench bench = bench_open(vnet_hdr);
    uint8_t frame[70000];
    for (uint32_t payload = 0; payload < 4096; payload += 97) {
      struct descriptor d = tcp_frame(&bench, 0, 12, payload, 0);
      gathered = 0;
      push(&bench, &d);
      CHECK(nic_flush(bench.queue) == 0);
      CHECK(recv(bench.wire, frame, sizeof frame, 0) > (ssize_t)payload);
      CHECK(gathered == (ETH_HEADER + 52 + payload > 2048));
    }
    bench_close(&bench);
  }
}

/* A device that takes nothing keeps the ring; what comes out afterwards is all of it, in order, once. */
static void full(bool batches) {
  struct bench bench = bench_open(false);
  if (!batches)
    queue_no_batches(bench.queue);
  uint32_t sent = 0, received = 0;
  uint8_t frame[2000];
  for (int turn = 0; turn < 400; turn++) {
    while (below(8) != 0 && sent - received < 10000) {
      int32_t ahead = *nic_ctrl(bench.queue, NIC_CTRL_TX_HEAD) - *nic_ctrl(bench.queue, NIC_CTRL_TX_TAIL);
      if (ahead == (int32_t)bench.at.tx_slots)
        break;
      uint32_t at = header_at(&bench);
      memset(bench.memory + at, 0, 64);
      memcpy(bench.memory + at + 14, &sent, sizeof sent);
      struct descriptor d = {{(int32_t)at, 64, PAYLOAD_AT, 1400}};
      push(&bench, &d);
      sent++;
    }
    int result = nic_flush(bench.queue);
    int32_t kept = *nic_ctrl(bench.queue, NIC_CTRL_TX_HEAD) - *nic_ctrl(bench.queue, NIC_CTRL_TX_TAIL);
    CHECK(result == (kept != 0 ? -EAGAIN : 0));
    for (uint32_t drain = turn > 200 ? 100 : below(8); drain > 0; drain--) {
      if (recv(bench.wire, frame, sizeof frame, 0) < 0)
        break;
      uint32_t number;
      memcpy(&number, frame + 14, sizeof number);
      CHECK(number == received);
      received++;
    }
  }
  CHECK(bench.queue->stats.tx_eagain > 0);
  while (nic_flush(bench.queue) == -EAGAIN || sent != received) {
    if (recv(bench.wire, frame, sizeof frame, 0) < 0)
      break;
    received++;
  }
  CHECK(sent == received && bench.queue->stats.tx_frames == sent && bench.queue->stats.tx_dropped == 0);
  CHECK((bench.queue->stats.tx_batched > 0) == batches);

  close(bench.wire);
  bench.wire = -1;
  for (int i = 0; i < 3; i++) {
    struct descriptor d = {{(int32_t)header_at(&bench), 64}};
    push(&bench, &d);
  }
  CHECK(nic_flush(bench.queue) == -EPIPE); /* told once; the rest, and all later ones, are counted */
  CHECK(bench.queue->stats.tx_dropped == 3);
  CHECK(nic_flush(bench.queue) == 0);
  bench_close(&bench);
}

/* A descriptor that can be full: one frame has no room, the next has some again, and would overtake it. */
static void in_order(void) {
  struct bench bench = bench_open(false);
  bench.queue->fills = true;
  for (int i = 0; i < 10; i++) {
    struct descriptor d = {{(int32_t)header_at(&bench), 64}};
    push(&bench, &d);
  }
  CHECK(nic_flush(bench.queue) == 0);
  CHECK(bench.queue->stats.tx_frames == 10 && bench.queue->stats.tx_batched == 0);
  bench_close(&bench);
}

/* A batch of which the device takes some: each frame goes out whole and once, whatever overtook it; of a
 * frame that is cut here a segment may go twice, and none is missing. A ring that fails is done without. */
static void holes(bool vnet) {
  enum { SEGMENTS = 5, MSS = 300, SMALL = 1200, LARGE = 5000 };
  uint32_t broken = 0, overtaken = 0;
  fake = true;
  for (int turn = 0; turn < 2000; turn++) {
    struct bench bench = bench_open(vnet);
    const uint32_t vnet_size = vnet ? sizeof(struct virtio_net_hdr) : 0, count = 1 + below(30);
    uint32_t sequence[30], seen[30][SEGMENTS] = {{0}};
    bool cut[30];
    for (uint32_t i = 0; i < count; i++) {
      cut[i] = below(4) == 0;
      const uint32_t payload = cut[i] ? SEGMENTS * MSS : below(4) == 0 ? LARGE : SMALL;
      struct descriptor d = tcp_frame(&bench, 0, 12, payload, cut[i] ? MSS : 0);
      if (cut[i])
        d.word[11] |= NIC_TX_ACCECN;
      sequence[i] = i << 16; /* tells one from another */
      const uint8_t bytes[4] = {0, (uint8_t)i, 0, 0};
      memcpy(bench.memory + d.word[0] + ETH_HEADER + 24, bytes, 4);
      push(&bench, &d);
    }
    uint32_t last = 0;
    for (int tries = 0, more = 1; more; tries++) {
      more = nic_flush(bench.queue) == -EAGAIN;
      CHECK(tries < 1000);
      uint8_t packet[70000], *frame = packet + vnet_size;
      for (ssize_t got; (got = recv(bench.wire, packet, sizeof packet, 0)) > 0;) {
        const uint32_t at = get32(frame + ETH_HEADER + 24), i = at >> 16, segment = (at & 0xffff) / MSS;
        const uint32_t size = (uint32_t)got - vnet_size - 66;
        CHECK(i < count && at - sequence[i] == segment * MSS);
        CHECK(cut[i] ? size == MSS && segment < SEGMENTS : segment == 0 && (size == SMALL || size == LARGE));
        if (!vnet || cut[i])
          check_sums(frame, (uint32_t)got - vnet_size);
        CHECK(memcmp(frame + 66, bench.memory + PAYLOAD_AT + segment * MSS, cut[i] ? MSS : 0) == 0);
        seen[i][segment]++;
        overtaken += at < last;
        last = at;
      }
    }
    for (uint32_t i = 0; i < count; i++)
      for (uint32_t segment = 0; segment < (cut[i] ? SEGMENTS : 1); segment++)
        CHECK(cut[i] ? seen[i][segment] >= 1 : seen[i][segment] == 1);
    CHECK(bench.queue->stats.tx_invalid == 0 && bench.queue->stats.tx_dropped == 0);
    broken += bench.queue->ring == NULL;
    bench_close(&bench);
  }
  CHECK(broken > 0 && overtaken > 1000);
  fake = false;
}

/* What had to wait leaves with the checksum that it would have left with. */
static void full_sums(void) {
  struct bench bench = bench_open(false);
  uint8_t frame[2000];
  for (uint32_t received = 0; received < 4000;) {
    int32_t ahead = *nic_ctrl(bench.queue, NIC_CTRL_TX_HEAD) - *nic_ctrl(bench.queue, NIC_CTRL_TX_TAIL);
    if (ahead < (int32_t)bench.at.tx_slots) {
      struct descriptor d = tcp_frame(&bench, 0, 12, below(1400), 0);
      push(&bench, &d);
    }
    if (nic_flush(bench.queue) != -EAGAIN)
      continue;
    for (uint32_t drain = below(8); drain > 0; drain--) {
      ssize_t got = recv(bench.wire, frame, sizeof frame, 0);
      if (got < 0)
        break;
      check_sums(frame, (uint32_t)got);
      received++;
    }
  }
  CHECK(bench.queue->stats.tx_eagain > 100);
  bench_close(&bench);
}

static int32_t garbage(const struct bench *bench) {
  switch (below(10)) {
  case 0:
    return INT32_MIN;
  case 1:
    return INT32_MAX;
  case 2:
    return -(int32_t)below(100);
  case 3:
    return (int32_t)below(200);
  case 4:
    return (int32_t)bench->size - 100 + (int32_t)below(200);
  case 5:
    return (int32_t)(bench->at.tx_header_offset + below(64 * 256 + 300) - 20);
  case 6:
  case 7:
    return (int32_t)below((uint32_t)bench->size);
  default:
    return (int32_t)random32();
  }
}

/* AddressSanitizer is the judge of most of this; besides, only the header areas and TX_TAIL may ever change.
 */
static void fuzz(bool vnet) {
  struct bench bench = bench_open(vnet);
  static uint8_t frame[70000];
  const uint32_t first = bench.at.tx_header_offset, end = first + bench.at.tx_slots * bench.at.tx_header_slot;
  uint8_t *before = malloc(bench.size);
  for (int i = 0; i < 100000; i++) {
    struct descriptor d =
        tcp_frame(&bench, below(4) * 4, below(11) * 4, below(3000), below(2) ? 0 : 1 + (int32_t)below(2000));
    for (uint32_t damage = below(5); damage > 0; damage--)
      d.word[below(NIC_TX_DESC_WORDS)] = garbage(&bench);
    if (below(4) == 0) /* a TSO frame whose headers lie */
      random_fill(bench.memory + header_at(&bench) + 12 + below(40), 1 + below(4));
    push(&bench, &d);
    if (below(500) == 0)
      *nic_ctrl(bench.queue, NIC_CTRL_TX_HEAD) = (int32_t)random32();
    if (below(500) == 0)
      *nic_ctrl(bench.queue, NIC_CTRL_TX_TAIL) = (int32_t)random32();
    bool look = i % 100 == 0;
    if (look)
      memcpy(before, bench.memory, bench.size);
    int32_t head = *nic_ctrl(bench.queue, NIC_CTRL_TX_HEAD);
    while (nic_flush(bench.queue) == -EAGAIN)
      while (recv(bench.wire, frame, sizeof frame, 0) >= 0)
        ;
    while (recv(bench.wire, frame, sizeof frame, 0) >= 0)
      ;
    CHECK(*nic_ctrl(bench.queue, NIC_CTRL_TX_TAIL) == head &&
          *nic_ctrl(bench.queue, NIC_CTRL_TX_HEAD) == head);
    if (look) {
      memcpy(before, bench.memory, NIC_CTRL_WORDS * 4);
      CHECK(memcmp(before, bench.memory, first) == 0);
      CHECK(memcmp(before + end, bench.memory + end, bench.size - end) == 0);
    }
  }
  const struct nic_stats *stats = &bench.queue->stats;
  CHECK(stats->tx_invalid > 10000 && stats->tx_frames > 10000 && !bench.queue->gone);
  free(before);
  bench_close(&bench);
}

static void layouts(void) {
  struct bench bench = bench_open(false);
  for (int i = 0; i < 20000; i++) {
    struct nic_layout at = bench.at;
    uint32_t *words[] = {&at.rx_list_offset, &at.rx_blocks,        &at.rx_block_size,  &at.rx_desc_offset,
                         &at.rx_desc_count,  &at.tx_header_offset, &at.tx_header_slot, &at.tx_slots,
                         &at.tx_desc_offset, &at.ctrl_offset};
    *words[below(10)] = below(2) ? random32() : (uint32_t)garbage(&bench);
    if (nic_queue_attach(bench.queue, bench.memory, bench.size, &at, NULL)) {
      CHECK(at.rx_list_offset + 4 * (uint64_t)at.rx_blocks <= bench.size);
      CHECK(at.tx_header_offset + (uint64_t)at.tx_slots * at.tx_header_slot <= bench.size);
      CHECK((at.tx_slots & (at.tx_slots - 1)) == 0);
    }
  }
  CHECK(nic_queue_attach(bench.queue, bench.memory, bench.size, &bench.at, NULL));
  CHECK(!nic_queue_rebase(bench.queue, bench.memory, bench.size / 64));
  CHECK(!nic_queue_rebase(bench.queue, NULL, 0));
  CHECK(nic_queue_rebase(bench.queue, bench.memory, bench.size));
  bench_close(&bench);
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  plain();
  cut(false);
  cut(true);
  virtio();
  pieces();
  in_order();
  full(false);
  if (have_ring())
    full(true);
  holes(false);
  holes(true);
  full_sums();
  fuzz(false);
  fuzz(true);
  layouts();
  return check_result("tx");
}
