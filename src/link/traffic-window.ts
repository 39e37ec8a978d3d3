// What the traffic of a device was like in the last twenty milliseconds or so: by this a device's trials (trial.ts) decide. Looked at
// between batches of frames, far from a frame's way.

import type { NicStats } from './native-nic.js';

/** Batches between two looks at the clock: while much is sent one takes milliseconds. */
const BATCHES = 4;
const WINDOW_MS = 20;
/** A window this long has nothing in it for most of the time, and says nothing. */
const PAUSE_MS = 60;

export interface TrafficWindow {
  /** When it ended, and how long it was, in milliseconds. */
  readonly end: number;
  readonly length: number;
  /** Of the event loop's time, the part in which it neither slept nor looked for frames in vain; and the part in which it slept. */
  readonly busy: number;
  readonly asleep: number;
  /** Milliseconds for which the thread ran, and the part of all time in which it waited for a processor that others had. */
  readonly cpu: number;
  readonly waited: number;
  readonly rxFrames: number;
  readonly rxBytes: number;
  readonly txFrames: number;
  readonly txBytes: number;
}

export type Counters = Pick<NicStats, 'rxFrames' | 'rxBytes' | 'rxSpunNs' | 'txFrames' | 'txBytes'>;

/** Milliseconds so far: since some time in the past, of the event loop's sleep, and for which its thread ran and waited for a processor. */
export interface LoopTime {
  now(): number;
  slept(): number;
  processor(): ProcessorTime;
}

export interface ProcessorTime {
  readonly ran: number;
  readonly waited: number;
}

/** Whoever is so busy hardly sleeps: by this each kind of traffic promises something to one trial at the most. */
const BUSY = 0.9;

export const isBusy = ({ busy }: TrafficWindow): boolean => busy >= BUSY;
/** Bytes in a millisecond, both ways. */
export const rate = ({ rxBytes, txBytes, length }: TrafficWindow): number => (rxBytes + txBytes) / length;
export const sentSize = ({ txFrames, txBytes }: TrafficWindow): number => txBytes / Math.max(1, txFrames);

export class TrafficMeter {
  readonly #counters: () => Counters;
  readonly #time: LoopTime;
  #batches = 0;
  #since = 0;
  #slept = 0;
  #processor: ProcessorTime = { ran: 0, waited: 0 };
  #last: Counters;

  constructor(counters: () => Counters, time: LoopTime) {
    this.#counters = counters;
    this.#time = time;
    this.#last = counters();
  }

  /** A batch of frames was received: the window that it ends, if it ends one. */
  batch(): TrafficWindow | null {
    this.#batches = (this.#batches + 1) | 0;
    if (this.#batches % BATCHES !== 0) return null;
    const end = this.#time.now();
    const length = end - this.#since;
    if (length < WINDOW_MS) return null;
    const slept = this.#time.slept();
    const processor = this.#time.processor();
    const counters = this.#counters();
    const last = this.#last;
    const asleep = (slept - this.#slept) / length;
    const spun = (counters.rxSpunNs - last.rxSpunNs) / 1e6 / length;
    const window = {
      end,
      length,
      busy: 1 - asleep - spun,
      asleep,
      cpu: processor.ran - this.#processor.ran,
      waited: (processor.waited - this.#processor.waited) / length,
      rxFrames: counters.rxFrames - last.rxFrames,
      rxBytes: counters.rxBytes - last.rxBytes,
      txFrames: counters.txFrames - last.txFrames,
      txBytes: counters.txBytes - last.txBytes,
    };
    this.#since = end;
    this.#slept = slept;
    this.#processor = processor;
    this.#last = counters;
    return length > PAUSE_MS ? null : window;
  }
}
