// The queue that a direction of a cable asks for: tail drop, RED or CoDel.

import type { Random } from '../core/random.js';
import { CodelQueue } from './codel.js';
import { RedQueue } from './red.js';
import { type Queue, TailDropQueue } from './tail-drop.js';

/** How a queue may drop. */
export const DISCIPLINES = ['tail', 'red', 'codel'] as const;

/** What waits for the bandwidth, and which frames are dropped, or marked. */
export interface QueueOptions {
  /** `tail` drop when full, `red` (Floyd and Jacobson 1993) or `codel` (RFC 8289). Default `tail`. */
  discipline?: (typeof DISCIPLINES)[number];
  /** Frames it holds. Default 1000. */
  frames?: number;
  /** RED: average length, frames, at which dropping begins. Default a quarter of `frames`. */
  minimum?: number;
  /** RED: average length at which it becomes certain. Default three quarters of `frames`. */
  maximum?: number;
  /** CoDel: how long frames may wait, microseconds. Default 5000. */
  targetUs?: number;
  /** CoDel: for how long that may be exceeded, microseconds. Default 100000. */
  intervalUs?: number;
  /** RED and CoDel mark packets that may be marked (ECN) rather than drop them. Default false. */
  ecn?: boolean;
}

export function createQueue(options: QueueOptions, random: Random): Queue {
  const { frames = 1000, ecn = false } = options;
  switch (options.discipline ?? 'tail') {
    case 'red':
      return new RedQueue(
        frames,
        options.minimum ?? frames / 4,
        options.maximum ?? (frames * 3) / 4,
        ecn,
        random,
      );
    case 'codel':
      return new CodelQueue(frames, options.targetUs ?? 5000, options.intervalUs ?? 100_000, ecn);
    default:
      return new TailDropQueue(frames);
  }
}
