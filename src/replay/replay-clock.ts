// The replayed stack's clock and randomness: they say again what they said then.

import type { Random } from '../core/random.js';
import type { Alarm, Clock } from '../time/clock.js';
import { type JournalHeader, RANDOM, TIME } from './format.js';
import type { Replayer } from './replayer.js';

export class ReplayClock implements Clock {
  readonly epoch: number;
  recent: number;
  readonly afterTurn?: (callback: () => void) => void;
  readonly #replayer: Replayer;
  /** The last reading in the journal, from which the next one counts. */
  #read: number;
  readonly #alarms: Alarm[] = [];

  constructor({ epoch, recent, turns }: JournalHeader, replayer: Replayer) {
    this.epoch = epoch;
    this.recent = recent;
    this.#read = recent;
    this.#replayer = replayer;
    if (turns) this.afterTurn = (callback) => queueMicrotask(callback);
  }

  now(): number {
    if (!this.#replayer.during) return this.recent;
    this.#read += this.#replayer.expect(TIME, 'the stack looks at the clock').signed();
    this.recent = this.#read;
    return this.recent;
  }

  look(): number {
    return this.recent;
  }

  /** Nothing is set: the journal says when an alarm fires. It is known by the order in which alarms were first set. */
  setAlarm(alarm: Alarm): void {
    if (!this.#alarms.includes(alarm)) this.#alarms.push(alarm);
  }

  alarm(number: number): Alarm | undefined {
    return this.#alarms[number];
  }

  /** Takes nothing back. */
  cancelAlarm(): void {}
  hold(): void {}
  release(): void {}
}

export class ReplayRandom implements Random {
  readonly #replayer: Replayer;

  constructor(replayer: Replayer) {
    this.#replayer = replayer;
  }

  int32(): number {
    return this.#replayer.expect(RANDOM, 'the stack draws a random number').int32();
  }
}
