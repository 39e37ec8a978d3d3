/*
 * The thread that threaded NAPI (napi.c) makes, and how it is scheduled: as SCHED_BATCH it does not interrupt
 * who runs on its processor, most often the very program that we send to. Frames collect until that one
 * sleeps, and it is woken once for all of them; to be interrupted for each few costs the sender an interrupt
 * between processors and both of them cold caches. Its share of a busy processor stays the same (sched(7)).
 * And it stays off ours, where it would wait until we sleep.
 */
#include "internal.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As many processes as may begin while a thread is made; who finds more looks no further. */
enum { CANDIDATES = 1000 };
enum { SHORT = 15 }; /* TASK_COMM_LEN without the end */

/* What the file holds, without the newline at its end; empty when it cannot be read. */
static void read_line(const char *path, char *line, size_t size) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  const ssize_t got = fd < 0 ? -1 : read(fd, line, size - 1);
  if (fd >= 0)
    close(fd);
  line[got < 0 ? 0 : got] = '\0';
  line[strcspn(line, "\n")] = '\0';
}

/* Of the process that began last: what /proc/loadavg ends with (proc(5)); 0 where nobody tells. */
static int last_pid(void) {
  char line[128];
  read_line("/proc/loadavg", line, sizeof line);
  const char *word = strrchr(line, ' ');
  return word == NULL ? 0 : atoi(word);
}

/* Does /proc count processes as system calls do? A container may have been given another namespace's. */
static bool own_proc(void) {
  char pid[16];
  const ssize_t got = readlink("/proc/self", pid, sizeof pid - 1);
  if (got < 0)
    return false;
  pid[got] = '\0';
  return atoi(pid) == getpid();
}

/* Is it "napi/<device>-<id>"? Before Linux 5.17 /proc has no more of it than SHORT bytes. */
static bool is_thread_of(int pid, const char *name) {
  char path[32], comm[64], expected[8 + NIC_NAME_MAX];
  snprintf(path, sizeof path, "/proc/%d/comm", pid);
  read_line(path, comm, sizeof comm);
  const size_t length = strlen(comm), full = (size_t)snprintf(expected, sizeof expected, "napi/%s-", name);
  return (length > full || length == SHORT) && strncmp(comm, expected, length < full ? length : full) == 0;
}

bool nic_switch_napi(int napi, const char *name, bool threaded, struct nic_napi_thread *thread) {
  const int before = last_pid();
  if (pwrite(napi, threaded ? "1" : "0", 1, 0) != 1)
    return false;
  /* Of several threads of that name, in as many namespaces, ours is the one that has just begun. Where it is
   * not to be seen (another PID namespace, numbers that began anew) or not ours to change (a user namespace),
   * it stays as the kernel made it. A kernel that keeps it while it is not used has it changed already. */
  const int after = threaded && before > 0 && own_proc() ? last_pid() : before;
  for (int pid = before + 1; pid <= after && pid <= before + CANDIDATES; pid++) {
    if (!is_thread_of(pid, name) || syscall(SYS_sched_getscheduler, pid) != SCHED_OTHER)
      continue;
    syscall(SYS_sched_setscheduler, pid, SCHED_BATCH, &(struct sched_param){0}); /* musl's own refuses */
    *thread = (struct nic_napi_thread){.pid = pid};
    if (sched_getaffinity(pid, sizeof thread->allowed, &thread->allowed) < 0)
      CPU_ZERO(&thread->allowed);
  }
  return true;
}

void nic_keep_off(struct nic_napi_thread *thread, const char *name) {
  const int here = sched_getcpu();
  if (thread->pid == 0 || here < 0 || here + 1 == thread->kept_off)
    return;
  thread->kept_off = here + 1;
  cpu_set_t others = thread->allowed;
  CPU_CLR(here, &others);
  /* Who has its number now, if it ended with its device, is nobody of ours. */
  if (CPU_COUNT(&others) > 0 && is_thread_of(thread->pid, name))
    sched_setaffinity(thread->pid, sizeof others, &others);
}
