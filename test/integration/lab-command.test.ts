// `tapstack lab`: a command in a private network, with its arguments and exit code; and a shell beside an echo server.

import { spawn, spawnSync } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import { expect, test } from 'vitest';
import { main, until } from './server.js';

function lab(input: string, ...command: string[]) {
  return labWith('/bin/bash', input, ...command);
}

function labWith(shell: string, input: string, ...command: string[]) {
  return spawnSync(process.execPath, [main, 'lab', ...command], {
    encoding: 'utf8',
    input,
    timeout: 60_000,
    env: { ...process.env, SHELL: shell },
  });
}

test('runs a command with its own options, input and exit code', () => {
  const run = lab(
    'two  words\n',
    'bash',
    '-c',
    'ls /sys/class/net; cat; echo "$@"; exit 7',
    '--port',
    '-x',
    '--help',
  );
  expect(run).toMatchObject({ status: 7, stderr: '', stdout: 'lo\ntwo  words\n-x --help\n' });
});

test('without a command, opens a shell beside an echo server', () => {
  const before = Object.keys(networkInterfaces());
  const run = lab(
    "nc -N 10.0.0.2 7 <<< 'Hello, lab'; ping -c 1 -W 2 10.0.0.2 | grep loss; kill -INT $PPID; exit 5\n",
  );
  expect(run.stderr).toBe('');
  expect(run.stdout).toContain('tapstack echo: listening on 10.0.0.2 port 7');
  expect(run.stdout).toContain('Try it here:');
  expect(run.stdout).toContain('\nHello, lab\n');
  expect(run.stdout).toContain(' 0% packet loss');
  expect(run.status).toBe(5);
  expect(Object.keys(networkInterfaces())).toEqual(before);
});

test('killed outright, it takes everything in there along', async () => {
  const child = spawn(process.execPath, [main, 'lab', 'sleep', '4711'], { stdio: 'ignore' });
  const sleepers = () => spawnSync('pgrep', ['-fx', 'sleep 4711'], { encoding: 'utf8' }).stdout;
  await until(() => sleepers() !== '', 'the command to run');
  child.kill('SIGKILL');
  await until(() => sleepers() === '', 'the command to be gone');
});

test('a shell that is not there is told of, and not taken for a missing device', () => {
  expect(labWith('/no/such/shell', '')).toMatchObject({
    status: 1,
    stderr:
      'tapstack: The shell /no/such/shell cannot be started: spawn /no/such/shell ENOENT.\n' +
      '  - another one: SHELL=/bin/bash npx tapstack lab\n',
  });
});
