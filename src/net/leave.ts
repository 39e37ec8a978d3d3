// The end of a process that has its own network. A kernel closes a dead process's sockets and goes on sending what is in them; here
// the process itself has to see to that, in its last moment, when the event loop turns no more.

import type { CaptureLink, Stack, TapLink } from '../index.js';

/** A process waits for its last bytes while some of them are being acknowledged, and never longer than this. */
const LONGEST_US = 10_000_000;
const PATIENCE_US = 1_000_000;
const NAP_MS = 1;

/** States in which our FIN is not acknowledged. */
const UNFINISHED = new Set(['FIN_WAIT1', 'CLOSING', 'LAST_ACK']);

/** Closes every socket, sends what is left in them and takes the device down, all before it returns. */
export function leave(stack: Stack, tap: TapLink, link: TapLink | CaptureLink): void {
  const { clock, wheel } = stack.host;
  const nap = new Int32Array(new SharedArrayBuffer(4));
  stack.kernel.exitAll();
  tap.poll();
  const started = clock.now();
  let moved = started;
  let least = Infinity;
  for (let left = unfinished(stack); left > 0; left = unfinished(stack)) {
    const now = clock.now();
    if (left < least) moved = now;
    least = Math.min(least, left);
    if (now - moved > PATIENCE_US || now - started > LONGEST_US) break;
    Atomics.wait(nap, 0, 0, NAP_MS);
    wheel.run();
    tap.poll();
  }
  stack.kernel.interruptAll();
  if (link !== tap) (link as CaptureLink).writer.flush();
  void tap.close();
}

/** What peers have not acknowledged: bytes, and one for each FIN. */
function unfinished(stack: Stack): number {
  let sum = 0;
  for (const { protocol, state, sendq } of stack.sockets())
    if (protocol === 'tcp' && UNFINISHED.has(state)) sum += Math.max(1, sendq);
  return sum;
}
