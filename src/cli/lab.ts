// `tapstack lab`: a command in a private network of its own, by the same script that the project's tests use; without a command,
// a shell there with the echo server running beside it.

import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { banner } from './banner.js';
import { TAPSTACK } from './called.js';
import { ECHO_PORT, echo } from './echo.js';
import { Lifetime } from './lifetime.js';
import { openNetwork } from './network.js';
import { addServerOptions, serverOptions } from './options.js';
import { Refusal } from './refusal.js';
import { startServer } from './serve.js';

const SCRIPT = new URL('../../scripts/lab.mjs', import.meta.url).href;
const MAIN = fileURLToPath(new URL('main.js', import.meta.url));

/** Hidden: what `lab` without a command runs inside. */
export const LAB_SHELL = 'lab-shell';

/** In this very process, so that the network is gone with it, however it ends. */
export async function runLab(command: readonly string[]): Promise<void> {
  const inside = command.length > 0 ? command : [process.execPath, MAIN, LAB_SHELL];
  process.argv = [process.execPath, SCRIPT, ...inside];
  await import(SCRIPT);
}

export async function runLabShell(): Promise<void> {
  const options = { ...serverOptions(addServerOptions(new Command(), ECHO_PORT)), quiet: true };
  const lifetime = new Lifetime();
  try {
    const network = await openNetwork('lab', options, lifetime);
    const loop = startServer(echo, network.stack, options);
    const text = banner('echo', network, options, echo.tries(options));
    process.stdout.write(
      text.replace('from another terminal', 'here').replace(/Ctrl-C .*/, 'exit leaves; nothing remains.'),
    );
    const name = process.env.SHELL || 'bash';
    const shell = spawn(name, { stdio: 'inherit' });
    // What is typed at the shell is the shell's business.
    process.removeAllListeners('SIGINT');
    process.on('SIGINT', () => {});
    shell.on('error', ({ message }) => {
      const remedies = [`another one: SHELL=/bin/bash ${TAPSTACK} lab`];
      void lifetime.fail(new Refusal(`The shell ${name} cannot be started: ${message}.`, remedies));
    });
    shell.on(
      'exit',
      (code, signal) => void lifetime.end(code ?? 128 + constants.signals[signal ?? 'SIGTERM']),
    );
    await loop.run();
  } catch (error) {
    await lifetime.fail(error);
  }
}
