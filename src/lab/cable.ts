// A cable of the lab: two ends, and a pipe in each direction. An end is the link of a stack, or a port of a switch or router.

import { type Known, refuseUnknown } from '../core/known-options.js';
import type { Random } from '../core/random.js';
import type { Clock } from '../time/clock.js';
import { CableEnd } from './cable-end.js';
import { Pipe } from './pipe.js';
import { checkMtu, checkPipeOptions, PIPE_OPTIONS, type PipeOptions } from './pipe-options.js';

/** What a cable is like; what stands outside of `ab` and `ba` holds both ways. */
export interface CableOptions extends PipeOptions {
  /** Its ends are called `name.a` and `name.b`. Default `cable0` and so on. */
  name?: string;
  /** Largest IP packet in bytes. Default 1500. */
  mtu?: number;
  /** What is different from the first end to the second. */
  ab?: PipeOptions;
  /** What is different on the way back. */
  ba?: PipeOptions;
}

const CABLE_OPTIONS: Known<CableOptions> = { name: true, mtu: true, ab: true, ba: true, ...PIPE_OPTIONS };

/** Two ends and what lies between them: bandwidth, delay, queues and faults, each way its own. `lab.cable()` makes one. */
export class Cable {
  /** As its options say. */
  readonly name: string;
  /** The first end, for a stack, a switch or a router. */
  readonly a: CableEnd;
  /** The second end. */
  readonly b: CableEnd;
  /** The way from `a` to `b`. */
  readonly ab: Pipe;
  /** The way from `b` to `a`. */
  readonly ba: Pipe;

  /** Use `lab.cable`. */
  constructor(clock: Clock, random: Random, station: number, options: CableOptions) {
    refuseUnknown('a cable', options, CABLE_OPTIONS);
    const { name = `cable${station >> 1}`, mtu = 1500, ab, ba, ...both } = options;
    checkMtu(mtu);
    this.name = name;
    this.ab = new Pipe(clock, random, { ...both, ...ab }, (frames) => this.b.receive(frames));
    this.ba = new Pipe(clock, random, { ...both, ...ba }, (frames) => this.a.receive(frames));
    this.a = new CableEnd(clock, `${name}.a`, mtu, station, this.ab);
    this.b = new CableEnd(clock, `${name}.b`, mtu, station + 1, this.ba);
  }

  /** Changes both directions, from now on. The queues stay as they were made. */
  change(options: Omit<PipeOptions, 'queue'>): void {
    checkPipeOptions(options);
    Object.assign(this.ab.options, options);
    Object.assign(this.ba.options, options);
  }

  /** Cuts the cable: nothing gets in any more. */
  partition(): void {
    this.ab.connected = false;
    this.ba.connected = false;
  }

  /** Ends a partition. */
  heal(): void {
    this.ab.connected = true;
    this.ba.connected = true;
  }
}
