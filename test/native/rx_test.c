/* Receive: placement, the verdict on every kind of frame, lengths that lie, a full arena, a short ring. */
#include "check.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <sys/socket.h>
#include <unistd.h>

static int32_t word(const struct bench *bench, int descriptor, int index) {
  int32_t value;
  memcpy(&value,
         bench->memory + bench->at.rx_desc_offset + (size_t)(descriptor * NIC_RX_DESC_WORDS + index) * 4, 4);
  return value;
}

/* A frame with right checksums: `l4` bytes of TCP (6), UDP (17), ICMP (1) or anything else. */
static uint32_t build(uint8_t *frame, uint8_t protocol, uint32_t options, uint32_t l4) {
  uint8_t *ip = build_ipv4(frame, protocol, options, l4), *body = ip + 20 + options;
  random_fill(body, l4);
  uint32_t field = protocol == 6 ? 16 : protocol == 17 ? 6 : 2;
  if (protocol == 17)
    put16(body + 4, l4);
  if (field + 2 <= l4) {
    put16(body + field, 0);
    uint32_t sum = 0xffff ^ naive_l4(ip, l4);
    put16(body + field, sum == 0 ? 0xffff : sum);
  }
  return ETH_HEADER + 20 + options + l4;
}

static void verdicts(void) {
  uint8_t frame[3000];
  for (int i = 0; i < 3000; i++) {
    static const uint8_t protocols[] = {1, 6, 17};
    uint8_t protocol = protocols[i % 3];
    uint32_t options = below(11) * 4, l4 = 20 + below(1500);
    uint32_t length = build(frame, protocol, options, l4);
    uint8_t *ip = frame + ETH_HEADER, *body = ip + 20 + options;
    CHECK(nic_verdict(frame, length) == NIC_RX_L4_OK);
    memset(frame + length, 0xee, 40); /* Ethernet padding is not summed */
    CHECK(nic_verdict(frame, length + below(40)) == NIC_RX_L4_OK);
    uint32_t at = below(l4);
    if (protocol != 17 || at < 4 || at > 7) { /* not UDP's length or checksum, which are looked at first */
      body[at] ^= 0x10;
      CHECK(nic_verdict(frame, length) == NIC_RX_L4_BAD);
      body[at] ^= 0x10;
    }
    ip[8]--; /* TTL without the checksum */
    CHECK(nic_verdict(frame, length) == (NIC_RX_IP_BAD | NIC_RX_L4_NONE));
  }
  uint32_t length = build(frame, 17, 0, 100);
  put16(frame + 34 + 6, 0);
  CHECK(nic_verdict(frame, length) == NIC_RX_L4_OK); /* no checksum was sent */
  for (uint32_t udp = 0; udp < 8; udp++) {
    put16(frame + 34 + 4, udp);
    CHECK(nic_verdict(frame, length) == NIC_RX_L4_NONE);
  }
  put16(frame + 34 + 4, 101);
  CHECK(nic_verdict(frame, length) == NIC_RX_L4_NONE);
  length = build(frame, 17, 0, 60); /* a datagram shorter than its packet */
  put16(frame + 16, 20 + 80);
  memset(frame + length, 0xaa, 20);
  csum_ipv4_header(frame + ETH_HEADER, 20);
  CHECK(nic_verdict(frame, length + 20) == NIC_RX_L4_OK);

  length = build(frame, 6, 0, 60);
  for (int fragment = 0; fragment < 2; fragment++) {
    put16(frame + 20, fragment ? 0x0001 : 0x2000);
    csum_ipv4_header(frame + ETH_HEADER, 20);
    CHECK(nic_verdict(frame, length) == NIC_RX_L4_NONE);
  }
  length = build(frame, 47, 0, 60);
  CHECK(nic_verdict(frame, length) == NIC_RX_L4_NONE);
  length = build(frame, 6, 0, 60);
  put16(frame + 12, 0x86dd);
  CHECK(nic_verdict(frame, length) == NIC_RX_L4_NONE);
}

