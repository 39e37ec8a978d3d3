// An event loop on one eventpoll of the stack, for programs with several kinds of descriptors and a few timers: what is watched
// is told when it is ready. Level-triggered throughout.

import {
  EINTR,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  epollEvents,
  type Stack,
  type Syscalls,
} from '../index.js';
import { check } from './refusal.js';

const EVENTS = 256;

/** Something with a descriptor. `fd` is negative once it is closed: events of the same harvest are not for it any more. */
export interface Watched {
  readonly fd: number;
  ready(events: number): void;
}

export interface Alarm {
  readonly at: number;
  readonly ring: () => void;
}

export class ReadyLoop {
  readonly sys: Syscalls;
  readonly #epfd: number;
  readonly #alarms = new Set<Alarm>();
  #stopped = false;

  constructor(stack: Stack) {
    this.sys = stack.sys;
    this.#epfd = check('epoll_create1', this.sys.epoll_create1(0));
  }

  watch(watched: Watched, events: number): void {
    this.#ctl(EPOLL_CTL_ADD, watched, events);
  }

  change(watched: Watched, events: number): void {
    this.#ctl(EPOLL_CTL_MOD, watched, events);
  }

  forget(watched: Watched): void {
    this.#ctl(EPOLL_CTL_DEL, watched, 0);
  }

  /** Calls `ring` once, at a time of `performance.now()`. */
  at(at: number, ring: () => void): Alarm {
    const alarm = { at, ring };
    this.#alarms.add(alarm);
    return alarm;
  }

  cancel(alarm: Alarm | null): void {
    if (alarm !== null) this.#alarms.delete(alarm);
  }

  /** Runs until `stop`, or until the stack is closed. */
  async run(): Promise<void> {
    const events = epollEvents(EVENTS);
    while (!this.#stopped) {
      const result = await this.sys.epoll_wait(this.#epfd, events, EVENTS, this.#patience());
      if (result === -EINTR) return;
      const count = check('epoll_wait', result);
      for (let i = 0; i < count; i++) {
        const watched = events[i].data as Watched;
        if (watched.fd >= 0) watched.ready(events[i].events);
      }
      this.#ringAlarms();
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  #patience(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const { at } of this.#alarms) first = Math.min(first, at);
    return first === Number.POSITIVE_INFINITY ? -1 : Math.max(0, Math.ceil(first - performance.now()));
  }

  #ringAlarms(): void {
    if (this.#alarms.size === 0) return;
    const now = performance.now();
    for (const alarm of this.#alarms) {
      if (alarm.at > now) continue;
      this.#alarms.delete(alarm);
      alarm.ring();
    }
  }

  #ctl(op: number, watched: Watched, events: number): void {
    check('epoll_ctl', this.sys.epoll_ctl(this.#epfd, op, watched.fd, { events, data: watched }));
  }
}
