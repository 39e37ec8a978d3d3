/*
 * The limit of the device: the least a program on a TAP can do and still be
 * talked to. No TCP is behind it: it copies what arrives and acknowledges,
 * blasts valid frames into the peer's window, bounces a request. Nothing is
 * verified, nothing is remembered for retransmission beyond going back to what
 * was not acknowledged. One peer address; its ports tell connections apart.
 */

#include "tap-receive.h"
#include "tap-send.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <sys/uio.h>
#include <time.h>

enum { PORT_ECHO = 7001, PORT_SINK, PORT_SOURCE };
enum { HEADERS = 14 + 20 + 20, BATCH = 64, MSS = 1460, OUR_SCALE = 10, OUR_WINDOW = 6 << 20 };

struct conn {
  uint32_t rcv_nxt, snd_nxt, snd_una;
  uint32_t window; /* the peer's, in bytes */
  uint8_t scale;
  bool open, owes_ack, listed;
  uint8_t repeated; /* acknowledgements of the same byte */
  uint16_t port;    /* ours */
};

static struct conn conns[1 << 16];           /* by the peer's port */
static uint16_t owing[BATCH + TAP_TOGETHER]; /* who is owed an acknowledgement after this batch */
static int owing_count;
static uint16_t sources[1 << 10]; /* who wants to be sent to */
static int source_count;

static int tap;
static bool offload;
static size_t segment = MSS; /* the most in one frame of ours */
static uint8_t template[HEADERS];
static uint8_t payload[TAP_FRAME], sunk[TAP_FRAME];

static uint32_t add16(const uint8_t *bytes, size_t length) {
  uint64_t sum = 0;
  const uint16_t *words = (const uint16_t *)bytes;
  for (size_t i = 0; i < length / 2; i++)
    sum += words[i];
  if (length & 1)
    sum += bytes[length - 1];
  while (sum >> 16)
    sum = (sum & 0xffff) + (sum >> 16);
  return (uint32_t)sum;
}

static uint16_t fold(uint32_t sum) {
  while (sum >> 16)
    sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)sum;
}

/* One frame with `length` bytes from `data`; options only on a SYN. */
static void send_frame(struct conn *conn, uint16_t peer, uint8_t flags, const uint8_t *data, size_t length) {
  struct {
    struct virtio_net_hdr vnet;
    uint8_t bytes[HEADERS + 8];
  } __attribute__((packed)) out;
  memset(&out.vnet, 0, sizeof out.vnet);
  memcpy(out.bytes, template, HEADERS);
  struct iphdr *ip = (struct iphdr *)(out.bytes + 14);
  struct tcphdr *tcp = (struct tcphdr *)(out.bytes + 34);
  const size_t options = flags & TH_SYN ? 8 : 0;
  if (options != 0)
    memcpy(out.bytes + HEADERS, (uint8_t[]){2, 4, MSS >> 8, MSS & 0xff, 1, 3, 3, OUR_SCALE}, 8);
  ip->tot_len = htons((uint16_t)(40 + options + length));
  ip->check = 0;
  ip->check = (uint16_t)~add16(out.bytes + 14, 20);
  tcp->source = htons(conn->port);
  tcp->dest = htons(peer);
  tcp->seq = htonl(conn->snd_nxt);
  tcp->ack_seq = htonl(conn->rcv_nxt);
  tcp->doff = (uint16_t)((20 + options) / 4) & 0xf;
  tcp->th_flags = flags;
  tcp->window = htons(flags & TH_SYN ? 65535 : OUR_WINDOW >> OUR_SCALE);
  tcp->check = 0;
  uint32_t sum = add16(out.bytes + 26, 8) + htons(IPPROTO_TCP) + htons((uint16_t)(20 + options + length));
  if (offload) {
    tcp->check = fold(sum);
    out.vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    out.vnet.csum_start = 34;
    out.vnet.csum_offset = 16;
    if (length > MSS) {
      out.vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
      out.vnet.gso_size = MSS;
      out.vnet.hdr_len = HEADERS;
    }
  } else {
    tcp->check =
        (uint16_t)~fold(sum + add16((uint8_t *)tcp, 20 + options) + (length != 0 ? add16(data, length) : 0));
  }
  void *first = offload ? (void *)&out : (void *)out.bytes;
  const size_t headers = HEADERS + options + (offload ? sizeof out.vnet : 0);
  tap_send(tap, first, headers, data, length);
  conn->snd_nxt += (uint32_t)length + (flags & (TH_SYN | TH_FIN) ? 1 : 0);
  conn->owes_ack = false;
}

