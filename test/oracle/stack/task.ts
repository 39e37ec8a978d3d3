// Who runs operations on the stack: the main thread, which is interrupted when a call sleeps for too long, and background
// ones, which may sleep for ever. Time is virtual: it moves when something waits for it, and never otherwise.

import type { VirtualClock } from '../../../src/index.js';

/** Runs every microtask there is: whoever was woken has done what it was woken for. */
export function quiesce(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Moves virtual time, letting those who wake on the way run at their time. */
export async function advance(clock: VirtualClock, ms: number, until?: () => boolean): Promise<void> {
  const end = clock.now() + ms * 1000;
  await quiesce();
  while (until?.() !== true && clock.step(end)) await quiesce();
  if (until?.() === true) return;
  clock.moveTo(end);
  await quiesce();
}

export class Task {
  /** The name that gets the descriptor an operation returns. */
  bind: string | undefined;
  /** The call was interrupted because it slept for too long. */
  fired = false;
  done = false;
  result = '';
  readonly #clock: VirtualClock | null;
  readonly #blockedMs: number;

  /** @param clock The main thread's; null for one in the background. */
  constructor(clock: VirtualClock | null, blockedMs: number) {
    this.#clock = clock;
    this.#blockedMs = blockedMs;
  }

  /** Makes a call that may sleep. */
  async call(start: (signal: AbortSignal) => Promise<number> | number): Promise<number> {
    this.fired = false;
    const abort = new AbortController();
    const call = start(abort.signal);
    if (typeof call === 'number' || this.#clock === null) return call;
    let result: number | undefined;
    call.then((value) => {
      result = value;
    });
    await advance(this.#clock, this.#blockedMs, () => result !== undefined);
    if (result === undefined) {
      this.fired = true;
      abort.abort();
    }
    return call;
  }
}
