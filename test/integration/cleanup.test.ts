// However a server ends, what it made is gone: the device, its addresses and routes, a namespace. What was there before stays.

import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { ip } from '../link/lab.js';
import {
  deviceThere,
  main,
  place,
  shell,
  shellAsync,
  start,
  temporaryDirectory,
  tshark,
  until,
} from './server.js';

const ROOM = 84;
const CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

const namespaceThere = (name: string): boolean => existsSync(`/run/netns/${name}`);

function makeNamespace(name: string): void {
  ip('netns', 'add', name);
  onTestFinished(() => void ip('netns', 'delete', name));
}

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  '%s: the device and its route are gone',
  async (signal) => {
    const at = place(ROOM, CODES[signal] - 120);
    const server = await start('echo', at);
    expect(deviceThere(at.tap)).toBe(true);
    expect(ip('route')).toContain(at.tap);
    expect(shell(`nc -N ${at.stack} 7 <<< hello`).stdout).toBe('hello\n');
    expect(await server.stop(signal)).toEqual({ code: CODES[signal], signal: null });
    expect(deviceThere(at.tap)).toBe(false);
    expect(ip('route')).not.toContain(at.tap);
    expect(server.err).toBe('');
  },
);

test('SIGKILL: the kernel takes the device away', async () => {
  const at = place(ROOM, 1);
  const server = await start('http', at);
  expect(await server.stop('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
  await until(() => !deviceThere(at.tap), 'the device to go');
});

test('SIGKILL: a namespace made for the server goes, too, and so does who saw to it', async () => {
  const at = place(ROOM, 6);
  const name = `${at.tap}-killed`;
  const server = await start('echo', at, { options: ['--netns', name] });
  const guard = () => shell('pgrep -f "tapstack-netns /run/netns/$1"', name).stdout.trim();
  expect(guard()).toMatch(/^\d+$/);
  await server.stop('SIGKILL');
  await until(() => !namespaceThere(name), 'the namespace to go');
  await until(() => guard() === '', 'the guard to go');
});

test('with connections open, it ends as quickly', async () => {
  const at = place(ROOM, 2);
  const server = await start('echo', at, { capture: true });
  const idle = connect(7, at.stack);
  const busy = connect(7, at.stack);
  for (const socket of [idle, busy]) {
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => {});
    await once(socket, 'connect');
  }
  busy.pause().write(Buffer.alloc(8 << 20));
  await sleep(300);
  const from = performance.now();
  expect((await server.stop()).code).toBe(130);
  expect(performance.now() - from).toBeLessThan(2000);
  expect(server.err).toBe('');
  expect(tshark(server.pcap ?? '').length).toBeGreaterThan(20);
});

test('whose lines nobody reads any more, ends as by SIGPIPE, with its capture whole', async () => {
  const at = place(ROOM, 8);
  const file = join(temporaryDirectory(), 'unread.pcapng');
  const ended = shellAsync(
    'set -o pipefail; "$1" "$2" echo $4 --pcap "$3" | head -1 > /dev/null; echo $?',
    process.execPath,
    main,
    file,
    at.options.join(' '),
  );
  await until(() => deviceThere(at.tap), 'the device');
  await until(() => shell(`nc -N -w 2 ${at.stack} 7 <<< hello`).stdout === 'hello\n', 'an answer');
  expect((await ended).out).toBe('141\n');
  expect(deviceThere(at.tap)).toBe(false);
  expect(tshark(file, '-Y', 'tcp.flags.fin == 1').length).toBeGreaterThan(0);
});

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  '%s: a namespace made for the server is gone',
  async (signal) => {
    const at = place(ROOM, CODES[signal] - 100);
    const name = `${at.tap}-made`;
    const server = await start('echo', at, { options: ['--netns', name] });
    expect(server.out).toContain(`in the network namespace ${name} (made for this)`);
    const lines = server.out.split('\n').filter((line) => line.startsWith(`  ip netns exec ${name} `));
    expect(lines).toHaveLength(3);
    expect(shell(lines[1])).toMatchObject({ status: 0, stdout: 'Hello, stack\n' });
    expect(deviceThere(at.tap)).toBe(false);
    await server.stop(signal);
    expect(namespaceThere(name)).toBe(false);
  },
);

test('each line that http proposes goes into the namespace with all its parts', async () => {
  const at = place(ROOM, 16);
  const server = await start('http', at, { options: ['--netns', at.tap] });
  const last = server.out.split('\n').find((line) => line.includes('nc -N')) ?? '';
  expect(shell(last)).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^HTTP\/1\.[01] 200 OK\r\n/),
  });
  await server.stop();
});

test('a namespace that was there stays there, without the device', async () => {
  const at = place(ROOM, 3);
  makeNamespace(at.tap);
  const before = ip('-n', at.tap, 'addr');
  const server = await start('echo', at, { options: ['--netns', at.tap] });
  expect(server.out).not.toContain('made for this');
  expect(ip('-n', at.tap, 'addr')).toContain(at.host);
  await server.stop();
  expect(namespaceThere(at.tap)).toBe(true);
  expect(ip('-n', at.tap, 'addr')).toBe(before);
});

test('a persistent device that was there stays there, as it was', async () => {
  const at = place(ROOM, 4);
  ip('tuntap', 'add', 'dev', at.tap, 'mode', 'tap');
  onTestFinished(() => void ip('link', 'delete', at.tap));
  const server = await start('echo', at, { options: ['--mtu', '1400'] });
  expect(server.out).toContain(`existing TAP device ${at.tap}: MTU 1400`);
  expect(shell(`nc -N ${at.stack} 7 <<< hello`).stdout).toBe('hello\n');
  await server.stop();
  const after = ip('addr', 'show', 'dev', at.tap);
  expect(after).not.toContain(at.host);
  expect(after).toContain('mtu 1500');
  expect(after).toContain('state DOWN');
});

test.each([
  ['exception', "process.on('SIGUSR2', () => { throw new Error('made up') })"],
  ['rejection', "process.on('SIGUSR2', () => { Promise.reject(new Error('made up')) })"],
])('a crash (%s) removes everything and says that it is a bug', async (kind, trap) => {
  const at = place(ROOM, kind.length);
  const name = `${at.tap}-${kind}`;
  const server = await start('echo', at, {
    node: ['--import', `data:text/javascript,${encodeURIComponent(trap)}`],
    options: ['--netns', name],
  });
  expect(namespaceThere(name)).toBe(true);
  expect(await server.stop('SIGUSR2')).toEqual({ code: 1, signal: null });
  expect(namespaceThere(name)).toBe(false);
  expect(server.err).toContain('Something went wrong that should not have');
  expect(server.err).toContain('Error: made up');
});

test('a device that somebody removes ends the server, with a word', async () => {
  const at = place(ROOM, 5);
  const server = await start('http', at);
  ip('link', 'delete', at.tap);
  expect(await server.exited()).toEqual({ code: 1, signal: null });
  expect(server.err).toMatch(/^tapstack: The TAP device is gone: /);
  expect(server.err).not.toMatch(/^ +at /m);
});
