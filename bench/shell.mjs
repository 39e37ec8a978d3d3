// Other programs: run to their end, heard, and never waited for without a limit.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const execute = promisify(execFile);

export const clientProgram = fileURLToPath(new URL('build/client', import.meta.url));

/** Runs a program; resolves with what it printed. Its own words are in the error when it fails. */
export async function run(file, args, seconds) {
  const limits = { timeout: seconds * 1000, killSignal: 'SIGKILL', maxBuffer: 64 << 20 };
  try {
    return (await execute(file, args, limits)).stdout;
  } catch (error) {
    const words = `${error.stderr ?? ''}${error.stdout ?? ''}`.trim();
    throw new Error(error.killed ? `nothing came of ${file} in ${seconds} s` : words || error.message);
  }
}

/** Runs a script of sh, any failing line of which is an error; resolves with what it printed. */
export const sh = (script) => run('sh', ['-ec', script], 20);

/** Runs the client; resolves with its answer. */
export const client = async (args, seconds) => JSON.parse(await run(clientProgram, args, seconds));

/** One line that is overwritten, where somebody watches. */
export function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
