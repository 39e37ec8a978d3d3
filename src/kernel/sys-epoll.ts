// The epoll syscalls: finding the files, and the order in which bad arguments are noticed. What they do is in eventpoll/.

import { epollCtl } from '../eventpoll/ep-ctl.js';
import { epPoll } from '../eventpoll/ep-poll.js';
import type { EpollEvent } from '../eventpoll/epitem.js';
import { EventPoll, isEventPoll } from '../eventpoll/eventpoll.js';
import { EBADF, EFAULT, EINVAL } from '../uapi/errno.js';
import { EPOLL_CLOEXEC, EPOLL_CTL_DEL } from '../uapi/poll.js';
import type { Process } from './process.js';
import type { SleepOptions } from './sleep.js';
import { type Timespec, validTimespec } from './timerfd.js';

/** INT_MAX / sizeof(struct epoll_event) */
const EP_MAX_EVENTS = 178_956_970;

export class EpollCalls {
  readonly #process: Process;

  constructor(process: Process) {
    this.#process = process;
  }

  /** epoll_create1 without flags; `size` says nothing but must be above 0 (-EINVAL). */
  readonly epoll_create = (size: number): number => (size <= 0 ? -EINVAL : this.epoll_create1(0));

  /** A new eventpoll. `flags`: EPOLL_CLOEXEC or 0. A descriptor, -EINVAL or -EMFILE. */
  readonly epoll_create1 = (flags: number): number => {
    if ((flags & ~EPOLL_CLOEXEC) !== 0) return -EINVAL;
    const { files, kernel, uid } = this.#process;
    const fd = files.reserveNew((flags & EPOLL_CLOEXEC) !== 0);
    if (fd < 0) return fd;
    files.install(fd, new EventPoll(kernel.eventpolls, kernel.user(uid)).file);
    return fd;
  };

  /**
   * Adds (EPOLL_CTL_ADD), changes (MOD) or removes (DEL, which needs no event) the registration of `fd`. 0, -EFAULT, -EBADF,
   * -EPERM (cannot be polled), -EINVAL, -ELOOP, -EEXIST, -ENOENT or -ENOSPC, noticed in this order.
   */
  readonly epoll_ctl = (epfd: number, op: number, fd: number, event: EpollEvent | null): number => {
    this.#process.kernel.host.refresh();
    if (op !== EPOLL_CTL_DEL && (typeof event !== 'object' || event === null)) return -EFAULT;
    const { files } = this.#process;
    const file = files.get(epfd);
    if (file === null) return -EBADF;
    const target = files.get(fd);
    if (target === null) return -EBADF;
    return epollCtl(file, op, fd, target, event);
  };

  /**
   * Waits until at least one event is there and fills `events` (see `epollEvents`) with at most `maxevents`. Resolves to how
   * many, 0 after `timeout` milliseconds (negative: never), or -errno. Never rejects.
   */
  readonly epoll_wait = (
    epfd: number,
    events: readonly EpollEvent[],
    maxevents: number,
    timeout: number,
  ): Promise<number> => this.#wait(epfd, events, maxevents, timeout, undefined);

  /** epoll_wait that `options.signal` interrupts (-EINTR): what the signal mask is for. */
  readonly epoll_pwait = (
    epfd: number,
    events: readonly EpollEvent[],
    maxevents: number,
    timeout: number,
    options?: SleepOptions,
  ): Promise<number> => this.#wait(epfd, events, maxevents, timeout, options?.signal);

  /** epoll_pwait with a timespec; null: for ever. */
  readonly epoll_pwait2 = (
    epfd: number,
    events: readonly EpollEvent[],
    maxevents: number,
    timeout: Timespec | null = null,
    options?: SleepOptions,
  ): Promise<number> => {
    if (timeout !== null && !validTimespec(timeout)) return Promise.resolve(-EINVAL);
    const ms = timeout === null ? -1 : timeout.tv_sec * 1000 + timeout.tv_nsec / 1e6;
    return this.#wait(epfd, events, maxevents, ms, options?.signal);
  };

  #wait(
    epfd: number,
    events: readonly EpollEvent[],
    maxevents: number,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    this.#process.kernel.host.refresh();
    const file = this.#process.files.get(epfd);
    if (file === null) return Promise.resolve(-EBADF);
    if (!(maxevents > 0 && maxevents <= EP_MAX_EVENTS)) return Promise.resolve(-EINVAL);
    if (!Array.isArray(events)) return Promise.resolve(-EFAULT);
    if (!isEventPoll(file)) return Promise.resolve(-EINVAL);
    return epPoll(file.private_ as EventPoll, events, maxevents, timeoutMs, signal);
  }
}
