// Operations that move bytes: send, recv and their kin, and filling and draining.
#include "oracle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILL_CHUNK = 4096, DRAIN_CHUNK = 65536, LARGEST = 1 << 26 };

static unsigned char *buffer_of(long size) {
  if (size < 0 || size > LARGEST)
    fail("%ld bytes are more than a script may move at once", size);
  unsigned char *bytes = malloc(size + 1);
  if (!bytes)
    abort();
  return bytes;
}

static void pattern(const char *handle, unsigned char *bytes, long size) {
  unsigned long at = handle_pattern(handle);
  for (long i = 0; i < size; i++)
    bytes[i] = 'a' + (at + i) % 26;
}

/// The bytes of `N` or `"text"`.
static unsigned char *payload(const char *handle, const char *word, long *size) {
  if (word[0] != '"') {
    *size = number(word);
    unsigned char *bytes = buffer_of(*size);
    pattern(handle, bytes, *size);
    return bytes;
  }
  *size = (long)strlen(word) - 2;
  unsigned char *bytes = buffer_of(*size);
  memcpy(bytes, word + 1, *size);
  return bytes;
}

static int flags_argument(char **words, int count, int index) {
  int flags = 0;
  if (count > index && !message_flags_parse(words[index], &flags))
    fail("'%s' are not message flags", words[index]);
  return flags;
}

static void result_sent(char **words, long result, int error, long size, struct text *out) {
  result_count(result, error, out);
  if (result > 0 && result < size && timer_fired)
    text_add(out, " (then BLOCKED)");
  if (pipe_signalled)
    text_add(out, " +SIGPIPE");
  if (words[2][0] != '"' && result > 0)
    handle_sent(words[1], result);
}

static void run_send(struct task *task, char **words, int count, struct text *out) {
  long size;
  int flags = flags_argument(words, count, 3), fd = handle_fd(words[1]);
  unsigned char *bytes = payload(words[1], words[2], &size);
  task_enter_call(task);
  long result = send(fd, bytes, size, flags);
  task_leave_call(task);
  result_sent(words, result, errno, size, out);
  free(bytes);
}

static void run_write(struct task *task, char **words, int count, struct text *out) {
  (void)count;
  long size;
  int fd = handle_fd(words[1]);
  unsigned char *bytes = payload(words[1], words[2], &size);
  task_enter_call(task);
  long result = write(fd, bytes, size);
  task_leave_call(task);
  result_sent(words, result, errno, size, out);
  free(bytes);
}

static void result_received(long result, int error, const unsigned char *bytes, long size, int flags,
                            struct text *out) {
  if (result <= 0 || flags & MSG_TRUNC) {
    result_count(result, error, out);
    return;
  }
  text_add(out, "%ld ", result);
  text_payload(out, bytes, result);
  if (result < size && timer_fired)
    text_add(out, " (then BLOCKED)");
}

static void run_recv(struct task *task, char **words, int count, struct text *out) {
  long size = number(words[2]);
  int flags = flags_argument(words, count, 3), fd = handle_fd(words[1]);
  unsigned char *bytes = buffer_of(size);
  task_enter_call(task);
  long result = recv(fd, bytes, size, flags);
  task_leave_call(task);
  result_received(result, errno, bytes, size, flags, out);
  free(bytes);
}

static void run_read(struct task *task, char **words, int count, struct text *out) {
  (void)count;
  long size = number(words[2]);
  int fd = handle_fd(words[1]);
  unsigned char *bytes = buffer_of(size);
  task_enter_call(task);
  long result = read(fd, bytes, size);
  task_leave_call(task);
  result_received(result, errno, bytes, size, 0, out);
  free(bytes);
}

static void run_recvmsg(struct task *task, char **words, int count, struct text *out) {
  long size = number(words[2]);
  int flags = flags_argument(words, count, 3), fd = handle_fd(words[1]);
  unsigned char *bytes = buffer_of(size);
  struct iovec vector = {bytes, size};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  task_enter_call(task);
  long result = recvmsg(fd, &message, flags);
  task_leave_call(task);
  result_received(result, errno, bytes, size, flags, out);
  if (result >= 0) {
    text_add(out, " msg_flags=");
    message_flags_print(out, message.msg_flags);
  }
  free(bytes);
}

static void run_fill(struct task *task, char **words, int count, struct text *out) {
  (void)task;
  bool verbose = count > 2 && !strcmp(words[count - 1], "v");
  long chunk = count > 2 + verbose ? number(words[2]) : FILL_CHUNK, total = 0, sent;
  int fd = handle_fd(words[1]);
  unsigned char *bytes = buffer_of(chunk);
  // How much fits is nobody's promise, so the handle's running pattern stays where it is.
  pattern(words[1], bytes, chunk);
  while ((sent = send(fd, bytes, chunk, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
    total += sent;
  text_add(out, "full -");
  text_errno(out, errno);
  if (verbose)
    text_add(out, " %ld", total);
  free(bytes);
}

static void run_drain(struct task *task, char **words, int count, struct text *out) {
  (void)task;
  bool quiet = count > 2 && !strcmp(words[count - 1], "q");
  long limit = count > 2 + quiet ? number(words[2]) : -1, total = 0, got = 0;
  int fd = handle_fd(words[1]);
  unsigned char *bytes = buffer_of(DRAIN_CHUNK);
  while (limit < 0 || total < limit) {
    size_t wanted = limit >= 0 && limit - total < DRAIN_CHUNK ? limit - total : DRAIN_CHUNK;
    got = recv(fd, bytes, wanted, MSG_DONTWAIT);
    if (got <= 0)
      break;
    total += got;
  }
  if (got > 0)
    text_add(out, "limit");
  else if (got == 0)
    text_add(out, limit == 0 ? "limit" : "EOF");
  else {
    text_add(out, "-");
    text_errno(out, errno);
  }
  if (!quiet)
    text_add(out, " %ld", total);
  free(bytes);
}

const struct entry data_operations[] = {
    {"send", run_send, 2, true},       {"write", run_write, 2, true},
    {"recv", run_recv, 2, true},       {"read", run_read, 2, true},
    {"recvmsg", run_recvmsg, 2, true}, {"fill", run_fill, 1, true},
    {"drain", run_drain, 1, true},     {NULL, NULL, 0, false},
};
