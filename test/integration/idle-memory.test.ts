// What an idle connection may take of the JavaScript heap: counted after garbage collection, so that it is the same everywhere.
// Whoever adds a field to a sock, a file or an epoll item sees it here.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
/** docs/performance-notes.md has what it is made of; a tenth is for what differs between versions of Node. */
const BYTES = 1130 * 1.1;
/** What making it leaves behind until a full collection: resident as well. */
const GARBAGE = 100;

/** So many that what compilers leave on the heap meanwhile, up to 300 KB, does not matter. */
async function idle(...options: string[]): Promise<{ heap: number; garbage: number }> {
  const args = ['bench/idle.mjs', '--connections', '20000', '--trips', '0', '--json', ...options];
  const { stdout } = await run(process.execPath, args);
  return JSON.parse(stdout)[1];
}

describe('an idle connection, accepted and registered with epoll', () => {
  it('is small, and leaves little behind of its handshake', async () => {
    const { heap, garbage } = await idle();
    expect(heap).toBeLessThan(BYTES);
    expect(garbage).toBeLessThan(GARBAGE);
  }, 60_000);

  it('is as small again after it has answered', async () => {
    const { heap } = await idle('--answered');
    expect(heap).toBeLessThan(BYTES);
  }, 60_000);
});
