// Busy polling where it is no dearer than sleeping. To sleep and to be woken for each request takes processor time, too: on a virtual
// machine as much as there is to gain. So it is tried (trial.ts) where the loop sleeps and is woken again at once, and kept if clearly more
// gets through, for about the same processor time each.

import type { Nic } from './native-nic.js';
import { isBusy, rate, type TrafficWindow } from './traffic-window.js';
import { alike, type Knob } from './trial.js';

/** Microseconds to look for frames before the loop sleeps: two or three times what an answer takes to bring about the next request. */
const BUSY_POLL_US = 100;
/**
 * Where others want the processors, polling keeps them from the very program that is to answer; and whoever sleeps there is woken on the
 * processor of its peer, for next to nothing. So much of the time spent waiting for one says that it is so.
 */
const CROWDED = 0.1;
/** Who is woken now and then would look in vain. */
const FRAMES_PER_MS = 3;
const GAIN = 1.1;
const COST = 1.1;
/**
 * What was found good goes on: the loop does not sleep, since frames are found; it is not so busy that it would hardly sleep anyway; and
 * about as much gets through.
 */
const ASLEEP = 0.4;
const BUSIER = 0.95;
const OTHER_RATE = 2;

/** Bytes in a frame beyond which copying it is the greater part of what it costs. */
const LARGE = 8192;

const small = ({ rxBytes, rxFrames, txBytes, txFrames }: TrafficWindow): boolean =>
  rxBytes <= LARGE * rxFrames && txBytes <= LARGE * txFrames;

export function pollKnob(nic: Pick<Nic, 'busyPoll'>): Knob {
  let polls = false;
  return {
    turn(on) {
      polls = on;
      nic.busyPoll(on ? BUSY_POLL_US : 0);
    },
    state: () => (polls ? 'on' : 'off'),
    promises: (window) =>
      !isBusy(window) &&
      window.waited < CROWDED &&
      small(window) &&
      window.rxFrames >= window.length * FRAMES_PER_MS,
    bears: (window) => small(window) && window.waited < CROWDED,
    fits: (window, found) =>
      window.asleep <= ASLEEP &&
      window.busy < BUSIER &&
      window.waited < CROWDED &&
      small(window) &&
      alike(rate(window), found.rate, OTHER_RATE),
    pays: (before, now) => now.rate >= before.rate * GAIN && now.cost <= before.cost * COST,
  };
}
