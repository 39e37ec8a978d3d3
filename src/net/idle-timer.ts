// The timer behind socket.setTimeout. A kept-alive connection sets and clears it with each request and begins it anew with each
// piece of data: in the machine's time that only notes when, and one that was set earlier looks, when it rings, whether it is still meant.

import { AsyncResource } from 'node:async_hooks';
import type { NetTimer, TimerSource } from './timers.js';

/** Node's timers go by whole milliseconds, and so may ring a part of one early. */
const NEAR_MS = 1;

export class IdleTimer {
  readonly #timers: TimerSource;
  readonly #work: () => void;
  #timer: NetTimer | null = null;
  /** When that rings, in milliseconds of `timers.now`. */
  #rings = 0;
  /** What it was set to, in milliseconds; -1: it is not set. It and the next are named as a Timeout's of Node, for who looks at those. */
  _idleTimeout = -1;
  /** When it was set or begun anew. */
  _idleStart = 0;
  /** Whoever set it has it ring in his own context, as with a timer of Node's. */
  #scope: AsyncResource | null = null;

  constructor(timers: TimerSource, work: () => void) {
    this.#timers = timers;
    this.#work = work;
  }

  /** @param ms above 0. */
  set(ms: number): void {
    this.#scope = new AsyncResource('Timeout');
    this._idleStart = this.#timers.now?.() ?? 0;
    if (this._idleStart + ms < this.#rings || this.#timers.now === undefined) this.cancel();
    this._idleTimeout = ms;
    if (this.#timer === null) this.#arm(ms);
  }

  /** The same time once more, also after it has rung. */
  refresh(): void {
    if (this.#timers.now !== undefined) this._idleStart = this.#timers.now();
    else this.#timer?.refresh();
    if (this.#timer === null && this._idleTimeout > 0) this.#arm(this._idleTimeout);
  }

  clear(): void {
    this._idleTimeout = -1;
    if (this.#timers.now === undefined) this.cancel();
  }

  /** Its socket is gone: nothing may keep that. */
  cancel(): void {
    this._idleTimeout = -1;
    if (this.#timer !== null) this.#timers.clear(this.#timer);
    this.#timer = null;
  }

  #arm(left: number): void {
    this.#rings = this._idleStart + this._idleTimeout;
    this.#timer = this.#timers.set(() => this.#ring(), left);
  }

  #ring(): void {
    this.#timer = null;
    if (this._idleTimeout < 0) return;
    const left =
      this.#timers.now === undefined ? 0 : this._idleStart + this._idleTimeout - this.#timers.now();
    if (left >= NEAR_MS) this.#arm(left);
    else this.#scope?.runInAsyncScope(this.#work);
  }
}
