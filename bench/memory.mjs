// Memory: a process's resident bytes, and what the kernel itself holds.

import { readFileSync } from 'node:fs';

/** Bytes. `peak` is the most it ever was. */
export function memoryOf(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const bytes = (field) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)[1]) * 1024;
  return { resident: bytes('VmRSS'), peak: bytes('VmHWM') };
}

/** What a connection is made of in the kernel. (Its names are those of a kernel that does not merge caches.) */
const PARTS =
  /^(TCP|tw_sock_TCP|request_sock_TCP|tcp_bind\w*|sock_inode_cache|filp|dentry|eventpoll_\w+|ep_head|skbuff_\w+)$/;

/** Bytes in the kernel's slabs that connections are made of; whole slabs, for who may not read more. */
export function kernelMemory() {
  let text;
  try {
    text = readFileSync('/proc/slabinfo', 'utf8');
  } catch {
    return Number(/^Slab:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))[1]) * 1024;
  }
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([name]) => PARTS.test(name))
    .reduce((sum, [, active, , size]) => sum + Number(active) * Number(size), 0);
}

/** Sockets of this namespace, those included that their programs have closed and that are not over yet. */
export function socketsInUse() {
  const [, inUse, orphans] = /^TCP: inuse (\d+) orphan (\d+)/m.exec(
    readFileSync('/proc/net/sockstat', 'utf8'),
  );
  return Number(inUse) + Number(orphans);
}
