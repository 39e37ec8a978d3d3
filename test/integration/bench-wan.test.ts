// The soak of scripts/bench-wan, small: transfers between the stack and the running kernel through networks that lose, reorder and
// repeat, both ways. Every one must end, whole.

import { join } from 'node:path';
import { expect, test } from 'vitest';
import { requireLab } from '../link/lab.js';
import { root, shellAsync } from './server.js';

test('8 MB in eight transfers through bad networks arrive as they were sent', async () => {
  requireLab();
  const soak = ['--soak', '--transfers', '8', '--bytes', '1000000', '--lanes', '3', '--seconds', '30'];
  const { code, out } = await shellAsync(
    '"$@" 2>&1',
    process.execPath,
    join(root, 'bench/wan/main.mjs'),
    ...soak,
  );
  expect(out).toContain('8 transfers of 1 MB, 0 failures');
  for (const way of ['sends', 'receives']) expect(out).toContain(`tapstack ${way}, stack, seed`);
  expect(code).toBe(0);
}, 60_000);
