// What each event of a journal is, done again to the replayed stack.

import type { Listener } from '../kernel/listener-handle.js';
import type { Process } from '../kernel/process.js';
import type { CongestionControl } from '../tcp/congestion/congestion.js';
import { ByteReader, type ByteWriter } from './bytes.js';
import { readOutcome, writeOutcome } from './calls.js';
import {
  ABORT,
  ALARM,
  AWAKE,
  BATCH_DONE,
  CALL,
  CONSTRUCT,
  FLUSH,
  LINK_DOWN,
  LISTENER,
  METHOD,
  OUT_BATCH_DONE,
  RECEIVE,
  RESUME,
  RUN_TIMERS,
  SOON,
  STEER,
} from './format.js';
import { JournalError } from './journal-file.js';
import type { JournalRecord } from './journal-reader.js';
import { readCall } from './record-text.js';
import { ReplayStack } from './replay-stack.js';
import type { Replayer } from './replayer.js';

type Call = (...args: unknown[]) => unknown;
/** Writes what came of an event, and says how to show it. */
type Outcome = (to: ByteWriter) => (from: ByteReader) => unknown;

/** A call that slept, or sleeps. */
interface Sleeping {
  settled: boolean;
  readonly text: string;
  write(to: ByteWriter): void;
  show(from: ByteReader): unknown;
}

export class ReplayEvents {
  /** Calls that were promises, by their number. */
  readonly calls = new Map<number, Sleeping>();
  /** What registerCongestionControl was given, which no journal can hold. */
  controls: readonly CongestionControl[] = [];
  /** Programs run inside of events, and microtasks with them. */
  givesWay = false;
  readonly #replayer: Replayer;
  readonly #held = new ReplayStack();
  #numbered = 0;
  /** Handles that programs were given. */
  readonly #listeners: Listener[] = [];

  constructor(replayer: Replayer) {
    this.#replayer = replayer;
  }

  /** What must be so before the event can be: somebody woken has come to the point of running. Null: nothing. */
  waits({ type, body }: JournalRecord): (() => boolean) | null {
    if (type !== AWAKE && type !== RESUME) return type === SOON ? () => this.#held.soon.length > 0 : null;
    const number = numberIn(body);
    return type === AWAKE ? () => this.#held.woken.has(number) : () => this.#held.resumable.has(number);
  }

  resumes({ type }: JournalRecord): boolean {
    return type === RESUME;
  }

  run({ type, body }: JournalRecord): Outcome | null {
    const { links, clock, values } = this.#replayer;
    switch (type) {
      case CONSTRUCT:
        this.#replayer.stack = this.#held.make(this.#replayer);
        values.memory = this.#replayer.stack.host.memory.buffer;
        values.views = new Map();
        break;
      case CALL:
        return this.#call(body);
      case METHOD:
        this.#method(body);
        break;
      case RECEIVE:
        links[body.unsigned()].receive(body);
        break;
      case FLUSH:
        links[body.unsigned()].flushDeferred();
        break;
      case LINK_DOWN:
        links[body.unsigned()].down(body.string());
        break;
      case ALARM:
        clock.alarm(body.unsigned())?.onAlarm();
        break;
      case AWAKE: {
        const number = body.unsigned();
        this.#held.woken.delete(number);
        this.#held.sleepers[number].awake();
        break;
      }
      case RESUME: {
        const number = body.unsigned();
        this.#held.resumable.get(number)?.();
        this.#held.resumable.delete(number);
        break;
      }
      case SOON:
        this.#held.soon.shift()?.();
        break;
      case ABORT:
        values.abort(body.unsigned());
        break;
      case STEER:
        this.#steer(body);
        break;
    }
    return null;
  }

  #call(body: ByteReader): Outcome {
    const { values } = this.#replayer;
    const { pid, face, name, args } = readCall(values, body);
    const process = this.#held.processes.get(pid);
    const calls = face === 'process' ? process : process?.[face];
    const call = (calls as unknown as Record<string, Call> | undefined)?.[name]?.bind(calls);
    if (call === undefined) throw new Error(`there is no call ${name} of a process ${pid}`);
    const number = ++this.#numbered;
    const result = call(...args);
    if (result instanceof Promise) this.#sleeps(number, name, args, result);
    return (to) => {
      to.byte(result instanceof Promise ? 1 : 0);
      if (!(result instanceof Promise)) writeOutcome(values, to, name, args, result);
      return (from) => (from.byte() === 1 ? 'a promise' : readOutcome(values, from, name));
    };
  }

  #sleeps(number: number, name: string, args: readonly unknown[], result: Promise<unknown>): void {
    const { values } = this.#replayer;
    let value: unknown;
    const sleeping: Sleeping = {
      settled: false,
      text: name,
      write: (to) => writeOutcome(values, to, name, args, value),
      show: (from) => readOutcome(values, from, name),
    };
    this.calls.set(number, sleeping);
    result.then(
      (settled) => {
        value = settled;
        sleeping.settled = true;
      },
      // The difference that was thrown inside is known already.
      () => {},
    );
  }

  #method(body: ByteReader): void {
    const owner = body.unsigned();
    const name = body.string();
    const args = this.#replayer.values.read(body) as unknown[];
    const target = (owner === 0
      ? this.#replayer.stack
      : this.#held.processes.get(owner)) as unknown as Record<string, unknown>;
    const { stack } = this.#replayer;
    if (name === BATCH_DONE) {
      this.givesWay = true;
      stack?.host.onBatchDone(() => this.#replayer.outcall(OUT_BATCH_DONE));
    } else if (name === RUN_TIMERS) stack?.host.wheel.run();
    else if (name === 'nofile') target.nofile = args[0];
    else if (name === LISTENER)
      this.#listeners.push((target as unknown as Process).listener(args[0] as number));
    else (target[name] as Call)(...args.map((each) => this.#unnamed(each)));
  }

  #steer(body: ByteReader): void {
    const listener = this.#listeners[body.unsigned() - 1];
    const name = body.string();
    const value = this.#replayer.values.read(body);
    if (name === 'pause') listener.pause({ refuse: value === true });
    else if (name === 'resume') listener.resume();
    else if (name === 'onSyn') listener.onSyn = value === true ? this.#replayer.asked : null;
    else Object.assign(listener, { [name]: value });
  }

  /** Processes and congestion controls by their number or name. */
  #unnamed(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    if ('pid' in value) return this.#held.processes.get(value.pid as number);
    if (!('name' in value)) return value;
    const control = this.controls.find(({ name }) => name === value.name);
    if (control === undefined)
      throw new JournalError(
        'INCOMPLETE',
        `The recorded program registered the congestion control ${value.name}, which no journal can hold: give it to ` +
          '`replaySession` in `controls`.',
      );
    return control;
  }
}

function numberIn(body: ByteReader): number {
  return new ByteReader(body.bytes).unsigned();
}
