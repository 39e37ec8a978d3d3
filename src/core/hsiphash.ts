// HalfSipHash (Aumasson and Bernstein; the kernel's hsiphash): a short keyed hash, so that nobody outside can choose which
// connections collide in a table or what an initial sequence number will be.

import type { Random } from './random.js';

function rotl(x: number, n: number): number {
  return (x << n) | (x >>> (32 - n));
}

export class HsipKey {
  readonly k0: number;
  readonly k1: number;

  constructor(random: Random) {
    this.k0 = random.int32();
    this.k1 = random.int32();
  }

  /** Hash of three words; `rounds` 1 compresses as HalfSipHash-1-3 does (tables), 2 as HalfSipHash-2-4 (secrets). */
  hash3(a: number, b: number, c: number, rounds: number): number {
    let v0 = this.k0;
    let v1 = this.k1;
    let v2 = 0x6c796765 ^ this.k0;
    let v3 = 0x74656462 ^ this.k1;
    // Three words, the length word, and the finalisation: the same round, over and over.
    for (let step = 0; step < 5; step++) {
      const word = step === 0 ? a : step === 1 ? b : step === 2 ? c : 12 << 24;
      let n = rounds;
      if (step === 4) {
        v2 ^= 0xff;
        n = rounds + 2;
      } else v3 ^= word;
      for (let i = 0; i < n; i++) {
        v0 = (v0 + v1) | 0;
        v1 = rotl(v1, 5) ^ v0;
        v0 = rotl(v0, 16);
        v2 = (v2 + v3) | 0;
        v3 = rotl(v3, 8) ^ v2;
        v0 = (v0 + v3) | 0;
        v3 = rotl(v3, 7) ^ v0;
        v2 = (v2 + v1) | 0;
        v1 = rotl(v1, 13) ^ v2;
        v2 = rotl(v2, 16);
      }
      if (step < 4) v0 ^= word;
    }
    return v1 ^ v3;
  }
}
