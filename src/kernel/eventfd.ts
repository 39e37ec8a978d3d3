// eventfd (fs/eventfd.c): a 64-bit counter that is readable while it is not zero. How one part of a program wakes another
// that sleeps in epoll_wait.

import { File, type FileOperations, type PollTable } from '../core/file.js';
import { WaitQueue } from '../core/wait-queue.js';
import { EAGAIN, EINVAL, ENOTTY } from '../uapi/errno.js';
import { O_RDWR } from '../uapi/fcntl.js';
import { POLLERR, POLLIN, POLLOUT } from '../uapi/poll.js';

/** Each read takes one of the count, not all of it. */
export const EFD_SEMAPHORE = 1;

/** ULLONG_MAX, which the counter never reaches by writing. */
const TOP = 0xffff_ffff_ffff_ffffn;
const SIZE = 8;

/** eventfd_ctx */
class EventCounter {
  readonly wait = new WaitQueue();
  readonly semaphore: boolean;
  count: bigint;

  constructor(initial: number, semaphore: boolean) {
    this.count = BigInt(initial >>> 0);
    this.semaphore = semaphore;
  }

  mask(): number {
    let mask = 0;
    if (this.count > 0n) mask |= POLLIN;
    if (this.count === TOP) mask |= POLLERR;
    if (this.count < TOP - 1n) mask |= POLLOUT;
    return mask;
  }

  /** Takes the whole count, or one of it: what read(2) stores. */
  take(): bigint {
    const taken = this.semaphore ? 1n : this.count;
    this.count -= taken;
    this.wait.wake(POLLOUT, 1);
    return taken;
  }

  add(value: bigint): void {
    this.count += value;
    this.wait.wake(POLLIN, 1);
  }
}

const counterOf = (file: File): EventCounter => file.private_ as EventCounter;
const words = (buffer: Uint8Array): DataView =>
  new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);

export const eventfdOperations: FileOperations = {
  kind: 'eventfd',
  poll(file: File, table: PollTable | null): number {
    const counter = counterOf(file);
    if (table !== null) table.queue(file, counter.wait);
    return counter.mask();
  },
  read(file: File, buffer: Uint8Array, count: number): number {
    if (count < SIZE) return -EINVAL;
    const counter = counterOf(file);
    if (counter.count === 0n) return -EAGAIN;
    words(buffer).setBigUint64(0, counter.take(), true);
    return SIZE;
  },
  write(file: File, buffer: Uint8Array, count: number): number {
    if (count !== SIZE) return -EINVAL;
    const value = words(buffer).getBigUint64(0, true);
    if (value === TOP) return -EINVAL;
    const counter = counterOf(file);
    if (TOP - counter.count <= value) return -EAGAIN;
    counter.add(value);
    return SIZE;
  },
  ioctl: () => -ENOTTY,
  release(file: File): void {
    counterOf(file).wait.wake(0, 0);
  },
};

/** `flags`: EFD_SEMAPHORE, O_NONBLOCK. */
export function createEventfd(initial: number, flags: number): File {
  const counter = new EventCounter(initial, (flags & EFD_SEMAPHORE) !== 0);
  return new File(eventfdOperations, counter, O_RDWR | (flags & ~EFD_SEMAPHORE));
}
