/*
 * What must be taken back even when the process ends by exit() without closing its devices: Node does so
 * after process.exit() and after an uncaught exception, and runs no cleanup hook of an addon then. (The
 * kernel itself removes the device; an address on somebody else's device and a named namespace would stay.)
 */
#include "internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* workers open devices too */
static struct exit_duty *duties;
static pid_t registrar; /* a forked child that exits owes nothing */

static void perform(void) {
  if (getpid() != registrar)
    return;
  pthread_mutex_lock(&lock);
  for (struct exit_duty *duty = duties; duty != NULL; duty = duty->next)
    duty->perform(duty->context);
  duties = NULL;
  pthread_mutex_unlock(&lock);
}

void exit_duty_add(struct exit_duty *duty) {
  pthread_mutex_lock(&lock);
  if (registrar != getpid()) {
    duties = NULL;
    if (registrar == 0)
      atexit(perform);
    registrar = getpid();
  }
  duty->next = duties;
  duties = duty;
  pthread_mutex_unlock(&lock);
}

/* True when it was still to be done, so that it is done once: by the caller now, or at exit. */
bool exit_duty_drop(struct exit_duty *duty) {
  bool found = false;
  pthread_mutex_lock(&lock);
  struct exit_duty **at = &duties;
  while (*at != NULL && *at != duty)
    at = &(*at)->next;
  if (*at != NULL) {
    *at = duty->next;
    found = true;
  }
  pthread_mutex_unlock(&lock);
  return found;
}
