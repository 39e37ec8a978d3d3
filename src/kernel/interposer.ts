// Somebody between the programs of a stack and their calls: the doctor, who judges them, or a recorder, who writes them down.

import type { Blocking } from './blocking.js';
import type { Process } from './process.js';
import type { Syscalls } from './syscalls.js';

/** Is shown the calls of every process that is made, and gives those that the program is to have. */
export interface Interposer {
  examine(process: Process, sys: Syscalls): Syscalls;
  examineBlocking(process: Process, blocking: Blocking): Blocking;
}
