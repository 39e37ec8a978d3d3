/*
 * What a system call costs here. On most machines a small frame costs as much to read by io_uring as by a
 * call of its own; in some virtual machines the way into the kernel takes a microsecond, several times what
 * the kernel then does.
 */
#include "internal.h"

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define READS 16
/* Somebody else may have the processor for a while, so the least is taken. */
#define TRIES 5

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Nanoseconds of READS reads that find nothing; 0: they cannot be done so. */
static uint64_t by_calls(int fd) {
  uint64_t value;
  const uint64_t start = now_ns();
  for (int i = 0; i < READS; i++)
    if (read(fd, &value, sizeof value) >= 0)
      return 0;
  return now_ns() - start;
}

static uint64_t by_ring(struct uring *ring) {
  uint64_t value;
  int results[URING_MAX];
  const uint64_t start = now_ns();
  for (int i = 0; i < READS; i++)
    uring_read(ring, &value, sizeof value);
  return uring_run(ring, results) ? now_ns() - start : 0;
}

static uint64_t lesser(uint64_t a, uint64_t b) { return a < b ? a : b; }

bool calls_are_dear(void) {
  const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0)
    return false;
  struct uring *ring = uring_open(fd);
  uint64_t calls = UINT64_MAX, together = UINT64_MAX;
  for (int i = 0; i < TRIES && ring != NULL; i++) {
    calls = lesser(calls, by_calls(fd));
    together = lesser(together, by_ring(ring));
  }
  uring_close(ring);
  close(fd);
  return together != UINT64_MAX && together != 0 && calls > 2 * together;
}
