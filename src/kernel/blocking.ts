// The calls that may sleep, all together: what `stack.blocking` is. Same names and arguments as in `stack.sys`; each is a
// promise of the same result, and takes `{ signal }` last, whose abort interrupts it (-EINTR).

import { BlockingConnections } from './blocking-connections.js';
import { BlockingFiles } from './blocking-files.js';
import { BlockingMessages } from './blocking-messages.js';
import type { Process } from './process.js';

type Calls<T> = { readonly [K in keyof T]: T[K] };

/**
 * The calls that may sleep: arguments as in `sys`, each a promise of the same result or -errno. They honour O_NONBLOCK, SO_RCVTIMEO
 * and SO_SNDTIMEO, and an AbortSignal ends the sleep with -EINTR, as a signal does.
 */
export type Blocking = Calls<BlockingConnections> &
  Calls<BlockingMessages> &
  Calls<BlockingFiles> & {
    /** As `sys.poll`, which is a promise already. */
    readonly poll: Process['sys']['poll'];
    /** As `sys.select`, likewise. */
    readonly select: Process['sys']['select'];
  };

export function createBlocking(process: Process): Blocking {
  const { poll, select } = process.sys;
  return {
    ...new BlockingConnections(process),
    ...new BlockingMessages(process),
    ...new BlockingFiles(process),
    poll,
    select,
  };
}
