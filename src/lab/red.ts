// Random early detection (Floyd and Jacobson, 1993): the fuller the queue has been on average, the likelier a new frame is
// dropped, or marked where its sender heeds marks, so that senders slow down before it is full.

import type { Random } from '../core/random.js';
import { markCongestion } from './mark.js';
import { type Queue, type Queued, TailDropQueue } from './tail-drop.js';

/** Weight of a new length in the average, and the dropping probability at the upper threshold: the paper's. */
const WEIGHT = 0.002;
const MOST = 0.1;

export class RedQueue implements Queue {
  readonly #queue: TailDropQueue;
  readonly #minimum: number;
  readonly #maximum: number;
  readonly #random: Random;
  readonly #ecn: boolean;
  marked = 0;
  #average = 0;
  /** Frames taken since the last was dropped: spreads drops evenly. */
  #count = 0;
  #early = 0;

  constructor(frames: number, minimum: number, maximum: number, ecn: boolean, random: Random) {
    this.#queue = new TailDropQueue(frames);
    this.#minimum = minimum;
    this.#maximum = maximum;
    this.#random = random;
    this.#ecn = ecn;
  }

  get length(): number {
    return this.#queue.length;
  }

  get dropped(): number {
    return this.#queue.dropped + this.#early;
  }

  enqueue(frame: Queued): boolean {
    this.#average += WEIGHT * (this.#queue.length - this.#average);
    if (this.#dropsEarly()) {
      this.#count = 0;
      // Above the upper threshold marks have not helped (RFC 3168 section 7).
      if (!this.#ecn || this.#average >= this.#maximum || !markCongestion(frame.bytes)) {
        this.#early++;
        return false;
      }
      this.marked++;
    }
    this.#count++;
    return this.#queue.enqueue(frame);
  }

  #dropsEarly(): boolean {
    if (this.#average < this.#minimum) return false;
    if (this.#average >= this.#maximum) return true;
    const base = (MOST * (this.#average - this.#minimum)) / (this.#maximum - this.#minimum);
    const chance = base / Math.max(1 - this.#count * base, 1e-9);
    return (this.#random.int32() >>> 0) / 0x100000000 < chance;
  }

  dequeue(): Queued | null {
    return this.#queue.dequeue();
  }
}
