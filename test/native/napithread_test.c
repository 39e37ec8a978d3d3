/*
 * Which thread is made SCHED_BATCH when NAPI is switched, and kept off our processor: the one that begins at
 * that moment, and no other. First with processes that are named as such threads, and begin where the
 * attribute is written (the linker sends that here, run.sh); then with a device in a network namespace of its
 * own, where we may have one.
 */
#include "check.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "unit0"
#define THREAD "napi/" NAME "-0"

ssize_t __real_pwrite(int fd, const void *from, size_t size, off_t at);
ssize_t __wrap_pwrite(int fd, const void *from, size_t size, off_t at);

/* What begins while the attribute is written, and what it is called. */
enum { AT_ONCE = 3 };
static const char *beginning[AT_ONCE];
static pid_t begun[AT_ONCE];
static bool refuse;
static char written;

/* A process of that name, which is there until it is ended. */
static pid_t begin(const char *name) {
  int named[2];
  char byte;
  if (pipe(named) < 0)
    abort();
  const pid_t pid = fork();
  if (pid < 0)
    abort();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, name);
    if (write(named[1], "", 1) != 1)
      _exit(1);
    for (;;)
      pause();
  }
  if (read(named[0], &byte, 1) != 1)
    abort();
  close(named[0]);
  close(named[1]);
  return pid;
}

static void end(pid_t pid) {
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
}

ssize_t __wrap_pwrite(int fd, const void *from, size_t size, off_t at) {
  if (fd >= 0)
    return __real_pwrite(fd, from, size, at);
  written = *(const char *)from;
  for (int i = 0; i < AT_ONCE; i++)
    begun[i] = beginning[i] == NULL ? 0 : begin(beginning[i]);
  return refuse ? -1 : 1;
}

static void switched(bool threaded, const int policies[AT_ONCE]) {
  struct nic_napi_thread thread = {0};
  CHECK(nic_switch_napi(-1, NAME, threaded, &thread) == !refuse);
  CHECK(written == (threaded ? '1' : '0'));
  for (int i = 0; i < AT_ONCE; i++) {
    if (begun[i] == 0)
      continue;
    CHECK(sched_getscheduler(begun[i]) == policies[i]);
    CHECK((thread.pid == begun[i]) == (policies[i] == SCHED_BATCH));
    end(begun[i]);
  }
}

static void processes(void) {
  const pid_t elsewhere = begin(THREAD); /* of another namespace's device, say */
  beginning[1] = THREAD;
  switched(true, (int[]){0, SCHED_BATCH, 0});
  switched(false, (int[]){0, SCHED_OTHER, 0});
  /* Others that begin meanwhile. */
  beginning[0] = "napi/" NAME "1-0";
  beginning[2] = "napi/" NAME;
  switched(true, (int[]){SCHED_OTHER, SCHED_BATCH, SCHED_OTHER});
  beginning[0] = "sh";
  beginning[2] = "napi/unit";
  switched(true, (int[]){SCHED_OTHER, SCHED_BATCH, SCHED_OTHER});
  refuse = true;
  switched(true, (int[]){SCHED_OTHER, SCHED_OTHER, SCHED_OTHER});
  refuse = false;
  CHECK(sched_getscheduler(elsewhere) == SCHED_OTHER);
  end(elsewhere);
}

/* A device of a name with more letters than /proc had of a thread's once. */
static void old_kernels(void) {
  const char *name = "longinterface0";
  beginning[0] = NULL;
  beginning[1] = "napi/longinterf";
  beginning[2] = "napi/longinterx";
  struct nic_napi_thread thread = {0};
  CHECK(nic_switch_napi(-1, name, true, &thread));
  CHECK(sched_getscheduler(begun[1]) == SCHED_BATCH && sched_getscheduler(begun[2]) == SCHED_OTHER);
  end(begun[1]);
  end(begun[2]);
}

static cpu_set_t processors_of(pid_t pid) {
  cpu_set_t set;
  CHECK(sched_getaffinity(pid, sizeof set, &set) == 0);
  return set;
}

static void move_to(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  CHECK(sched_setaffinity(0, sizeof set, &set) == 0);
}