static void answer_arp(uint8_t *bytes, size_t length) {
  if (length < 42 || bytes[21] != 1 || memcmp(bytes + 38, template + 26, 4) != 0)
    return;
  uint8_t out[10 + 60] = {0}, *reply = out + 10;
  memcpy(reply, bytes, 42);
  memcpy(reply, bytes + 6, 6);
  memcpy(reply + 6, template + 6, 6);
  reply[21] = 2;
  memcpy(reply + 22, template + 6, 6);
  memcpy(reply + 28, bytes + 38, 4);
  memcpy(reply + 32, bytes + 22, 10);
  tap_send(tap, offload ? out : reply, offload ? 52 : 42, NULL, 0);
}

static void begin(struct conn *conn, uint16_t peer, const struct tcphdr *tcp) {
  memset(conn, 0, sizeof *conn);
  conn->open = true;
  conn->port = ntohs(tcp->dest);
  conn->rcv_nxt = ntohl(tcp->seq) + 1;
  conn->snd_nxt = conn->snd_una = 1000;
  conn->window = ntohs(tcp->window);
  const uint8_t *option = (const uint8_t *)(tcp + 1), *end = (const uint8_t *)tcp + tcp->doff * 4;
  while (option < end && *option != 0) {
    if (*option == 3)
      conn->scale = option[2];
    option += *option == 1 ? 1 : option[1];
  }
  send_frame(conn, peer, TH_SYN | TH_ACK, NULL, 0);
  conn->snd_una = conn->snd_nxt;
}

static void owe(struct conn *conn, uint16_t peer) {
  if (conn->owes_ack)
    return;
  conn->owes_ack = true;
  owing[owing_count++] = peer;
}

static void acknowledged(struct conn *conn, uint16_t peer, const struct tcphdr *tcp, bool data) {
  const uint32_t ack = ntohl(tcp->ack_seq), window = (uint32_t)ntohs(tcp->window) << conn->scale;
  conn->repeated = ack == conn->snd_una && window == conn->window && !data ? conn->repeated + 1 : 0;
  conn->window = window;
  if ((int32_t)(ack - conn->snd_una) > 0)
    conn->snd_una = ack;
  /* Something was dropped: go back to it. */
  if (conn->repeated == 3 && conn->port == PORT_SOURCE)
    conn->snd_nxt = conn->snd_una;
  if (conn->port == PORT_SOURCE && !conn->listed && source_count < (int)(sizeof sources / sizeof *sources)) {
    conn->listed = true;
    sources[source_count++] = peer;
  }
}

