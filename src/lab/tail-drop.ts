// What a queue before a transmitter is, and the simplest one: it takes frames until it is full.

/** A frame that waits. */
export interface Queued {
  readonly bytes: Uint8Array;
  /** When it came, microseconds. */
  readonly at: number;
}

export interface Queue {
  /** Frames waiting. */
  readonly length: number;
  /** Takes a frame, or drops it: false. */
  enqueue(frame: Queued): boolean;
  /** The next frame to transmit; null if there is none (any more, after drops). */
  dequeue(now: number): Queued | null;
  /** Frames dropped by the queue's own rules, and marked instead. */
  dropped: number;
  marked: number;
}

export class TailDropQueue implements Queue {
  dropped = 0;
  readonly marked = 0;
  readonly #frames: Queued[] = [];
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get length(): number {
    return this.#frames.length;
  }

  enqueue(frame: Queued): boolean {
    if (this.#frames.length >= this.#limit) {
      this.dropped++;
      return false;
    }
    this.#frames.push(frame);
    return true;
  }

  dequeue(): Queued | null {
    return this.#frames.shift() ?? null;
  }
}
