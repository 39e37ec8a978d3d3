/*
 * Descriptors: none is left behind by an opening that fails, at whichever step it runs out of them; none is
 * handed to a program that is started. Run in a lab: it makes interfaces and namespaces.
 */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct nic_error error;
static _Atomic int failures;

static int descriptors(int *inherited) {
  DIR *directory = opendir("/proc/self/fd");
  int count = -1; /* the directory itself */
  if (inherited != NULL)
    *inherited = 0;
  for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    const int fd = atoi(entry->d_name);
    if (entry->d_name[0] == '.')
      continue;
    count++;
    if (inherited != NULL && fd != dirfd(directory) && !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
      ++*inherited;
  }
  closedir(directory);
  return count;
}

/* So many more descriptors may be opened; 0: as many as one likes. */
static void allow(int more) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  /* The lowest number that is free is the next one given out. */
  const int next = dup(0);
  close(next);
  limit.rlim_cur = more == 0 ? limit.rlim_max : (rlim_t)(next + more - 1);
  setrlimit(RLIMIT_NOFILE, &limit);
}

static void runs_out(const char *netns) {
  const struct nic_options options = {
      .name = "few0", .host_address = "10.77.50.1/24", .netns = netns, .mtu = 1500, .offload = true};
  int refused = 0, batches = 0;
  const int before = descriptors(NULL);
  for (int more = 1; more <= 8; more++) {
    allow(more);
    struct nic *nic = nic_open(&options, &error);
    allow(0);
    if (nic == NULL) {
      CHECK(strcmp(error.code, "EMFILE") == 0 && error.errnum == EMFILE && error.step[0] != '\0');
      refused++;
    } else {
      batches += nic_get_info(nic)->no_batch == 0;
    }
    nic_close(nic);
    CHECK(descriptors(NULL) == before);
    CHECK(if_nametoindex("few0") == 0 && access("/run/netns/few", F_OK) < 0);
  }
  CHECK(refused >= 2 && refused <= 4);
  struct nic *nic = nic_open(&options, &error);
  CHECK(nic != NULL && (batches > 0) == (nic_get_info(nic)->no_batch == 0));
  nic_close(nic);
}

static void not_inherited(void) {
  int before, opened, ends[2];
  descriptors(&before);
  const struct nic_options options = {.name = "few0", .netns = "few", .mtu = 1500};
  struct nic *nic = nic_open(&options, &error);
  CHECK(nic != NULL);
  descriptors(&opened);
  CHECK(opened == before);
  nic_close(nic);
  CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
  nic = nic_adopt(ends[0], false, &error); /* whose it is from now on */
  CHECK(nic != NULL);
  close(ends[1]);
  descriptors(&opened);
  CHECK(opened == before);
  nic_close(nic);
}

/* A process that was just forked, by whichever thread, holds a copy of every descriptor until it calls exec.
 */
static void copied(void) {
  const struct nic_options options = {.name = "few0", .mtu = 1500};
  struct nic *nic = nic_open(&options, &error);
  CHECK(nic != NULL && if_nametoindex("few0") != 0);
  const int copy = dup(nic_get_queue(nic, 0)->fd);
  nic_close(nic);
  CHECK(if_nametoindex("few0") == 0);
  nic = nic_open(&options, &error);
  CHECK(nic != NULL);
  nic_close(nic);
  close(copy);
}

/* Devices in one namespace that is made and removed all the time, and others beside it. */
static void *opens(void *number) {
  struct nic_error why;
  char name[16], address[32];
  const long own = (long)number;
  snprintf(name, sizeof name, "few%ld", own);
  snprintf(address, sizeof address, "10.77.%ld.1/24", 60 + own);
  const struct nic_options options = {
      .name = name, .host_address = address, .netns = own < 3 ? "few" : NULL, .mtu = 1500, .offload = true};
  for (int i = 0; i < 25; i++) {
    struct nic *nic = nic_open(&options, &why);
    if (nic == NULL)
      fprintf(stderr, "%s: %s\n", name, why.message);
    else
      nic_close(nic);
    failures += nic == NULL;
  }
  return NULL;
}

static void by_threads(void) {
  const int before = descriptors(NULL);
  pthread_t threads[5];
  for (long i = 0; i < 5; i++)
    CHECK(pthread_create(&threads[i], NULL, opens, (void *)i) == 0);
  for (long i = 0; i < 5; i++)
    pthread_join(threads[i], NULL);
  CHECK(failures == 0);
  CHECK(descriptors(NULL) == before && access("/run/netns/few", F_OK) < 0);
}

/* What cannot be taken over stays its owner's. */
static void refused(void) {
  const int before = descriptors(NULL);
  CHECK(nic_adopt(1000000, false, &error) == NULL && strcmp(error.code, "EBADF") == 0);
  CHECK(nic_adopt(-1, false, &error) == NULL && strcmp(error.code, "EBADF") == 0);
  CHECK(descriptors(NULL) == before);
}

int main(void) {
  runs_out(NULL);
  runs_out("few");
  not_inherited();
  refused();
  copied();
  by_threads();
  return check_result("fds");
}
