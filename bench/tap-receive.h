/*
 * How the limit program reads: as tapstack's NIC does. As many frames together as there were the last time,
 * where that is cheaper; one only where it came alone.
 */
#ifndef BENCH_TAP_RECEIVE_H
#define BENCH_TAP_RECEIVE_H

#include "../native/internal.h"
#include "tap.h"

#include <errno.h>

enum { TAP_TOGETHER = 32, TAP_FRAME = 66 << 10 };
static uint8_t tap_in[TAP_TOGETHER][TAP_FRAME];
static struct rx_guess tap_guess;

/* Reads one frame, or several: results as read(2)'s or -errno. How many there are. */
static unsigned tap_read(int fd, struct uring *ring, bool dear, int *results) {
  unsigned count = ring != NULL ? rx_guess_more(&tap_guess, dear) : 0;
  if (count < 2) {
    const ssize_t length = read(fd, tap_in[0], TAP_FRAME);
    results[0] = length < 0 ? -errno : (int)length;
    return 1;
  }
  if (count > TAP_TOGETHER)
    count = TAP_TOGETHER;
  for (unsigned i = 0; i < count; i++)
    uring_read(ring, tap_in[i], TAP_FRAME);
  if (!uring_run(ring, results))
    tap_fail("io_uring_enter");
  return count;
}

/* Gives each frame to `take`, until none is left, there were `most`, or one came alone; how many. */
static int tap_receive(int fd, struct uring *ring, bool dear, int most, void (*take)(uint8_t *, size_t)) {
  int frames = 0;
  rx_guess_begin(&tap_guess);
  for (bool dry = false; !dry && frames < most;) {
    int results[URING_MAX];
    const unsigned count = tap_read(fd, ring, dear, results);
    for (unsigned i = 0; i < count; i++) {
      if (results[i] == -EAGAIN) {
        dry = true;
        continue;
      }
      if (results[i] < 0) {
        errno = -results[i];
        tap_fail("reading the TAP device");
      }
      rx_guess_saw(&tap_guess, (size_t)results[i]);
      take(tap_in[i], (size_t)results[i]);
      frames++;
    }
    dry = dry || rx_guess_alone(&tap_guess);
  }
  return frames;
}

#endif
