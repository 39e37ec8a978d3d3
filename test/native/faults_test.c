/*
 * Opening a device where one call after another fails, whichever it is: it succeeds all the same or says why
 * not, and leaves no device, namespace, descriptor or (AddressSanitizer sees to it) memory. The linker sends
 * the calls here (run.sh). Run in a lab: it makes interfaces and namespaces.
 */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

/* The call that is to fail, counted from now; 0: none. The addon's own threads count, too. */
static _Atomic int fault, calls;
static const char *faulty;

static bool fails(const char *call) {
  if (++calls != fault)
    return false;
  faulty = call;
  errno = EIO;
  return true;
}

#define WRAP(type, name, declared, passed, failure)                                                          \
  type __real_##name declared;                                                                               \
  type __wrap_##name declared;                                                                               \
  type __wrap_##name declared { return fails(#name) ? (failure) : __real_##name passed; }

WRAP(int, socket, (int family, int type, int protocol), (family, type, protocol), -1)
WRAP(int, socketpair, (int family, int type, int protocol, int *ends), (family, type, protocol, ends), -1)
WRAP(ssize_t, send, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags), -1)
WRAP(ssize_t, recv, (int fd, void *data, size_t size, int flags), (fd, data, size, flags), -1)
WRAP(void *, calloc, (size_t count, size_t size), (count, size), NULL)
WRAP(void *, malloc, (size_t size), (size), NULL)
WRAP(char *, strdup, (const char *text), (text), NULL)
WRAP(void *, mmap, (void *at, size_t size, int protection, int flags, int fd, off_t offset),
     (at, size, protection, flags, fd, offset), MAP_FAILED)
WRAP(int, setns, (int fd, int type), (fd, type), -1)
WRAP(int, unshare, (int flags), (flags), -1)
WRAP(int, mount, (const char *from, const char *to, const char *type, unsigned long flags, const void *data),
     (from, to, type, flags, data), -1)
WRAP(int, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument),
     (thread, attributes, start, argument), EAGAIN)

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const int mode = flags & O_CREAT ? va_arg(rest, int) : 0;
  va_end(rest);
  return fails("open") ? -1 : __real_open(path, flags, mode);
}

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...) {
  va_list rest;
  va_start(rest, request);
  void *argument = va_arg(rest, void *);
  va_end(rest);
  return fails("ioctl") ? -1 : __real_ioctl(fd, request, argument);
}

static int descriptors(void) {
  int count = 0;
  DIR *directory = opendir("/proc/self/fd");
  while (readdir(directory) != NULL)
    count++;
  closedir(directory);
  return count;
}

/* There, and with one queue that is attached, if it may have several. */
static bool is_usable(const char *name) {
  struct link_state link = {0};
  char path[64];
  unsigned flags = 0;
  snprintf(path, sizeof path, "/sys/class/net/%s/tun_flags", name);
  FILE *file = fopen(path, "r");
  if (file == NULL || fscanf(file, "%x", &flags) != 1)
    return false;
  fclose(file);
  const int nl = netlink_open();
  const bool found = netlink_get_link(nl, 0, name, &link) == 0;
  close(nl);
  return found && link.tun_queues == (flags & IFF_MULTI_QUEUE ? 1 : 0);
}

static void each_fails(struct nic_options options) {
  struct nic_error error;
  const int before = descriptors();
  int refused = 0, granted = 0, last;
  for (int call = 1;; call++) {
    memset(&error, 0, sizeof error);
    calls = 0;
    faulty = NULL;
    fault = call;
    struct nic *nic = nic_open(&options, &error);
    last = calls;
    fault = 0;
    const unsigned long failures = check_failures;
    if (nic == NULL) {
      refused++;
      CHECK(error.errnum > 0 && error.code[0] != '\0' && error.step[0] != '\0' && error.message[0] != '\0');
    } else {
      granted++;
      CHECK(options.netns != NULL || is_usable(options.name));
    }
    nic_close(nic);
    CHECK(if_nametoindex(options.name) == 0 && descriptors() == before);
    CHECK(options.netns == NULL || access("/run/netns/fault", F_OK) < 0);
    if (check_failures != failures)
      fprintf(stderr, "  when call %d failed: %s\n", call, faulty != NULL ? faulty : "none");
    if (last < call)
      break;
  }
  CHECK(refused > 10 && granted > 1); /* what can be done without is */
}

int main(void) {
  struct nic_options options = {.name = "fault0",
                                .host_address = "10.77.70.1/24",
                                .host_mac = "02:00:00:00:00:70",
                                .mtu = 1400,
                                .offload = true};
  each_fails(options);
  options.napi = true;
  each_fails(options);
  options.offload = false;
  options.netns = "fault";
  each_fails(options);
  return check_result("faults");
}
