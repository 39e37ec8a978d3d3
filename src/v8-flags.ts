// What V8 does otherwise for a stack in JavaScript: how much of a frame's way is compiled in one piece, and when memory that was read into
// is free again. Flags are the process's, so it is for programs to set them, not for a library that they load: the command and the
// preload do.

import { setFlagsFromString } from 'node:v8';

/** Each with the beginning of those by which a command line has decided itself. */
const FLAGS = [
  // A frame's way is some sixty small functions, and V8's own limit (920 bytes of bytecode) joins a few at a time. With 8000, and larger
  // functions inlined as well, a server took longer to be compiled, and transfers halved for a quarter of a second in their third second.
  { flag: '--max-inlined-bytecode-size-cumulative=4000', decided: /^--max-inlined-bytecode-size/ },
  // What a scavenge finds dead is free at its end. A thread that frees it later has it count as alive until the next one: every other
  // 32 MB that were read started a full collection.
  {
    flag: '--no-concurrent-array-buffer-sweeping',
    decided: /^--(no-?)?(concurrent-array-buffer-sweeping|single-threaded)/,
  },
];

/**
 * Sets V8's flags as it suits a busy stack, for the whole process and from now on: more of a frame's way is compiled in one piece
 * (`--max-inlined-bytecode-size-cumulative=4000`), and ArrayBuffers are freed within the collection that finds them dead
 * (`--no-concurrent-array-buffer-sweeping`). Those that Node's command line has decided on stay as they are. Returns what it set.
 */
export function tuneV8(): string[] {
  const given = process.execArgv.map((option) => option.replaceAll('_', '-'));
  const set = FLAGS.filter(({ decided }) => !given.some((option) => decided.test(option)));
  for (const { flag } of set) setFlagsFromString(flag);
  return set.map(({ flag }) => flag);
}
