/*
 * One end of bench-wan's transfers on the running kernel, for wan/kernel-peer.mjs: blocking calls and nothing
 * else, because the kernel delays acknowledgements until a program has read, and one that collects garbage in
 * the meantime would decide what is measured.
 *   transfer receive PORT BYTES SECONDS FILE   says `ready`; at the end what came is in FILE, and it says
 *                                              how many bytes, in how many microseconds, and what ended it
 *   transfer send PORT BYTES SECONDS FILE TO   sends FILE, waits for the other end
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CONNECT_ATTEMPTS = 10, ATTEMPT_PAUSE_US = 100000, RECEIVE_AT_ONCE = 1 << 20 };

static int64_t now_us(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1000000ll + at.tv_nsec / 1000;
}

__attribute__((noreturn)) static void fail(const char *what) {
  fprintf(stderr, "transfer: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* The file in memory, all of it there before the transfer begins. */
static char *map(const char *path, size_t bytes) {
  int fd = open(path, O_RDWR | O_CREAT, 0600);
  if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
    fail(path);
  char *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (data == MAP_FAILED)
    fail("mmap");
  close(fd);
  return data;
}

/* How long recv sleeps at most. */
static void sleep_until(int fd, int64_t deadline) {
  int64_t left = deadline - now_us();
  if (left < 1)
    left = 1;
  struct timeval limit = {left / 1000000, left % 1000000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

static void receive(struct sockaddr_in *at, size_t bytes, int64_t limit_us, const char *path) {
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  int yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  char *data = map(path, bytes);
  for (size_t i = 0; i < bytes; i += 4096)
    data[i] = 1;
  if (bind(listener, (struct sockaddr *)at, sizeof *at) < 0 || listen(listener, 1) < 0)
    fail("listen");
  puts("ready");
  fflush(stdout);
  int fd = accept(listener, NULL, NULL);
  if (fd < 0)
    fail("accept");
  close(listener);
  int64_t from = now_us(), last = from;
  const char *ended = "end";
  size_t count = 0;
  char more;
  sleep_until(fd, from + limit_us);
  for (;;) {
    size_t room = bytes - count;
    ssize_t got = room == 0 ? recv(fd, &more, 1, 0)
                            : recv(fd, data + count, room < RECEIVE_AT_ONCE ? room : RECEIVE_AT_ONCE, 0);
    int64_t now = now_us();
    if (got > 0 && room == 0) {
      ended = "EMSGSIZE";
      break;
    }
    if (got > 0) {
      count += (size_t)got;
      last = now;
    }
    /* What counts is all that came in the time given. */
    if (now - from >= limit_us || (got < 0 && errno == EAGAIN)) {
      last = now;
      ended = "time";
      break;
    }
    if (got < 0)
      ended = strerrorname_np(errno);
    if (got <= 0)
      break;
  }
  printf("%zu %lld %s\n", count, (long long)(last - from), ended);
}

/*
 * What an earlier transfer left asks for the host's hardware address before the host is there, and a
 * connection that comes upon that fails with it; or the network loses three requests in a row. Neither is
 * what is measured.
 */
static int connected(const struct sockaddr_in *to) {
  for (int attempt = 1;; attempt++) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (const struct sockaddr *)to, sizeof *to) == 0)
      return fd;
    if (errno != EHOSTUNREACH || attempt == CONNECT_ATTEMPTS)
      fail("connect");
    close(fd);
    usleep(ATTEMPT_PAUSE_US);
  }
}

static void send_all(const struct sockaddr_in *to, size_t bytes, const char *path) {
  const char *data = map(path, bytes);
  int fd = connected(to);
  for (size_t sent = 0; sent < bytes;) {
    ssize_t put = send(fd, data + sent, bytes - sent, MSG_NOSIGNAL);
    /* The receiver has had enough. */
    if (put < 0)
      return;
    sent += (size_t)put;
  }
  shutdown(fd, SHUT_WR);
  char end;
  while (recv(fd, &end, 1, 0) > 0)
    ;
}

int main(int argc, char **argv) {
  if (argc < 6)
    return fputs("transfer receive|send PORT BYTES SECONDS FILE [TO]\n", stderr), 2;
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
  size_t bytes = strtoull(argv[3], NULL, 10);
  unsigned seconds = (unsigned)atoi(argv[4]);
  /* Whatever happens to the other end. */
  alarm(seconds + 60);
  if (strcmp(argv[1], "receive") == 0) {
    receive(&at, bytes, seconds * 1000000ll, argv[5]);
  } else {
    if (argc < 7 || inet_pton(AF_INET, argv[6], &at.sin_addr) != 1)
      return fputs("transfer: send to whom?\n", stderr), 2;
    send_all(&at, bytes, argv[5]);
  }
  return 0;
}
