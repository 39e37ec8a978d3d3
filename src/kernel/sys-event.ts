// Syscalls that make the files which epoll programs use beside sockets: pipes, eventfds and timerfds.

import { EBADF, EFAULT, EINVAL, EMFILE } from '../uapi/errno.js';
import { O_CLOEXEC, O_NONBLOCK } from '../uapi/fcntl.js';
import { createEventfd, EFD_SEMAPHORE } from './eventfd.js';
import { createPipe } from './pipe.js';
import type { Process } from './process.js';
import {
  CLOCK_BOOTTIME,
  CLOCK_MONOTONIC,
  CLOCK_REALTIME,
  createTimerfd,
  type Itimerspec,
  TFD_TIMER_ABSTIME,
  TFD_TIMER_CANCEL_ON_SET,
  type TimerFd,
  timerFd,
  validTimespec,
} from './timerfd.js';

const FILE_FLAGS = O_CLOEXEC | O_NONBLOCK;

export class EventCalls {
  readonly #process: Process;

  constructor(process: Process) {
    this.#process = process;
  }

  /** A pipe: `fds[0]` is its read end, `fds[1]` its write end. 0 or -EMFILE. */
  readonly pipe = (fds: number[]): number => this.pipe2(fds, 0);

  /** pipe with O_NONBLOCK, O_CLOEXEC. */
  readonly pipe2 = (fds: number[], flags: number): number => {
    if ((flags & ~FILE_FLAGS) !== 0) return -EINVAL;
    if (!Array.isArray(fds)) return -EFAULT;
    const { files } = this.#process;
    const closeOnExec = (flags & O_CLOEXEC) !== 0;
    if (files.fileError !== 0) return files.fileError;
    const readFd = files.reserve(closeOnExec);
    if (readFd < 0) return -EMFILE;
    const writeFd = files.reserve(closeOnExec);
    if (writeFd < 0) {
      files.unreserve(readFd);
      return -EMFILE;
    }
    const [readEnd, writeEnd] = createPipe(flags & O_NONBLOCK);
    files.install(readFd, readEnd);
    files.install(writeFd, writeEnd);
    fds[0] = readFd;
    fds[1] = writeFd;
    return 0;
  };

  /** A counter to wake epoll users with. `flags`: EFD_SEMAPHORE, EFD_NONBLOCK, EFD_CLOEXEC. A descriptor or -errno. */
  readonly eventfd = (initial: number, flags = 0): number => {
    if ((flags & ~(FILE_FLAGS | EFD_SEMAPHORE)) !== 0) return -EINVAL;
    const { files } = this.#process;
    const fd = files.reserveNew((flags & O_CLOEXEC) !== 0);
    if (fd >= 0) files.install(fd, createEventfd(initial, flags & ~O_CLOEXEC));
    return fd;
  };

  /** A timer to be polled. `clockid`: CLOCK_MONOTONIC, CLOCK_REALTIME or CLOCK_BOOTTIME. A descriptor or -errno. */
  readonly timerfd_create = (clockid: number, flags = 0): number => {
    const known = clockid === CLOCK_REALTIME || clockid === CLOCK_MONOTONIC || clockid === CLOCK_BOOTTIME;
    if ((flags & ~FILE_FLAGS) !== 0 || !known) return -EINVAL;
    const { files, kernel } = this.#process;
    const fd = files.reserveNew((flags & O_CLOEXEC) !== 0);
    if (fd >= 0) files.install(fd, createTimerfd(kernel.host, clockid, flags & O_NONBLOCK));
    return fd;
  };

  /** Arms (or, with a zero `it_value`, disarms) a timer; what was set goes to `old`. `flags`: TFD_TIMER_ABSTIME. */
  readonly timerfd_settime = (
    fd: number,
    flags: number,
    value: Itimerspec,
    old: Itimerspec | null = null,
  ): number => {
    this.#process.kernel.host.refresh();
    if ((flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) !== 0) return -EINVAL;
    if (typeof value !== 'object' || value === null) return -EFAULT;
    if (!validTimespec(value.it_value) || !validTimespec(value.it_interval)) return -EINVAL;
    const timer = this.#timer(fd);
    if (typeof timer === 'number') return timer;
    if (old !== null) Object.assign(old, timer.getTime());
    timer.setTime(value.it_value, value.it_interval, (flags & TFD_TIMER_ABSTIME) !== 0);
    return 0;
  };

  /** Time left until the next expiration, and the interval, into `current`. */
  readonly timerfd_gettime = (fd: number, current: Itimerspec): number => {
    this.#process.kernel.host.refresh();
    const timer = this.#timer(fd);
    if (typeof timer === 'number') return timer;
    if (typeof current !== 'object' || current === null) return -EFAULT;
    Object.assign(current, timer.getTime());
    return 0;
  };

  #timer(fd: number): TimerFd | number {
    const file = this.#process.files.get(fd);
    if (file === null) return -EBADF;
    return timerFd(file) ?? -EINVAL;
  }
}
