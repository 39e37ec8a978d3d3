// Which PID namespace a program is in (pid_namespaces(7)): the number of a process means something there alone, and the programs of
// a private network are in one of their own.

import { readlinkSync } from 'node:fs';

/** As /proc names it, such as `pid:[4026531836]`; empty where there is none. */
export function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}
