// Which frames a wire loses: each with the same chance, in bursts (Gilbert and Elliott's two states), or the n-th ones.

import type { Random } from '../core/random.js';

/** The chance of each frame, 0 to 1; or two states between which the wire changes, so that losses come in bursts; or certain frames. */
export type Loss =
  | number
  | {
      /** Chance per frame that a good state turns bad. */
      toBad: number;
      /** Chance per frame that a bad state turns good. */
      toGood: number;
      /** Chance of losing a frame in the bad state. Default 1. */
      inBad?: number;
      /** Chance of losing a frame in the good state. Default 0. */
      inGood?: number;
    }
  | {
      /** Which are lost, counted from 1. */
      frames: readonly number[];
    };

/** True with the given chance. One draw of the source each time, whatever the chance, so that a changed one shifts nothing. */
export function chance(random: Random, probability: number): boolean {
  return (random.int32() >>> 0) / 0x100000000 < probability;
}

export class LossModel {
  readonly #random: Random;
  #bad = false;
  #count = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Whether the next frame is lost. */
  loses(loss: Loss): boolean {
    this.#count++;
    if (typeof loss === 'number') return chance(this.#random, loss);
    if ('frames' in loss) return loss.frames.includes(this.#count);
    if (chance(this.#random, this.#bad ? loss.toGood : loss.toBad)) this.#bad = !this.#bad;
    return chance(this.#random, this.#bad ? (loss.inBad ?? 1) : (loss.inGood ?? 0));
  }
}
