/*
 * The host's side of the device in another network namespace. A descriptor of /dev/net/tun and an rtnetlink
 * socket belong for good to the namespace they were opened in, so only those two calls are made inside it, on
 * a thread of their own; the calling thread never changes its namespace. Names are compatible with `ip
 * netns`.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

struct visit {
  const char *name;
  char path[300];
  bool napi;
  struct netns_fds *fds;
  struct nic_error *error;
  bool ok;
};

bool netns_name_valid(const char *name) {
  return name[0] != '\0' && strlen(name) <= 255 && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
         strcmp(name, "..") != 0;
}

/* Making a namespace and removing one are two steps each, between which its name is a mere file: whoever
 * looks at it then, another thread or program of ours, waits. A second at most, since anybody can hold this
 * lock. */
static int lock_names(void) {
  mkdir(NETNS_DIR, 0755);
  const int lock = open(NETNS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (int i = 0; lock >= 0 && i < 1000 && flock(lock, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK; i++)
    usleep(1000);
  return lock;
}

static void unlock_names(int lock) {
  if (lock < 0)
    return;
  flock(lock, LOCK_UN); /* a process that was forked meanwhile has it, too */
  close(lock);
}

static bool remove_name(const char *name, struct nic_error *error) {
  char path[300];
  snprintf(path, sizeof path, NETNS_DIR "/%s", name);
  /* EINVAL: the file is not a mount, as after a crash between the two calls that make one. */
  if (umount2(path, MNT_DETACH) < 0 && errno != EINVAL)
    return nic_fail(error, errno, NULL, "umount2", "cannot unmount the network namespace %s: %s", name,
                    strerror(errno));
  if (unlink(path) < 0)
    return nic_fail(error, errno, NULL, "unlink", "cannot remove %s: %s", path, strerror(errno));
  return true;
}

static bool open_here(struct netns_fds *fds, bool napi, struct nic_error *error) {
  fds->tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fds->tun < 0) {
    int reason = errno;
    if (reason == ENOENT || reason == ENODEV || reason == ENXIO)
      return nic_fail(
          error, reason, NULL, "open",
          "/dev/net/tun is not there: the kernel's tun driver is not loaded (try `modprobe tun`), or this "
          "container was not given the device (docker: --device /dev/net/tun)");
    if (reason == EACCES)
      return nic_fail(
          error, reason, "ERR_TUN_CLOSED", "open",
          "not permitted to open /dev/net/tun: its mode keeps you out, in a namespace lab of your "
          "own, too. Run as root, or let root open it to all users: `chmod 0666 /dev/net/tun`");
    if (reason == EPERM)
      return nic_fail(error, reason, "ERR_TUN_CLOSED", "open",
                      "not permitted to open /dev/net/tun, by whatever confines this process: a container "
                      "that was not given the device (docker: --device /dev/net/tun)");
    return nic_fail(error, reason, NULL, "open", "cannot open /dev/net/tun: %s", strerror(reason));
  }
  fds->netlink = netlink_open();
  if (fds->netlink < 0) {
    int reason = -fds->netlink;
    close(fds->tun);
    fds->tun = -1;
    return nic_fail(error, reason, NULL, "socket", "cannot open an rtnetlink socket: %s", strerror(reason));
  }
  if (napi) {
    fds->sysfs = napi_sysfs();
    fds->napi_tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fds->napi_tun < 0)
      fds->napi_tun = -errno;
  }
  return true;
}

/* Namespace files must be seen in every mount namespace, so their folder is a shared mount (ip netns add). */
static bool share_directory(struct nic_error *error) {
  if (mkdir(NETNS_DIR, 0755) < 0 && errno != EEXIST)
    return nic_fail(error, errno, NULL, "mkdir",
                    "cannot make " NETNS_DIR ": %s. Named network namespaces need root", strerror(errno));
  if (mount("", NETNS_DIR, "none", MS_SHARED | MS_REC, NULL) == 0)
    return true;
  if (errno == EINVAL && mount(NETNS_DIR, NETNS_DIR, "none", MS_BIND | MS_REC, NULL) == 0 &&
      mount("", NETNS_DIR, "none", MS_SHARED | MS_REC, NULL) == 0)
    return true;
  return nic_fail(error, errno, NULL, "mount",
                  "cannot make " NETNS_DIR " a shared mount: %s. Named network namespaces need root",
                  strerror(errno));
}

