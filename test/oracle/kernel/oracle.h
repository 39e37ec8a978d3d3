// The oracle's kernel side: one script of socket and epoll operations, run on the Linux this program runs on.
// README.md beside this directory has the language. Every part works on one `struct run`.
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

struct sockaddr_in;

struct options {
  int settle_ms;    // -s: sleep before an observing or sending operation
  int blocked_ms;   // -b: a call asleep for longer is interrupted
  int jobs;         // -j: scripts at the same time
  bool sort;        // -u: a wait's events by data
  bool hide_fds;    // -F: ok instead of fd=N
  bool results;     // -q: results only
  bool stay;        // -N: no namespace of our own
  bool delayed_ack; // -A: no quickack route
};

// ---- text.c: a string that grows
struct text {
  char *bytes;
  size_t length, capacity;
};
void text_clear(struct text *text);
void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/// The payload as the language prints it: quoted; beyond 32 bytes both ends and the FNV-1a hash of all.
void text_payload(struct text *text, const unsigned char *bytes, size_t length);
void text_errno(struct text *text, int error);

// ---- constants.c: names of the kernel's numbers
struct constant {
  const char *name;
  long long value;
};
bool poll_mask_parse(const char *word, uint32_t *mask);
void poll_mask_print(struct text *text, uint32_t mask);
bool message_flags_parse(const char *word, int *flags);
void message_flags_print(struct text *text, int flags);
enum option_kind { OPTION_INT, OPTION_LINGER, OPTION_TIMEOUT, OPTION_STRING, OPTION_ERROR };
struct socket_option {
  const char *name;
  int level, number;
  enum option_kind kind;
};
const struct socket_option *socket_option_find(const char *name);
const char *tcp_state_name(int state);
/// A field of struct tcp_info by its name without `tcpi_`; false if this kernel's headers do not have it.
bool tcp_info_field(const char *name, const void *info, unsigned length, unsigned long long *value);

// ---- names.c: handles
/// The fd a handle stands for: a name's number, or N of `#N`; -1 for a name that never got one.
int handle_fd(const char *word);
void handle_bind(const char *name, int fd);
void handle_forget(int fd);
/// The letter a handle's running pattern a..z is at; `handle_sent` moves it on.
unsigned long handle_pattern(const char *word);
void handle_sent(const char *word, unsigned long bytes);
/// The epoll data that prints as the handle's name, and the way back (NULL: a script's own data).
uint64_t handle_tag(const char *word);
const char *handle_of_tag(uint64_t tag);
/// `ip:@name`, `ip:port` or `ip:~`. `child`: the descriptor accept() gave for a peer with this address, whose
/// port is `~` if no handle owns it; else -1.
void address_print(struct text *text, const struct sockaddr_in *address, int child);
bool address_parse(const char *word, struct sockaddr_in *address);

// ---- task.c: one thread that runs operations; the main one is interrupted when it has been asleep for too
// long
enum stage { STAGE_IDLE, STAGE_IN_CALL, STAGE_DONE };
struct task {
  bool interrupt; // only the main thread
  timer_t timer;
  atomic_int stage;
  int stat_fd; // /proc/self/task/TID/stat, open at a high number so that the script's numbers are its own
  atomic_int tid;
  char name[32];
  char *words[64];
  int count;
  const char *bind;
  struct text result;
  atomic_bool go;
  struct task *next;
};
extern struct options options;
extern struct task main_task;
extern __thread volatile sig_atomic_t timer_fired, pipe_signalled;
void task_start_main(void);
void task_enter_call(struct task *task);
void task_leave_call(struct task *task);
/// Sleeps the settle time, then until every background thread sleeps or is done.
void task_settle(int ms);
void task_background(struct text *out, char **words, int count);
void task_join(struct text *out, char **names, int count);
void sleep_ms(int ms);

// ---- operations
typedef void operation(struct task *task, char **words, int count, struct text *out);
struct entry {
  const char *name;
  operation *run;
  int least;    // words after the name
  bool settles; // observes or sends
};
extern const struct entry socket_operations[], data_operations[], option_operations[], epoll_operations[];
/// Runs one operation (without `NAME =`); `bind` gets the descriptor it returns.
void operation_run(struct task *task, const char *bind, char **words, int count, struct text *out);
/// Prints `fd=N` (or an error), and binds the name.
void result_fd(struct task *task, int fd, struct text *out);
/// Prints a count or an error; BLOCKED if the call slept for too long.
void result_count(long result, int error, struct text *out);
long number(const char *word);
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

// ---- script.c, namespace.c
/// Runs the text of one script, printing to `out`; the process is spent afterwards.
void script_run(char *script, FILE *out);
void namespace_enter(void);
