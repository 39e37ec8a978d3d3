// Memory: a process's resident bytes, and what the kernel itself holds.

import { readFileSync } from 'node:fs';

/** Bytes. `peak` is the most it ever was. */
export function memoryOf(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const bytes = (field) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)[1]) * 1024;
  return { resident: bytes('VmRSS'), peak: bytes('VmHWM') };
}

/** Bytes in the kernel's slabs: every living object of every cache, or (for who may not read that) whole slabs. */
export function kernelMemory() {
  let text;
  try {
    text = readFileSync('/proc/slabinfo', 'utf8');
  } catch {
    return Number(/^Slab:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))[1]) * 1024;
  }
  return text
    .split('\n')
    .slice(2)
    .map((line) => line.trim().split(/\s+/))
    .reduce((sum, [, active, , size]) => sum + (Number(active) * Number(size) || 0), 0);
}

/** Sockets of this namespace in use, as /proc/net/sockstat counts them. */
export function socketsInUse() {
  return Number(/^TCP: inuse (\d+)/m.exec(readFileSync('/proc/net/sockstat', 'utf8'))[1]);
}
