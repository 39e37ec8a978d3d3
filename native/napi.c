/*
 * Threaded NAPI: the host's share of what we send (GRO, IP, TCP, up to the socket) is done by a thread of the
 * kernel's instead of inside our write. Only sysfs switches it (netif_set_threaded), for the driver's NAPI
 * has no id that netlink could name (netif_napi_add_tx), and a sysfs shows the network namespace in which it
 * was mounted: so one is made for ours, and attached nowhere.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of linux/mount.h, which C libraries of its time lack: the same numbers on every architecture of Node's. */
enum { FSOPEN = 430, FSCONFIG = 431, FSMOUNT = 432 };
enum { CLOEXEC = 1, CONFIG_CREATE = 6 };

/*
 * Bytes that may wait for a thread of the kernel's that does not get to run, more than connections have under
 * way. Beyond it the device is full (EAGAIN). A batch that meets a full one may overtake itself then
 * (queue_batches has looked before): rarer than the kernel's own dropping, which an unbounded queue would
 * only put off.
 */
#define NAPI_BUFFER (32 << 20)

#define ATTRIBUTE "class/net/%s/threaded"

int napi_attribute(int sysfs, const char *name) {
  char path[sizeof ATTRIBUTE + NIC_NAME_MAX];
  snprintf(path, sizeof path, ATTRIBUTE, name);
  const int fd = openat(sysfs, path, O_WRONLY | O_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

int napi_sysfs(void) {
  const int context = (int)syscall(FSOPEN, "sysfs", CLOEXEC);
  if (context < 0)
    return -errno;
  int sysfs = (int)syscall(FSCONFIG, context, CONFIG_CREATE, NULL, NULL, 0);
  if (sysfs == 0)
    sysfs = (int)syscall(FSMOUNT, context, CLOEXEC, 0);
  const int error = errno;
  close(context);
  if (sysfs < 0)
    return -error;
  /* Asked of a device that is always there, before ours is made: before Linux 5.12 none has the attribute. */
  const int probe = napi_attribute(sysfs, "lo");
  if (probe >= 0) {
    close(probe);
    return sysfs;
  }
  close(sysfs);
  return probe;
}

/*
 * What is written with IFF_NAPI costs more, with a thread or without: a softirq for each frame. So there are
 * two queues, one of each kind, and only the one with it is attached: what comes is read there, and the
 * kernel need not find a queue for every frame. One that is detached gives nothing to read, and is written to
 * as before (__tun_detach, tun_get_user). The bound is of those that are attached: without one the kernel
 * takes a shorter way for small frames (tun_can_build_skb).
 */
int napi_queue(struct nic_queue *queue, int napi_fd, const char *name, short flags) {
  struct ifreq request = {.ifr_flags = (short)(flags | IFF_NAPI)};
  const struct ifreq detach = {.ifr_flags = IFF_DETACH_QUEUE}, attach = {.ifr_flags = IFF_ATTACH_QUEUE};
  const int bound = NAPI_BUFFER;
  memcpy(request.ifr_name, name, strlen(name) + 1);
  if (ioctl(napi_fd, TUNSETIFF, &request) < 0 || ioctl(queue->fd, TUNSETQUEUE, &detach) < 0)
    return errno;
  if (ioctl(napi_fd, TUNSETSNDBUF, &bound) < 0) {
    const int reason = errno;
    ioctl(queue->fd, TUNSETQUEUE, &attach); /* it is the only one again */
    return reason;
  }
  queue->direct_fd = queue->fd;
  queue->fd = napi_fd;
  return 0;
}
