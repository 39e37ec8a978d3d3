// What a TAP device may choose by itself, as its traffic is: who does the host's share of what is sent (napi-trial.ts), and whether to look
// for frames before sleeping (poll-trial.ts); and where a thread that does that share must not run. What is wanted of it when it is opened,
// and how that begins.

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import { napiKnob } from './napi-trial.js';
import type { Nic } from './native-nic.js';
import { pollKnob } from './poll-trial.js';
import { type LoopTime, type ProcessorTime, TrafficMeter } from './traffic-window.js';
import { Trial } from './trial.js';

export const NAPI_MODES = ['auto', 'threaded', 'softirq'] as const;

/** Who does the host's share of what is sent: see `TapOptions.napi`. */
export type NapiMode = (typeof NAPI_MODES)[number];

/** Microseconds of busy polling before each sleep, or as many as pay: see `TapOptions.busyPoll`. */
export type BusyPoll = number | 'auto';
export const BUSY_POLL_MAX_US = 10_000;

export const isNapiMode = (text: string): text is NapiMode =>
  (NAPI_MODES as readonly string[]).includes(text);

export const isBusyPoll = (value: unknown): value is BusyPoll =>
  value === 'auto' ||
  (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= BUSY_POLL_MAX_US);

export interface TapWish {
  napi?: NapiMode;
  busyPoll?: BusyPoll;
  persist?: boolean;
}

const invalid = (error: Error): Error => Object.assign(error, { code: 'EINVAL' });

/** What is wanted, all of it said; 'auto' only where there may be something to choose. */
export function tapWish({ napi = 'auto', busyPoll = 'auto', persist = false }: TapWish): Required<TapWish> {
  if (!isBusyPoll(busyPoll))
    throw invalid(
      new RangeError(
        `busyPoll is a whole number of microseconds from 0 to 10,000 or 'auto', not ${JSON.stringify(busyPoll)}`,
      ),
    );
  if (!isNapiMode(napi))
    throw invalid(new TypeError(`napi is 'auto', 'threaded' or 'softirq', not ${JSON.stringify(napi)}`));
  if (napi === 'threaded' && persist)
    throw invalid(new TypeError('a device that is left behind (persist) is left without threaded NAPI'));
  const alone = availableParallelism() === 1;
  const polls = busyPoll !== 'auto' && busyPoll !== 0;
  return {
    napi: napi === 'auto' && (alone || polls || persist) ? 'softirq' : napi,
    // Who looks for frames keeps the only processor from whoever would send them.
    busyPoll: busyPoll === 'auto' && alone ? 0 : busyPoll,
    persist,
  };
}

/** Begins what was wished of a device that was just opened for it; null: nothing is left to do. Closes it if it cannot be. */
export function beginChoices(nic: Nic, { napi, busyPoll }: Required<TapWish>): TapChoices | null {
  const refused = nic.info.noThreadedNapi;
  const trials: Trial[] = [];
  if (napi === 'threaded') {
    if (refused !== null) {
      nic.close();
      throw noThread(nic.info.name, refused);
    }
    nic.threadNapi(true);
  } else if (napi === 'auto' && refused === null) {
    trials.push(new Trial(napiKnob(nic)));
  }
  if (busyPoll === 'auto') trials.push(new Trial(pollKnob(nic)));
  else nic.busyPoll(busyPoll);
  if (trials.length === 0 && napi !== 'threaded') return null;
  return new TapChoices(nic, trials, new TrafficMeter(() => nic.stats(), loopTime));
}

function noThread(device: string, refused: string): Error {
  const why =
    refused === 'EEXIST'
      ? 'the device was there before, and is left as it is'
      : `it takes Linux 5.12 and the right to mount sysfs (${refused})`;
  const error = new Error(`${device} cannot have threaded NAPI: ${why}`);
  return Object.assign(error, { code: 'ERR_NO_THREADED_NAPI' });
}

const loopTime: LoopTime = {
  now: () => performance.now(),
  slept: () => performance.eventLoopUtilization().idle,
  processor,
};

/** Of this thread (sched_info, in Documentation/scheduler/sched-stats.rst); where the kernel does not tell, of the process, which never waits. */
function processor(): ProcessorTime {
  try {
    const [ran, waited] = readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ', 2).map(Number);
    if (ran > 0) return { ran: ran / 1e6, waited: waited / 1e6 };
  } catch {}
  const { user, system } = process.cpuUsage();
  return { ran: (user + system) / 1000, waited: 0 };
}

export class TapChoices {
  readonly #nic: Pick<Nic, 'keepThreadOff'>;
  readonly #trials: readonly Trial[];
  readonly #meter: TrafficMeter;

  constructor(nic: Pick<Nic, 'keepThreadOff'>, trials: readonly Trial[], meter: TrafficMeter) {
    this.#nic = nic;
    this.#trials = trials;
    this.#meter = meter;
  }

  /** A batch of frames was received. */
  batch(): void {
    const window = this.#meter.batch();
    if (window === null) return;
    this.#nic.keepThreadOff();
    // One at a time, or neither would know whose work it sees. Traffic for which one begins has made the other begin anew.
    const active = this.#trials.find((trial) => trial.active);
    for (const trial of this.#trials) if (active === undefined || active === trial) trial.look(window);
  }
}
