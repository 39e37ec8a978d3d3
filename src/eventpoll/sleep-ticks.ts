// How many ticks of the timer wheel a task has to sleep so that at least the time it asked for passes (schedule_timeout).

import type { Host } from '../core/host.js';

/** @param ms Milliseconds from this moment, fractions allowed. The part of a tick that is over already counts as none. */
export function sleepTicks(host: Host, ms: number): number {
  const intoTick = (host.nowUs - Math.imul(host.nowMs, 1000)) | 0;
  return Math.ceil(ms + intoTick / 1000);
}
