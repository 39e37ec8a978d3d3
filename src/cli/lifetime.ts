// How the command ends: whatever the reason (a signal, a closed terminal, a crash), what it made is removed first. Only SIGKILL
// is left to the kernel, which takes the device with it, and to the NIC's guard, which takes the namespace.

import { constants } from 'node:os';
import { describeBug, describeRefusal, Refusal, refusalFor } from './refusal.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export class Lifetime {
  readonly #cleanups: (() => Promise<void>)[] = [];
  #ending = false;

  /** Takes over signals and crashes from now on. */
  constructor() {
    for (const signal of SIGNALS) process.on(signal, () => void this.end(128 + constants.signals[signal]));
    process.on('uncaughtException', (error) => void this.fail(error));
    process.on('unhandledRejection', (error) => void this.fail(error));
    // What ends the process at once (command-line.ts) would leave a capture cut short.
    process.stdout.removeAllListeners('error');
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (this.#ending) return;
      // Whoever read our lines is gone (`| head`): nobody is left to serve them to.
      if (error.code === 'EPIPE') void this.end(128 + constants.signals.SIGPIPE);
      else void this.fail(new Refusal(`Standard output cannot be written: ${error.message}.`));
    });
  }

  /** `cleanup` runs at the end, before those that were registered earlier. */
  onEnd(cleanup: () => Promise<void>): void {
    this.#cleanups.push(cleanup);
  }

  /** Says what went wrong, and ends with its exit code; what goes wrong because we are ending is no news. */
  async fail(error: unknown): Promise<void> {
    if (this.#ending) return;
    const refusal = refusalFor(error);
    process.stderr.write(refusal === undefined ? describeBug(error) : describeRefusal(refusal));
    await this.end(refusal?.exitCode ?? 1);
  }

  /** A second signal ends the process at once; what the NIC owes at exit it still does. */
  async end(exitCode: number): Promise<void> {
    if (this.#ending) process.exit(exitCode);
    this.#ending = true;
    let code = exitCode;
    for (const cleanup of this.#cleanups.reverse()) {
      try {
        await cleanup();
      } catch (error) {
        const refusal = refusalFor(error);
        process.stderr.write(refusal === undefined ? describeBug(error) : describeRefusal(refusal));
        code = 1;
      }
    }
    process.exit(code);
  }
}
