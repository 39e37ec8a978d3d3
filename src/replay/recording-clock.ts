// The recorded stack's clock and randomness: the real ones, with each answer written down.

import type { Random } from '../core/random.js';
import type { Alarm, Clock } from '../time/clock.js';
import { TimerWheel } from '../time/timer-wheel.js';
import { ALARM } from './format.js';
import type { Recorder } from './recorder.js';

export class RecordingClock implements Clock {
  readonly real: boolean;
  readonly epoch: number;
  readonly afterTurn?: (callback: () => void) => void;
  readonly #clock: Clock;
  readonly #recorder: Recorder;
  /** By the order in which they were first set, which is how the journal names them. */
  readonly #alarms = new Map<Alarm, RecordedAlarm>();

  constructor(clock: Clock, recorder: Recorder) {
    this.real = clock.real === true;
    this.epoch = clock.epoch;
    this.#clock = clock;
    this.#recorder = recorder;
    if (clock.afterTurn !== undefined) this.afterTurn = (callback) => clock.afterTurn?.(callback);
  }

  get recent(): number {
    return this.#recorder.recent;
  }

  now(): number {
    const now = this.#clock.now();
    this.#recorder.time(now);
    return now;
  }

  look(): number {
    return this.#clock.look?.() ?? this.#clock.now();
  }

  /** What others than the stack want to be called for is their own business. */
  setAlarm(alarm: Alarm, at: number): void {
    if (!(alarm instanceof TimerWheel)) {
      this.#clock.setAlarm(alarm, at);
      return;
    }
    let recorded = this.#alarms.get(alarm);
    if (recorded === undefined) {
      recorded = new RecordedAlarm(this.#recorder, alarm, this.#alarms.size);
      this.#alarms.set(alarm, recorded);
    }
    this.#clock.setAlarm(recorded, at);
  }

  /** Takes the wish of `alarm` back, if there is one. */
  cancelAlarm(alarm: Alarm): void {
    const recorded = this.#alarms.get(alarm);
    this.#clock.cancelAlarm(recorded ?? alarm);
  }

  hold(): void {
    this.#clock.hold();
  }

  release(): void {
    this.#clock.release();
  }
}

class RecordedAlarm implements Alarm {
  readonly #recorder: Recorder;
  readonly #alarm: Alarm;
  readonly #number: number;

  constructor(recorder: Recorder, alarm: Alarm, number: number) {
    this.#recorder = recorder;
    this.#alarm = alarm;
    this.#number = number;
  }

  onAlarm(): void {
    this.#recorder.event(
      ALARM,
      (to) => to.unsigned(this.#number),
      () => this.#alarm.onAlarm(),
    );
  }
}

export class RecordingRandom implements Random {
  readonly #random: Random;
  readonly #recorder: Recorder;

  constructor(random: Random, recorder: Recorder) {
    this.#random = random;
    this.#recorder = recorder;
  }

  int32(): number {
    const value = this.#random.int32();
    this.#recorder.random(value);
    return value;
  }
}
