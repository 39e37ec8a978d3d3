// What the parts of one `net` share: its stack's reactor, its timers, how names are looked up, the defaults that programs set.

import type { BlockList, LookupFunction } from 'node:net';
import { KernelHandle } from './kernel-handle.js';
import type { Reactor } from './reactor.js';
import type { NetSocket } from './socket.js';
import { TcpHandle } from './tcp-handle.js';
import type { TimerSource } from './timers.js';

export class NetContext {
  readonly lookup: LookupFunction;
  autoSelectFamily: boolean;
  autoSelectFamilyAttemptTimeout: number;
  /** The class that accepted connections are of. */
  Socket!: new (
    options?: unknown,
  ) => NetSocket;
  /** Addresses that stay on the kernel; with them, so do paths. None: the stack is all there is. */
  readonly kernel: BlockList | undefined;
  readonly #start: () => Reactor;
  #reactor: Reactor | null = null;
  readonly #timersOf: () => TimerSource;
  #timers: TimerSource | null = null;

  /** @param start Makes the reactor, when the first handle is, and `timers` its timers, when the first is set. */
  constructor(
    start: () => Reactor,
    timers: () => TimerSource,
    lookup: LookupFunction,
    defaults: { autoSelectFamily: boolean; autoSelectFamilyAttemptTimeout: number },
    kernel?: BlockList,
  ) {
    this.kernel = kernel;
    this.#start = start;
    this.#timersOf = timers;
    this.lookup = lookup;
    this.autoSelectFamily = defaults.autoSelectFamily;
    this.autoSelectFamilyAttemptTimeout = defaults.autoSelectFamilyAttemptTimeout;
  }

  get reactor(): Reactor {
    this.#reactor ??= this.#start();
    return this.#reactor;
  }

  get timers(): TimerSource {
    this.#timers ??= this.#timersOf();
    return this.#timers;
  }

  createHandle(): TcpHandle {
    return this.kernel === undefined
      ? new TcpHandle(this.reactor)
      : new KernelHandle(this.reactor, this.kernel);
  }
}
