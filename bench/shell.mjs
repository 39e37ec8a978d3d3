// Other programs: run to their end, heard, and never waited for without a limit.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Runs a script of sh, any failing line of which is an error; resolves with what it printed. */
export async function sh(script) {
  return (await execute('sh', ['-ec', script], { timeout: 20_000 })).stdout;
}

/** Runs a program that prints JSON; its own words are in the error when it fails. */
export async function json(file, args, seconds) {
  try {
    const { stdout } = await execute(file, args, {
      timeout: seconds * 1000,
      killSignal: 'SIGKILL',
      maxBuffer: 64 << 20,
    });
    return JSON.parse(stdout);
  } catch (error) {
    const why = error.killed
      ? `nothing came of it in ${seconds} s`
      : (error.stderr ?? '').trim() || error.message;
    throw new Error(why);
  }
}
