// Operations that make, connect, name and end sockets and other descriptors.
#include "oracle.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

static int socket_flags(const char *word) {
  if (!strcmp(word, "nonblock"))
    return SOCK_NONBLOCK;
  if (!strcmp(word, "cloexec"))
    return SOCK_CLOEXEC;
  fail("'%s' is neither nonblock nor cloexec", word);
}

static void run_socket(struct task *task, char **words, int count, struct text *out) {
  int type = SOCK_STREAM, flags = 0;
  for (int i = 1; i < count; i++) {
    if (!strcmp(words[i], "dgram"))
      type = SOCK_DGRAM;
    else
      flags |= socket_flags(words[i]);
  }
  result_fd(task, socket(AF_INET, type | flags, 0), out);
}

/// X takes the lowest free number and Y the next, although the listener needs one while it is there: it moves
/// up.
static void run_pair(struct task *task, char **words, int count, struct text *out) {
  (void)task, (void)count;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  int low = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  int listener = fcntl(low, F_DUPFD, 700);
  close(low);
  if (client < 0 || listener < 0) {
    int error = errno;
    close(client);
    text_add(out, "-");
    text_errno(out, error);
    return;
  }
  bind(listener, (struct sockaddr *)&address, length);
  listen(listener, 1);
  getsockname(listener, (struct sockaddr *)&address, &length);
  connect(client, (struct sockaddr *)&address, sizeof address);
  int child;
  for (int tries = 0; (child = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) < 0 && tries < 1000; tries++)
    sleep_ms(1);
  close(listener);
  if (child < 0)
    fail("pair %s %s: loopback does not deliver", words[1], words[2]);
  // The second connect() moves the API state from CONNECTING to CONNECTED.
  connect(client, (struct sockaddr *)&address, sizeof address);
  handle_bind(words[1], client);
  handle_bind(words[2], child);
  if (options.hide_fds)
    text_add(out, "ok");
  else
    text_add(out, "fd=%d fd=%d", client, child);
}

static socklen_t address_argument(char **words, int count, struct sockaddr_in *address) {
  if (!address_parse(words[2], address))
    fail("'%s' is not an address", words[2]);
  return count > 3 ? (socklen_t)number(words[3]) : sizeof *address;
}

static void run_bind(struct task *task, char **words, int count, struct text *out) {
  (void)task;
  struct sockaddr_in address;
  socklen_t length = address_argument(words, count, &address);
  long result = bind(handle_fd(words[1]), (struct sockaddr *)&address, length);
  result_count(result, errno, out);
}

static void run_listen(struct task *task, char **words, int count, struct text *out) {
  (void)task, (void)count;
  long result = listen(handle_fd(words[1]), (int)number(words[2]));
  result_count(result, errno, out);
}

static void run_connect(struct task *task, char **words, int count, struct text *out) {
  struct sockaddr_in address;
  socklen_t length = address_argument(words, count, &address);
  int fd = handle_fd(words[1]);
  task_enter_call(task);
  long result = connect(fd, (struct sockaddr *)&address, length);
  task_leave_call(task);
  result_count(result, errno, out);
}

static void run_accept(struct task *task, char **words, int count, struct text *out) {
  struct sockaddr_in address = {0};
  socklen_t length = sizeof address;
  int flags = 0, listener = handle_fd(words[1]);
  for (int i = 2; i < count; i++)
    flags |= words[i][0] >= '0' && words[i][0] <= '9' ? (int)number(words[i]) : socket_flags(words[i]);
  task_enter_call(task);
  int fd = accept4(listener, (struct sockaddr *)&address, &length, flags);
  task_leave_call(task);
  result_fd(task, fd, out);
  if (fd < 0)
    return;
  text_add(out, " from=");
  address_print(out, &address, fd);
}

static void run_shutdown(struct task *task, char **words, int count, struct text *out) {
  (void)task, (void)count;
  const char *how = words[2];
  int value = !strcmp(how, "rd")     ? SHUT_RD
              : !strcmp(how, "wr")   ? SHUT_WR
              : !strcmp(how, "rdwr") ? SHUT_RDWR
                                     : (int)number(how);
  long result = shutdown(handle_fd(words[1]), value);
  result_count(result, errno, out);
}

