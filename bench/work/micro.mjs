// The stack's small parts by themselves (see ../micro.mjs): nanoseconds, in a process of their own.

import { fileURLToPath } from 'node:url';
import { progress, run } from '../shell.mjs';

const program = fileURLToPath(new URL('../micro.mjs', import.meta.url));

export const micro = {
  name: 'micro',
  title: 'small parts',
  contenders: [],
  /** Nanoseconds by name. */
  async run() {
    progress('small parts, under mitata');
    const found = JSON.parse(await run(process.execPath, [program], 120));
    progress('');
    return found;
  },
};
