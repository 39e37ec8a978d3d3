// Between the programs of a recorded stack and their calls: every call that comes from outside is written down with its arguments,
// and what came of it, at once or when it has slept.

import type { Blocking } from '../kernel/blocking.js';
import type { Interposer } from '../kernel/interposer.js';
import type { Process } from '../kernel/process.js';
import type { Syscalls } from '../kernel/syscalls.js';
import type { ByteWriter } from './bytes.js';
import { FACES, type Face, writeArguments, writeOutcome } from './calls.js';
import { ABORT, CALL, LISTENER, METHOD, OUT_EXIT, TELLS } from './format.js';
import type { Recorder } from './recorder.js';
import { recordListener } from './recording-listener.js';

type Call = (...args: unknown[]) => unknown;

/** What a process can do beside its calls. */
const PROCESS_METHODS = ['fork', 'exec', 'pass', 'exit'] as const;

export class RecordingCalls implements Interposer {
  readonly #recorder: Recorder;
  /** Calls so far, by which a call that sleeps is known when it returns. */
  #calls = 0;
  /** Handles of listeners that were given out. */
  #listeners = 0;

  constructor(recorder: Recorder) {
    this.#recorder = recorder;
    recorder.values.onSignal = (signal, number) => {
      // Before the stack's own listener: what that does is part of the event.
      const abort = (): void => recorder.event(ABORT, (to) => to.unsigned(number), nothing);
      if (!signal.aborted) signal.addEventListener('abort', abort, { once: true });
    };
  }

  examine(process: Process, sys: Syscalls): Syscalls {
    this.#recordProcess(process);
    return this.#recorded(process, 'sys', sys);
  }

  examineBlocking(process: Process, blocking: Blocking): Blocking {
    return this.#recorded(process, 'blocking', blocking);
  }

  /** Methods and settings of the process itself. */
  #recordProcess(process: Process): void {
    this.recordMethods(process, PROCESS_METHODS, process.pid);
    const harvest = process.harvest.bind(process) as Call;
    Object.defineProperty(process, 'harvest', {
      value: this.#call(process.pid, 'process', 'harvest', harvest),
    });
    for (const [tell, why] of TELLS) {
      const told = process[tell].bind(process);
      const heard = (): boolean => process[why === OUT_EXIT ? 'onExit' : 'onSigpipe'] !== null;
      process[tell] = () => (heard() ? this.#recorder.outcall(why, told) : told());
    }
    const { listener } = process;
    process.listener = (fd) => {
      let number = 0;
      const handle = this.method(process.pid, LISTENER, [fd], () => {
        const made = listener.call(process, fd);
        number = ++this.#listeners;
        return made;
      });
      return number === 0 ? handle : recordListener(handle, number, this.#recorder);
    };
    Object.defineProperty(process, 'nofile', {
      get: () => process.files.limit,
      set: (limit: number) => {
        this.method(process.pid, 'nofile', [limit], () => {
          process.files.limit = limit;
        });
      },
    });
  }

  /** `owner`: a process's number, or 0 for the stack. */
  recordMethods<T extends object>(target: T, names: readonly (keyof T & string)[], owner: number): void {
    for (const name of names) {
      const method = (target[name] as Call).bind(target);
      const recorded = (...args: unknown[]): unknown => this.method(owner, name, args, () => method(...args));
      Object.defineProperty(target, name, { value: recorded });
    }
  }

  /** `work` is done to the stack, and a replay knows by `name` what that is. */
  method<T>(owner: number, name: string, args: readonly unknown[], work: () => T): T {
    const { values } = this.#recorder;
    return this.#recorder.event(
      METHOD,
      (to) => {
        to.unsigned(owner);
        to.string(name);
        values.write(
          to,
          args.map((each) => named(each)),
        );
      },
      work,
    );
  }

  #recorded<T extends object>(process: Process, face: Face, calls: T): T {
    const entries = Object.entries(calls as Record<string, Call>);
    return Object.fromEntries(
      entries.map(([name, call]) => [name, this.#call(process.pid, face, name, call)]),
    ) as T;
  }

  #call(pid: number, face: Face, name: string, call: Call): Call {
    const recorder = this.#recorder;
    const { values } = recorder;
    return (...args) => {
      if (!recorder.live) return call(...args);
      let number = 0;
      const say = (to: ByteWriter): void => {
        number = ++this.#calls;
        to.unsigned(pid);
        to.byte(FACES.indexOf(face));
        to.string(name);
        writeArguments(values, to, name, args);
      };
      const result = recorder.event(
        CALL,
        say,
        () => call(...args),
        (to, now) => {
          if (now instanceof Promise) to.byte(1);
          else {
            to.byte(0);
            writeOutcome(values, to, name, args, now);
          }
        },
      );
      if (number !== 0 && result instanceof Promise) this.#await(number, name, args, result);
      return result;
    };
  }

  /** The first to hear of it: the program finds everything as it was then. */
  #await(number: number, name: string, args: readonly unknown[], result: Promise<unknown>): void {
    const { values } = this.#recorder;
    const returned = (value: unknown): void =>
      this.#recorder.returned((to) => {
        to.unsigned(number);
        writeOutcome(values, to, name, args, value);
      });
    // What a callback of the program's threw is its own business.
    void result.then(returned, nothing);
  }
}

/** Processes and congestion controls go by their number or name. */
function named(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('pid' in value) return { pid: value.pid };
  const { name } = value as { name?: unknown };
  return typeof name === 'string' && Object.getPrototypeOf(value) !== Object.prototype ? { name } : value;
}

function nothing(): void {}
