// What V8 does otherwise for a stack in JavaScript: how much of a frame's way is compiled in one piece, and when memory that was read into
// is free again. Flags are the process's, so it is for programs to set them, not for a library that they load: the command and the
// preload do.

import { setFlagsFromString } from 'node:v8';

interface Flag {
  flag: string;
  /** The beginning of those by which a command line has decided itself. */
  decided: RegExp;
  /** The versions of V8 that have it, from and before: others would complain of it, on standard error. Default: all there are. */
  from?: number;
  before?: number;
}

/** Of V8: major and minor number as one, 13.6 as 13006. */
const VERSION = (([major, minor]) => Number(major) * 1000 + Number(minor))(process.versions.v8.split('.'));

const FLAGS: readonly Flag[] = [
  // A frame's way is some sixty small functions, and V8's own limit (920 bytes of bytecode) joins a few at a time. With 8000, and larger
  // functions inlined as well, a server took longer to be compiled, and transfers halved for a quarter of a second in their third second.
  { flag: '--max-inlined-bytecode-size-cumulative=4000', decided: /^--max-inlined-bytecode-size/ },
  // What a scavenge finds dead is free at its end. A thread that frees it later has it count as alive until the next one: every other
  // 32 MB that were read started a full collection.
  {
    flag: '--no-concurrent-array-buffer-sweeping',
    decided: /^--(no-?)?(concurrent-array-buffer-sweeping|single-threaded)/,
  },
  // Since Node.js 24 memory outside of the heap has a limit of its own, at which a full collection starts, however much a scavenge would find
  // dead. So it counts as the heap's does, and may grow fourfold as that may (Node.js 25; in 24 the heap's factor holds).
  {
    flag: '--external-memory-accounted-in-global-limit',
    decided: /^--(no-?)?external-memory-accounted-in-global-limit/,
    from: 13_006,
    before: 15_000,
  },
  {
    flag: '--external-memory-max-growing-factor=4',
    decided: /^--((no-?)?external-memory-accounted-in-global-limit|external-memory-max-growing-factor)/,
    from: 14_001,
    before: 15_000,
  },
];

/**
 * Sets V8's flags as it suits a busy stack, for the whole process and from now on: more of a frame's way is compiled in one piece
 * (`--max-inlined-bytecode-size-cumulative=4000`), and ArrayBuffers are freed within the collection that finds them dead
 * (`--no-concurrent-array-buffer-sweeping`); on Node.js 24 and newer what they hold no longer starts full collections before it has grown
 * as much as the heap may (`--external-memory-accounted-in-global-limit`, on 25 and newer with `--external-memory-max-growing-factor=4`). What
 * Node's command line has decided on stays as it is. Returns what it set.
 */
export function tuneV8(): string[] {
  const given = process.execArgv.map((option) => option.replaceAll('_', '-'));
  const set = FLAGS.filter(
    ({ decided, from = 0, before = Number.POSITIVE_INFINITY }) =>
      VERSION >= from && VERSION < before && !given.some((option) => decided.test(option)),
  );
  for (const { flag } of set) setFlagsFromString(flag);
  return set.map(({ flag }) => flag);
}
