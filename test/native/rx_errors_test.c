/*
 * Receive where reads fail: what passes costs no frame but its own and no link, what stays costs no
 * processor, and what was read ahead is delivered or counted. The linker sends the NIC's reads here (run.sh).
 */
#include "check.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t __real_read(int fd, void *to, size_t size);
ssize_t __wrap_read(int fd, void *to, size_t size);
ssize_t __real_readv(int fd, const struct iovec *iov, int count);
ssize_t __wrap_readv(int fd, const struct iovec *iov, int count);
bool __real_uring_run(struct uring *ring, int *results);
bool __wrap_uring_run(struct uring *ring, int *results);

/* Of the reads to come: how many are spared, how many fail then, and with what; or one in two fails. */
static int spared, fails, failure;
static int breaks; /* of the next run of the ring: which result is the failure, whatever was read; -1: none */
static bool ring_only, by_turns;
static unsigned reads, runs;

static bool fail_now(void) {
  reads++;
  if (by_turns ? reads % 2 == 0 : ring_only || fails == 0 || spared-- > 0)
    return false;
  spared = 0;
  fails -= !by_turns;
  errno = failure;
  return true;
}

ssize_t __wrap_read(int fd, void *to, size_t size) { return fail_now() ? -1 : __real_read(fd, to, size); }

ssize_t __wrap_readv(int fd, const struct iovec *iov, int count) {
  return fail_now() ? -1 : __real_readv(fd, iov, count);
}

/* Reads that find nothing may fail instead. */
bool __wrap_uring_run(struct uring *ring, int *results) {
  static int real[URING_MAX];
  const bool usable = __real_uring_run(ring, real);
  runs++;
  for (int i = 0; i < URING_MAX; i++)
    results[i] = real[i];
  if (breaks >= 0)
    results[breaks] = -failure;
  breaks = -1;
  for (int i = 0; i < URING_MAX && fails > 0 && spared == 0; i++)
    if (real[i] == -EAGAIN) {
      results[i] = -failure;
      fails--;
    }
  return usable;
}

static uint32_t datagram(uint8_t *frame, uint32_t number, uint32_t payload) {
  uint8_t *ip = build_ipv4(frame, 17, 0, 8 + payload);
  memset(ip + 20, 0, 8 + payload); /* no UDP checksum */
  put16(ip + 24, 8 + payload);
  memcpy(frame + 6, &number, sizeof number);
  return ETH_HEADER + 28 + payload;
}

static void sends(const struct bench *bench, uint32_t from, uint32_t to, uint32_t payload) {
  uint8_t frame[3000];
  for (uint32_t number = from; number < to; number++)
    CHECK(send(bench->wire, frame, datagram(frame, number, payload), 0) > 0);
}

/* What nic_receive gives, which continues with number `next`. */
static int receives(struct bench *bench, uint32_t *next) {
  const int count = nic_receive(bench->queue);
  for (int i = 0; i < count; i++, ++*next) {
    int32_t at;
    memcpy(&at, bench->memory + bench->at.rx_desc_offset + i * NIC_RX_DESC_WORDS * 4, sizeof at);
    CHECK(memcmp(bench->memory + at + 6, next, sizeof *next) == 0);
  }
  return count;
}

static const int passing[] = {EINTR, EIO, ENOMEM, ENOBUFS, EINVAL, EFAULT, ENETDOWN, ECONNREFUSED, EPERM};
static const int lasting[] = {EBADFD, EBADF, ENODEV, ENXIO, EPIPE, ECONNRESET, ENOTCONN};

static void pass(int error) {
  struct bench bench = bench_open(false);
  uint32_t next = 0;
  failure = error;
  sends(&bench, 0, 3, 40);
  fails = 1;
  CHECK(receives(&bench, &next) == 3 && !bench.queue->stuck && !bench.queue->gone);
  CHECK(bench.queue->stats.rx_errors == 1 && bench.queue->stats.rx_dropped == 0 && fails == 0);
  fails = 2; /* where there is nothing: a look in vain, and no end */
  CHECK(receives(&bench, &next) == 0 && !bench.queue->stuck && !bench.queue->gone);
  CHECK(bench.queue->stats.rx_errors == 3);
  bench_close(&bench);
}