/* Copied to the heap at its very length, so that one byte read too far is seen. */
static void lying_lengths(void) {
  uint8_t frame[2000];
  for (int i = 0; i < 100000; i++) {
    static const uint8_t protocols[] = {1, 6, 17, 2};
    uint32_t length = build(frame, protocols[below(4)], below(11) * 4, 20 + below(100));
    for (uint32_t damage = 1 + below(3); damage > 0; damage--)
      frame[below(2) ? ETH_HEADER + below(30) : below(length)] = (uint8_t)random32();
    if (below(2)) /* often with a header checksum that holds, to get further */
      csum_ipv4_header(frame + ETH_HEADER, 20);
    uint32_t kept = below(4) ? length : below(length + 1);
    uint8_t *exact = malloc(kept + 1);
    memcpy(exact + 1, frame, kept);
    uint32_t flags = nic_verdict(exact + 1, kept);
    CHECK((flags & NIC_RX_L4_OK ? 1 : 0) + (flags & NIC_RX_L4_BAD ? 1 : 0) +
              (flags & NIC_RX_L4_NONE ? 1 : 0) ==
          1);
    free(exact);
  }
}

static void batches(bool vnet) {
  struct bench bench = bench_open(vnet);
  const uint32_t ahead = vnet ? sizeof(struct virtio_net_hdr) : 0;
  uint8_t packet[3000] = {0}, *frame = packet + ahead;
  CHECK(nic_receive(bench.queue) == 0);

  uint32_t lengths[11];
  for (int i = 0; i < 11; i++) { /* more than there are descriptors */
    lengths[i] = build(frame, 17, 0, 21 + below(1400));
    frame[0] = (uint8_t)i;
    CHECK(send(bench.wire, packet, ahead + lengths[i], 0) > 0);
  }
  for (int i = 0; i < 11;) {
    int count = nic_receive(bench.queue);
    CHECK(count == (i == 0 ? 8 : 3));
    for (int d = 0; d < count; d++, i++) {
      CHECK(word(&bench, d, 0) % 4 == 2);
      CHECK((uint32_t)word(&bench, d, 0) >= 1 << 16);
      CHECK(word(&bench, d, 1) == (int32_t)lengths[i]);
      CHECK(word(&bench, d, 2) == NIC_RX_L4_OK);
      CHECK(bench.memory[word(&bench, d, 0)] == i);
    }
  }
  CHECK(nic_receive(bench.queue) == 0);
  CHECK(bench.queue->stats.rx_frames == 11);

  CHECK(send(bench.wire, packet, ahead + 13, 0) > 0); /* shorter than an Ethernet header */
  CHECK(send(bench.wire, packet, 5, 0) > 0);
  CHECK(nic_receive(bench.queue) == 0);
  CHECK(bench.queue->stats.rx_dropped == 2);
  bench_close(&bench);
}

static void full_blocks(void) {
  struct bench bench = bench_open(false);
  const size_t huge = NIC_FRAME_MAX;
  uint8_t *frame = calloc(1, huge + 1);
  for (int i = 0; i < 6; i++) {
    int count = 0;
    if (send(bench.wire, frame, huge, 0) < 0) { /* the socket's buffer is smaller than a device's */
      CHECK(errno == EAGAIN);
      count = nic_receive(bench.queue);
      CHECK(count > 0 && count <= 4);
      CHECK(send(bench.wire, frame, huge, 0) > 0);
    }
  }
  while (nic_receive(bench.queue) > 0)
    ;
  CHECK(bench.queue->stats.rx_frames == 6);
  CHECK(bench.queue->stats.rx_dropped == 0);
  if (send(bench.wire, frame, huge + 1, 0) >
      0) { /* longer than any frame: read cuts it, so it must not count */
    CHECK(nic_receive(bench.queue) == 0);
    CHECK(bench.queue->stats.rx_dropped == 1);
  }
  free(frame);
  bench_close(&bench);
}

/* Where JavaScript says that there is a block but none can be, nothing is written; the others serve. */
static void false_blocks(void) {
  struct bench bench = bench_open(false);
  uint8_t frame[3000];
  const int32_t lies[] = {0, -1, INT32_MIN, INT32_MAX, (int32_t)bench.size - BENCH_BLOCK + 1};
  for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
    for (int block = 0; block < 4; block++)
      memcpy(bench.memory + bench.at.rx_list_offset + 4 * block, &lies[i], 4);
    CHECK(send(bench.wire, frame, build(frame, 17, 0, 100), 0) > 0);
    CHECK(nic_receive(bench.queue) == 0);
    const int32_t last = (int32_t)bench.size - BENCH_BLOCK;
    memcpy(bench.memory + bench.at.rx_list_offset + 12, &last, 4);
    CHECK(nic_receive(bench.queue) == 1);
    CHECK(word(&bench, 0, 0) >= last);
  }
  bench_close(&bench);
}

