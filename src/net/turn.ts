// A turn of the event loop, once: what libuv does in a phase of its own, under the machine's time or a virtual one.

import { setImmediate } from 'node:timers';
import { type Alarm, type Clock, RealClock } from '../time/clock.js';

export class Turn implements Alarm {
  readonly #clock: Clock;
  readonly #real: boolean;
  readonly #work: () => void;
  readonly #run = (): void => this.onAlarm();
  #armed = false;

  constructor(clock: Clock, work: () => void) {
    this.#clock = clock;
    this.#real = clock instanceof RealClock;
    this.#work = work;
  }

  /** `work` will be called soon, from the event loop; once, however often this is asked for. */
  arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    if (this.#real) setImmediate(this.#run);
    else this.#clock.setAlarm(this, this.#clock.now());
  }

  onAlarm(): void {
    this.#armed = false;
    this.#work();
  }
}
