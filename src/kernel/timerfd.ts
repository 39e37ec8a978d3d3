// timerfd (fs/timerfd.c): a timer that is readable once it has expired. Driven by the stack's wheel, so a virtual clock moves
// it, too; deadlines are kept in microseconds and fire at the millisecond after.

import { File, type FileOperations, type PollTable } from '../core/file.js';
import type { Host } from '../core/host.js';
import { WaitQueue } from '../core/wait-queue.js';
import { sleepTicks } from '../eventpoll/sleep-ticks.js';
import { Timer } from '../time/timer-wheel.js';
import { EAGAIN, EINVAL, ENOTTY } from '../uapi/errno.js';
import { O_RDWR } from '../uapi/fcntl.js';
import { POLLIN } from '../uapi/poll.js';

/** `it_value` is a moment of the timer's clock, not a span from now. */
export const TFD_TIMER_ABSTIME = 1;
/** Taken, and never comes to anything: nobody sets the clock of a stack. */
export const TFD_TIMER_CANCEL_ON_SET = 2;
/** Unix time (`Clock.epoch`). */
export const CLOCK_REALTIME = 0;
/** The stack's own time (`Clock.now`). */
export const CLOCK_MONOTONIC = 1;
/** The same here. */
export const CLOCK_BOOTTIME = 7;

/** struct timespec: a time span or a moment. */
export interface Timespec {
  /** Seconds. */
  tv_sec: number;
  /** Nanoseconds beside them, 0 to 999,999,999. */
  tv_nsec: number;
}

/** When a timer fires, and how often after that; all zero: disarmed. */
export interface Itimerspec {
  /** When first. */
  it_value: Timespec;
  /** How long between two more; zero: once only. */
  it_interval: Timespec;
}

const SIZE = 8;

/** timespec64_valid */
export function validTimespec(time: Timespec): boolean {
  if (typeof time !== 'object' || time === null) return false;
  return time.tv_sec >= 0 && time.tv_nsec >= 0 && time.tv_nsec < 1_000_000_000;
}

const toUs = (time: Timespec): number => time.tv_sec * 1e6 + Math.ceil(time.tv_nsec / 1000);

function toTimespec(us: number): Timespec {
  const seconds = Math.floor(us / 1e6);
  return { tv_sec: seconds, tv_nsec: (us - seconds * 1e6) * 1000 };
}

/** timerfd_ctx */
export class TimerFd extends Timer {
  readonly wait = new WaitQueue();
  readonly #host: Host;
  /** Added to the stack's time for this timer's clock: Unix time for CLOCK_REALTIME. */
  readonly #origin: number;
  /** Stack time of the next expiration, microseconds; Infinity: disarmed. */
  #deadline = Infinity;
  #interval = 0;
  /** It has expired, and stands still until somebody reads it or asks how it stands: a periodic one, too, is told of once. */
  #expired = false;
  /** Expirations not read yet, of those that were told of. */
  ticks = 0;

  constructor(host: Host, clockid: number) {
    super();
    this.#host = host;
    this.#origin = clockid === CLOCK_REALTIME ? host.clock.epoch : 0;
  }

  setTime(value: Timespec, interval: Timespec, absolute: boolean): void {
    const now = this.#host.clock.now();
    const us = toUs(value);
    this.#host.wheel.cancel(this);
    this.ticks = 0;
    this.#expired = false;
    this.#interval = toUs(interval);
    this.#deadline = us === 0 ? Infinity : absolute ? us - this.#origin : now + us;
    if (us !== 0) this.#arm(now);
  }

  /** Time left until the next expiration, and the interval. */
  getTime(): Itimerspec {
    this.#goOn();
    const left = this.#deadline === Infinity ? 0 : Math.max(this.#deadline - this.#host.clock.now(), 0);
    return { it_value: toTimespec(left), it_interval: toTimespec(this.#interval) };
  }

  /** What read(2) stores: expirations since the last. */
  take(): number {
    this.#goOn();
    const { ticks } = this;
    this.ticks = 0;
    return ticks;
  }

  /** timerfd_tmrproc */
  override expire(): void {
    const now = this.#host.clock.now();
    if (now < this.#deadline) {
      // The wheel comes round sooner than some deadlines.
      this.#arm(now);
      return;
    }
    this.#expired = true;
    this.ticks++;
    this.wait.wake(POLLIN, 1);
  }

  disarm(): void {
    this.#host.wheel.cancel(this);
  }

  /** Counts what it would have told of since it expired (hrtimer_forward_now), and starts it again. */
  #goOn(): void {
    if (!this.#expired) return;
    this.#expired = false;
    if (this.#interval === 0) {
      this.#deadline = Infinity;
      return;
    }
    const now = this.#host.clock.now();
    const more = Math.floor((now - this.#deadline) / this.#interval);
    this.ticks += more;
    this.#deadline += (more + 1) * this.#interval;
    this.#arm(now);
  }

  #arm(now: number): void {
    this.#host.wheel.arm(this, sleepTicks(this.#host, Math.max(this.#deadline - now, 0) / 1000));
  }
}

const timerOf = (file: File): TimerFd => file.private_ as TimerFd;

export const timerfdOperations: FileOperations = {
  kind: 'timerfd',
  poll(file: File, table: PollTable | null): number {
    const timer = timerOf(file);
    if (table !== null) table.queue(file, timer.wait);
    return timer.ticks > 0 ? POLLIN : 0;
  },
  read(file: File, buffer: Uint8Array, count: number): number {
    if (count < SIZE) return -EINVAL;
    const timer = timerOf(file);
    if (timer.ticks === 0) return -EAGAIN;
    const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    view.setBigUint64(0, BigInt(timer.take()), true);
    return SIZE;
  },
  write: () => -EINVAL,
  ioctl: () => -ENOTTY,
  release: (file) => timerOf(file).disarm(),
};

export function createTimerfd(host: Host, clockid: number, flags: number): File {
  return new File(timerfdOperations, new TimerFd(host, clockid), O_RDWR | flags);
}

/** The timer behind a file, or null if it is none. */
export function timerFd(file: File): TimerFd | null {
  return file.ops === timerfdOperations ? timerOf(file) : null;
}
