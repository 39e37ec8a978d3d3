// One end of a transfer on the running kernel, in whose network namespace this process is; ../transfer.c moves the bytes.
//   kernel-peer.mjs receive BYTES SECONDS      listens; says `ready`, and then what it got
//   kernel-peer.mjs send BYTES SECONDS TO      says `ready`, begins when a line comes in, and says what the kernel counted, at
//                                              the end or at SIGTERM

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { payload, sha256 } from './payload.mjs';

const PORT = '5001';
const PROGRAM = fileURLToPath(new URL('../build/transfer', import.meta.url));
const [role, bytes, seconds, to] = process.argv.slice(2);

/** A reader takes little time, and needs it at once: behind an engine that compiles, the kernel's acknowledgements would be late. */
const FIRST = spawnSync('chrt', ['--rr', '9', 'true']).status === 0 ? ['chrt', '--rr', '9'] : [];

const directory = mkdtempSync(join(tmpdir(), 'tapstack-wan-'));
const file = join(directory, 'data');
let child;
process.on('exit', () => {
  child?.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});
process.on('SIGTERM', () => process.exit(0));

const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

function start(...more) {
  const [command, ...words] = [...FIRST, PROGRAM, role, PORT, bytes, seconds, file, ...more];
  child = spawn(command, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  return createInterface({ input: child.stdout })[Symbol.asyncIterator]();
}

async function receive() {
  const lines = start();
  if ((await lines.next()).value === 'ready') say({ ready: true });
  const { value } = await lines.next();
  if (value === undefined) process.exit(1);
  const [count, us, ended] = value.split(' ');
  const got = readFileSync(file).subarray(0, Number(count));
  say({ bytes: Number(count), seconds: Number(us) / 1e6, ended, sha256: sha256(got) });
  process.exit(0);
}

/** TcpExt of this namespace. */
function counters() {
  const lines = readFileSync('/proc/net/netstat', 'utf8').split('\n');
  const [names, values] = lines.filter((line) => line.startsWith('TcpExt:')).map((line) => line.split(' '));
  return Object.fromEntries(names.slice(1).map((name, i) => [name, Number(values[i + 1])]));
}

async function send() {
  writeFileSync(file, payload(Number(bytes)));
  say({ ready: true });
  await once(process.stdin, 'data');
  process.stdin.destroy();
  const before = counters();
  const report = () => {
    const after = counters();
    const moved = Object.entries(after).map(([name, value]) => [name, value - before[name]]);
    say({ counters: Object.fromEntries(moved.filter(([, value]) => value !== 0)) });
    process.exit(0);
  };
  process.removeAllListeners('SIGTERM').on('SIGTERM', report);
  start(to);
  const [code] = await once(child, 'exit');
  if (code === 0) report();
  process.exit(1);
}

if (role === 'receive') await receive();
else await send();
