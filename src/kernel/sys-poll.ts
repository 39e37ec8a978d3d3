// poll and select (fs/select.c), on the same wait queues that epoll hangs in.

import { EBADF, EFAULT, EINVAL } from '../uapi/errno.js';
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLNVAL,
  POLLOUT,
  POLLPRI,
  POLLRDBAND,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
} from '../uapi/poll.js';
import { maskOf, type PollWait, pollUntil } from './poll-wait.js';
import type { Process } from './process.js';
import type { SleepOptions } from './sleep.js';

/** struct pollfd: `revents` is filled in. A negative `fd` is passed over. */
export interface PollFd {
  /** Negative: passed over. */
  fd: number;
  /** POLLIN and the like: what is asked for. */
  events: number;
  /** Filled in: what there is; POLLERR, POLLHUP and POLLNVAL unasked. */
  revents: number;
}

const POLLIN_SET = POLLNVAL | POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR;
const POLLOUT_SET = POLLNVAL | POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR;
const POLLEX_SET = POLLNVAL | POLLPRI;

/** One of select's sets, with the bits that put a descriptor into it. */
interface SelectSet {
  readonly set: Set<number> | null;
  readonly bits: number;
  readonly ready: Set<number>;
}

export class PollCalls {
  readonly #process: Process;

  constructor(process: Process) {
    this.#process = process;
  }

  /**
   * Waits until one of `fds` has what it asks for, or an error or hang-up. Resolves to how many have, 0 after `timeout`
   * milliseconds (negative: never), -EINVAL, or -EINTR when `options.signal` aborts.
   */
  readonly poll = (fds: readonly PollFd[], timeout: number, options?: SleepOptions): Promise<number> => {
    const { kernel, files } = this.#process;
    kernel.host.refresh();
    if (!Array.isArray(fds) || !allObjects(fds)) return Promise.resolve(-EFAULT);
    if (fds.length > files.limit) return Promise.resolve(-EINVAL);
    return pollUntil(kernel, (wait) => this.#scan(fds, wait), timeout, options?.signal);
  };

  /**
   * Waits until a descriptor below `nfds` in one of the sets is ready; the sets are left with those that are, and the result
   * is how many that makes. `timeout` in milliseconds, negative: for ever. -EBADF, -EINVAL, -EINTR.
   */
  readonly select = async (
    nfds: number,
    readfds: Set<number> | null,
    writefds: Set<number> | null = null,
    exceptfds: Set<number> | null = null,
    timeout = -1,
    options?: SleepOptions,
  ): Promise<number> => {
    const { kernel, files } = this.#process;
    kernel.host.refresh();
    if (nfds < 0) return -EINVAL;
    for (const set of [readfds, writefds, exceptfds])
      if (set !== null && !(set instanceof Set)) return -EFAULT;
    const sets: SelectSet[] = [
      { set: readfds, bits: POLLIN_SET, ready: new Set() },
      { set: writefds, bits: POLLOUT_SET, ready: new Set() },
      { set: exceptfds, bits: POLLEX_SET, ready: new Set() },
    ];
    const asked = selected(sets, nfds);
    for (const fd of asked) if (files.get(fd) === null) return -EBADF;
    const result = await pollUntil(
      kernel,
      (wait) => this.#scanSets(sets, asked, wait),
      timeout,
      options?.signal,
    );
    if (result >= 0) for (const { set, ready } of sets) replace(set, ready);
    return result;
  };

  #scan(fds: readonly PollFd[], wait: PollWait | null): number {
    let count = 0;
    for (const entry of fds) {
      // Once one is ready there will be no sleep, so the rest need not be hung into queues.
      entry.revents = this.#look(entry.fd, entry.events, count === 0 ? wait : null);
      if (entry.revents !== 0) count++;
    }
    return count;
  }

  /** do_pollfd */
  #look(fd: number, events: number, wait: PollWait | null): number {
    if (fd < 0) return 0;
    const file = this.#process.files.get(fd);
    if (file === null) return POLLNVAL;
    const mask = wait === null ? maskOf(file, null) : wait.poll(file, events);
    return mask & (events | POLLERR | POLLHUP);
  }

  #scanSets(sets: readonly SelectSet[], asked: readonly number[], wait: PollWait | null): number {
    let count = 0;
    for (const { ready } of sets) ready.clear();
    for (const fd of asked) {
      const file = this.#process.files.get(fd);
      if (file === null) continue;
      let bits = 0;
      for (const { set, bits: mine } of sets) if (set?.has(fd)) bits |= mine;
      const mask = wait === null || count > 0 ? maskOf(file, null) : wait.poll(file, bits);
      for (const { set, bits: mine, ready } of sets) {
        if (!set?.has(fd) || (mask & mine) === 0) continue;
        ready.add(fd);
        count++;
      }
    }
    return count;
  }
}

function allObjects(values: readonly unknown[]): boolean {
  for (const value of values) if (typeof value !== 'object' || value === null) return false;
  return true;
}

function selected(sets: readonly SelectSet[], nfds: number): number[] {
  const all = new Set<number>();
  for (const { set } of sets) if (set !== null) for (const fd of set) if (fd < nfds) all.add(fd);
  return [...all].sort((a, b) => a - b);
}

function replace(set: Set<number> | null, ready: ReadonlySet<number>): void {
  if (set === null) return;
  set.clear();
  for (const fd of ready) set.add(fd);
}
