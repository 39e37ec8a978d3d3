// Node's own tests of net, http, https, http2 and tls, on the stack: `node scripts/node-suite.mjs TREE [PATTERN…]`, where TREE holds
// Node's `test/` (test/parallel, test/common, test/fixtures; a checkout of Node, or parts of one). Each file runs on plain Node
// first; only what passes there counts. Then it runs with `net` replaced by tapstack/net's default export.

import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    jobs: { type: 'string', default: '2' },
    timeout: { type: 'string', default: '30' },
    /** Remembers how plain Node did, which does not change. */
    cache: { type: 'string' },
    json: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
});
const [tree, ...patterns] = positionals;
if (tree === undefined || !existsSync(join(tree, 'test/parallel'))) {
  console.error(
    'usage: node-suite [--jobs N] [--timeout SECONDS] [--cache FILE] [--json FILE] TREE [PATTERN…]',
  );
  console.error('TREE is a directory with the test/ of Node: test/parallel, test/common and test/fixtures.');
  process.exit(2);
}

const GROUPS = ['net', 'http', 'https', 'http2', 'tls'];
const preload = fileURLToPath(new URL('../test/node-suite/replace-net.cjs', import.meta.url));
const directory = resolve(tree, 'test/parallel');

const groupOf = (file) => GROUPS.find((group) => file.startsWith(`test-${group}-`));
const wanted = (file) => patterns.length === 0 || patterns.some((pattern) => new RegExp(pattern).test(file));
const files = readdirSync(directory).filter((file) => /\.m?js$/.test(file) && groupOf(file) && wanted(file));

/** Flags that a test asks for in a comment of its first lines. */
function flagsOf(file) {
  const source = readFileSync(join(directory, file), 'utf8');
  return /^\/\/ Flags: (.*)$/m.exec(source)?.[1].split(/\s+/).filter(Boolean) ?? [];
}

function run(file, extra, slot) {
  const args = [...flagsOf(file), ...extra, join(directory, file)];
  const env = { ...process.env, TEST_SERIAL_ID: `${slot}`, TEST_THREAD_ID: `${slot}`, NODE_OPTIONS: '' };
  const child = spawn(process.execPath, args, {
    cwd: resolve(tree),
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  const collect = (chunk) => {
    if (output.length < 20000) output += chunk;
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  return new Promise((done) => {
    // What a test has started must not outlive it: it has a process group of its own.
    const end = () => {
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {}
    };
    const timer = setTimeout(() => {
      output += '\n(timed out)';
      end();
    }, Number(values.timeout) * 1000);
    child.on('exit', (code) => {
      clearTimeout(timer);
      end();
      done({ passed: code === 0, skipped: /^1\.\.0 # Skipped/m.test(output), output });
    });
  });
}

const plain = values.cache && existsSync(values.cache) ? JSON.parse(readFileSync(values.cache, 'utf8')) : {};
const results = new Map();

async function worker(slot) {
  for (let file = files.pop(); file !== undefined; file = files.pop()) {
    plain[file] ??= await run(file, [], slot).then(({ passed, skipped }) => ({
      applies: passed && !skipped,
    }));
    if (!plain[file].applies) continue;
    const result = await run(file, ['-r', preload], slot);
    results.set(file, result);
    if (values.verbose) console.log(result.passed ? 'ok  ' : 'FAIL', file);
  }
}
files.reverse();
await Promise.all(Array.from({ length: Number(values.jobs) }, (_, slot) => worker(slot + 1)));
if (values.cache) await writeFile(values.cache, JSON.stringify(plain));
if (values.json) await writeFile(values.json, JSON.stringify(Object.fromEntries(results), null, 1));

let failures = 0;
for (const group of GROUPS) {
  const own = [...results].filter(([file]) => groupOf(file) === group).sort();
  const failed = own.filter(([, { passed }]) => !passed);
  failures += failed.length;
  if (own.length > 0) console.log(`${group}: ${own.length - failed.length} of ${own.length}`);
  for (const [file] of failed) console.log(`  ${file}`);
}
process.exitCode = failures > 0 ? 1 : 0;
