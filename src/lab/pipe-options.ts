// What a direction of a cable is like, and which of that makes sense: a loss of 5 where 0.05 is meant would lose everything, and a
// delay that is no number would stop time.

import { type Known, refuseUnknown } from '../core/known-options.js';
import type { Loss } from './loss.js';
import { DISCIPLINES, type QueueOptions } from './queue.js';

/** What a direction of a cable is like. Chances are 0 to 1; times are microseconds. All may be changed while frames fly. */
export interface PipeOptions {
  /** Bits per second; default without limit. */
  bandwidth?: number;
  /** What waits for the bandwidth; without a bandwidth nothing waits. Fixed when the cable is made. */
  queue?: QueueOptions;
  /** One-way delay. Default 0. */
  delayUs?: number;
  /** Up to so much more, at random; frames keep their order. */
  jitterUs?: number;
  /** Which frames are lost. Default none. */
  loss?: Loss;
  /** Chance that a frame arrives twice. */
  duplicate?: number;
  /** Chance that a frame is held back `reorderUs` more, so that others overtake it. */
  reorder?: number;
  /** How long such a frame is held back. Default 1000. */
  reorderUs?: number;
  /** Chance that one bit of a frame is turned over. */
  corrupt?: number;
}

export const PIPE_OPTIONS: Known<PipeOptions> = {
  bandwidth: true,
  queue: true,
  delayUs: true,
  jitterUs: true,
  loss: true,
  duplicate: true,
  reorder: true,
  reorderUs: true,
  corrupt: true,
};

const MTU_MIN = 68;
const MTU_MAX = 65535;

export function checkMtu(mtu: number): void {
  if (!(Number.isInteger(mtu) && mtu >= MTU_MIN && mtu <= MTU_MAX))
    refuse('mtu', mtu, `a whole number of bytes from ${MTU_MIN} to ${MTU_MAX}`);
}

/** @throws RangeError for what cannot be, TypeError for what there is not: it says which option, and what it may be. */
export function checkPipeOptions(options: PipeOptions): void {
  refuseUnknown('a cable', options, PIPE_OPTIONS);
  const { bandwidth, loss, queue } = options;
  if (bandwidth !== undefined && !(bandwidth > 0)) refuse('bandwidth', bandwidth, 'bits per second, above 0');
  for (const name of ['delayUs', 'jitterUs', 'reorderUs'] as const)
    if (!isCount(options[name])) refuse(name, options[name], 'microseconds, 0 or more');
  for (const name of ['duplicate', 'reorder', 'corrupt'] as const) checkChance(name, options[name]);
  if (typeof loss === 'object' && loss !== null && !('frames' in loss)) {
    for (const name of ['toBad', 'toGood', 'inBad', 'inGood'] as const)
      checkChance(`loss.${name}`, loss[name]);
  } else if (typeof loss !== 'object' || loss === null) checkChance('loss', loss);
  if (queue !== undefined) checkQueue(queue);
}

function checkQueue({
  discipline = 'tail',
  frames,
  minimum,
  maximum,
  targetUs,
  intervalUs,
}: QueueOptions): void {
  if (!DISCIPLINES.includes(discipline)) refuse('queue.discipline', discipline, DISCIPLINES.join(', '));
  for (const [name, value] of Object.entries({ frames, minimum, maximum, targetUs, intervalUs }))
    if (!isCount(value)) refuse(`queue.${name}`, value, 'a number, 0 or more');
}

function isCount(value: number | undefined): boolean {
  return value === undefined || (Number.isFinite(value) && value >= 0);
}

function checkChance(name: string, value: unknown): void {
  if (value !== undefined && !(typeof value === 'number' && value >= 0 && value <= 1))
    refuse(name, value, 'a chance, from 0 to 1');
}

function refuse(name: string, value: unknown, may: string): never {
  throw new RangeError(
    `a cable's ${name} is ${may}, not ${typeof value === 'string' ? `'${value}'` : value}`,
  );
}
