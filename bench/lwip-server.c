/*
 * lwIP as Debian builds it (its window, buffers and checksums are fixed in that library) on a TAP, through
 * its raw API in one thread, which is its fastest: frames are read straight into its buffers, nothing crosses
 * a mailbox. Echo on 7001, sink on 7002, source on 7003.
 */
#include "tap.h"

#include <errno.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>
#include <poll.h>

enum { ECHO, SINK, SOURCE, KINDS };
enum { FIRST_PORT = 7001, FRAME = 1514, BATCH = 64 };

static int tap;
static struct netif netif;
static char zeros[64 << 10];

/* In one piece, which is faster than to let the kernel gather (native/tx.c). */
static err_t link_output(struct netif *unused, struct pbuf *packet) {
  (void)unused;
  uint8_t frame[FRAME];
  const uint16_t length = pbuf_copy_partial(packet, frame, sizeof frame, 0);
  return write(tap, frame, length) < 0 ? ERR_IF : ERR_OK;
}

static err_t link_init(struct netif *device) {
  device->name[0] = 't';
  device->name[1] = 'p';
  device->mtu = 1500;
  device->hwaddr_len = 6;
  memcpy(device->hwaddr, (uint8_t[]){2, 0, 0, 0, 0, 2}, 6);
  device->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
  device->output = etharp_output;
  device->linkoutput = link_output;
  return ERR_OK;
}

static err_t fill(void *kind, struct tcp_pcb *pcb, u16_t sent) {
  (void)kind, (void)sent;
  for (;;) {
    tcpwnd_size_t room = tcp_sndbuf(pcb);
    u16_t count = room > 32768 ? 32768 : (u16_t)room;
    if (count == 0 || tcp_write(pcb, zeros, count, 0) != ERR_OK)
      break;
  }
  return tcp_output(pcb);
}

static err_t received(void *kind, struct tcp_pcb *pcb, struct pbuf *data, err_t error) {
  if (data == NULL || error != ERR_OK) {
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    if (tcp_close(pcb) == ERR_OK)
      return ERR_OK;
    tcp_abort(pcb);
    return ERR_ABRT;
  }
  if ((intptr_t)kind == ECHO) {
    for (struct pbuf *piece = data; piece != NULL; piece = piece->next)
      tcp_write(pcb, piece->payload, piece->len, TCP_WRITE_FLAG_COPY);
    tcp_output(pcb);
  }
  tcp_recved(pcb, data->tot_len);
  pbuf_free(data);
  return ERR_OK;
}

static err_t accepted(void *kind, struct tcp_pcb *pcb, err_t error) {
  if (error != ERR_OK || pcb == NULL)
    return ERR_VAL;
  tcp_arg(pcb, kind);
  tcp_nagle_disable(pcb);
  tcp_recv(pcb, received);
  if ((intptr_t)kind == SOURCE) {
    tcp_sent(pcb, fill);
    fill(kind, pcb, 0);
  }
  return ERR_OK;
}

static void listen_on(intptr_t kind) {
  struct tcp_pcb *pcb = tcp_new();
  if (tcp_bind(pcb, IP_ANY_TYPE, (u16_t)(FIRST_PORT + kind)) != ERR_OK)
    tap_fail("tcp_bind");
  pcb = tcp_listen_with_backlog(pcb, 255);
  tcp_arg(pcb, (void *)kind);
  tcp_accept(pcb, accepted);
}

/* Reads until dry, or a batch; 0 when nothing was there. */
static int read_batch(void) {
  int frames = 0;
  while (frames < BATCH) {
    struct pbuf *packet = pbuf_alloc(PBUF_RAW, FRAME, PBUF_RAM);
    if (packet == NULL)
      tap_fail("pbuf_alloc");
    ssize_t length = read(tap, packet->payload, FRAME);
    if (length <= 0) {
      pbuf_free(packet);
      if (length < 0 && errno == EAGAIN)
        break;
      tap_fail("reading the TAP device");
    }
    packet->len = packet->tot_len = (u16_t)length;
    if (netif.input(packet, &netif) != ERR_OK)
      pbuf_free(packet);
    frames++;
  }
  return frames;
}

int main(int argc, char **argv) {
  if (argc != 4)
    return fprintf(stderr, "usage: lwip-server TAP HOST-ADDRESS OUR-ADDRESS\n"), 2;
  tap = tap_open(argv[1], argv[2], false, false);
  lwip_init();
  ip4_addr_t us, mask, gateway;
  ip4addr_aton(argv[3], &us);
  ip4addr_aton("255.255.0.0", &mask);
  ip4addr_aton(argv[2], &gateway);
  netif_add(&netif, &us, &mask, &gateway, NULL, link_init, ethernet_input);
  netif_set_default(&netif);
  netif_set_up(&netif);
  for (intptr_t kind = 0; kind < KINDS; kind++)
    listen_on(kind);
  printf("lwIP %s, TCP_WND %d, TCP_SND_BUF %d\nready\n", LWIP_VERSION_STRING, TCP_WND, TCP_SND_BUF);
  fflush(stdout);
  for (;;) {
    if (read_batch() == 0) {
      struct pollfd wait = {.fd = tap, .events = POLLIN};
      u32_t ms = sys_timeouts_sleeptime();
      poll(&wait, 1, ms > 1000 ? 1000 : (int)ms);
    }
    sys_check_timeouts();
  }
}
