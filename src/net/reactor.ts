// The event loop's side of one stack: an eventpoll that watches all of its handles, as libuv has one for the kernel. Handles
// hear of events, of what they were put off for, and of their end, each in a turn of the event loop, never inside a call.

import { WaitQueueEntry } from '../core/wait-queue.js';
import { epollEvents, epSendEvents } from '../eventpoll/ep-send-events.js';
import type { EpollEvent } from '../eventpoll/epitem.js';
import type { EventPoll } from '../eventpoll/eventpoll.js';
import type { Process } from '../kernel/process.js';
import type { Syscalls } from '../kernel/syscalls.js';
import type { Stack } from '../stack.js';
import type { Clock } from '../time/clock.js';
import { Turn } from './turn.js';

/** What a reactor drives. */
export interface Driven {
  /** EPOLL* bits that have come true. */
  onEvent(events: number): void;
  /** The turn after `feed`. */
  onFed(): void;
  /** The turn after `closed`. */
  onClosed(): void;
}

/** Events taken at once, as libuv takes them. */
const BATCH = 1024;
/** RLIMIT_NOFILE: the program has descriptors of its own elsewhere; here memory is the limit. */
const NOFILE = 1 << 20;

type Tick = () => void;
/** Runs what nextTick and promises have waiting, as Node does between two callbacks of libuv's. */
const runNextTicks: Tick =
  (process as unknown as { _tickCallback?: Tick })._tickCallback ?? ((): void => undefined);

export class Reactor {
  readonly sys: Syscalls;
  readonly process: Process;
  readonly #clock: Clock;
  readonly #ep: EventPoll;
  readonly #epfd: number;
  readonly #events = epollEvents(BATCH);
  readonly #poll: Turn;
  readonly #closing: Turn;
  #count = 0;
  #next = 0;
  #fed: Driven[] = [];
  #closed: Driven[] = [];
  #holders = 0;
  readonly #event: EpollEvent = { events: 0, data: null };

  constructor(stack: Stack) {
    this.process = stack.createProcess({ nofile: NOFILE });
    this.sys = this.process.sys;
    this.#clock = stack.host.clock;
    this.#epfd = this.sys.epoll_create1(0);
    this.#ep = this.process.files.get(this.#epfd)?.private_ as EventPoll;
    this.#poll = new Turn(this.#clock, () => this.#runPoll());
    this.#closing = new Turn(this.#clock, () => this.#runClosing());
    this.#ep.wq.add(new WaitQueueEntry(wakeReactor, this.#poll));
  }

  /** EPOLL_CTL_ADD or _MOD. 0 or -errno. */
  control(op: number, fd: number, events: number, handle: Driven): number {
    this.#event.events = events;
    this.#event.data = handle;
    return this.sys.epoll_ctl(this.#epfd, op, fd, this.#event);
  }

  /** `handle.onFed()` in the next turn (uv__io_feed). */
  feed(handle: Driven): void {
    this.#fed.push(handle);
    this.#poll.arm();
  }

  /** `handle.onClosed()` in the phase for that (uv_close). */
  closed(handle: Driven): void {
    this.#closed.push(handle);
    this.#closing.arm();
  }

  /** One more reason for the process to live. */
  hold(): void {
    if (this.#holders++ === 0) this.#clock.hold();
  }

  release(): void {
    if (--this.#holders === 0) this.#clock.release();
  }

  /** Between two callbacks of one turn. */
  readonly tick: Tick = runNextTicks;

  #runPoll(): void {
    // Something a program throws ends the turn; what it has not come to is the next one's.
    try {
      if (this.#next === this.#count) {
        this.#runFed();
        this.#next = 0;
        this.#count = Math.max(0, epSendEvents(this.#ep, this.#events, BATCH));
      }
      while (this.#next < this.#count) {
        const { events, data } = this.#events[this.#next++];
        (data as Driven).onEvent(events);
        runNextTicks();
      }
    } finally {
      if (this.#next < this.#count || this.#fed.length > 0) this.#poll.arm();
    }
  }

  #runFed(): void {
    const fed = this.#fed;
    if (fed.length === 0) return;
    this.#fed = [];
    let at = 0;
    try {
      while (at < fed.length) {
        fed[at++].onFed();
        runNextTicks();
      }
    } finally {
      if (at < fed.length) this.#fed = fed.slice(at).concat(this.#fed);
    }
  }

  #runClosing(): void {
    const closed = this.#closed;
    this.#closed = [];
    let at = 0;
    try {
      while (at < closed.length) {
        closed[at++].onClosed();
        runNextTicks();
      }
    } finally {
      if (at < closed.length) {
        this.#closed = closed.slice(at).concat(this.#closed);
        this.#closing.arm();
      }
    }
  }
}

/** Something is ready: a turn is coming. The entry stays in the queue. */
function wakeReactor(entry: WaitQueueEntry): boolean {
  (entry.private_ as Turn).arm();
  return true;
}