static void receive(uint8_t *bytes, size_t length) {
  const size_t skip = offload ? sizeof(struct virtio_net_hdr) : 0;
  bytes += skip;
  length -= skip;
  if (length < HEADERS || bytes[12] != 8 || bytes[13] != 0 || bytes[23] != IPPROTO_TCP) {
    if (length >= 42 && bytes[12] == 8 && bytes[13] == 6)
      answer_arp(bytes, length);
    return;
  }
  memcpy(template, bytes + 6, 6); /* whom to send to */
  const struct iphdr *ip = (const struct iphdr *)(bytes + 14);
  const struct tcphdr *tcp = (const struct tcphdr *)(bytes + 34);
  const uint16_t peer = ntohs(tcp->source);
  struct conn *conn = &conns[peer];
  const uint8_t *data = (const uint8_t *)tcp + tcp->doff * 4;
  const size_t count = (size_t)(ntohs(ip->tot_len) - 20 - tcp->doff * 4);
  if (tcp->syn) {
    begin(conn, peer, tcp);
    return;
  }
  if (!conn->open)
    return;
  if (tcp->rst) {
    conn->open = false;
    return;
  }
  acknowledged(conn, peer, tcp, count != 0);
  if (count == 0 && !tcp->fin)
    return;
  if (ntohl(tcp->seq) != conn->rcv_nxt) {
    owe(conn, peer); /* a gap or a repetition: the peer will send from here */
    return;
  }
  conn->rcv_nxt += (uint32_t)count + tcp->fin;
  if (count != 0 && conn->port == PORT_ECHO) {
    send_frame(conn, peer, TH_ACK | TH_PUSH, data, count);
  } else if (count != 0) {
    memcpy(sunk, data, count);
    owe(conn, peer);
  }
  if (tcp->fin) {
    send_frame(conn, peer, TH_FIN | TH_ACK, NULL, 0);
    conn->open = false;
  }
}

static void acknowledge(void) {
  for (int i = 0; i < owing_count; i++)
    if (conns[owing[i]].owes_ack)
      send_frame(&conns[owing[i]], owing[i], TH_ACK, NULL, 0);
  owing_count = 0;
}

/* A frame of 64 KiB for each source that has room, or as many bytes in plain ones; true when any had. */
static bool blast(void) {
  bool sent = false;
  for (int i = 0; i < source_count; i++) {
    struct conn *conn = &conns[sources[i]];
    if (!conn->open) {
      conn->listed = false;
      sources[i--] = sources[--source_count];
      continue;
    }
    for (size_t bytes = 0; bytes < 44 * MSS; bytes += segment) {
      if (conn->snd_nxt - conn->snd_una + segment > conn->window)
        break;
      send_frame(conn, sources[i], TH_ACK, payload, segment);
      sent = true;
    }
  }
  return sent;
}

static struct nic_napi_thread thread;

/* Plain frames, of which the benchmark sends and receives bulk only, are received by a thread of the
 * kernel's: the most that this device can do with them. */
static void thread_napi(const char *name) {
  const int sysfs = napi_sysfs(), attribute = sysfs < 0 ? sysfs : napi_attribute(sysfs, name);
  if (attribute < 0 || !nic_switch_napi(attribute, name, true, &thread))
    tap_fail("threaded NAPI");
}

int main(int argc, char **argv) {
  if (argc < 4)
    return fprintf(stderr, "usage: limit TAP HOST-ADDRESS OUR-ADDRESS [plain]\n"), 2;
  offload = argc == 4;
  if (offload)
    segment = 44 * MSS;
  struct in_addr host, us;
  inet_aton(argv[2], &host);
  inet_aton(argv[3], &us);
  memcpy(template + 6, (uint8_t[]){2, 0, 0, 0, 0, 2, 8, 0, 0x45}, 9);
  template[20] = 0x40;
  template[22] = 64;
  template[23] = IPPROTO_TCP;
  memcpy(template + 26, &us, 4);
  memcpy(template + 30, &host, 4);
  tap = tap_open(argv[1], argv[2], offload, !offload);
  if (!offload)
    thread_napi(argv[1]);
  tap_ring = uring_open(tap);
  tap_dear = calls_are_dear();
  puts("ready");
  fflush(stdout);
  for (unsigned turn = 0;; turn++) {
    int frames = tap_receive(tap, tap_ring, tap_dear, BATCH, receive);
    acknowledge();
    if (turn % 64 == 0)
      nic_keep_off(&thread, argv[1]);
    bool sent = blast();
    tap_send_all(tap);
    if (frames != 0 || sent)
      continue;
    struct pollfd wait = {.fd = tap, .events = POLLIN};
    if (poll(&wait, 1, source_count != 0 ? 200 : -1) == 0)
      for (int i = 0; i < source_count; i++)
        conns[sources[i]].snd_nxt = conns[sources[i]].snd_una;
  }
}
