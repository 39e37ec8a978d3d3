// Timers of sockets: Node's own in the machine's time, alarms of the clock in a virtual one, where a minute is over at once.

import { clearTimeout, setTimeout } from 'node:timers';
import type { Alarm, Clock } from '../time/clock.js';

export interface NetTimer {
  /** Begins anew. */
  refresh(): unknown;
}

export interface TimerSource {
  /** Milliseconds since any moment. Given where a timer that rings in vain does no harm, as it does in a virtual time that waits for it. */
  now?(): number;
  /** A timer that does not keep the process alive. */
  set(work: () => void, ms: number): NetTimer;
  clear(timer: NetTimer): void;
}

const nodeTimers = (clock: Clock): TimerSource => ({
  now: () => clock.now() / 1000,
  set: (work, ms) => setTimeout(work, ms).unref(),
  clear: (timer) => clearTimeout(timer as NodeJS.Timeout),
});

class ClockTimer implements NetTimer, Alarm {
  readonly #clock: Clock;
  readonly #work: () => void;
  readonly #us: number;

  constructor(clock: Clock, work: () => void, ms: number) {
    this.#clock = clock;
    this.#work = work;
    this.#us = Math.max(1, Math.trunc(ms)) * 1000;
    this.refresh();
  }

  refresh(): void {
    this.#clock.setAlarm(this, this.#clock.now() + this.#us);
  }

  cancel(): void {
    this.#clock.cancelAlarm(this);
  }

  onAlarm(): void {
    this.#work();
  }
}

/** Timers that go by `clock`. */
export function timersOf(clock: Clock): TimerSource {
  if (clock.real === true) return nodeTimers(clock);
  return {
    set: (work, ms) => new ClockTimer(clock, work, ms),
    clear: (timer) => (timer as ClockTimer).cancel(),
  };
}
