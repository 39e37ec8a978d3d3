// Operations on readiness: epoll, poll and select.
#include "oracle.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

/// The kernel writes only what is ready, so a maxevents of 178956970 needs no room of that size.
enum { MOST_EVENTS = 4096, EVERYTHING = 0x27ff & ~(EPOLLERR | EPOLLHUP | 0x20) };

static void run_epoll_create1(struct task *task, char **words, int count, struct text *out) {
  int flags = count < 2 ? 0 : !strcmp(words[1], "cloexec") ? EPOLL_CLOEXEC : (int)number(words[1]);
  result_fd(task, epoll_create1(flags), out);
}

static void run_epoll_create(struct task *task, char **words, int count, struct text *out) {
  (void)count;
  result_fd(task, epoll_create((int)number(words[1])), out);
}

static void run_ctl(struct task *task, char **words, int count, struct text *out) {
  (void)task;
  const char *name = words[2];
  int operation = !strcmp(name, "add")   ? EPOLL_CTL_ADD
                  : !strcmp(name, "mod") ? EPOLL_CTL_MOD
                  : !strcmp(name, "del") ? EPOLL_CTL_DEL
                                         : (int)number(name);
  struct epoll_event event = {0}, *pointer = &event;
  uint32_t mask = 0;
  if (count > 4 && !strcmp(words[4], "null"))
    pointer = NULL;
  else if (count > 4 && !poll_mask_parse(words[4], &mask))
    fail("'%s' is not a mask", words[4]);
  event.events = mask;
  event.data.u64 = count > 5 ? strtoull(words[5], NULL, 0) : handle_tag(words[3]);
  long result = epoll_ctl(handle_fd(words[1]), operation, handle_fd(words[3]), pointer);
  result_count(result, errno, out);
}

static int by_data(const void *left, const void *right) {
  uint64_t a = ((const struct epoll_event *)left)->data.u64,
           b = ((const struct epoll_event *)right)->data.u64;
  return a < b ? -1 : a > b;
}

static void result_events(int result, int error, struct epoll_event *events, struct text *out) {
  result_count(result, error, out);
  if (options.sort && result > 0)
    qsort(events, result, sizeof *events, by_data);
  for (int i = 0; i < result; i++) {
    const char *name = handle_of_tag(events[i].data.u64);
    if (name)
      text_add(out, " %s{", name);
    else
      text_add(out, " 0x%llx{", (unsigned long long)events[i].data.u64);
    poll_mask_print(out, events[i].events);
    text_add(out, "}");
  }
}

static void run_wait(struct task *task, char **words, int count, struct text *out) {
  struct epoll_event *events = calloc(MOST_EVENTS, sizeof *events);
  int fd = handle_fd(words[1]), most = count > 2 ? (int)number(words[2]) : 16;
  int timeout = count > 3 ? (int)number(words[3]) : 0;
  task_enter_call(task);
  int result = epoll_wait(fd, events, most, timeout);
  task_leave_call(task);
  result_events(result, errno, events, out);
  free(events);
}

static void run_pwait2(struct task *task, char **words, int count, struct text *out) {
  struct epoll_event *events = calloc(MOST_EVENTS, sizeof *events);
  struct timespec time = {0}, *timeout = &time;
  int fd = handle_fd(words[1]), most = (int)number(words[2]);
  if (!strcmp(words[3], "null"))
    timeout = NULL;
  else if (count < 5)
    fail("pwait2 %s: seconds and nanoseconds, or null", words[1]);
  else {
    time.tv_sec = number(words[3]);
    time.tv_nsec = number(words[4]);
  }
  task_enter_call(task);
  int result = (int)syscall(SYS_epoll_pwait2, fd, events, most, timeout, NULL, 0);
  task_leave_call(task);
  result_events(result, errno, events, out);
  free(events);
}

static void run_poll(struct task *task, char **words, int count, struct text *out) {
  uint32_t mask = EVERYTHING;
  if (count > 2 && !poll_mask_parse(words[2], &mask))
    fail("'%s' is not a mask", words[2]);
  // A negative number would make poll() look away; a name that never got a number is a closed one.
  int fd = handle_fd(words[1]);
  struct pollfd entry = {.fd = fd < 0 ? 899 : fd, .events = (short)mask};
  int timeout = count > 3 ? (int)number(words[3]) : 0;
  task_enter_call(task);
  int result = poll(&entry, 1, timeout);
  task_leave_call(task);
  if (result < 0)
    result_count(result, errno, out);
  else
    poll_mask_print(out, (unsigned short)entry.revents);
}

/// `select H [TIMEOUT_MS]`: in which of the three sets it comes back.
static void run_select(struct task *task, char **words, int count, struct text *out) {
  int fd = handle_fd(words[1]), timeout = count > 2 ? (int)number(words[2]) : 0;
  fd_set sets[3];
  for (int i = 0; i < 3; i++) {
    FD_ZERO(&sets[i]);
    FD_SET(fd < 0 ? 899 : fd, &sets[i]);
  }
  struct timeval time = {timeout / 1000, timeout % 1000 * 1000L};
  task_enter_call(task);
  int result = select((fd < 0 ? 899 : fd) + 1, &sets[0], &sets[1], &sets[2], timeout < 0 ? NULL : &time);
  task_leave_call(task);
  result_count(result, errno, out);
  for (int i = 0; i < 3 && result > 0; i++)
    if (FD_ISSET(fd, &sets[i]))
      text_add(out, " %s", i == 0 ? "read" : i == 1 ? "write" : "except");
}

const struct entry epoll_operations[] = {
    {"epoll_create1", run_epoll_create1, 0, false},
    {"epoll_create", run_epoll_create, 1, false},
    {"ctl", run_ctl, 3, true},
    {"wait", run_wait, 1, true},
    {"pwait2", run_pwait2, 3, true},
    {"poll", run_poll, 1, true},
    {"select", run_select, 1, true},
    {NULL, NULL, 0, false},
};
