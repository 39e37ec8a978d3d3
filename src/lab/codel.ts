// Controlled delay (RFC 8289): frames may wait, but not all of them too long for too long. While even the shortest wait of an
// interval exceeds the target, frames are dropped at the head, ever faster, or marked where their sender heeds marks.

import { markCongestion } from './mark.js';
import { type Queue, type Queued, TailDropQueue } from './tail-drop.js';

export class CodelQueue implements Queue {
  readonly #queue: TailDropQueue;
  readonly #targetUs: number;
  readonly #intervalUs: number;
  readonly #ecn: boolean;
  marked = 0;
  #controlled = 0;
  /** When the wait will have been too long for a whole interval; 0: it is not too long. */
  #firstAbove = 0;
  #dropNext = 0;
  #count = 0;
  #lastCount = 0;
  #dropping = false;

  constructor(frames: number, targetUs: number, intervalUs: number, ecn: boolean) {
    this.#queue = new TailDropQueue(frames);
    this.#targetUs = targetUs;
    this.#intervalUs = intervalUs;
    this.#ecn = ecn;
  }

  get length(): number {
    return this.#queue.length;
  }

  get dropped(): number {
    return this.#queue.dropped + this.#controlled;
  }

  enqueue(frame: Queued): boolean {
    return this.#queue.enqueue(frame);
  }

  /** RFC 8289 section 5.4. */
  dequeue(now: number): Queued | null {
    let frame = this.#queue.dequeue();
    let tooLong = this.#tooLong(frame, now);
    if (this.#dropping) {
      if (!tooLong) this.#dropping = false;
      while (this.#dropping && frame !== null && now >= this.#dropNext) {
        this.#count++;
        if (this.#marks(frame)) {
          this.#dropNext = this.#controlLaw(this.#dropNext);
          return frame;
        }
        this.#controlled++;
        frame = this.#queue.dequeue();
        tooLong = this.#tooLong(frame, now);
        if (!tooLong) this.#dropping = false;
        else this.#dropNext = this.#controlLaw(this.#dropNext);
      }
    } else if (tooLong && frame !== null) {
      if (!this.#marks(frame)) {
        this.#controlled++;
        frame = this.#queue.dequeue();
        this.#tooLong(frame, now);
      }
      this.#dropping = true;
      // It was here not long ago: go on dropping at about that pace.
      const delta = this.#count - this.#lastCount;
      this.#count = delta > 1 && now - this.#dropNext < 16 * this.#intervalUs ? delta : 1;
      this.#dropNext = this.#controlLaw(now);
      this.#lastCount = this.#count;
    }
    return frame;
  }

  #marks(frame: Queued): boolean {
    if (!this.#ecn || !markCongestion(frame.bytes)) return false;
    this.marked++;
    return true;
  }

  #controlLaw(at: number): number {
    return at + this.#intervalUs / Math.sqrt(this.#count);
  }

  #tooLong(frame: Queued | null, now: number): boolean {
    if (frame === null || now - frame.at < this.#targetUs || this.#queue.length === 0) {
      this.#firstAbove = 0;
      return false;
    }
    if (this.#firstAbove === 0) {
      this.#firstAbove = now + this.#intervalUs;
      return false;
    }
    return now >= this.#firstAbove;
  }
}