/* Many errors are none in a row. */
static void by_turn(void) {
  struct bench bench = bench_open(false);
  uint32_t next = 0;
  failure = EINVAL;
  by_turns = true;
  reads = 0;
  sends(&bench, 0, 9, 40);
  CHECK(receives(&bench, &next) == 8 && !bench.queue->stuck && bench.queue->stats.rx_errors == 8);
  by_turns = false;
  bench_close(&bench);
}

/* A device that only fails is left alone for a while, and serves again when it is better. */
static void stays(int error) {
  struct bench bench = bench_open(false);
  uint32_t next = 0;
  failure = error;
  sends(&bench, 0, 3, 1400);
  for (uint32_t turn = 1; turn <= 3; turn++) {
    fails = INT32_MAX;
    reads = 0;
    CHECK(receives(&bench, &next) == 0 && bench.queue->stuck && !bench.queue->gone);
    CHECK(reads <= 16 && bench.queue->stats.rx_errors == turn * reads);
  }
  fails = 0;
  while (next < 3)
    CHECK(receives(&bench, &next) > 0 && !bench.queue->stuck);
  sends(&bench, 3, 5, 40);
  spared = 2;
  fails = INT32_MAX; /* behind frames, which are handed up first */
  CHECK(receives(&bench, &next) == 2 && bench.queue->stuck);
  fails = 0;
  bench_close(&bench);
}

static void ends(int error) {
  struct bench bench = bench_open(false);
  failure = error;
  fails = 1;
  CHECK(nic_receive(bench.queue) == -error && bench.queue->gone);
  CHECK(bench.queue->stats.rx_errors == 0);
  bench_close(&bench);
}

/* While a run grows its continuation is read in another way. */
static void in_a_run(void) {
  struct bench bench = bench_open(false);
  uint8_t frame[300];
  uint32_t sequence = 1000;
  uint8_t *ip = build_ipv4(frame, 6, 0, 20 + 100), *tcp = ip + 20;
  memset(tcp, 0, 120);
  tcp[12] = 0x50;
  tcp[13] = 0x10;
  for (int i = 0; i < 3; i++, sequence += 100) {
    put16(tcp + 4, sequence >> 16);
    put16(tcp + 6, sequence & 0xffff);
    put16(tcp + 16, 0);
    put16(tcp + 16, 0xffff ^ naive_l4(ip, 120));
    CHECK(send(bench.wire, frame, 154, 0) == 154);
  }
  failure = EINVAL;
  spared = 2;
  fails = 1;
  CHECK(nic_receive(bench.queue) == 1 && bench.queue->stats.rx_frames == 3);
  CHECK(bench.queue->stats.rx_errors == 1 && !bench.queue->stuck && fails == 0);
  bench_close(&bench);
}

/* Errors of the ring itself (io_uring may lack memory for a request): read without it, and nothing is lost.
 */
static void in_the_ring(bool dear, uint32_t size) {
  struct bench bench = bench_open(false);
  bench.queue->dear_calls = dear;
  uint32_t next = 0;
  if (bench.queue->ring == NULL) {
    bench_close(&bench);
    return;
  }
  failure = ENOMEM;
  ring_only = true;
  sends(&bench, 0, 2, size);
  CHECK(receives(&bench, &next) == 2);
  for (int turn = 0; turn < 50; turn++) {
    const uint64_t errors = bench.queue->stats.rx_errors;
    fails = 2;
    sends(&bench, next, next + 2, size); /* the ring reads one of them, and finds nothing else */
    runs = reads = 0;
    CHECK(receives(&bench, &next) == 2);
    CHECK(bench.queue->stats.rx_errors == errors + runs && !bench.queue->stuck);
    CHECK(runs == 1 && reads == 2); /* after one that failed, what there is to do is done by calls */
  }
  ring_only = false;
  fails = 0;
  bench_close(&bench);
}

