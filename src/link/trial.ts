// Something a device can do or leave, which pays for some traffic on some machines: it is tried where it might pay, kept while it does, and
// tried again from time to time. Each call is one window of traffic (traffic-window.ts).

import { rate, sentSize, type TrafficWindow } from './traffic-window.js';

const BASELINE_WINDOWS = 5;
/** The first window after the switch is part of both worlds. */
const TRIAL_WINDOWS = 1 + 5;
/** No longer the traffic that it is for, in so many windows one after another. */
const UNFIT_WINDOWS = 4;
/** After one second of traffic it has to prove itself again, for it may have been luck, or all be different; then after two, four … */
const KEEP_WINDOWS = 50;
const KEEP_WINDOWS_MAX = 1600;
/**
 * Milliseconds until the next trial after one that has failed: so many at first, then twice as many each time, unless the traffic is of
 * another kind by then: it moves another amount of bytes, or frames of another size are sent.
 */
const REST_MS = 1000;
const REST_MAX_MS = 64_000;
const REST_OTHER_MS = 200;
const OTHER_RATE = 1.5;
const OTHER_SIZE = 2;
const STUCK_WINDOWS = 50;

/** What kind of traffic it is: bytes moved in a millisecond, bytes in a frame that is sent. */
interface Traffic {
  readonly rate: number;
  readonly size: number;
}

/** Of several windows; and milliseconds of processor time for a byte. */
export interface Yield extends Traffic {
  readonly cost: number;
}

export interface Knob {
  turn(on: boolean): void;
  /** How it stands: turning it may take a while, or fail. */
  state(): 'on' | 'off' | 'turning';
  /** Might it pay for such traffic? */
  promises(window: TrafficWindow): boolean;
  /** While it is tried: is it worth going on, after such a yield without? */
  bears(window: TrafficWindow, before: Yield): boolean;
  /** While it is kept: is this still the traffic that it was found good for, which had so much of a yield? */
  fits(window: TrafficWindow, found: Yield): boolean;
  /** `proven`: it was found to pay before, for this traffic. */
  pays(before: Yield, now: Yield, proven: boolean): boolean;
}

export const alike = (a: number, b: number, factor: number): boolean => a < b * factor && b < a * factor;
const same = (a: Traffic, b: Traffic | null): boolean =>
  b !== null && alike(a.rate, b.rate, OTHER_RATE) && alike(a.size, b.size, OTHER_SIZE);

class Sum {
  windows = 0;
  #bytes = 0;
  #txBytes = 0;
  #txFrames = 0;
  #length = 0;
  #cpu = 0;

  add(window: TrafficWindow): void {
    this.windows++;
    this.#bytes += window.rxBytes + window.txBytes;
    this.#txBytes += window.txBytes;
    this.#txFrames += window.txFrames;
    this.#length += window.length;
    this.#cpu += window.cpu;
  }

  yield(): Yield {
    return {
      rate: this.#bytes / Math.max(1, this.#length),
      size: this.#txBytes / Math.max(1, this.#txFrames),
      cost: this.#cpu / Math.max(1, this.#bytes),
    };
  }
}

const NOTHING: Yield = { rate: 0, size: 0, cost: 0 };

export class Trial {
  readonly #knob: Knob;
  #phase: 'off' | 'trial' | 'on' = 'off';
  /** Of this phase: its windows, and how many in a row speak against going on. */
  #windows = 0;
  #sum = new Sum();
  #against = 0;
  /** Before the trial, and in it. */
  #before = NOTHING;
  #found = NOTHING;
  #keepWindows = KEEP_WINDOWS;
  #restMs = REST_MS;
  /** What stood before the trial that succeeded last, or before the one that failed, and when that was: one of both is null. */
  #proven: Traffic | null = null;
  #refuted: Traffic | null = null;
  #failedAt = Number.NEGATIVE_INFINITY;

  constructor(knob: Knob) {
    this.#knob = knob;
  }

  /** Tried or kept: nothing else should be tried meanwhile. */
  get active(): boolean {
    return this.#phase !== 'off';
  }

  look(window: TrafficWindow): void {
    if (this.#phase === 'off') this.#wait(window);
    else if (this.#phase === 'trial') this.#try(window);
    else this.#keep(this.#knob.fits(window, this.#found));
  }

  /** Until so many windows in a row are such that it might pay. */
  #wait(window: TrafficWindow): void {
    const traffic = { rate: rate(window), size: sentSize(window) };
    const rest = same(traffic, this.#refuted) ? this.#restMs : REST_OTHER_MS;
    const may = this.#knob.promises(window) && this.#knob.state() === 'off';
    if (!may || window.end - this.#failedAt < rest) {
      this.#enter('off');
      return;
    }
    this.#sum.add(window);
    if (this.#sum.windows < BASELINE_WINDOWS) return;
    this.#before = this.#sum.yield();
    this.#enter('trial');
    this.#knob.turn(true);
  }

  #try(window: TrafficWindow): void {
    const state = this.#knob.state();
    if (state !== 'on') {
      if (state === 'off' || ++this.#against > STUCK_WINDOWS) this.#fail(window.end);
      return;
    }
    if (++this.#windows > 1) this.#sum.add(window);
    const bears = this.#knob.bears(window, this.#before);
    if (this.#windows < TRIAL_WINDOWS && bears) return;
    this.#found = this.#sum.yield();
    const proven = same(this.#before, this.#proven);
    if (!bears || !this.#knob.pays(this.#before, this.#found, proven)) {
      this.#fail(window.end);
      return;
    }
    this.#refuted = null;
    this.#proven = this.#before;
    this.#enter('on');
  }

  #fail(now: number): void {
    const again = same(this.#before, this.#refuted);
    this.#restMs = again ? Math.min(this.#restMs * 2, REST_MAX_MS) : REST_MS;
    this.#failedAt = now;
    this.#refuted = this.#before;
    this.#proven = null;
    this.#keepWindows = KEEP_WINDOWS;
    this.#return();
  }

  #keep(fits: boolean): void {
    this.#against = fits ? 0 : this.#against + 1;
    if (++this.#windows < this.#keepWindows && this.#against < UNFIT_WINDOWS) return;
    this.#keepWindows = fits ? Math.min(this.#keepWindows * 2, KEEP_WINDOWS_MAX) : KEEP_WINDOWS;
    this.#return();
  }

  #return(): void {
    this.#enter('off');
    this.#knob.turn(false);
  }

  #enter(phase: 'off' | 'trial' | 'on'): void {
    this.#phase = phase;
    this.#windows = this.#against = 0;
    if (this.#sum.windows !== 0) this.#sum = new Sum();
  }
}
