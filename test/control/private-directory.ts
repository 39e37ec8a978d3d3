// A runtime directory of a test's own, so that it sees no programs but its own.

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Sets XDG_RUNTIME_DIR for the test and the processes it starts. */
export function privateDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tapstack-run-'));
  chmodSync(directory, 0o700);
  const before = process.env.XDG_RUNTIME_DIR;
  process.env.XDG_RUNTIME_DIR = directory;
  onTestFinished(() => {
    if (before === undefined) delete process.env.XDG_RUNTIME_DIR;
    else process.env.XDG_RUNTIME_DIR = before;
    rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}
