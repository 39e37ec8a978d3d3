/*
 * A device with two queues: what is written goes to the one whose frames a thread receives, or to the other,
 * and what comes is read from the former.
 */
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of a stand-in: a second pair. */
struct pair {
  struct bench bench;
  int wire;
};

static struct pair pair_open(void) {
  struct pair pair = {.bench = bench_open(true)};
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0)
    abort();
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  fcntl(ends[1], F_SETFL, O_NONBLOCK);
  pair.bench.queue->direct_fd = ends[0];
  pair.wire = ends[1];
  return pair;
}

static void pair_close(struct pair *pair) {
  close(pair->wire);
  bench_close(&pair->bench);
}

/* UDP, with its number in the last byte and no checksum. */
static uint32_t datagram(uint8_t *frame, uint8_t number) {
  memset(frame, 0, 10);
  uint8_t *ip = build_ipv4(frame + 10, 17, 0, 8 + 100), *udp = ip + 20;
  put16(udp, 7);
  put16(udp + 2, 9);
  put16(udp + 4, 108);
  udp[6] = udp[7] = 0;
  memset(udp + 8, number, 100);
  return 10 + ETH_HEADER + 20 + 108;
}

/* Calls nic_receive until it has nothing: how many frames of that number came. */
static unsigned take(const struct bench *bench, uint8_t number) {
  unsigned found = 0;
  for (int count; (count = nic_receive(bench->queue)) > 0;)
    for (int i = 0; i < count; i++) {
      int32_t word[NIC_RX_DESC_WORDS];
      memcpy(word, bench->memory + bench->at.rx_desc_offset + (size_t)i * sizeof word, sizeof word);
      found += bench->memory[word[0] + word[1] - 1] == number;
    }
  return found;
}

static void push(const struct bench *bench, uint8_t number, const uint8_t *to) {
  int32_t *head = nic_ctrl(bench->queue, NIC_CTRL_TX_HEAD);
  const uint32_t slot = (uint32_t)*head & (bench->at.tx_slots - 1);
  const uint32_t at = bench->at.tx_header_offset + slot * bench->at.tx_header_slot + 18;
  uint8_t frame[200];
  const uint32_t length = datagram(frame, number) - 10;
  memcpy(frame + 10, to, 6);
  memcpy(frame + 10 + ETH_HEADER + 12, "\x0a\x4d\x09\x02\x0a\x4d\x09\x01", 8); /* 10.77.9.2 to 10.77.9.1 */
  memcpy(bench->memory + at, frame + 10, length);
  const int32_t descriptor[NIC_TX_DESC_WORDS] = {(int32_t)at, (int32_t)length, [11] = NIC_TX_IPV4_CSUM};
  memcpy(bench->memory + bench->at.tx_desc_offset + slot * sizeof descriptor, descriptor, sizeof descriptor);
  *head = (int32_t)((uint32_t)*head + 1);
}

/* The linker sends the NIC's write here (run.sh). */
ssize_t __real_write(int fd, const void *from, size_t size);
ssize_t __wrap_write(int fd, const void *from, size_t size);
static int refused = -1;

ssize_t __wrap_write(int fd, const void *from, size_t size) {
  if (fd != refused)
    return __real_write(fd, from, size);
  errno = EBUSY;
  return -1;
}

static const uint8_t nobody[6] = {2, 2, 2, 2, 2, 2};

/* One is a write, more are a batch. */
static void one_is_written_to(bool threaded, unsigned frames) {
  struct pair pair = pair_open();
  uint8_t got[300];
  for (int turn = 0; turn < 2; turn++, threaded = !threaded) {
    pair.bench.queue->threaded = threaded;
    for (unsigned i = 0; i < frames; i++)
      push(&pair.bench, (uint8_t)i, nobody);
    CHECK(nic_flush(pair.bench.queue) == 0);
    for (unsigned i = 0; i < frames; i++) {
      const ssize_t length = recv(threaded ? pair.bench.wire : pair.wire, got, sizeof got, MSG_DONTWAIT);
      CHECK(length > 0 && got[length - 1] == i);
    }
    CHECK(recv(threaded ? pair.wire : pair.bench.wire, got, sizeof got, MSG_DONTWAIT) < 0 && errno == EAGAIN);
  }
  pair_close(&pair);
}

/* One frame is lost by it. */
static void a_kernel_that_takes_nothing_detached(void) {
  struct pair pair = pair_open();
  uint8_t got[300];
  refused = pair.bench.queue->direct_fd;
  for (uint8_t i = 0; i < 3; i++) {
    push(&pair.bench, i, nobody);
    CHECK(nic_flush(pair.bench.queue) == 0);
    const ssize_t length = recv(pair.bench.wire, got, sizeof got, MSG_DONTWAIT);
    CHECK(i == 0 ? length < 0 : length > 0 && got[length - 1] == i);
  }
  CHECK(pair.bench.queue->stats.tx_dropped == 1 && pair.bench.queue->stats.tx_frames == 2);
  refused = -1;
  pair_close(&pair);
}

