// A network in memory under one virtual clock: stacks, switches and routers joined by cables with faults. Everything that
// happens follows from the seed, to the byte and to the microsecond.

import { refuseUnknown } from '../core/known-options.js';
import { SeededRandom } from '../core/random.js';
import type { Link } from '../link/link.js';
import { capture } from '../link/pcap-link.js';
import type { PcapngTarget } from '../link/pcapng.js';
import { recordSession } from '../replay/record-session.js';
import { Stack, type StackOptions } from '../stack.js';
import { VirtualClock } from '../time/clock.js';
import { Cable, type CableOptions } from './cable.js';
import type { CableEnd } from './cable-end.js';
import { drain } from './drain.js';
import { Router, type RouterPort, type RouterRoute } from './router.js';
import { Series, type SeriesOptions } from './series.js';
import { Switch } from './switch.js';

/** What a lab begins with. */
export interface LabOptions {
  /** All randomness of the network and of its stacks follows from it. Default 1. */
  seed?: number;
  /** Unix time at which the lab begins, microseconds; for captures. Default 0. */
  epoch?: number;
}

/** A host of the lab: the options of `Stack`, without what the lab itself decides. */
export interface LabStackOptions extends Omit<StackOptions, 'clock' | 'seed' | 'random'> {
  /** Records what passes the stack's link, as pcapng with virtual times. */
  capture?: PcapngTarget;
  /** Records the stack's session to this file, for `replaySession`. */
  record?: string;
}

/** How far a run goes. */
export interface RunOptions<T> {
  /** Ends when this is resolved, or true. Without it the lab runs until nothing is left to happen. */
  until?: Promise<T> | (() => boolean);
  /** Virtual time the run may take, milliseconds. Default one hour. */
  limitMs?: number;
}

/** Programs wait, and nothing in the lab will ever wake them. */
export class LabStuckError extends Error {
  /** `LabStuckError` */
  override readonly name = 'LabStuckError';
}

const HOUR_MS = 3_600_000;
/** Memory of a stack that does not say: labs have many. */
const MEMORY = 16 << 20;
/** Virtual time at which labs begin: not 0, which stamps in the stack take for "never". */
const START_US = 1_000_000;

/** A network in memory under one virtual clock. The same seed gives the same bytes at the same times. */
export class Lab {
  /** The one that all stacks and cables live by. */
  readonly clock: VirtualClock;
  /** What all randomness follows from. */
  readonly seed: number;
  /** In the order in which they were made. */
  readonly stacks: Stack[] = [];
  /** In the order in which they were laid. */
  readonly cables: Cable[] = [];
  readonly #random: SeededRandom;
  readonly #series: Series[] = [];

  constructor(options: LabOptions = {}) {
    refuseUnknown('a lab', options, { seed: true, epoch: true });
    const { seed = 1, epoch = 0 } = options;
    this.seed = seed;
    this.clock = new VirtualClock(epoch);
    this.clock.moveTo(START_US);
    this.#random = new SeededRandom(seed);
  }

  /** Virtual milliseconds since the lab began. */
  get nowMs(): number {
    return (this.clock.now() - START_US) / 1000;
  }

  /** Lays a cable; its ends `a` and `b` go to stacks, switches or routers. */
  cable(options: CableOptions = {}): Cable {
    const cable = new Cable(this.clock, this.#random, this.cables.length * 2, options);
    this.cables.push(cable);
    return cable;
  }

  /** A host: a stack of its own under the lab's clock. */
  stack(options: LabStackOptions = {}): Stack {
    const { capture: target, record, link, ...rest } = options;
    if (link instanceof Cable) throw new TypeError('a cable has two ends: a `link` is its .a or its .b');
    const recorded: Link | undefined =
      link !== undefined && target !== undefined ? capture(link, target, this.clock) : link;
    const seed = this.#random.int32();
    const whole = { memory: MEMORY, ...rest, ...(recorded && { link: recorded }), clock: this.clock, seed };
    const stack = record === undefined ? new Stack(whole) : recordSession(whole, record);
    this.stacks.push(stack);
    return stack;
  }

  /** An Ethernet switch with these cables plugged in. */
  switch(ports: readonly CableEnd[], name = 'switch'): Switch {
    return new Switch(name, ports);
  }

  /** An IPv4 router with an address on each cable, and routes beyond them. */
  router(ports: readonly RouterPort[], routes: readonly RouterRoute[] = [], name = 'router'): Router {
    return new Router(name, ports, routes);
  }

  /** Records cwnd, ssthresh, srtt, segments in flight and delivered of every connection of `stack`, while the lab runs. */
  record(stack: Stack, options: SeriesOptions = {}): Series {
    const series = new Series(stack, this.clock, START_US, options);
    this.#series.push(series);
    return series;
  }

  /**
   * Lets virtual time pass: after every event all programs run to their next sleep before time moves on. Resolves to what
   * `until` resolves to; rejects as it does. @throws LabStuckError when `until` does not come true within `limitMs`, or when
   * nothing is left to happen: the program then waits for something outside the lab, or for a wake-up that nobody will give.
   */
  async run<T = void>({ until, limitMs = HOUR_MS }: RunOptions<T> = {}): Promise<T | undefined> {
    const ending = new Ending(until);
    const limit = this.clock.now() + limitMs * 1000;
    for (;;) {
      await drain();
      if (ending.reached()) return ending.value();
      if (this.clock.step(limit)) {
        for (const series of this.#series) series.sample();
        continue;
      }
      if (until === undefined) return undefined;
      throw new LabStuckError(this.#stuck(limitMs));
    }
  }

  #stuck(limitMs: number): string {
    const at = `at ${this.nowMs} ms of virtual time`;
    if (this.clock.nextAlarm !== Number.POSITIVE_INFINITY)
      return `the lab has run for ${limitMs} ms without coming to its end (seed ${this.seed}, ${at})`;
    return (
      `nothing is left to happen in the lab, and the program still waits (seed ${this.seed}, ${at}): it awaits ` +
      'something outside the lab (a timer, a file, the network), or a wake-up that nobody gives'
    );
  }

  /** Lets `ms` of virtual time pass. */
  async pass(ms: number): Promise<void> {
    const end = this.clock.now() + ms * 1000;
    await this.run({ limitMs: ms });
    if (this.clock.nextAlarm > end) this.clock.moveTo(end);
    await drain();
  }

  /** Ends all stacks and closes their captures. */
  async close(): Promise<void> {
    await Promise.all(this.stacks.map((stack) => stack.close()));
  }
}

/** What a run waits for. */
class Ending<T> {
  readonly #condition: (() => boolean) | null;
  readonly #promise: Promise<T> | null;
  #settled = false;

  constructor(until: Promise<T> | (() => boolean) | undefined) {
    this.#condition = typeof until === 'function' ? until : null;
    this.#promise = typeof until === 'object' ? until : null;
    const settle = (): void => {
      this.#settled = true;
    };
    this.#promise?.then(settle, settle);
  }

  reached(): boolean {
    return this.#condition === null ? this.#settled : this.#condition();
  }

  async value(): Promise<T | undefined> {
    return this.#promise === null ? undefined : this.#promise;
  }
}
