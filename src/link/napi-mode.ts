// What may be wanted of a TAP device's NAPI (napi-choice.ts says what that is), and how it is begun when the device is opened.

import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import { type LoopTime, NapiChoice } from './napi-choice.js';
import type { Nic } from './native-nic.js';

export const NAPI_MODES = ['auto', 'threaded', 'softirq'] as const;

/** Who does the host's share of what is sent: see `TapOptions.napi`. */
export type NapiMode = (typeof NAPI_MODES)[number];

export const isNapiMode = (text: string): text is NapiMode =>
  (NAPI_MODES as readonly string[]).includes(text);

export interface NapiWish {
  napi?: NapiMode;
  busyPoll?: number;
  persist?: boolean;
}

/** What is wanted; 'auto' only where there may be something to choose. */
export function napiMode({ napi = 'auto', busyPoll = 0, persist = false }: NapiWish): NapiMode {
  if (!isNapiMode(napi)) {
    const message = `napi is 'auto', 'threaded' or 'softirq', not ${JSON.stringify(napi)}`;
    throw Object.assign(new TypeError(message), { code: 'EINVAL' });
  }
  if (napi === 'threaded' && persist) {
    const message = 'a device that is left behind (persist) is left without threaded NAPI';
    throw Object.assign(new TypeError(message), { code: 'EINVAL' });
  }
  const choice = busyPoll === 0 && !persist && availableParallelism() > 1;
  return napi === 'auto' && !choice ? 'softirq' : napi;
}

/** Of a device that was just opened for that mode: who is to be told of its batches, if there is a choice. Closes it if it cannot be. */
export function beginNapi(nic: Nic, mode: NapiMode): NapiChoice | null {
  if (mode === 'softirq') return null;
  const refused = nic.info.noThreadedNapi;
  if (mode === 'auto') return refused === null ? new NapiChoice(nic, loopTime) : null;
  if (refused === null) {
    nic.threadNapi(true);
    return null;
  }
  nic.close();
  const why =
    refused === 'EEXIST'
      ? 'the device was there before, and is left as it is'
      : `it takes Linux 5.12 and the right to mount sysfs (${refused})`;
  const message = `${nic.info.name} cannot have threaded NAPI: ${why}`;
  throw Object.assign(new Error(message), { code: 'ERR_NO_THREADED_NAPI' });
}

const loopTime: LoopTime = {
  now: () => performance.now(),
  slept: () => performance.eventLoopUtilization().idle,
};
