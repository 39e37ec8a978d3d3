// The benchmark itself, as briefly as it goes: that it builds, that its client and the servers understand each other, that goals come
// out of it, and that nothing of it stays when it is killed. How fast anybody is, is no matter here.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { temporaryDirectory, until } from './server.js';

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const lab = at('scripts/lab');
const main = at('bench/main.mjs');

beforeAll(() => {
  const built = spawnSync('bash', [at('bench/build.sh'), 'client', 'epoll-server', 'limit'], {
    encoding: 'utf8',
  });
  expect(built.stderr).toBe('');
}, 120_000);

/** Runs it in a private network inside this one, because it changes what holds for all of its network. */
function bench(...args: string[]) {
  const json = join(temporaryDirectory(), 'results.json');
  const flags = ['--rounds', '1', '--seconds', '0.3', '--json', json];
  const { status, stdout, stderr } = spawnSync(lab, ['node', main, ...flags, ...args], {
    encoding: 'utf8',
    timeout: 290_000,
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return { stdout, results: JSON.parse(readFileSync(json, 'utf8')) };
}

test('bulk, round trips and connections are done by the stack, by the kernel and by the limit program', () => {
  const works = ['in-1-cubic', 'out-8', 'rr-64', 'crr-64'];
  const who = ['tapstack', 'kernel', 'node-net', 'limit', 'limit-plain'];
  const { stdout, results } = bench(...works, ...who);
  for (const work of works) {
    const { contenders } = results.measured[work];
    expect(Object.keys(contenders).sort()).toEqual([...who].sort());
    for (const name of who) expect(contenders[name].median, `${work}, ${name}`).toBeGreaterThan(0);
  }
  expect(stdout).toMatch(/round trips, 64 connections +≥ 1.7 × Node `net` +[\d.]+ × +(yes|NO)/);
}, 300_000);

test('the server on the kernel outlives clients that end while it writes to them', () => {
  const script = `
    exec 3< <(exec ${at('bench/build/epoll-server')}); server=$!
    read -r ready <&3
    for again in $(seq 5); do ${at('bench/build/client')} -n 8 -w 0 -t 0.05 out 127.0.0.1 || exit; done
    kill $server`;
  const { status, stdout, stderr } = spawnSync(lab, ['bash', '-c', script], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout.match(/"gbps"/g)).toHaveLength(5);
}, 120_000);

test('a process, its servers and its network are gone when the benchmark is killed', async () => {
  const child = spawn(lab, ['node', main, '--seconds', '30', 'rr-1', 'tapstack', 'kernel'], {
    stdio: 'ignore',
  });
  const programs = (): string[] =>
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        } catch {
          return '';
        }
      })
      .filter((line) => line.includes('10.72.0.2') || line.includes('build/epoll-server'));
  await until(() => programs().some((line) => line.includes('epoll-server')), 'its servers to start');
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  await until(() => programs().length === 0, 'all of it to be gone');
}, 120_000);

test.each([
  [
    'bench/main.mjs',
    ['--rounds', '0'],
    "option '--rounds <n>' argument '0' is invalid. Expected a whole number above 0.",
  ],
  ['bench/main.mjs', ['rr-2'], 'nothing is called rr-2'],
  ['bench/main.mjs', ['--report'], '--report needs the files that --json has written'],
  ['bench/main.mjs', ['--report', 'no-such.json'], 'no-such.json does not exist'],
  [
    'bench/wan/main.mjs',
    ['--pairs', 'many'],
    "option '--pairs <n>' argument 'many' is invalid. Expected a whole number above 0.",
  ],
  [
    'bench/wan/main.mjs',
    ['--only', '^3 ms'],
    'no network matches /^3 ms/; "1 ms, 0 % lost" is the name of one',
  ],
  ['bench/wan/main.mjs', ['--continue'], '--continue needs --json FILE, the file to go on from'],
  [
    'bench/wan/main.mjs',
    ['--continue', '--json', 'package.json'],
    'package.json is not what --json has written: it has no "results"',
  ],
  [
    'bench/wan/main.mjs',
    ['--document', 'README.md'],
    'README.md has no place for it: the two lines "<!-- begin cubic, by scripts/bench-wan -->"',
  ],
])('%s %j is refused before anything is measured', (program, args, why) => {
  const { status, stderr } = spawnSync(process.execPath, [program, ...args], {
    cwd: at(''),
    encoding: 'utf8',
  });
  expect(stderr).toContain(`error: ${why}`);
  expect(status).toBe(1);
});