/* On a device, in a network of its own. */
static uint32_t queues_of(const char *name) {
  struct link_state state = {0};
  const int nl = netlink_open();
  netlink_get_link(nl, 0, name, &state);
  close(nl);
  return state.tun_queues;
}

/* Each is a connection of its own to the kernel, which would spread them over all queues that are attached.
 */
static void host_sends(unsigned frames) {
  const struct sockaddr_in to = {
      .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {inet_addr("10.77.9.255")}};
  for (unsigned i = 0; i < frames; i++) {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1;
    uint8_t data[100];
    memset(data, 7, sizeof data);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof one) == 0);
    CHECK(sendto(fd, data, sizeof data, 0, (const void *)&to, sizeof to) == sizeof data);
    close(fd);
  }
}

static bool host_hears(int fd, uint8_t number) {
  uint8_t data[200];
  struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
  return poll(&poll_fd, 1, 2000) == 1 && recv(fd, data, sizeof data, 0) == 100 && data[0] == number;
}

static bool stack_sends(const struct bench *bench, int host, int from) {
  for (uint8_t i = 0; i < 40; i++)
    push(bench, (uint8_t)(from + i), nic_get_info(bench->nic)->host_mac);
  if (nic_flush(bench->queue) != 0)
    return false;
  for (uint8_t i = 0; i < 40; i++)
    if (!host_hears(host, (uint8_t)(from + i)))
      return false;
  return true;
}

static void on_a_device(struct nic *nic, struct bench *bench, const char *name) {
  struct nic_queue *queue = bench->queue;
  CHECK(queues_of(name) == 1 && queue->direct_fd >= 0 && queue->direct_fd != queue->fd && !queue->fills);
  /* A thread may have so much to receive; what is received at once needs no bound. */
  int buffer = 0;
  CHECK(ioctl(queue->fd, TUNGETSNDBUF, &buffer) == 0 && buffer == 32 << 20);
  CHECK(ioctl(queue->direct_fd, TUNGETSNDBUF, &buffer) == 0 && buffer == INT_MAX);
  const int host = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const struct sockaddr_in here = {
      .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {inet_addr("10.77.9.1")}};
  CHECK(bind(host, (const void *)&here, sizeof here) == 0);
  const int napi = nic_take_napi(nic);
  struct nic_napi_thread thread = {0};
  for (uint8_t turn = 0; turn < 2; turn++) {
    CHECK(stack_sends(bench, host, 40 * turn));
    const uint64_t batched = queue->stats.rx_batched;
    host_sends(50);
    CHECK(take(bench, 7) == 50);
    CHECK(!queue->dear_calls || queue->ring == NULL || queue->stats.rx_batched > batched);
    CHECK(nic_switch_napi(napi, name, true, &thread));
    queue->threaded = true;
    CHECK(stack_sends(bench, host, 80 + 40 * turn));
    host_sends(50);
    CHECK(take(bench, 7) == 50);
    CHECK(nic_switch_napi(napi, name, false, &thread));
    queue->threaded = false;
  }
  close(napi);
  close(host);
}

static void device(void) {
  if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
    printf("twoqueues: only root has a device here: left out\n");
    return;
  }
  struct nic_error error = {0};
  const struct nic_options options = {
      .name = "two0", .host_address = "10.77.9.1/24", .mtu = 1500, .offload = true, .napi = true};
  struct bench bench = bench_open(true);
  struct nic *nic = nic_open(&options, &error);
  CHECK(nic != NULL);
  if (nic == NULL) {
    fprintf(stderr, "  %s\n", error.message);
  } else if (nic_get_info(nic)->no_napi == 0) {
    /* Many may have a queue of such a device; nobody gets one unasked. */
    CHECK(nic_open(&options, &error) == NULL && error.errnum == EBUSY && queues_of("two0") == 1);
    struct bench real = bench;
    real.nic = nic;
    real.queue = nic_get_queue(nic, 0);
    CHECK(nic_queue_attach(real.queue, real.memory, real.size, &real.at, &error));
    on_a_device(nic, &real, "two0");
  } else {
    printf("twoqueues: this kernel's NAPI cannot be threaded: left out\n");
  }
  nic_close(nic);
  bench_close(&bench);
}

int main(void) {
  for (unsigned frames = 1; frames <= 12; frames += 11) {
    one_is_written_to(false, frames);
    one_is_written_to(true, frames);
  }
  a_kernel_that_takes_nothing_detached();
  device();
  return check_result("twoqueues");
}
