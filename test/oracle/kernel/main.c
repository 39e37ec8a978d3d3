// kernel [-s MS] [-b MS] [-j N] [-uFqNA] [FILE|-]...: runs each script in a process and a network namespace
// of its own. A line `=== NAME` starts another script, whose output is then preceded by the same line.
#include "oracle.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_FD = 901, FILE_LIMIT = 1024, MARKER_LENGTH = 4 };

struct options options = {.settle_ms = 3, .blocked_ms = 250, .jobs = 1};

struct script {
  char *name; // NULL: the file had no marker
  char *text;
  pid_t pid;
  int output;
  int status;
  bool started, done;
};
static struct script *scripts;
static int script_count;

static void script_add(char *name, char *text) {
  scripts = realloc(scripts, (script_count + 1) * sizeof *scripts);
  if (!scripts)
    abort();
  scripts[script_count++] = (struct script){.name = name, .text = text};
}

static char *file_read(const char *path) {
  FILE *file = strcmp(path, "-") ? fopen(path, "r") : stdin;
  if (!file) {
    fprintf(stderr, "oracle: %s: %s\n", path, strerror(errno));
    exit(2);
  }
  struct text text = {0};
  char part[65536];
  size_t length;
  text_add(&text, "%s", "");
  while ((length = fread(part, 1, sizeof part - 1, file)) > 0) {
    part[length] = 0;
    text_add(&text, "%s", part);
  }
  return text.bytes;
}

static void scripts_read(const char *path) {
  char *text = file_read(path),
       *marker = strncmp(text, "=== ", MARKER_LENGTH) ? strstr(text, "\n=== ") : text - 1;
  if (!marker) {
    script_add(NULL, text);
    return;
  }
  while (marker) {
    char *name = marker + 1 + MARKER_LENGTH, *end = strchr(name, '\n');
    if (!end)
      break;
    char *next = strstr(end, "\n=== ");
    *end = 0;
    if (next)
      *next = 0;
    script_add(name, end + 1);
    marker = next;
  }
}

/// One processor per script. A thread that an operation wakes then runs after that operation, as a sleeper on
/// the stack does, and not beside it.
static void pin(int index) {
  cpu_set_t allowed, one;
  if (sched_getaffinity(0, sizeof allowed, &allowed))
    return;
  int skip = index % CPU_COUNT(&allowed), cpu = 0;
  while (!CPU_ISSET(cpu, &allowed) || skip-- > 0)
    cpu++;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  sched_setaffinity(0, sizeof one, &one);
}

/// In the child: nothing but fds 0, 1 and 2 is open below the output's high number.
static void child(struct script *script) {
  int null = open("/dev/null", O_RDONLY);
  dup2(script->output, OUTPUT_FD);
  fcntl(OUTPUT_FD, F_SETFD, FD_CLOEXEC);
  dup2(null, 0);
  dup2(null, 1);
  close_range(3, OUTPUT_FD - 1, 0);
  close_range(OUTPUT_FD + 1, ~0u, 0);
  pin((int)(script - scripts));
  namespace_enter();
  task_start_main();
  script_run(script->text, fdopen(OUTPUT_FD, "w"));
  _exit(0);
}

static void start(struct script *script) {
  script->output = memfd_create("output", MFD_CLOEXEC);
  script->pid = fork();
  if (script->output < 0 || script->pid < 0) {
    fprintf(stderr, "oracle: no process for another script: %s\n", strerror(errno));
    exit(2);
  }
  if (!script->pid)
    child(script);
  script->started = true;
}

static void print(struct script *script) {
  char part[65536];
  ssize_t length;
  if (script->name)
    printf("=== %s\n", script->name);
  for (off_t at = 0; (length = pread(script->output, part, sizeof part, at)) > 0; at += length)
    fwrite(part, 1, length, stdout);
  if (script->status)
    printf("the script ended with status 0x%x\n", script->status);
  close(script->output);
}

static int run_all(void) {
  int running = 0, next = 0, printed = 0, failed = 0;
  while (printed < script_count) {
    // Finished ones whose turn to be printed has not come hold a descriptor, so they count.
    while (next < script_count && running < options.jobs && next - printed < FILE_LIMIT / 2) {
      start(&scripts[next++]);
      running++;
    }
    int status;
    pid_t pid = waitpid(-1, &status, 0);
    if (pid < 0)
      return 2;
    for (int i = printed; i < next; i++) {
      if (scripts[i].pid != pid || scripts[i].done)
        continue;
      scripts[i].done = true;
      scripts[i].status = status;
      failed |= status != 0;
      running--;
    }
    for (; printed < next && scripts[printed].done; printed++)
      print(&scripts[printed]);
  }
  return failed ? 2 : 0;
}

int main(int count, char **words) {
  int letter;
  while ((letter = getopt(count, words, "s:b:j:uFqNA")) != -1) {
    switch (letter) {
    case 's':
      options.settle_ms = atoi(optarg);
      break;
    case 'b':
      options.blocked_ms = atoi(optarg);
      break;
    case 'j':
      options.jobs = atoi(optarg) > 0 ? atoi(optarg) : 1;
      break;
    case 'u':
      options.sort = true;
      break;
    case 'F':
      options.hide_fds = true;
      break;
    case 'q':
      options.results = true;
      break;
    case 'N':
      options.stay = true;
      break;
    case 'A':
      options.delayed_ack = true;
      break;
    default:
      return 2;
    }
  }
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = FILE_LIMIT;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (optind == count)
    scripts_read("-");
  for (int i = optind; i < count; i++)
    scripts_read(words[i]);
  fflush(NULL);
  return run_all();
}
