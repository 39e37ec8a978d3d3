// The threads a script runs on. The main one is woken out of a call that sleeps for longer than -b; a
// background one may sleep for ever, and the script goes on once it does.
#include "oracle.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { HIGH_FD = 900, REPEAT_MS = 20 };

struct task main_task = {.interrupt = true};
__thread volatile sig_atomic_t timer_fired, pipe_signalled;
static struct task *background;

static void on_timer(int signal) {
  (void)signal;
  timer_fired = 1;
}
static void on_pipe(int signal) {
  (void)signal;
  pipe_signalled = 1;
}

void sleep_ms(int ms) {
  struct timespec left = {ms / 1000, ms % 1000 * 1000000L};
  while (nanosleep(&left, &left) && errno == EINTR)
    ;
}

void task_start_main(void) {
  // No SA_RESTART: the point of the timer's signal is EINTR.
  struct sigaction action = {.sa_handler = on_timer};
  sigaction(SIGUSR1, &action, NULL);
  action.sa_handler = on_pipe;
  sigaction(SIGPIPE, &action, NULL);
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
  event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
  if (timer_create(CLOCK_MONOTONIC, &event, &main_task.timer))
    fail("timer_create: %s", strerror(errno));
}

void task_enter_call(struct task *task) {
  timer_fired = 0;
  pipe_signalled = 0;
  if (task->interrupt) {
    // It repeats, in case the first one comes before the call is entered.
    struct itimerspec when = {.it_value = {options.blocked_ms / 1000, options.blocked_ms % 1000 * 1000000L},
                              .it_interval = {0, REPEAT_MS * 1000000L}};
    timer_settime(task->timer, 0, &when, NULL);
  }
  atomic_store(&task->stage, STAGE_IN_CALL);
}

void task_leave_call(struct task *task) {
  int error = errno;
  atomic_store(&task->stage, STAGE_IDLE);
  if (task->interrupt) {
    struct itimerspec never = {0};
    timer_settime(task->timer, 0, &never, NULL);
  }
  errno = error;
}

/// Between task_enter_call and the end of the call there is nothing but the call, so a sleep is a sleep in
/// it.
static bool asleep(struct task *task) {
  char stat[256];
  if (atomic_load(&task->stage) != STAGE_IN_CALL)
    return false;
  ssize_t length = pread(task->stat_fd, stat, sizeof stat - 1, 0);
  if (length <= 0)
    return false;
  stat[length] = 0;
  const char *after_name = strrchr(stat, ')');
  return after_name && after_name[2] == 'S';
}

static void wait_for(struct task *task) {
  while (atomic_load(&task->stage) != STAGE_DONE && !asleep(task))
    sched_yield();
}

void task_settle(int ms) {
  if (ms > 0)
    sleep_ms(ms);
  for (struct task *task = background; task; task = task->next)
    wait_for(task);
}

static void *thread(void *argument) {
  struct task *task = argument;
  // A batch thread does not preempt the one that wakes it (see pin in main.c).
  struct sched_param none = {0};
  sched_setscheduler(0, SCHED_BATCH, &none);
  atomic_store(&task->tid, (int)syscall(SYS_gettid));
  while (!atomic_load(&task->go))
    sched_yield();
  operation_run(task, task->bind, task->words, task->count, &task->result);
  atomic_store(&task->stage, STAGE_DONE);
  return NULL;
}

static int open_stat(int tid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  int high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
  close(fd);
  if (high < 0)
    fail("%s: %s", path, strerror(errno));
  return high;
}

void task_background(struct text *out, char **words, int count) {
  struct task *task = calloc(1, sizeof *task);
  snprintf(task->name, sizeof task->name, "%s", words[1]);
  words += 2;
  count -= 2;
  if (count > 2 && !strcmp(words[1], "=")) {
    task->bind = words[0];
    words += 2;
    count -= 2;
  }
  if (count < 1)
    fail("bg %s: an operation is missing", task->name);
  memcpy(task->words, words, count * sizeof *words);
  task->count = count;
  task->next = background;
  background = task;
  pthread_t id;
  if (pthread_create(&id, NULL, thread, task))
    fail("bg %s: no thread to be had", task->name);
  pthread_detach(id);
  while (!atomic_load(&task->tid))
    sched_yield();
  task->stat_fd = open_stat(atomic_load(&task->tid));
  atomic_store(&task->go, true);
  wait_for(task);
  text_add(out, "started");
}

void task_join(struct text *out, char **names, int count) {
  for (int i = 0; i < count; i++) {
    struct task *task = background;
    while (task && strcmp(task->name, names[i]))
      task = task->next;
    text_add(out, "%s%s: ", i ? "; " : "", names[i]);
    if (!task) {
      text_add(out, "unknown");
      continue;
    }
    for (int waited = 0; atomic_load(&task->stage) != STAGE_DONE && waited < options.blocked_ms; waited++)
      sleep_ms(1);
    bool done = atomic_load(&task->stage) == STAGE_DONE;
    text_add(out, "%s", done ? task->result.bytes : "pending");
  }
}
