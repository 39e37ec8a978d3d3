// Runs every packet script of test/scripts. A script that waits for something says so in its first line
// (`// expect-fail: reason`), and must fail until that is there.

import { readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findScripts } from '../../src/lab/script/find-scripts.js';
import { reportText } from '../../src/lab/script/report.js';
import { runScript } from '../../src/lab/script/runner.js';

const folder = resolve(import.meta.dirname, '../scripts');

describe('packet scripts', () => {
  for (const path of findScripts([folder])) {
    const source = readFileSync(path, 'utf8');
    const awaited = /^\/\/ expect-fail: (.+)$/m.exec(source)?.[1];
    const name = relative(folder, path);
    it(awaited === undefined ? name : `${name} fails as long as this is missing: ${awaited}`, async () => {
      const result = await runScript(source, path);
      if (awaited === undefined) expect(reportText(result)).toBe('');
      else expect(result.result, 'it passes now: take the expect-fail line out').toBe('failed');
    });
  }
});
