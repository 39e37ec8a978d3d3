/*
 * A TAP device for the contenders in C: opened in the namespace we are in, its
 * host end addressed and up. The same queue length as tapstack's, so that
 * nobody loses frames that another would not.
 */
#ifndef BENCH_TAP_H
#define BENCH_TAP_H

#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void tap_fail(const char *what) {
  perror(what);
  exit(1);
}

/* address: of the host's end, in a network of 16 bits. napi: the device can have threaded NAPI. */
static int tap_open(const char *name, const char *address, bool offload, bool napi) {
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0)
    tap_fail("/dev/net/tun");
  struct ifreq request;
  memset(&request, 0, sizeof request);
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
  request.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | (offload ? IFF_VNET_HDR : 0) | (napi ? IFF_NAPI : 0));
  if (ioctl(fd, TUNSETIFF, &request) < 0)
    tap_fail("TUNSETIFF");
  int size = sizeof(struct virtio_net_hdr);
  if (offload &&
      (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0 ||
       ioctl(fd, TUNSETOFFLOAD, (unsigned long)(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)) < 0))
    tap_fail("TUNSETOFFLOAD");

  char setup[256];
  snprintf(setup, sizeof setup, "ip address add %s/16 dev %s && ip link set dev %s txqueuelen 10000 up",
           address, name, name);
  if (system(setup) != 0)
    exit(1);
  return fd;
}

#endif
