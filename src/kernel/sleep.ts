// A task asleep in a call (TASK_INTERRUPTIBLE): what a wake-up, a time-out or a signal ends. It hangs in one wait queue by one
// entry; the call that owns it looks at its condition again each time it wakes.

import type { Host } from '../core/host.js';
import { traceTryToWakeUp, wakeNesting } from '../core/trace.js';
import {
  autoremoveWakeFunction,
  type Sleeper,
  type WaitQueue,
  WaitQueueEntry,
  type WaitQueueFunc,
} from '../core/wait-queue.js';
import type { AsleepList, Interruptible } from '../eventpoll/asleep.js';
import { sleepTicks } from '../eventpoll/sleep-ticks.js';
import { Timer } from '../time/timer-wheel.js';
import type { Kernel } from './kernel.js';

/** What a call that may sleep takes besides its arguments: a signal whose abort interrupts it (-EINTR). */
export interface SleepOptions {
  /** Interrupts the call, which answers -EINTR. */
  signal?: AbortSignal;
}

/** Sleeps until it is woken (MAX_SCHEDULE_TIMEOUT). */
export const FOREVER = Infinity;

const AWAKE: Promise<void> = Promise.resolve();

export class Sleep extends Timer implements Sleeper, Interruptible {
  readonly entry: WaitQueueEntry;
  timedOut = false;
  interrupted = false;
  asleepPrev: Interruptible | null = null;
  asleepNext: Interruptible | null = null;
  readonly #kernel: Kernel;
  readonly #host: Host;
  readonly #asleep: AsleepList;
  readonly #timeoutMs: number;
  readonly #signal: AbortSignal | undefined;
  #started = false;
  #woken = false;
  #resolve: (() => void) | null = null;

  /** @param func How a wake-up treats the entry: taken out of the queue by it, or left there (woken_wake_function). */
  constructor(
    kernel: Kernel,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    func: WaitQueueFunc = autoremoveWakeFunction,
  ) {
    super();
    this.#kernel = kernel;
    this.#host = kernel.host;
    this.#asleep = kernel.eventpolls.asleep;
    this.#timeoutMs = timeoutMs;
    this.#signal = signal;
    this.entry = new WaitQueueEntry(func, this);
  }

  /** prepare_to_wait: from here on a wake-up counts, even if it comes before the call is asleep. */
  prepare(queue: WaitQueue): void {
    this.#woken = false;
    if (this.entry.whead === null) queue.add(this.entry);
  }

  /** prepare_to_wait_exclusive: one of those at the end of the queue of whom a wake-up wakes one. */
  prepareExclusive(queue: WaitQueue): void {
    this.#woken = false;
    if (this.entry.whead === null) queue.addExclusive(this.entry);
  }

  /** For a sleep whose entries hang elsewhere (poll). */
  rearm(): void {
    this.#woken = false;
  }

  /** schedule_timeout: resolves when there is a reason to look again. */
  wait(): Promise<void> {
    if (!this.#started) this.#start();
    if (this.#woken || this.over) return this.#kernel.resumes(AWAKE);
    return this.#kernel.resumes(
      new Promise((resolve) => {
        this.#resolve = resolve;
      }),
    );
  }

  /** Whether there is no more sleeping: time is up, or a signal came. */
  get over(): boolean {
    return this.timedOut || this.interrupted;
  }

  wake(): boolean {
    if (this.#woken) return false;
    if (traceTryToWakeUp.on) {
      traceTryToWakeUp.emit(this.#host, { call: 'blocking call', nested: wakeNesting.depth });
    }
    this.#woken = true;
    this.#run();
    return true;
  }

  override expire(): void {
    this.timedOut = true;
    this.#run();
  }

  /** finish_wait */
  finish(): void {
    this.entry.whead?.remove(this.entry);
    if (!this.#started) return;
    this.#host.wheel.cancel(this);
    this.#host.clock.release();
    this.#asleep.remove(this);
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  #start(): void {
    this.#started = true;
    this.#host.clock.hold();
    this.#asleep.add(this);
    if (this.#timeoutMs <= 0) this.timedOut = true;
    else if (this.#timeoutMs < FOREVER) this.#host.wheel.arm(this, sleepTicks(this.#host, this.#timeoutMs));
    if (this.#signal?.aborted || this.#kernel.closed) this.interrupted = true;
    this.#signal?.addEventListener('abort', this.#onAbort);
  }

  interrupt(): void {
    this.interrupted = true;
    this.#run();
  }

  readonly #onAbort = (): void => this.interrupt();

  #run(): void {
    const resolve = this.#resolve;
    this.#resolve = null;
    if (resolve !== null) resolve();
  }
}

/** Wakes the sleeper and leaves its entry where it is (woken_wake_function). */
export function wokenWakeFunction(entry: WaitQueueEntry): boolean {
  return (entry.private_ as Sleep).wake();
}

/** SO_RCVTIMEO and SO_SNDTIMEO as a time to sleep: none is for ever, and a negative one is none at all. */
export function socketTimeout(ms: number): number {
  return ms === 0 ? FOREVER : Math.max(ms, 0);
}
