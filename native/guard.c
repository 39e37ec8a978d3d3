/*
 * A namespace that we made is to go even when we are killed outright (SIGKILL), and nothing is done at exit.
 * So a shell sleeps beside us at a socket whose other end is ours alone: when that closes without a word, it
 * takes the name away. (The device goes with our descriptor.)
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* In no session, signal or directory of ours, so that nothing ends it, or is kept, with us. */
static char script[] = "trap '' INT TERM HUP QUIT; cd /; read -r word || { umount -l \"$1\"; rm -f \"$1\"; }";

static bool spawn_shell(pid_t *pid, int in, char *path) {
  static char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
  char *const arguments[] = {"sh", "-c", script, "tapstack-netns", path, NULL};
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none;
  sigemptyset(&none);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
  bool ok = posix_spawn(pid, "/bin/sh", &actions, &attributes, arguments, environment) == 0;
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return ok;
}

/* Best effort: where it cannot be had, a process that is killed leaves its namespace. */
void guard_start(struct guard *guard, const char *name) {
  char path[300];
  int ends[2];
  snprintf(path, sizeof path, NETNS_DIR "/%s", name);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
    return;
  if (spawn_shell(&guard->pid, ends[0], path)) {
    guard->socket = ends[1];
  } else {
    guard->pid = 0;
    close(ends[1]);
  }
  close(ends[0]);
}

/* The namespace is gone, or is to stay. */
void guard_end(struct guard *guard) {
  if (guard->pid == 0)
    return;
  send(guard->socket, "done\n", 5, MSG_NOSIGNAL);
  close(guard->socket);
  while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
    continue;
  guard->pid = 0;
}
