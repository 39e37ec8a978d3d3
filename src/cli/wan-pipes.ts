// The two directions of the network that `tapstack wan` makes: two pipes of the lab, each with a stream of chance of its own, so
// that what becomes of one direction's n-th frame does not depend on how the other's lie between.

import { SeededRandom } from '../core/random.js';
import { Pipe } from '../lab/pipe.js';
import type { PipeOptions } from '../lab/pipe-options.js';
import type { Clock } from '../time/clock.js';

export interface Directions<T> {
  /** From A to B, and back. */
  ab: T;
  ba: T;
}

type Deliver = (frames: readonly Uint8Array[]) => void;

/** @param seed All faults of both directions follow from it. */
export function layPipes(
  clock: Clock,
  seed: number,
  faults: Directions<PipeOptions>,
  deliver: Directions<Deliver>,
): Directions<Pipe> {
  const seeds = new SeededRandom(seed);
  const ab = new SeededRandom(seeds.int32());
  const ba = new SeededRandom(seeds.int32());
  return {
    ab: new Pipe(clock, ab, faults.ab, deliver.ab),
    ba: new Pipe(clock, ba, faults.ba, deliver.ba),
  };
}
