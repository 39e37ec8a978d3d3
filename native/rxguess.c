/*
 * How many frames the device will have: as many as the last time. By that nic_receive decides how it reads
 * them: together (rxbatch.c), each by a call of its own, or one only, which is answered before anybody looks
 * for another.
 */
#include "internal.h"

/* A frame of so many bytes is seldom the only one, and not what somebody waits for. */
#define BULK 1024
/* To copy more costs as much as a system call does. */
#define COPIED_MAX 8192

void rx_guess_begin(struct rx_guess *guess) {
  guess->goes_on = guess->stopped;
  guess->stopped = false;
  if (guess->goes_on || guess->now == 0)
    return;
  guess->last = guess->now;
  guess->last_large = guess->large;
  guess->now = 0;
  guess->large = guess->bulk = guess->failed = false;
}

void rx_guess_saw(struct rx_guess *guess, size_t length) {
  guess->now++;
  guess->bulk = length >= BULK;
  guess->large = guess->large || length > COPIED_MAX;
}

bool rx_guess_large(const struct rx_guess *guess) { return guess->large || guess->last_large; }

unsigned rx_guess_more(const struct rx_guess *guess, bool dear_calls) {
  if (guess->now == 0 || guess->failed || !(dear_calls || (guess->bulk && !rx_guess_large(guess))))
    return 0;
  /* One more than there were, to be told that there are no more; where there are, twice as many. */
  return guess->now <= guess->last ? guess->last + 1 - guess->now : guess->now;
}

bool rx_guess_alone(struct rx_guess *guess) {
  guess->stopped = guess->now == 1 && guess->last == 1 && !guess->goes_on && !guess->bulk;
  return guess->stopped;
}
