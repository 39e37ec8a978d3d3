// How a program on a stack of its own ends: as it would without, but what the kernel does for the sockets of a dead process is done
// before. Signals that end a process do so still; a program that listens for one itself decides itself.

import type { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

const FATAL = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
type Fatal = (typeof FATAL)[number];

/** Calls `leave` at the end of the process, whatever ends it, SIGKILL and its like excepted. */
export function liveAndDie(leave: () => void): void {
  afterExit(leave);
  for (const signal of FATAL) if (!ignored(signal)) new LastWord(signal, leave);
}

/** After the program's own listeners of 'exit', whenever they were added: what they write is to arrive, too. */
function afterExit(leave: () => void): void {
  const emitter = process as unknown as { emit(event: unknown, ...args: unknown[]): boolean };
  const { emit } = emitter;
  emitter.emit = function (this: unknown, event: unknown, ...args: unknown[]): boolean {
    try {
      return Reflect.apply(emit, this, [event, ...args]);
    } finally {
      if (event === 'exit') leave();
    }
  };
}

/** Stands in for a signal's default action while the program has no listener of its own: libraries count those. */
class LastWord {
  readonly #signal: Fatal;
  readonly #leave: () => void;
  #standing = false;

  constructor(signal: Fatal, leave: () => void) {
    this.#signal = signal;
    this.#leave = leave;
    const emitter: EventEmitter = process;
    // Ahead of Node's own, which begins to wait for a signal before the first listener is added and ends after the last.
    emitter.prependListener('newListener', (event: string, listener: unknown) => {
      if (event === signal && listener !== this.#onSignal) this.#stand(false);
    });
    emitter.on('removeListener', (event: string, listener: unknown) => {
      if (event === signal && listener !== this.#onSignal) this.#stand(emitter.listenerCount(signal) === 0);
    });
    this.#stand(process.listenerCount(signal) === 0);
  }

  #stand(standing: boolean): void {
    if (standing === this.#standing) return;
    this.#standing = standing;
    if (standing) process.on(this.#signal, this.#onSignal);
    else process.off(this.#signal, this.#onSignal);
  }

  readonly #onSignal = (): void => {
    this.#leave();
    this.#stand(false);
    // Nothing is in the way now: this ends the process, and tells its parent what did.
    process.kill(process.pid, this.#signal);
  };
}

/** Whoever started the program wants it to outlive this signal (nohup). */
function ignored(signal: Fatal): boolean {
  const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0';
  return ((BigInt(`0x${mask}`) >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n;
}
