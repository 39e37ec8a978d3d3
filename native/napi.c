/*
 * Threaded NAPI: the host's share of what we send (GRO, IP, TCP, up to the socket) is done by a thread of the
 * kernel's instead of inside our write. Only sysfs switches it (netif_set_threaded), for the driver's NAPI
 * has no id that netlink could name (netif_napi_add_tx), and a sysfs shows the network namespace in which it
 * was mounted: so one is made for ours, and attached nowhere.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of linux/mount.h, which C libraries of its time lack: the same numbers on every architecture of Node's. */
enum { FSOPEN = 430, FSCONFIG = 431, FSMOUNT = 432 };
enum { CLOEXEC = 1, CONFIG_CREATE = 6 };

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