static void virtio(void) {
  static const struct {
    uint8_t flags, gso_type;
    int32_t expected;
  } cases[] = {
      {VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_NONE, NIC_RX_L4_OK},
      {VIRTIO_NET_HDR_F_DATA_VALID, VIRTIO_NET_HDR_GSO_NONE, NIC_RX_L4_OK},
      {VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4, NIC_RX_L4_OK | NIC_RX_GSO_TCP4},
      {VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN,
       NIC_RX_L4_OK | NIC_RX_GSO_TCP4},
      {VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV6, NIC_RX_L4_OK | NIC_RX_GSO_OTHER},
      {0, VIRTIO_NET_HDR_GSO_NONE, NIC_RX_L4_BAD},
  };
  struct bench bench = bench_open(true);
  uint8_t packet[300];
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct virtio_net_hdr header = {.flags = cases[i].flags, .gso_type = cases[i].gso_type, .gso_size = 1448};
    memcpy(packet, &header, sizeof header);
    uint32_t length = build(packet + sizeof header, 6, 0, 200);
    packet[sizeof header + 100] ^= 1; /* its checksum is not finished */
    CHECK(send(bench.wire, packet, sizeof header + length, 0) > 0);
    CHECK(nic_receive(bench.queue) == 1);
    CHECK(word(&bench, 0, 2) == cases[i].expected);
    CHECK(word(&bench, 0, 3) == (cases[i].gso_type != 0 ? 1448 : 0));
  }
  close(bench.wire);
  bench.wire = -1;
  CHECK(nic_receive(bench.queue) == -ENODEV);
  CHECK(nic_receive(bench.queue) == -ENODEV);
  bench_close(&bench);
}

/* The linker sends rxbatch.c's ring here (run.sh): now and then it is of no further use after what it has
 * done. */
bool __real_uring_run(struct uring *ring, int *results);
bool __wrap_uring_run(struct uring *ring, int *results);
static unsigned runs;
static bool fragile;

bool __wrap_uring_run(struct uring *ring, int *results) {
  runs++;
  return __real_uring_run(ring, results) && !(fragile && below(20) == 0);
}

/* What is there, numbered one after another; how many. */
static int take(struct bench *bench, uint32_t *next) {
  const int count = nic_receive(bench->queue);
  for (int d = 0; d < count; d++, ++*next)
    CHECK(memcmp(bench->memory + word(bench, d, 0) + 6, next, sizeof *next) == 0);
  return count;
}

/* Bulk frames are read ahead, more than the descriptors are enough for: all arrive, once and in order, and
 * where some wait that the device no longer tells of the NIC does. */
static void ahead_of_descriptors(bool vnet, uint32_t longest) {
  struct bench bench = bench_open(vnet);
  const bool ring = bench.queue->ring != NULL;
  static uint8_t packet[20000]; /* of which a virtio header says nothing */
  const uint32_t ahead = vnet ? sizeof(struct virtio_net_hdr) : 0;
  uint8_t *frame = packet + ahead;
  runs = 0;
  uint32_t sent = 0, received = 0, waited = 0;
  fragile = true;
  while (sent < 20000) {
    for (uint32_t i = below(40); i > 0; i--, sent++) {
      const uint32_t length = build(frame, 17, 0, below(4) == 0 ? 40 : 1100 + below(longest - 1100));
      memcpy(frame + 6, &sent, sizeof sent); /* the sender's address */
      if (send(bench.wire, packet, ahead + length, 0) < 0)
        break;
    }
    for (uint32_t i = 1 + below(4); i > 0 || nic_waiting(bench.queue); i -= i > 0) {
      const bool waiting = nic_waiting(bench.queue);
      waited += take(&bench, &received) > 0 && waiting;
    }
    if (bench.queue->ring == NULL && below(50) == 0) { /* another device, whose ring holds for a while */
      while (take(&bench, &received) > 0)
        ;
      bench_close(&bench);
      bench = bench_open(vnet);
    }
  }
  while (take(&bench, &received) > 0)
    ;
  CHECK(received == sent);
  CHECK(bench.queue->stats.rx_dropped == 0);
  CHECK(!ring || longest > 3000 || (runs > 100 && waited > 40));
  fragile = false;
  bench_close(&bench);
}

int main(void) {
  verdicts();
  lying_lengths();
  batches(false);
  batches(true);
  full_blocks();
  false_blocks();
  virtio();
  ahead_of_descriptors(false, 2100);
  ahead_of_descriptors(true, 2100);
  ahead_of_descriptors(false, 18000);
  ahead_of_descriptors(true, 18000);
  return check_result("rx");
}
