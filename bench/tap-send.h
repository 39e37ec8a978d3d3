/*
 * How the limit program sends: as tapstack's NIC does. Small frames in one piece, three and more in one
 * system call.
 */
#ifndef BENCH_TAP_SEND_H
#define BENCH_TAP_SEND_H

#include "../native/internal.h"
#include "tap.h"

#include <errno.h>

enum { TAP_BATCH = URING_MAX, TAP_SMALL = 2048 + 64 };
static struct uring *tap_ring; /* NULL: each frame is a call, as tapstack's is */
static bool tap_dear;          /* two frames are worth the ring */
static unsigned tap_waiting;
static uint8_t tap_small[TAP_BATCH][TAP_SMALL];
static struct iovec tap_pieces[TAP_BATCH][2];

/* Sends what waits; a full device loses it. */
static void tap_send_all(int fd) {
  const unsigned count = tap_waiting;
  int results[TAP_BATCH];
  const bool together = count >= (tap_dear ? 2 : 3) && tap_ring != NULL;
  tap_waiting = 0;
  for (unsigned i = 0; i < count; i++) {
    const struct iovec *piece = tap_pieces[i];
    const unsigned pieces = piece[1].iov_len == 0 ? 1 : 2;
    if (together) {
      uring_write(tap_ring, piece, pieces);
      continue;
    }
    const ssize_t sent =
        pieces == 1 ? write(fd, piece->iov_base, piece->iov_len) : writev(fd, piece, (int)pieces);
    results[i] = sent < 0 ? -errno : (int)sent;
  }
  if (together && !uring_run(tap_ring, results))
    tap_fail("io_uring_enter");
  for (unsigned i = 0; i < count; i++) {
    if (results[i] >= 0 || results[i] == -EAGAIN || results[i] == -ENOBUFS)
      continue;
    errno = -results[i];
    tap_fail("writing to the TAP device");
  }
}

/* One frame, headers and what follows them; the latter stays where it is until it is sent if it is large. */
static void tap_send(int fd, const void *headers, size_t size, const void *data, size_t length) {
  uint8_t *small = tap_small[tap_waiting];
  struct iovec *piece = tap_pieces[tap_waiting++];
  const bool joined = size + length <= TAP_SMALL;
  memcpy(small, headers, size);
  if (joined && length != 0)
    memcpy(small + size, data, length);
  piece[0] = (struct iovec){small, joined ? size + length : size};
  piece[1] = joined ? (struct iovec){NULL, 0} : (struct iovec){(void *)(uintptr_t)data, length};
  if (tap_waiting == TAP_BATCH)
    tap_send_all(fd);
}

#endif
