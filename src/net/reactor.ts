// The event loop's side of one stack: an eventpoll that watches all of its handles, as libuv has one for the kernel. Handles
// hear of events, of what they were put off for, and of their end, each in a turn of the event loop, never inside a call.

import type { Host } from '../core/host.js';
import { WaitQueueEntry } from '../core/wait-queue.js';
import { epollEvents } from '../eventpoll/ep-send-events.js';
import type { EpollEvent } from '../eventpoll/epitem.js';
import type { EventPoll } from '../eventpoll/eventpoll.js';
import type { Process } from '../kernel/process.js';
import type { Syscalls } from '../kernel/syscalls.js';
import type { IpAddress } from '../packet/address.js';
import type { Stack } from '../stack.js';
import type { Clock } from '../time/clock.js';
import { ECANCELED, ECONNABORTED, ENETDOWN } from '../uapi/errno.js';
import { type OpenHandle, OpenHandles } from './open-handles.js';
import { soon, type Turn, turn } from './turn.js';
import { canUnscope, type Turns, type Unscoped, unscope } from './unscoped.js';

/** What a reactor drives. */
export interface Driven extends OpenHandle {
  /** EPOLL* bits that have come true. True: it wants to be called once more for the same. */
  onEvent(events: number): boolean;
  /** The turn after `feed`. */
  onFed(): void;
  /** The turn after `closed`. */
  onClosed(): void;
  /** The stack was closed. */
  onStackClosed(): void;
  /** A device is gone. */
  onLinkDown(left: Reachable): void;
}

/** Whether anybody but this process itself could still come to a listener at this address. */
export type Reachable = (listening: IpAddress) => boolean;

/** Events taken at once, as libuv takes them. */
const BATCH = 1024;
/** So often is everything looked at again at the end of one batch, before frames are. */
const ROUNDS = 32;
/** RLIMIT_NOFILE: the program has descriptors of its own elsewhere; here memory is the limit. */
const NOFILE = 1 << 20;

const STACK_CLOSED = 'its stack was closed by stack.close(); make another, and a net on that';

type Tick = () => void;
/** Runs what nextTick and promises have waiting, as Node does between two callbacks of libuv's. */
const runNextTicks: Tick =
  (process as unknown as { _tickCallback?: Tick })._tickCallback ?? ((): void => undefined);

export class Reactor implements Turns {
  readonly sys: Syscalls;
  readonly process: Process;
  readonly #clock: Clock;
  readonly #host: Host;
  /** Something became ready since the last harvest. */
  #woken = false;
  #running = false;
  /** A batch is not over: what comes to be done is done then (`endUnscoped`). */
  #unscoped = false;
  readonly #epfd: number;
  readonly #events = epollEvents(BATCH);
  #poll: Turn;
  #closing: Turn;
  /** Several callbacks fit in a turn. In a virtual time each has a moment of its own, after which all programs come to rest. */
  readonly #several: boolean;
  #count = 0;
  #next = 0;
  #fed: Driven[] = [];
  #closed: Driven[] = [];
  #holders = 0;
  /** The stack was closed: nothing will happen any more for which the process should live. */
  #over = false;
  /** What may end without having asked. */
  readonly #open = new OpenHandles<Driven>();
  #why = '';
  readonly #event: EpollEvent = { events: 0, data: null };