/* On the visiting thread, which unshare moves into the new namespace. */
static bool make_namespace(struct visit *visit) {
  if (!share_directory(visit->error))
    return false;
  int file = open(visit->path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
  if (file < 0)
    return nic_fail(visit->error, errno, NULL, "open", "cannot make %s: %s", visit->path, strerror(errno));
  close(file);
  if (unshare(CLONE_NEWNET) < 0)
    nic_fail(visit->error, errno, NULL, "unshare", "cannot make a network namespace: %s. It needs root",
             strerror(errno));
  else if (mount("/proc/thread-self/ns/net", visit->path, "none", MS_BIND, NULL) < 0)
    nic_fail(visit->error, errno, NULL, "mount", "cannot give the network namespace the name %s: %s",
             visit->name, strerror(errno));
  else
    return visit->fds->created = true;
  unlink(visit->path);
  return false;
}

static bool enter_namespace(struct visit *visit, int file) {
  if (setns(file, CLONE_NEWNET) == 0)
    return true;
  if (errno == EINVAL)
    return nic_fail(
        visit->error, EINVAL, NULL, "setns",
        "%s is there but is no network namespace (left over?); remove it with `ip netns delete %s`",
        visit->path, visit->name);
  return nic_fail(visit->error, errno, NULL, "setns", "cannot enter the network namespace %s: %s%s",
                  visit->name, strerror(errno), errno == EPERM ? ". It needs root" : "");
}

static void visit_namespace(struct visit *visit) {
  int file = open(visit->path, O_RDONLY | O_CLOEXEC);
  if (file >= 0) {
    visit->ok = enter_namespace(visit, file);
    close(file);
  } else if (errno == ENOENT) {
    visit->ok = make_namespace(visit);
  } else {
    visit->ok =
        nic_fail(visit->error, errno, NULL, "open", "cannot open %s: %s", visit->path, strerror(errno));
  }
  if (!visit->ok)
    return;
  visit->ok = open_here(visit->fds, visit->napi, visit->error);
  if (visit->ok && visit->fds->created) {
    struct link_state loopback;
    int result = netlink_get_link(visit->fds->netlink, 0, "lo", &loopback);
    if (result == 0)
      result = netlink_set_up(visit->fds->netlink, loopback.ifindex, true);
    if (result < 0) {
      visit->ok = nic_fail(visit->error, -result, NULL, "RTM_NEWLINK", "cannot bring up loopback in %s: %s",
                           visit->name, strerror(-result));
      close(visit->fds->tun);
      close(visit->fds->netlink);
      if (visit->fds->sysfs >= 0)
        close(visit->fds->sysfs);
      if (visit->fds->napi_tun >= 0)
        close(visit->fds->napi_tun);
    }
  }
  if (!visit->ok && visit->fds->created)
    remove_name(visit->name, NULL);
}

static void *visit_thread(void *argument) {
  const int lock = lock_names();
  visit_namespace(argument);
  unlock_names(lock);
  return NULL;
}

bool netns_open_fds(const char *name, bool napi, struct netns_fds *fds, struct nic_error *error) {
  *fds = (struct netns_fds){
      .tun = -1, .napi_tun = -ECANCELED, .netlink = -1, .sysfs = -ECANCELED, .created = false};
  if (name == NULL)
    return open_here(fds, napi, error);
  struct visit visit = {.name = name, .napi = napi, .fds = fds, .error = error, .ok = false};
  snprintf(visit.path, sizeof visit.path, NETNS_DIR "/%s", name);
  /* The process's signal handlers are not to run on a thread that stands elsewhere. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  int result = pthread_create(&thread, NULL, visit_thread, &visit);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (result != 0)
    return nic_fail(error, result, NULL, "pthread_create", "cannot start a thread: %s", strerror(result));
  pthread_join(thread, NULL);
  return visit.ok;
}

bool nic_netns_remove(const char *name, struct nic_error *error) {
  if (!netns_name_valid(name))
    return nic_fail(error, EINVAL, NULL, "netns", "'%.40s' is not a name for a network namespace", name);
  const int lock = lock_names();
  const bool removed = remove_name(name, error);
  unlock_names(lock);
  return removed;
}
