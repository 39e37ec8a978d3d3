// The generator's randomness: a seed and an index make one script, the same one on every machine.

/** mulberry32, with the choices a generator makes. */
export class Dice {
  #state: number;

  constructor(seed: number, index: number) {
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)) | 0;
  }

  /** A number in [0, 1). */
  roll(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let x = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer in [0, below). */
  below(below: number): number {
    return Math.floor(this.roll() * below);
  }

  chance(probability: number): boolean {
    return this.roll() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  /** One of the keys, each as likely as its weight. */
  weighted<T>(weights: ReadonlyMap<T, number>): T {
    let total = 0;
    for (const weight of weights.values()) total += weight;
    let at = this.roll() * total;
    let last: T | undefined;
    for (const [key, weight] of weights) {
      if (weight === 0) continue;
      last = key;
      at -= weight;
      if (at < 0) break;
    }
    if (last === undefined) throw new Error('a weighted choice needs something to choose from');
    return last;
  }
}
