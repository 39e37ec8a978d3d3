// Chunks that were given back while a NIC may still be reading them: they wait until it has passed whatever stood in its ring at
// that time (a grace period, as RCU's). Two generations: the older one waits, the younger one gathers what comes meanwhile.

import { CTRL_TX_HEAD, CTRL_TX_TAIL } from './ring-control.js';

/** Chains of chunks, linked by `next`, and the transmit rings that may still refer to them. */
export class Limbo {
  #old = 0;
  #young = 0;
  readonly #words: Int32Array;
  readonly #next: Int32Array;
  readonly #rings: number[] = [];
  /** TX_HEAD of each ring when the older generation was closed; same order as the rings. */
  readonly #heads: number[] = [];

  constructor(words: Int32Array, next: Int32Array) {
    this.#words = words;
    this.#next = next;
  }

  /** Adds a ring by the word index of its control block. */
  watch(ctrl: number): void {
    this.#rings.push(ctrl);
    this.#heads.push(this.#words[ctrl + CTRL_TX_HEAD]);
  }

  unwatch(ctrl: number): void {
    const at = this.#rings.indexOf(ctrl);
    if (at < 0) return;
    this.#rings.splice(at, 1);
    this.#heads.splice(at, 1);
  }

  get empty(): boolean {
    return this.#old === 0;
  }

  /** No NIC has anything left to read: what is given back now need not wait. */
  get ringsIdle(): boolean {
    for (let i = 0; i < this.#rings.length; i++) {
      const ctrl = this.#rings[i];
      if (this.#words[ctrl + CTRL_TX_HEAD] !== this.#words[ctrl + CTRL_TX_TAIL]) return false;
    }
    return true;
  }

  put(chunk: number): void {
    if (this.#old === 0) {
      this.#next[chunk] = 0;
      this.#old = chunk;
      this.#snapshot();
    } else {
      this.#next[chunk] = this.#young;
      this.#young = chunk;
    }
  }

  /** The chain whose grace period is over, which leaves limbo; 0 if there is none. */
  take(): number {
    if (this.#old === 0 || !this.#passed()) return 0;
    const chain = this.#old;
    this.#old = this.#young;
    this.#young = 0;
    if (this.#old !== 0) this.#snapshot();
    return chain;
  }

  #snapshot(): void {
    for (let i = 0; i < this.#rings.length; i++) {
      this.#heads[i] = this.#words[this.#rings[i] + CTRL_TX_HEAD];
    }
  }

  #passed(): boolean {
    for (let i = 0; i < this.#rings.length; i++) {
      if (((this.#words[this.#rings[i] + CTRL_TX_TAIL] - this.#heads[i]) | 0) < 0) return false;
    }
    return true;
  }
}
