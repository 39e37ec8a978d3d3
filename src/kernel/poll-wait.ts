// How poll and select sleep (poll_wqueues): one task hung into the wait queues of many files, woken by keys it asked for.

import type { File, PollTable } from '../core/file.js';
import { type WaitQueue, WaitQueueEntry } from '../core/wait-queue.js';
import { EINTR } from '../uapi/errno.js';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../uapi/poll.js';
import type { Kernel } from './kernel.js';
import { Sleep } from './sleep.js';

/** What a file that cannot be polled is taken for: always ready. */
const DEFAULT_POLLMASK = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;

/** poll_table_entry */
class PollEntry extends WaitQueueEntry {
  readonly file: File;
  readonly key: number;

  constructor(sleep: Sleep, file: File, key: number) {
    super(pollWake, sleep);
    this.file = file;
    this.key = key;
  }
}

/** pollwake: a key that names nothing of interest wakes nobody. */
function pollWake(entry: WaitQueueEntry, key: number): boolean {
  if (key !== 0 && (key & (entry as PollEntry).key) === 0) return false;
  return (entry.private_ as Sleep).wake();
}

export class PollWait implements PollTable {
  readonly #sleep: Sleep;
  readonly #entries: PollEntry[] = [];
  #key = 0;

  constructor(sleep: Sleep) {
    this.#sleep = sleep;
  }

  /** __pollwait: the file cannot go while somebody sleeps on it. */
  queue(file: File, wait: WaitQueue): void {
    const entry = new PollEntry(this.#sleep, file.get(), this.#key);
    this.#entries.push(entry);
    wait.add(entry);
  }

  /** vfs_poll of a file for `events`; hangs the task into its queues. */
  poll(file: File, events: number): number {
    this.#key = events | POLLERR | POLLHUP;
    return maskOf(file, this);
  }

  /** poll_freewait */
  free(): void {
    for (const entry of this.#entries) {
      entry.whead?.remove(entry);
      entry.file.put();
    }
    this.#entries.length = 0;
  }
}

/** vfs_poll */
export function maskOf(file: File, table: PollTable | null): number {
  return file.ops.poll === null ? DEFAULT_POLLMASK : file.ops.poll(file, table);
}

/** Looks at a set of files: how many are ready, or -errno. `wait` not null: hang into the queues of those that are not. */
export type PollScan = (wait: PollWait | null) => number;

/** do_poll: looks until something is ready, time is up (0) or a signal comes (-EINTR). `timeoutMs` negative: for ever. */
export async function pollUntil(
  kernel: Kernel,
  scan: PollScan,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  if (timeoutMs === 0) return scan(null);
  const sleep = new Sleep(kernel, timeoutMs < 0 ? Infinity : timeoutMs, signal);
  const wait = new PollWait(sleep);
  let ready = scan(wait);
  while (ready === 0) {
    if (sleep.interrupted) ready = -EINTR;
    if (sleep.over) break;
    await sleep.wait();
    sleep.rearm();
    ready = scan(null);
  }
  wait.free();
  sleep.finish();
  return ready;
}