/* No block to receive into: the frames wait in the device, which must not be asked again at once. */
static void without_blocks(void) {
  struct bench bench = bench_open(false);
  int32_t blocks[4];
  uint32_t next = 0;
  uint8_t *list = bench.memory + bench.at.rx_list_offset;
  memcpy(blocks, list, sizeof blocks);
  memset(list, 0, sizeof blocks);
  sends(&bench, 0, 2, 40);
  CHECK(receives(&bench, &next) == 0 && bench.queue->stuck && bench.queue->stats.rx_errors == 0);
  memcpy(list, blocks, sizeof blocks);
  CHECK(receives(&bench, &next) == 2 && !bench.queue->stuck);
  CHECK(receives(&bench, &next) == 0 && !bench.queue->stuck);
  bench_close(&bench);
}

/* Frames that were read ahead are as many as are missing, wait for room, and are counted where none comes. */
static void read_ahead(void) {
  const struct rx_guess eleven = {.last = 11};
  struct bench bench = bench_open(false);
  uint32_t next = 0;
  if (bench.queue->ring == NULL) {
    bench_close(&bench);
    return;
  }
  sends(&bench, 0, 11, 1400); /* one by itself and ten together, for eight descriptors */
  bench.queue->rx_guess = eleven;
  CHECK(nic_waiting(bench.queue) == 0);
  CHECK(receives(&bench, &next) == 8);
  CHECK(nic_waiting(bench.queue) == 3);
  int32_t none[4] = {0}, blocks[4];
  uint8_t *list = bench.memory + bench.at.rx_list_offset;
  memcpy(blocks, list, sizeof blocks);
  memcpy(list, none, sizeof none);
  CHECK(receives(&bench, &next) == 0 && bench.queue->stuck && nic_waiting(bench.queue) == 3);
  memcpy(list, blocks, sizeof blocks);
  CHECK(receives(&bench, &next) == 3 && nic_waiting(bench.queue) == 0);

  sends(&bench, 11, 22, 1400);
  bench.queue->rx_guess = eleven;
  CHECK(receives(&bench, &next) == 8);
  failure = EBADFD; /* the device is removed: they came before */
  fails = INT32_MAX;
  CHECK(receives(&bench, &next) == 3 && !bench.queue->gone);
  CHECK(nic_receive(bench.queue) == -EBADFD && bench.queue->gone);
  fails = 0;
  bench_close(&bench);

  bench = bench_open(false);
  next = 0;
  sends(&bench, 0, 11, 1400);
  bench.queue->rx_guess = eleven;
  CHECK(receives(&bench, &next) == 8);
  nic_drop_waiting(bench.queue);
  CHECK(bench.queue->stats.rx_dropped == 3 && nic_waiting(bench.queue) == 0);
  nic_drop_waiting(bench.queue);
  CHECK(bench.queue->stats.rx_dropped == 3 && receives(&bench, &next) == 0);
  bench_close(&bench);
}

/* What was read to its place cannot wait there for the next call, which may have other places. */
static void in_place(void) {
  struct bench bench = bench_open(true);
  uint32_t next = 0;
  uint8_t packet[sizeof(struct virtio_net_hdr) + 10000] = {0};
  bench.queue->dear_calls = true;
  bench.queue->rx_guess = (struct rx_guess){.last = 4, .last_large = true};
  for (uint32_t number = 0; bench.queue->ring != NULL && number < 6; number++) {
    datagram(packet + sizeof(struct virtio_net_hdr), number, 9000);
    CHECK(send(bench.wire, packet, sizeof(struct virtio_net_hdr) + 9042, 0) > 0);
  }
  if (bench.queue->ring != NULL) {
    failure = EBADFD;
    breaks = 1; /* one by itself, one of three, and an end that is none */
    CHECK(receives(&bench, &next) == 2 && bench.queue->stats.rx_dropped == 0);
    memset(bench.memory + (1 << 16), 0, 4 * BENCH_BLOCK);
    next = 4;
    CHECK(receives(&bench, &next) == 2 && bench.queue->stats.rx_dropped == 1);
  }
  bench_close(&bench);
}

int main(void) {
  breaks = -1;
  for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
    pass(passing[i]);
    stays(passing[i]);
  }
  for (size_t i = 0; i < sizeof lasting / sizeof lasting[0]; i++)
    ends(lasting[i]);
  by_turn();
  in_a_run();
  in_the_ring(false, 1400);
  in_the_ring(true, 40);
  without_blocks();
  read_ahead();
  in_place();
  return check_result("rx_errors");
}
