// Recording a session: a stack that is as any other, and a journal of all that happens to it, from which `replaySession` makes it
// happen again.

import { type Random, SeededRandom, SystemRandom } from '../core/random.js';
import { EpSleeper } from '../eventpoll/ep-poll.js';
import type { EventPollShared } from '../eventpoll/eventpoll.js';
import type { InterfaceOptions } from '../kernel/interface-options.js';
import type { LoopbackLink } from '../link/loopback.js';
import { Stack, type StackOptions, warnOfLink } from '../stack.js';
import { RealClock } from '../time/clock.js';
import {
  AWAKE,
  BATCH_DONE,
  CONSTRUCT,
  type JournalHeader,
  type LinkHeader,
  OUT_BATCH_DONE,
  OUT_LINK_DOWN,
  RUN_TIMERS,
  SOON,
} from './format.js';
import { JournalWriter } from './journal-writer.js';
import { originHere } from './origin.js';
import { Recorder } from './recorder.js';
import { RecordingCalls } from './recording-calls.js';
import { RecordingClock, RecordingRandom } from './recording-clock.js';
import { RecordingLink } from './recording-link.js';

/** How a session is recorded. */
export interface RecordOptions {
  /** Bytes after which the journal ends and the session goes on unrecorded. Default 1 GiB. */
  limit?: number;
  /** Told once if the journal ends before the stack is closed: it is full, or cannot be written. Default: a warning of the process. */
  onEnd?: (error: Error) => void;
}

const LIMIT = 1 << 30;
/** What can be done to a stack beside its processes' calls. */
const STACK_METHODS = [
  'createProcess',
  'addRoute',
  'changeRoute',
  'deleteRoute',
  'registerCongestionControl',
  'sysctl',
] as const;

/**
 * Makes a stack of `options`, and records what happens to it to the file `path` (made or overwritten) until it is closed: frames,
 * readings of the clock, random numbers, timers, and every call of its processes. Readable by nobody else is wise: keys and data are
 * in it. @throws Error where the file cannot be made, RangeError for a limit that makes no sense, and what `new Stack` throws
 */
export function recordSession(options: StackOptions, path: string, how: RecordOptions = {}): Stack {
  const { limit = LIMIT } = how;
  if (!(limit > 0)) throw new RangeError(`the limit of a journal is bytes, more than 0, and not ${limit}`);
  const clock = options.clock ?? new RealClock();
  const journal = new JournalWriter(path, headerOf(options, clock));
  const recorder = new Recorder(journal, limit, clock);
  recorder.onEnd = how.onEnd ?? ((error) => process.emitWarning(error.message, { type: 'TapstackWarning' }));
  const calls = new RecordingCalls(recorder);
  const { link, interfaces, seed: _seed, memory, onLinkDown = warnOfLink, ...rest } = options;
  const recorded = (each: InterfaceOptions): InterfaceOptions => ({
    ...each,
    link: new RecordingLink(each.link, recorder),
  });
  const construct = (): Stack => {
    const made = new Stack({
      ...rest,
      ...(memory === undefined ? {} : { memory }),
      ...(link === undefined ? {} : { link: new RecordingLink(link, recorder) }),
      ...(interfaces === undefined ? {} : { interfaces: interfaces.map(recorded) }),
      clock: new RecordingClock(clock, recorder),
      random: new RecordingRandom(randomOf(options), recorder),
      interposers: [...(options.interposers ?? []), calls],
      onLinkDown: (name, error) => recorder.outcall(OUT_LINK_DOWN, () => onLinkDown(name, error)),
    });
    recorder.host = made.host;
    recorder.values.memory = made.host.memory.buffer;
    return made;
  };
  let stack: Stack;
  try {
    stack = recorder.event(CONSTRUCT, null, construct);
  } catch (error) {
    recorder.finish();
    throw error;
  }
  lookOn(stack, recorder);
  letIn(stack, recorder, calls);
  calls.recordMethods(stack, STACK_METHODS, 0);
  const { close } = stack;
  stack.close = () => Promise.all([close.call(stack), journal.closed]).then(() => undefined);
  return stack;
}

/** The places where the stack puts off what it does to a microtask. */
function lookOn(stack: Stack, recorder: Recorder): void {
  const { kernel } = stack;
  const { eventpolls } = kernel;
  let sleepers = 0;
  eventpolls.newSleeper = (shared) => new RecordedSleeper(shared, recorder, sleepers++);
  let resumptions = 0;
  kernel.resumes = (promise) => recorder.resumes(promise, resumptions++);
  const lo = stack.ip.lo.link as LoopbackLink;
  lo.soon = (run) => queueMicrotask(() => recorder.event(SOON, null, run));
  const { interruptAll } = kernel;
  kernel.interruptAll = () => {
    recorder.finish();
    interruptAll.call(kernel);
  };
}

/** The places where event loops other than the program's own (tapstack/net) come in. */
function letIn({ host }: Stack, recorder: Recorder, calls: RecordingCalls): void {
  const { onBatchDone } = host;
  host.onBatchDone = (work) =>
    calls.method(0, BATCH_DONE, [], () =>
      onBatchDone.call(host, () => recorder.outcall(OUT_BATCH_DONE, work)),
    );
  const { wheel } = host;
  const { run } = wheel;
  wheel.run = () => calls.method(0, RUN_TIMERS, [], () => run.call(wheel));
}

class RecordedSleeper extends EpSleeper {
  protected override readonly run: () => void;

  constructor(shared: EventPollShared, recorder: Recorder, number: number) {
    super(shared);
    this.run = () =>
      recorder.event(
        AWAKE,
        (to) => to.unsigned(number),
        () => this.awake(),
      );
  }
}

function randomOf({ random, seed }: StackOptions): Random {
  return random ?? (seed === undefined ? new SystemRandom() : new SeededRandom(seed));
}

function headerOf(
  options: StackOptions,
  clock: { epoch: number; recent: number; afterTurn?: unknown },
): JournalHeader {
  const {
    link,
    address = '',
    gateway,
    neighbours,
    interfaces = [],
    memory,
    nofile,
    sysctl,
    routes,
  } = options;
  const all = link === undefined ? interfaces : [{ link, address, gateway, neighbours }, ...interfaces];
  return {
    ...originHere(),
    pid: process.pid,
    epoch: clock.epoch,
    recent: clock.recent,
    turns: clock.afterTurn !== undefined,
    memory: typeof memory === 'object' ? memory.byteLength : (memory ?? 64 << 20),
    doctor: options.doctor !== undefined && options.doctor !== false,
    ...(nofile === undefined ? {} : { nofile }),
    ...(sysctl === undefined ? {} : { sysctl }),
    ...(routes === undefined ? {} : { routes: routes.map((route) => ({ ...route })) }),
    links: all.map(linkHeader),
  };
}

function linkHeader({ link, address, gateway, neighbours }: InterfaceOptions): LinkHeader {
  return {
    name: link.name,
    mtu: link.mtu,
    mac: [...link.mac],
    features: link.features,
    runsPrograms: link.runsPrograms === true,
    address,
    ...(gateway === undefined ? {} : { gateway }),
    ...(neighbours === undefined ? {} : { neighbours: { ...neighbours } }),
  };
}
