/*
 * The kernel's own TCP behind the plainest fast server: level-triggered epoll,
 * one thread. Echo on 7001, sink on 7002, source on 7003.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ECHO, SINK, SOURCE, KINDS };
enum { FIRST_PORT = 7001, BUFFER = 256 << 10 };
#define LISTENER (1ull << 40)

static char buffer[BUFFER];

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void watch(int epfd, int fd, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data.u64 = data};
  if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) < 0)
    die("epoll_ctl");
}

static void listen_on(int epfd, int kind) {
  const int one = 1;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(FIRST_PORT + kind))};
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 4096) < 0)
    die("listen");
  watch(epfd, fd, EPOLLIN, LISTENER | (uint64_t)kind << 32 | (uint32_t)fd);
}

static void accept_all(int epfd, int listener, uint64_t kind) {
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
    watch(epfd, fd, kind == SOURCE ? EPOLLOUT : EPOLLIN, kind << 32 | (uint32_t)fd);
}

/* An echo's answer always fits: the client waits for it before it asks again.
 */
static void serve(int fd, uint64_t kind) {
  ssize_t count = kind == SOURCE ? write(fd, buffer, BUFFER) : read(fd, buffer, BUFFER);
  if (count > 0 && kind == ECHO)
    count = write(fd, buffer, (size_t)count);
  if (count == 0 || (count < 0 && errno != EAGAIN))
    close(fd);
}

int main(void) {
  /* A client that ends closes while it is being written to: EPIPE is enough to know it by. */
  signal(SIGPIPE, SIG_IGN);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  int epfd = epoll_create1(0);
  for (int kind = 0; kind < KINDS; kind++)
    listen_on(epfd, kind);
  puts("ready");
  fflush(stdout);
  struct epoll_event events[256];
  for (;;) {
    int ready = epoll_wait(epfd, events, 256, -1);
    for (int i = 0; i < ready; i++) {
      uint64_t data = events[i].data.u64, kind = data >> 32 & 0xff;
      if (data & LISTENER)
        accept_all(epfd, (int)(uint32_t)data, kind);
      else
        serve((int)(uint32_t)data, kind);
    }
  }
}