/* Wherever we go, the thread stays off. */
static void kept_off(void) {
  const cpu_set_t all = processors_of(0);
  struct nic_napi_thread thread = {0};
  beginning[0] = beginning[2] = NULL;
  beginning[1] = THREAD;
  CHECK(nic_switch_napi(-1, NAME, true, &thread));
  for (int round = 0; round < 2; round++)
    for (int processor = 0; processor < CPU_SETSIZE; processor++) {
      if (!CPU_ISSET(processor, &all))
        continue;
      move_to(processor);
      nic_keep_off(&thread, NAME);
      cpu_set_t expected = all, now = processors_of(begun[1]);
      if (CPU_COUNT(&all) > 1)
        CPU_CLR(processor, &expected);
      CHECK(CPU_EQUAL(&now, &expected));
    }
  end(begun[1]);
  CHECK(sched_setaffinity(0, sizeof all, &all) == 0);
  /* One that never was to be seen; and one that has ended, whose number somebody else has. */
  nic_keep_off(&(struct nic_napi_thread){0}, NAME);
  const pid_t other = begin("napi/unit");
  struct nic_napi_thread ended = {.pid = other, .allowed = all};
  nic_keep_off(&ended, NAME);
  const cpu_set_t untouched = processors_of(other);
  CHECK(CPU_EQUAL(&untouched, &all));
  end(other);
}

static bool is_named(const char *pid, const char *name) {
  char path[64], comm[64];
  snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
  FILE *file = fopen(path, "r");
  const bool found =
      file != NULL && fgets(comm, sizeof comm, file) != NULL && strncmp(comm, name, strlen(name)) == 0;
  if (file != NULL)
    fclose(file);
  return found;
}

static pid_t kernel_thread(const char *name) {
  DIR *proc = opendir("/proc");
  pid_t pid = 0;
  if (proc == NULL)
    abort();
  for (struct dirent *entry; pid == 0 && (entry = readdir(proc)) != NULL;)
    if (is_named(entry->d_name, name))
      pid = atoi(entry->d_name);
  closedir(proc);
  return pid;
}

static void device(void) {
  if (geteuid() != 0 || !is_named("2", "kthreadd") || unshare(CLONE_NEWNET) < 0) {
    printf("napithread: the kernel's own thread is not ours to see here: left out\n");
    return;
  }
  struct nic_error error = {0};
  char name[NIC_NAME_MAX + 1];
  snprintf(name, sizeof name, "nt%d", getpid());
  struct nic *nic = nic_open(&(struct nic_options){.name = name, .offload = true, .napi = true}, &error);
  CHECK(nic != NULL);
  if (nic == NULL) {
    fprintf(stderr, "  %s\n", error.message);
    return;
  }
  if (nic_get_info(nic)->no_napi == 0) {
    char thread[32];
    snprintf(thread, sizeof thread, "napi/%s-", name);
    const int napi = nic_take_napi(nic);
    struct nic_napi_thread found = {0};
    CHECK(nic_switch_napi(napi, name, true, &found));
    const pid_t pid = kernel_thread(thread);
    CHECK(pid != 0 && found.pid == pid && sched_getscheduler(pid) == SCHED_BATCH);
    const cpu_set_t all = processors_of(0), before = processors_of(pid);
    move_to(sched_getcpu());
    nic_keep_off(&found, name);
    const cpu_set_t after = processors_of(pid);
    CHECK(CPU_COUNT(&before) == 1 || !CPU_ISSET(sched_getcpu(), &after));
    CHECK(sched_setaffinity(0, sizeof all, &all) == 0);
    CHECK(nic_switch_napi(napi, name, false, &found));
    close(napi);
  }
  nic_close(nic);
}

/* Numbers of processes begin anew beyond pid_max: not in the middle of this. */
static void far_from_the_end(void) {
  long most = 0;
  FILE *file = fopen("/proc/sys/kernel/pid_max", "r");
  if (file == NULL || fscanf(file, "%ld", &most) != 1)
    abort();
  fclose(file);
  for (pid_t pid = (pid_t)most; pid > most - 1000;) {
    pid = begin(THREAD);
    end(pid);
  }
}

int main(void) {
  far_from_the_end();
  processes();
  old_kernels();
  kept_off();
  device();
  return check_result("napithread");
}