  constructor(stack: Stack) {
    this.process = stack.createProcess({ nofile: NOFILE });
    this.sys = this.process.sys;
    this.#clock = stack.host.clock;
    this.#epfd = this.sys.epoll_create1(0);
    this.#poll = turn(this.#clock, () => this.#runPoll());
    this.#closing = turn(this.#clock, () => this.#runClosing());
    this.#host = stack.host;
    this.#several = this.#clock.real === true;
    if (stack.kernel.closed) {
      this.#end();
      return;
    }
    const ep = this.process.files.get(this.#epfd)?.private_ as EventPoll;
    ep.wq.add(new WaitQueueEntry(wakeReactor, this));
    stack.host.onBatchDone(() => this.#runBatch());
    stack.kernel.onClosed(() => this.#end());
    const { ip } = stack;
    const { onLinkDown } = ip;
    ip.onLinkDown = (device, error) => {
      this.#why = `${error.message}; make another, and a stack on it`;
      const { devices } = ip.routes;
      const left: Reachable = ({ isAny, a }) =>
        devices.some(({ up, loopback, mask, network }) => up && (isAny ? !loopback : (a & mask) === network));
      for (const handle of this.#open.all()) handle.onLinkDown(left);
      onLinkDown(device, error);
    };
  }

  /** The stack was closed: so is all that is open on it. */
  #end(): void {
    if (this.#holders > 0) this.#clock.release();
    this.#over = true;
    this.#why = STACK_CLOSED;
    // Nobody may move a virtual time any more.
    this.#poll = soon(() => this.#runPoll());
    this.#closing = soon(() => this.#runClosing());
    if (this.#more) this.#poll.arm();
    if (this.#closed.length > 0) this.#closing.arm();
    for (const handle of this.#open.all()) {
      try {
        handle.onStackClosed();
      } catch (error) {
        // A program's, and none of the others' business.
        process.nextTick(() => {
          throw error;
        });
      }
    }
  }

  opened(handle: Driven): void {
    this.#open.add(handle);
  }

  /** What a request is answered with when its handle was closed. */
  get canceled(): number {
    return this.#over ? -ECONNABORTED : -ECANCELED;
  }

  /** Why something ended with this -errno, where that has a reason that no kernel knows. */
  why(status: number): string | undefined {
    const ours = status === -ECONNABORTED || status === -ENETDOWN;
    return ours && this.#why !== '' ? `- ${this.#why}` : undefined;
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
    if (!this.#running && !this.#unscoped) this.#poll.arm();
  }

  /** `handle.onClosed()` in the phase for that (uv_close). */
  closed(handle: Driven): void {
    this.#open.delete(handle);
    this.#closed.push(handle);
    if (!this.#running && !this.#unscoped) this.#closing.arm();
  }

  /** Whether there is `unscope`: not in a virtual time, nor without the addon. */
  get unscopes(): boolean {
    return this.#several && canUnscope();
  }

  /** `handle.onUnscoped()` soon, outside every callback. */
  unscope(handle: Unscoped): void {
    unscope(handle, this);
  }

  beginUnscoped(): void {
    this.#unscoped = true;
  }

  endUnscoped(): void {
    this.#unscoped = false;
    this.#runBatch();
  }

  /** Something is ready: a turn is coming, at the end of the batch or by the event loop. */
  wake(): void {
    this.#woken = true;
    if (!this.#running && !this.#unscoped && !this.#host.inBatch) this.#poll.arm();
  }

  /** One more reason for the process to live. */
  hold(): void {
    if (this.#holders++ === 0 && !this.#over) this.#clock.hold();
  }

  release(): void {
    if (--this.#holders === 0 && !this.#over) this.#clock.release();
  }

  /** A turn of the loop: all that is there, with what programs put off to the next tick between any two. */
  #runPoll(): void {
    this.#running = true;
    try {
      this.#runFed();
      while (this.#step() && this.#several) runNextTicks();
    } finally {
      // Something a program throws ends the turn; what it has not come to is the next one's.
      this.#running = false;
      if (this.#more) this.#poll.arm();
      if (this.#closed.length > 0) this.#closing.arm();
    }
  }

  /** The end of a batch: what it woke, and what that brought about, before the answers are sent. */
  #runBatch(): void {
    if (!this.#more && this.#closed.length === 0) return;
    this.#running = true;
    try {
      for (let round = 0; round < ROUNDS && (this.#more || this.#closed.length > 0); round++) {
        while (this.#step()) runNextTicks();
        runNextTicks();
        this.#runFed();
        this.#runClosing();
      }
    } finally {
      this.#running = false;
      if (this.#more) this.#poll.arm();
      if (this.#closed.length > 0) this.#closing.arm();
    }
  }

  get #more(): boolean {
    return this.#woken || this.#next < this.#count || this.#fed.length > 0;
  }

  /** Harvests if there is nothing left, and calls one handle back. True: there is another. */
  #step(): boolean {
    if (this.#next === this.#count) {
      if (!this.#woken) return false;
      this.#woken = false;
      this.#next = 0;
      this.#count = Math.max(0, this.process.harvest(this.#epfd, this.#events, BATCH));
      if (this.#count === 0) return false;
    }
    const { events, data } = this.#events[this.#next];
    // Where a program throws, what its handle has still to tell is not forgotten: it is called again.
    if (!(data as Driven).onEvent(events)) this.#next++;
    return this.#next < this.#count;
  }

  #runFed(): void {
    const fed = this.#fed;
    if (fed.length === 0) return;
    this.#fed = [];
    let at = 0;
    try {
      while (at < fed.length) {
        fed[at].onFed();
        at++;
        if (!this.#several) break;
        runNextTicks();
      }
    } finally {
      if (at < fed.length) this.#fed = fed.slice(at).concat(this.#fed);
    }
  }

  #runClosing(): void {
    const closed = this.#closed;
    if (closed.length === 0) return;
    this.#closed = [];
    let at = 0;
    try {
      while (at < closed.length) {
        closed[at].onClosed();
        at++;
        if (!this.#several) break;
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

/** The entry stays in the queue. */
function wakeReactor(entry: WaitQueueEntry): boolean {
  (entry.private_ as Reactor).wake();
  return true;
}
