// A script, line by line: words, `NAME =`, the operation, and one line of result.
#include "oracle.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int line_number;
static const char *line_text = "";

void fail(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fflush(NULL);
  fprintf(stderr, "oracle: line %d, '%s': ", line_number, line_text);
  vfprintf(stderr, format, args);
  fprintf(stderr, "\n");
  va_end(args);
  _exit(2);
}

long number(const char *word) {
  char *end;
  long value = strtol(word, &end, 0);
  if (end == word || *end)
    fail("'%s' is not a number", word);
  return value;
}

void result_fd(struct task *task, int fd, struct text *out) {
  if (fd < 0) {
    result_count(fd, errno, out);
    return;
  }
  if (task->bind)
    handle_bind(task->bind, fd);
  if (options.hide_fds)
    text_add(out, "ok");
  else
    text_add(out, "fd=%d", fd);
}

void result_count(long result, int error, struct text *out) {
  if (result >= 0)
    text_add(out, "%ld", result);
  else if (error == EINTR && timer_fired)
    text_add(out, "BLOCKED");
  else {
    text_add(out, "-");
    text_errno(out, error);
  }
}

void operation_run(struct task *task, const char *bind, char **words, int count, struct text *out) {
  static const struct entry *const tables[] = {socket_operations, data_operations, option_operations,
                                               epoll_operations};
  task->bind = bind;
  timer_fired = pipe_signalled = 0;
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    for (const struct entry *entry = tables[i]; entry->name; entry++) {
      if (strcmp(entry->name, words[0]))
        continue;
      if (count - 1 < entry->least)
        fail("%s needs %d words after it", entry->name, entry->least);
      if (entry->settles && task == &main_task)
        task_settle(options.settle_ms);
      entry->run(task, words, count, out);
      return;
    }
  }
  fail("there is no operation '%s'", words[0]);
}

/// Cuts off ` # text` and white space at both ends.
static char *trim(char *line) {
  line += strspn(line, " \t");
  bool quoted = false;
  for (char *at = line; *at; at++) {
    if (*at == '"')
      quoted = !quoted;
    bool comment =
        *at == '#' && !quoted && (at == line || ((at[-1] == ' ' || at[-1] == '\t') && strchr(" \t", at[1])));
    if (comment) {
      *at = 0;
      break;
    }
  }
  for (char *end = line + strlen(line); end > line && strchr(" \t\r", end[-1]);)
    *--end = 0;
  return line;
}

static int split(char *line, char **words, int most) {
  int count = 0;
  for (char *at = line; *at;) {
    if (*at == ' ' || *at == '\t') {
      *at++ = 0;
      continue;
    }
    if (count == most)
      fail("more than %d words", most);
    words[count++] = at;
    if (*at == '"') {
      at = strchr(at + 1, '"');
      if (!at)
        fail("a quote is not closed");
      at++;
    }
    at += strcspn(at, " \t");
  }
  return count;
}

static void run_line(char **words, int count, struct text *out) {
  const char *bind = NULL;
  if (count > 2 && !strcmp(words[1], "=")) {
    bind = words[0];
    words += 2;
    count -= 2;
  }
  const char *name = words[0];
  if (!strcmp(name, "bg") && count > 2) {
    task_settle(options.settle_ms);
    task_background(out, words, count);
  } else if (!strcmp(name, "join") && count > 1) {
    task_settle(options.settle_ms);
    task_join(out, words + 1, count - 1);
  } else if (!strcmp(name, "sleep") && count > 1) {
    sleep_ms((int)number(words[1]));
    task_settle(0);
    text_add(out, "ok");
  } else if (!strcmp(name, "settle") && count > 1) {
    options.settle_ms = (int)number(words[1]);
    text_add(out, "ok");
  } else if (!strcmp(name, "print")) {
    text_add(out, "ok");
  } else {
    task_settle(0);
    operation_run(&main_task, bind, words, count, out);
  }
}

void script_run(char *script, FILE *out) {
  struct text result = {0};
  char *line, *copies = script;
  for (line_number = 1; (line = strsep(&copies, "\n")); line_number++) {
    line = trim(line);
    if (!*line)
      continue;
    // The words of a background operation outlive this line.
    char *words[64], *copy = strdup(line);
    line_text = line;
    text_clear(&result);
    int count = split(copy, words, 64);
    run_line(words, count, &result);
    if (options.results)
      fprintf(out, "%s\n", result.bytes);
    else
      fprintf(out, "%d %s -> %s\n", line_number, line, result.bytes);
  }
  fflush(out);
}
