/* What a system call costs decides how frames are read: the linker makes calls dear, or the ring (run.sh). */
#include "check.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

ssize_t __real_read(int fd, void *to, size_t size);
ssize_t __wrap_read(int fd, void *to, size_t size);
bool __real_uring_run(struct uring *ring, int *results);
bool __wrap_uring_run(struct uring *ring, int *results);
int __real_eventfd(unsigned count, int flags);
int __wrap_eventfd(unsigned count, int flags);

static unsigned call_us, ring_us, calls;
static bool interrupted, refused;

/* Processor time that passes, as in the kernel. */
static void take(unsigned us) {
  struct timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  do
    clock_gettime(CLOCK_MONOTONIC, &now);
  while ((now.tv_sec - start.tv_sec) * 1000000000 + now.tv_nsec - start.tv_nsec < us * 1000L);
}

ssize_t __wrap_read(int fd, void *to, size_t size) {
  take(interrupted && ++calls % 40 == 0 ? 3000 : call_us); /* somebody else had the processor */
  return __real_read(fd, to, size);
}

bool __wrap_uring_run(struct uring *ring, int *results) {
  take(ring_us);
  return __real_uring_run(ring, results);
}

int __wrap_eventfd(unsigned count, int flags) {
  errno = EMFILE;
  return refused ? -1 : __real_eventfd(count, flags);
}

int main(void) {
  struct uring *ring = uring_open(0);
  const bool rings = ring != NULL;
  uring_close(ring);
  call_us = 20;
  CHECK(calls_are_dear() == rings);
  interrupted = true;
  CHECK(calls_are_dear() == rings);
  ring_us = 1000;
  CHECK(!calls_are_dear());
  call_us = 0; /* the pauses of somebody else's are no cost of calls */
  CHECK(!calls_are_dear());
  ring_us = 0;
  call_us = 20;
  refused = true;
  CHECK(!calls_are_dear());
  const int next = dup(0);
  refused = false;
  calls_are_dear();
  const int after = dup(0);
  CHECK(after == next + 1); /* it keeps nothing open */
  return check_result("callcost");
}
