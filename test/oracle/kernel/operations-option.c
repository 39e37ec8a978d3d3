// Operations that ask and set: socket options, ioctl, tcp_info, sysctl.
#include "oracle.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

union value {
  int number;
  struct linger linger;
  struct timeval time;
  char string[64];
};

static int level_number(const char *word) {
  return !strcmp(word, "SOL_SOCKET")    ? SOL_SOCKET
         : !strcmp(word, "IPPROTO_TCP") ? IPPROTO_TCP
         : !strcmp(word, "IPPROTO_IP")  ? IPPROTO_IP
                                        : (int)number(word);
}

/// The option that `NAME` or `LEVEL NUMBER` means; moves on to the word after it.
static struct socket_option option_argument(char **words, int count, int *index) {
  const struct socket_option *named = socket_option_find(words[*index]);
  if (named) {
    ++*index;
    return *named;
  }
  if (count < *index + 2)
    fail("'%s' is no socket option's name, and a level needs an option number", words[*index]);
  struct socket_option raw = {"", level_number(words[*index]), (int)number(words[*index + 1]), OPTION_INT};
  *index += 2;
  return raw;
}

static void run_setsockopt(struct task *task, char **words, int count, struct text *out) {
  (void)task;
  int index = 2;
  struct socket_option option = option_argument(words, count, &index);
  union value value = {0};
  socklen_t length = sizeof value.number;
  if (index + (option.kind == OPTION_LINGER) >= count)
    fail("setsockopt %s: a value is missing", words[2]);
  switch (option.kind) {
  case OPTION_LINGER:
    value.linger.l_onoff = (int)number(words[index++]);
    value.linger.l_linger = (int)number(words[index]);
    length = sizeof value.linger;
    break;
  case OPTION_TIMEOUT:
    value.time.tv_sec = number(words[index]) / 1000;
    value.time.tv_usec = number(words[index]) % 1000 * 1000;
    length = sizeof value.time;
    break;
  case OPTION_STRING:
    snprintf(value.string, sizeof value.string, "%s", words[index]);
    length = strlen(value.string);
    break;
  default:
    value.number = (int)number(words[index]);
  }
  if (count > index + 1)
    length = (socklen_t)number(words[index + 1]);
  long result = setsockopt(handle_fd(words[1]), option.level, option.number, &value, length);
  result_count(result, errno, out);
}

static void run_getsockopt(struct task *task, char **words, int count, struct text *out) {
  (void)task;
  int index = 2;
  struct socket_option option = option_argument(words, count, &index);
  union value value = {0};
  socklen_t length = option.kind == OPTION_LINGER    ? sizeof value.linger
                     : option.kind == OPTION_TIMEOUT ? sizeof value.time
                     : option.kind == OPTION_STRING  ? sizeof value.string
                                                     : sizeof value.number;
  if (getsockopt(handle_fd(words[1]), option.level, option.number, &value, &length)) {
    result_count(-1, errno, out);
    return;
  }
  switch (option.kind) {
  case OPTION_LINGER:
    text_add(out, "%d %d", value.linger.l_onoff, value.linger.l_linger);
    break;
  case OPTION_TIMEOUT:
    text_add(out, "%ld", value.time.tv_sec * 1000L + value.time.tv_usec / 1000);
    break;
  case OPTION_STRING:
    text_add(out, "%s", value.string);
    break;
  case OPTION_ERROR:
    if (value.number)
      text_errno(out, value.number);
    else
      text_add(out, "0");
    break;
  default:
    text_add(out, "%d", value.number);
  }
}

static void run_ioctl(struct task *task, char **words, int count, struct text *out) {
  (void)task, (void)count;
  static const struct constant requests[] = {
      {"inq", SIOCINQ}, {"outq", SIOCOUTQ}, {"outqnsd", SIOCOUTQNSD}, {"atmark", SIOCATMARK}, {NULL, 0}};
  const struct constant *request = requests;
  while (request->name && strcmp(request->name, words[2]))
    request++;
  if (!request->name)
    fail("ioctl has inq, outq, outqnsd and atmark, and not '%s'", words[2]);
  int value = 0;
  long result = ioctl(handle_fd(words[1]), request->value, &value);
  result_count(result < 0 ? result : value, errno, out);
}

static bool info_of(const char *handle, struct tcp_info *info, socklen_t *length, struct text *out) {
  *length = sizeof *info;
  memset(info, 0, sizeof *info);
  if (!getsockopt(handle_fd(handle), IPPROTO_TCP, TCP_INFO, info, length))
    return true;
  result_count(-1, errno, out);
  return false;
}

static void run_state(struct task *task, char **words, int count, struct text *out) {
  (void)task, (void)count;
  struct tcp_info info;
  socklen_t length;
  if (info_of(words[1], &info, &length, out))
    text_add(out, "%s", tcp_state_name(info.tcpi_state));
}

static void run_info(struct task *task, char **words, int count, struct text *out) {
  (void)task;
  struct tcp_info info;
  socklen_t length;
  if (!info_of(words[1], &info, &length, out))
    return;
  for (int i = 2; i < count; i++) {
    unsigned long long value;
    if (!tcp_info_field(words[i], &info, length, &value))
      fail("tcp_info has no field '%s' here", words[i]);
    text_add(out, "%s%s=%llu", i > 2 ? " " : "", words[i], value);
  }
}

static void run_sysctl(struct task *task, char **words, int count, struct text *out) {
  (void)task;
  char path[256], value[256] = "";
  snprintf(path, sizeof path, "/proc/sys/%s", words[1]);
  for (char *at = path + strlen("/proc/sys/"); *at; at++)
    if (*at == '.')
      *at = '/';
  for (int i = 2; i < count; i++)
    snprintf(value + strlen(value), sizeof value - strlen(value), "%s%s", i > 2 ? " " : "", words[i]);
  int fd = open(path, O_WRONLY);
  if (fd < 0) {
    result_count(-1, errno, out);
    return;
  }
  if (write(fd, value, strlen(value)) < 0)
    result_count(-1, errno, out);
  else
    text_add(out, "ok");
  close(fd);
}

const struct entry option_operations[] = {
    {"setsockopt", run_setsockopt, 3, true},
    {"getsockopt", run_getsockopt, 2, true},
    {"ioctl", run_ioctl, 2, true},
    {"state", run_state, 1, true},
    {"info", run_info, 2, true},
    {"sysctl", run_sysctl, 2, false},
    {NULL, NULL, 0, false},
};