static void run_close(struct task *task, char **words, int count, struct text *out) {
  (void)count;
  int fd = handle_fd(words[1]);
  task_enter_call(task);
  long result = close(fd); // may linger; a signal ends that, and the result is 0 all the same
  task_leave_call(task);
  result_count(result, errno, out);
  if (result == 0)
    handle_forget(fd);
}

static void run_dup(struct task *task, char **words, int count, struct text *out) {
  (void)count;
  result_fd(task, dup(handle_fd(words[1])), out);
}

static void run_dup2(struct task *task, char **words, int count, struct text *out) {
  (void)count;
  bool is_number = words[2][0] >= '0' && words[2][0] <= '9';
  int old = handle_fd(words[1]), wanted = is_number ? (int)number(words[2]) : handle_fd(words[2]);
  int fd = dup2(old, wanted);
  if (fd >= 0 && fd != old)
    handle_forget(fd);
  result_fd(task, fd, out);
}

static void run_fcntl(struct task *task, char **words, int count, struct text *out) {
  (void)task;
  int fd = handle_fd(words[1]), flags = fcntl(fd, F_GETFL), descriptor_flags = fcntl(fd, F_GETFD);
  if (flags < 0) {
    result_count(flags, errno, out);
    return;
  }
  if (count < 3) {
    text_add(out, "%sblock%s", flags & O_NONBLOCK ? "non" : "",
             descriptor_flags & FD_CLOEXEC ? "|cloexec" : "");
    return;
  }
  flags = (flags & ~O_NONBLOCK) | (strcmp(words[2], "nonblock") ? 0 : O_NONBLOCK);
  long result = fcntl(fd, F_SETFL, flags);
  result_count(result, errno, out);
}

static void run_open(struct task *task, char **words, int count, struct text *out) {
  (void)count;
  result_fd(task, open(words[1], O_RDONLY), out);
}

static void run_pipe(struct task *task, char **words, int count, struct text *out) {
  (void)task, (void)count;
  int ends[2];
  if (pipe2(ends, O_NONBLOCK)) {
    result_count(-1, errno, out);
    return;
  }
  handle_bind(words[1], ends[0]);
  handle_bind(words[2], ends[1]);
  if (options.hide_fds)
    text_add(out, "ok");
  else
    text_add(out, "fd=%d fd=%d", ends[0], ends[1]);
}

static void run_eventfd(struct task *task, char **words, int count, struct text *out) {
  (void)count;
  result_fd(task, eventfd((unsigned)number(words[1]), EFD_NONBLOCK), out);
}

static void name_of(char **words, struct text *out,
                    int (*call)(int, struct sockaddr *restrict, socklen_t *restrict)) {
  struct sockaddr_in address = {0};
  socklen_t length = sizeof address;
  if (call(handle_fd(words[1]), (struct sockaddr *)&address, &length))
    result_count(-1, errno, out);
  else
    address_print(out, &address, -1);
}

static void run_getsockname(struct task *task, char **words, int count, struct text *out) {
  (void)task, (void)count;
  name_of(words, out, getsockname);
}

static void run_getpeername(struct task *task, char **words, int count, struct text *out) {
  (void)task, (void)count;
  name_of(words, out, getpeername);
}

static void run_nofile(struct task *task, char **words, int count, struct text *out) {
  (void)task, (void)count;
  struct rlimit limit = {(rlim_t)number(words[1]), 0};
  struct rlimit old;
  getrlimit(RLIMIT_NOFILE, &old);
  limit.rlim_max = old.rlim_max;
  long result = setrlimit(RLIMIT_NOFILE, &limit);
  result_count(result, errno, out);
}

const struct entry socket_operations[] = {
    {"socket", run_socket, 0, false},
    {"pair", run_pair, 2, true},
    {"bind", run_bind, 2, false},
    {"listen", run_listen, 2, false},
    {"connect", run_connect, 2, true},
    {"accept", run_accept, 1, true},
    {"shutdown", run_shutdown, 2, true},
    {"close", run_close, 1, true},
    {"dup", run_dup, 1, false},
    {"dup2", run_dup2, 2, true},
    {"fcntl", run_fcntl, 1, false},
    {"open", run_open, 1, false},
    {"pipe", run_pipe, 2, false},
    {"eventfd", run_eventfd, 1, false},
    {"getsockname", run_getsockname, 1, true},
    {"getpeername", run_getpeername, 1, true},
    {"nofile", run_nofile, 1, false},
    {NULL, NULL, 0, false},
};
