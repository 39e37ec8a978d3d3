// Where the host's share of what we send is done: inside our writes (NAPI by softirq), or by a thread of the kernel's on another
// processor (threaded NAPI). Looked at between batches of frames, far from a frame's way: the thread pays for a busy event loop with
// many small frames, costs a wake-up where the loop sleeps, and both depend on the machine. So it is tried, and kept if it pays.

import type { NicStats } from './native-nic.js';

/** What the choice is about, and what it goes by. */
export interface NapiDevice {
  threadNapi(threaded: boolean): void;
  stats(): Pick<NicStats, 'rxBytes' | 'txBytes' | 'txFrames' | 'napi'>;
}

/** Milliseconds: what time it is, and for how many of them the event loop has slept so far. */
export interface LoopTime {
  now(): number;
  slept(): number;
}

/** Batches between two looks at the clock: while much is sent one takes milliseconds. */
const BATCHES = 4;
const WINDOW_MS = 20;
/** A window this long has nothing in it for most of the time, and says nothing. */
const PAUSE_MS = 60;
const BUSY = 0.9;
const FRAMES_PER_MS = 1;
/** Bytes in a frame beyond which copying it is the greater part, which stays with us, and the thread only competes for the cache. */
const LARGE = 8192;
const BASELINE_WINDOWS = 5;
/** The first window after the switch is part of both worlds. */
const TRIAL_WINDOWS = 1 + 5;
/** What it brings where it brings something is 1.1 to 1.9; traffic itself varies by a few hundredths. */
const GAIN = 1.05;
/** No longer worth a thread: the loop sleeps, or frames are large, in so many windows one after another. */
const IDLE = 0.6;
const IDLE_WINDOWS = 4;
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

type Phase = 'softirq' | 'trial' | 'threaded';

function alike(a: number, b: number, factor: number): boolean {
  return a < b * factor && b < a * factor;
}

export class NapiChoice {
  readonly #device: NapiDevice;
  readonly #time: LoopTime;
  #batches = 0;
  #phase: Phase = 'softirq';
  #since = 0;
  #slept = 0;
  #last: ReturnType<NapiDevice['stats']>;
  /** Windows of this phase, the sum of their bytes per millisecond, and those in a row that speak against it. */
  #windows = 0;
  #sum = 0;
  #against = 0;
  /** Before the trial: bytes per millisecond, bytes in a frame sent. */
  #baseline = 0;
  #baselineSize = 0;
  #keepWindows = KEEP_WINDOWS;
  #restMs = REST_MS;
  /** Of the trial that failed last: when, and what stood before it. */
  #failed = Number.NEGATIVE_INFINITY;
  #failedRate = 0;
  #failedSize = 0;

  constructor(device: NapiDevice, time: LoopTime) {
    this.#device = device;
    this.#time = time;
    this.#last = device.stats();
  }

  /** A batch of frames was received. */
  batch(): void {
    this.#batches = (this.#batches + 1) | 0;
    if (this.#batches % BATCHES === 0) this.#look();
  }

  #look(): void {
    const now = this.#time.now();
    const length = now - this.#since;
    if (length < WINDOW_MS) return;
    const slept = this.#time.slept();
    const stats = this.#device.stats();
    const { rxBytes, txBytes, txFrames } = this.#last;
    const sent = stats.txBytes - txBytes;
    const frames = stats.txFrames - txFrames;
    const rate = (stats.rxBytes - rxBytes + sent) / length;
    const busy = 1 - (slept - this.#slept) / length;
    this.#since = now;
    this.#slept = slept;
    this.#last = stats;
    if (length > PAUSE_MS) return;
    const size = sent / Math.max(1, frames);
    const small = size <= LARGE;
    if (this.#phase === 'softirq')
      this.#wait(now, rate, size, busy >= BUSY && small && frames >= length * FRAMES_PER_MS);
    else if (this.#phase === 'trial') this.#try(now, rate, small);
    else this.#keep(busy >= IDLE && small);
  }

  /** Softirq: until so many windows in a row are such that a thread might pay. */
  #wait(now: number, rate: number, size: number, promising: boolean): void {
    const rest = this.#hasFailedAt(rate, size) ? this.#restMs : REST_OTHER_MS;
    if (!promising || this.#last.napi !== 'softirq' || now - this.#failed < rest) {
      this.#enter('softirq');
      return;
    }
    this.#sum += rate;
    if (++this.#windows < BASELINE_WINDOWS) return;
    this.#baseline = this.#sum / BASELINE_WINDOWS;
    this.#baselineSize = size;
    this.#enter('trial');
    this.#device.threadNapi(true);
  }

  #try(now: number, rate: number, small: boolean): void {
    if (this.#last.napi !== 'threaded') {
      // It fails where the device is gone or no thread can be made.
      if (this.#last.napi === 'softirq' || ++this.#against > STUCK_WINDOWS) this.#fail(now);
      return;
    }
    if (++this.#windows > 1) this.#sum += rate;
    if (this.#windows < TRIAL_WINDOWS && small) return;
    if (!small || this.#sum < (TRIAL_WINDOWS - 1) * this.#baseline * GAIN) {
      this.#fail(now);
      return;
    }
    this.#failedRate = 0; // of no kind any more
    this.#enter('threaded');
  }

  /** Was traffic as this is tried in vain last? */
  #hasFailedAt(rate: number, size: number): boolean {
    return alike(rate, this.#failedRate, OTHER_RATE) && alike(size, this.#failedSize, OTHER_SIZE);
  }

  #fail(now: number): void {
    const again = this.#hasFailedAt(this.#baseline, this.#baselineSize);
    this.#restMs = again ? Math.min(this.#restMs * 2, REST_MAX_MS) : REST_MS;
    this.#failed = now;
    this.#failedRate = this.#baseline;
    this.#failedSize = this.#baselineSize;
    this.#keepWindows = KEEP_WINDOWS;
    this.#return();
  }

  #keep(well: boolean): void {
    this.#against = well ? 0 : this.#against + 1;
    if (++this.#windows < this.#keepWindows && this.#against < IDLE_WINDOWS) return;
    this.#keepWindows = well ? Math.min(this.#keepWindows * 2, KEEP_WINDOWS_MAX) : KEEP_WINDOWS;
    this.#return();
  }

  #return(): void {
    this.#enter('softirq');
    this.#device.threadNapi(false);
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#windows = this.#sum = this.#against = 0;
  }
}
