// Where all randomness comes from: the machine's generator, or a seeded one that makes a simulation repeatable.

import { randomFillSync } from 'node:crypto';

/** Where a stack gets its randomness: ports, initial sequence numbers, hash keys, cookies. */
export interface Random {
  /** 32 random bits as an int32. */
  int32(): number;
}

/** A uniform integer in [0, n). */
export function below(random: Random, n: number): number {
  return Math.floor(((random.int32() >>> 0) / 0x100000000) * n);
}

/** The operating system's generator, drawn in blocks. */
export class SystemRandom implements Random {
  readonly #block = new Int32Array(256);
  #next = this.#block.length;

  int32(): number {
    if (this.#next === this.#block.length) {
      randomFillSync(this.#block);
      this.#next = 0;
    }
    const value = this.#block[this.#next];
    this.#block[this.#next++] = 0;
    return value;
  }
}

/** sfc32 (Chris Doty-Humphrey's small fast counting generator), seeded by one number. */
export class SeededRandom implements Random {
  #a = 0;
  #b: number;
  #c = 0x9e3779b9 | 0;
  #counter = 1;

  /** @param seed Its low 32 bits; the same seed gives the same numbers. @throws TypeError for what is no number */
  constructor(seed: number) {
    if (!Number.isFinite(seed))
      throw new TypeError(`a seed is a number, and not ${typeof seed === 'string' ? `'${seed}'` : seed}`);
    this.#b = seed | 0;
    for (let i = 0; i < 12; i++) this.int32();
  }

  int32(): number {
    const out = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + out;
    this.#c |= 0;
    return out;
  }
}
