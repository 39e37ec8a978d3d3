// What every room of one stack shares (struct net): its clock, timers, memory, randomness, tunables and counters, and the
// moment it believes it is. One batch of frames, one syscall and one run of timers each see a single moment.

import type { PacketMemory } from '../memory/packet-memory.js';
import type { Clock } from '../time/clock.js';
import { TimerWheel } from '../time/timer-wheel.js';
import { Mib } from './mib.js';
import type { Random } from './random.js';
import { Sysctl } from './sysctl.js';

/** Work that is put off to the end of a batch, so that an answer can carry it (delayed segments, acknowledgements). */
export interface Deferred {
  runDeferred(): void;
}

export class Host {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly memory: PacketMemory;
  readonly random: Random;
  readonly mib = new Mib();
  readonly sysctl = new Sysctl();
  /** This moment in wrapping microseconds and milliseconds (int32). */
  nowUs = 0;
  nowMs = 0;
  /** The last SO_COOKIE given out (sock_gen_cookie). */
  sockCookie = 0;

  /** What a program's callback inside of the stack has thrown. The stack goes on; it is an uncaught exception once that is done. */
  thrown: (error: unknown) => void = (error) =>
    queueMicrotask(() => {
      throw error;
    });

  /** A batch is being received at whose end programs run (`onBatchDone`). */
  inBatch = false;

  readonly #deferred: Deferred[] = [];
  readonly #batchDone: (() => void)[] = [];

  constructor(clock: Clock, memory: PacketMemory, random: Random) {
    this.clock = clock;
    this.memory = memory;
    this.random = random;
    this.wheel = new TimerWheel(clock);
    this.wheel.onRunStart = () => this.refresh();
    this.wheel.onRunEnd = () => this.flush();
    this.refresh();
  }

  /** Looks at the clock (tcp_mstamp_refresh). Called where the outside enters: a batch, a syscall, a run of timers. */
  refresh(): void {
    const now = this.clock.now();
    this.nowUs = now | 0;
    this.nowMs = Math.floor(now / 1000) | 0;
  }

  /** Unix time in microseconds of a moment not long ago, given as `nowUs` was then (ktime_get_real). */
  realUs(us: number): number {
    const now = this.clock.now();
    return this.clock.epoch + now - (((now | 0) - us) | 0);
  }

  /** Registers work to be run by every `flush`. */
  onFlush(work: Deferred): void {
    this.#deferred.push(work);
  }

  /** Registers who may run programs when a batch is over: outside every call into the stack, but before its answers are sent. */
  onBatchDone(work: () => void): void {
    this.#batchDone.push(work);
  }

  /** Runs them all, whatever one of them throws; then that is thrown on. */
  batchDone(): void {
    this.inBatch = false;
    let thrown: unknown[] | null = null;
    for (let i = 0; i < this.#batchDone.length; i++) {
      try {
        this.#batchDone[i]();
      } catch (error) {
        thrown ??= [];
        thrown.push(error);
      }
    }
    if (thrown !== null) throw thrown.length === 1 ? thrown[0] : new AggregateError(thrown);
  }

  /** End of a batch: what was put off is done, and whoever waits for memory hears of it. */
  flush(): void {
    for (let i = 0; i < this.#deferred.length; i++) this.#deferred[i].runDeferred();
    this.memory.notify();
  }
}
