// npm run oracle: compiles test/oracle (and the stack with it) when something has changed, and runs it.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = join(root, 'build/oracle/tsbuildinfo');
const entry = join(root, 'build/oracle/js/test/oracle/main.js');

/** When the newest of the sources was changed. */
function newest(directory) {
  let time = 0;
  for (const each of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, each.name);
    if (each.isDirectory()) time = Math.max(time, newest(path));
    else if (each.name.endsWith('.ts')) time = Math.max(time, statSync(path).mtimeMs);
  }
  return time;
}

const sources = Math.max(newest(join(root, 'src')), newest(join(root, 'test/oracle')));
if (!existsSync(entry) || !existsSync(stamp) || statSync(stamp).mtimeMs < sources) {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const result = spawnSync(process.execPath, [compiler, '-p', join(root, 'test/oracle')], {
    stdio: ['ignore', 2, 2],
  });
  if (result.status !== 0) {
    console.error('oracle: the stack or its oracle does not compile; see above.');
    process.exit(2);
  }
}
const result = spawnSync(process.execPath, [entry, ...process.argv.slice(2)], { stdio: 'inherit' });
process.exit(result.status ?? 2);
