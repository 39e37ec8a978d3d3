// Time for `tapstack wan`: the lab's virtual clock, led along by the machine's. Every alarm of the fault model sees the very
// moment it was set for, however late the machine wakes us, so that rates and delays do not drift by what each wake-up costs.

import { type Clock, RealClock, VirtualClock } from '../time/clock.js';

/** Node's timers count whole milliseconds; what is due within one is waited for by turning the event loop, */
const TIMER_US = 1000;
/** with a nap each time that is not longer than this, so that a core is left to those whose frames these are: */
const NAP_US = 100;
/** a short one while a host may be about to answer, for a nap is deaf to what comes in. */
const ANSWER_US = 400;
const SHORT_NAP_US = 15;
/** Waking up takes the machine this long at least. */
const WAKE_US = 60;

export class WanClock {
  /** What the fault model lives by. Set its alarms between two calls of `catchUp`. */
  readonly clock = new VirtualClock();
  readonly #real: Clock;
  readonly #onMoved: () => void;
  readonly #busyPollUs: number;
  readonly #wake = (): void => {
    this.#timer = undefined;
    this.#immediate = undefined;
    this.catchUp();
  };
  readonly #turn = (): void => {
    const now = this.#real.now();
    const handedOver = now - this.#handedOverAt;
    const nap = handedOver > ANSWER_US ? NAP_US : SHORT_NAP_US;
    const wait = Math.min(nap, this.clock.nextAlarm - now - WAKE_US);
    if (wait > 0 && handedOver >= this.#busyPollUs) Atomics.wait(this.#bed, 0, 0, wait / 1000);
    this.#wake();
  };
  /** Nobody ever changes it. */
  readonly #bed = new Int32Array(new SharedArrayBuffer(4));
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #timerFor = 0;
  #handedOverAt = Number.NEGATIVE_INFINITY;

  /**
   * @param onMoved Runs after all that was due has happened.
   * @param busyPollUs No naps for so long after a host was handed something: its answer is seen at once, at the cost of a core.
   */
  constructor(real: Clock = new RealClock(), onMoved: () => void = () => {}, busyPollUs = 0) {
    this.#busyPollUs = busyPollUs;
    this.#real = real;
    this.#onMoved = onMoved;
  }

  /** Lets everything happen that is due by now, in its order, and sees to the next time. */
  catchUp(): void {
    this.clock.advance(Math.max(0, this.#real.now() - this.clock.now()));
    this.#onMoved();
    this.#sleep();
  }

  /** A host has been handed something. */
  expectAnswer(): void {
    this.#handedOverAt = this.#real.now();
  }

  close(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
  }

  #sleep(): void {
    const next = this.clock.nextAlarm;
    if (this.#immediate !== undefined || next === Number.POSITIVE_INFINITY) return;
    if (this.#timer !== undefined && this.#timerFor === next) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const wait = next - this.#real.now();
    if (wait < TIMER_US) {
      this.#immediate = setImmediate(this.#turn);
    } else {
      // Rounded down, a timer comes early rather than late.
      this.#timer = setTimeout(this.#wake, Math.floor(wait / TIMER_US));
      this.#timerFor = next;
    }
  }
}
