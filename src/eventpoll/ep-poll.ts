// epoll_wait (ep_poll): harvest, or sleep until something is queued. A sleeper is taken out of the queue by the wake-up but
// harvests when it runs, a microtask later; in that gap others may queue more, or take the event away, as on a real machine.

import { traceSchedule, traceTryToWakeUp, wakeNesting } from '../core/trace.js';
import { type Sleeper, WaitQueueEntry, WQ_FLAG_EXCLUSIVE } from '../core/wait-queue.js';
import { Timer } from '../time/timer-wheel.js';
import { EINTR } from '../uapi/errno.js';
import type { Interruptible } from './asleep.js';
import { epSendEvents } from './ep-send-events.js';
import type { EpollEvent } from './epitem.js';
import type { EventPoll, EventPollShared } from './eventpoll.js';
import { sleepTicks } from './sleep-ticks.js';

/** Settled promises for the results of calls that need not sleep, so that a busy program's waits allocate nothing. */
const SETTLED: readonly Promise<number>[] = Array.from({ length: 257 }, (_, n) => Promise.resolve(n));

function settled(result: number): Promise<number> {
  return result >= 0 && result < SETTLED.length ? SETTLED[result] : Promise.resolve(result);
}

/**
 * So many calls may return without sleep before one lets the event loop turn. A program that leaves readiness unread spins, as on
 * Linux; there the kernel goes on beside it, but here the device, timers and signals wait for the same thread.
 */
const SLEEPLESS = 256;

function atOnce(shared: EventPollShared, result: number): Promise<number> {
  const { clock } = shared.host;
  if (++shared.sleepless < SLEEPLESS || clock.afterTurn === undefined) return settled(result);
  shared.sleepless = 0;
  return new Promise((resolve) => clock.afterTurn?.(() => resolve(result)));
}

/**
 * A promise of the number of events, or of -EFAULT or -EINTR.
 * @param timeoutMs 0: do not sleep; negative: for ever.
 */
export function epPoll(
  ep: EventPoll,
  events: readonly EpollEvent[],
  maxevents: number,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<number> {
  while (!ep.rdllist.empty) {
    const count = epSendEvents(ep, events, maxevents);
    if (count !== 0) return atOnce(ep.shared, count);
  }
  if (timeoutMs === 0) return atOnce(ep.shared, 0);
  if (signal?.aborted) return settled(-EINTR);
  ep.shared.sleepless = 0;
  const sleeper = ep.shared.sleepers.pop() ?? newSleeper(ep.shared);
  return sleeper.sleep(ep, events, maxevents, timeoutMs, signal);
}

function newSleeper(shared: EventPollShared): EpSleeper {
  return shared.newSleeper?.(shared) ?? new EpSleeper(shared);
}

function wakeSleeper(entry: WaitQueueEntry): boolean {
  entry.whead?.remove(entry);
  return (entry.private_ as EpSleeper).wake();
}

const NO_EVENTS: readonly EpollEvent[] = [];
/** `RUN.then(…)` is a bare microtask; queueMicrotask takes three times as long, because it keeps an async context as well. */
const RUN = Promise.resolve();

/** A caller of epoll_wait asleep. Used again and again: one exists for each call that was ever asleep at the same time. */
export class EpSleeper extends Timer implements Sleeper, Interruptible {
  readonly #shared: EventPollShared;
  readonly #entry = new WaitQueueEntry(wakeSleeper, this, WQ_FLAG_EXCLUSIVE);
  readonly #executor = (resolve: (count: number) => void): void => {
    this.#resolve = resolve;
  };
  /** The microtask of one who was woken. */
  protected readonly run: () => void = () => this.awake();
  readonly #onAbort = (): void => this.interrupt();
  asleepPrev: Interruptible | null = null;
  asleepNext: Interruptible | null = null;
  #ep: EventPoll | null = null;
  #events: readonly EpollEvent[] = NO_EVENTS;
  #maxevents = 0;
  #signal: AbortSignal | undefined = undefined;
  #resolve: (count: number) => void = ignore;
  /** A run is coming: woken, timed out after that or not. */
  #runnable = false;
  #timedOut = false;
  #interrupted = false;

  constructor(shared: EventPollShared) {
    super();
    this.#shared = shared;
  }

  sleep(
    ep: EventPoll,
    events: readonly EpollEvent[],
    maxevents: number,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const { host } = this.#shared;
    if (traceSchedule.on) traceSchedule.emit(host, { call: 'epoll_wait', timeoutMs });
    this.#ep = ep;
    this.#events = events;
    this.#maxevents = maxevents;
    this.#timedOut = false;
    this.#interrupted = false;
    this.#signal = signal;
    signal?.addEventListener('abort', this.#onAbort);
    // A task asleep holds its file: closing the descriptor neither wakes it nor ends the eventpoll.
    ep.file.get();
    host.clock.hold();
    this.#shared.asleep.add(this);
    if (timeoutMs > 0) host.wheel.arm(this, sleepTicks(host, timeoutMs));
    ep.wq.add(this.#entry);
    return new Promise(this.#executor);
  }

  /** try_to_wake_up */
  wake(): boolean {
    if (this.#runnable) return false;
    if (traceTryToWakeUp.on) {
      traceTryToWakeUp.emit(this.#shared.host, { call: 'epoll_wait', nested: wakeNesting.depth });
    }
    this.#runnable = true;
    void RUN.then(this.run);
    return true;
  }

  interrupt(): void {
    this.#interrupted = true;
    this.wake();
  }

  override expire(): void {
    this.#timedOut = true;
    // Nothing to harvest for one whom nobody woke: what is queued would have woken him.
    if (!this.#runnable) this.#finish(0);
  }

  /** Runs again: harvests. */
  awake(): void {
    const ep = this.#ep as EventPoll;
    this.#runnable = false;
    this.#unqueue();
    const result = this.#harvest(ep);
    // Somebody else was quicker: back to sleep, at the head, until the same deadline.
    if (result === 0 && !this.#timedOut) ep.wq.add(this.#entry);
    else this.#finish(result);
  }

  #harvest(ep: EventPoll): number {
    do {
      const count = epSendEvents(ep, this.#events, this.#maxevents);
      if (count !== 0) return count;
    } while (!ep.rdllist.empty);
    return this.#interrupted && !this.#timedOut ? -EINTR : 0;
  }

  #unqueue(): void {
    this.#entry.whead?.remove(this.#entry);
  }

  #finish(result: number): void {
    const ep = this.#ep as EventPoll;
    this.#unqueue();
    this.#shared.host.wheel.cancel(this);
    this.#shared.host.clock.release();
    this.#shared.asleep.remove(this);
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#signal = undefined;
    this.#events = NO_EVENTS;
    this.#ep = null;
    const resolve = this.#resolve;
    this.#resolve = ignore;
    this.#shared.sleepers.push(this);
    ep.file.put();
    resolve(result);
  }
}

function ignore(): void {}
