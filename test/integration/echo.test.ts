// `tapstack echo` from the host's side: nc, curl, ping, a thousand connections at once, half-closes, clients that die. All of it
// recorded, and read again by tshark.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { checkCapture, place, type Server, shell, start } from './server.js';

const ROOM = 81;

/** A connection that closes its halves one by one. */
async function open(server: Server): Promise<Socket> {
  const socket = connect({ host: server.at.stack, port: 7, allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** All that still comes, until the stack's half is closed. */
async function drain(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

describe.each([
  ['level-triggered', []],
  ['edge-triggered', ['--edge']],
])('%s', (mode, options) => {
  const at = (net: number) => place(ROOM, options.length * 20 + net);

  test('answers ping, nc and curl with the lines it prints', async () => {
    const server = await start('echo', at(1), { capture: true, options });
    expect(server.out).toContain(mode);
    const lines = server.out.split('\n').filter((line) => /^ {2}(ping|nc|curl) /.test(line));
    expect(lines).toHaveLength(3);
    const [ping, nc, curl] = lines.map((line) => shell(line));
    expect(ping.stdout).toContain('3 packets transmitted, 3 received, 0% packet loss');
    expect(nc).toMatchObject({ status: 0, stdout: 'Hello, stack\n' });
    expect(curl.stdout).toBe('Hello, curl\n');
    const [first] = await server.ended(2);
    expect(first).toMatch(
      /^10\.81\.\d+\.1:\d+ {2}13 bytes in, 13 bytes out, \d\.\d{3} s, closed by the peer$/,
    );
    expect(await server.stop()).toEqual({ code: 130, signal: null });
    expect(server.err).toBe('');
    checkCapture(server);
  });

  test('echoes on 1,000 connections that are open at once', async () => {
    const server = await start('echo', at(2), { capture: true, options });
    const sockets = await Promise.all(Array.from({ length: 1000 }, () => open(server)));
    const texts = sockets.map((_, i) => Buffer.alloc(1000 + i, `connection ${i} `));
    const echoed = sockets.map((socket, i) => {
      let got = 0;
      return new Promise<void>((resolve) => {
        socket.on('data', (chunk: Buffer) => {
          expect(chunk.equals(texts[i].subarray(got, got + chunk.length))).toBe(true);
          got += chunk.length;
          if (got === texts[i].length) resolve();
        });
      });
    });
    sockets.forEach((socket, i) => void socket.write(texts[i]));
    await Promise.all(echoed);
    expect(server.lines()).toEqual([]);
    const closed = sockets.map((socket) => once(socket, 'end'));
    for (const socket of sockets) socket.end();
    await Promise.all(closed);
    const lines = await server.ended(1000);
    expect(lines.filter((line) => !line.endsWith('closed by the peer'))).toEqual([]);
    await server.stop();
    expect(server.err).toBe('');
    checkCapture(server);
  });

  test('echoes everything to a client that has closed its half, then closes its own', async () => {
    const server = await start('echo', at(3), { capture: true, options });
    const socket = await open(server);
    const sent = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * i) >> 7));
    socket.end(sent);
    // Nobody reads here at first: the stack has to hold on to what it owes.
    await sleep(300);
    expect((await drain(socket)).equals(sent)).toBe(true);
    expect((await server.ended(1))[0]).toContain('3000000 bytes in, 3000000 bytes out');
    await server.stop();
    checkCapture(server);
  });

  test('survives clients killed in the middle of a transfer', async () => {
    const server = await start('echo', at(4), { capture: true, options });
    // One that reads what comes back, and one that does not, so that the stack is left with a full send queue.
    const greedy = spawn('nc', [server.at.stack, '7'], { stdio: ['pipe', 'ignore', 'ignore'] });
    const stuck = spawn('nc', [server.at.stack, '7'], { stdio: ['pipe', 'pipe', 'ignore'] });
    onTestFinished(() => [greedy, stuck].forEach((child) => void child.kill('SIGKILL')));
    const chunk = Buffer.alloc(1 << 20, 'x');
    for (const child of [greedy, stuck]) {
      child.stdin?.on('error', () => {});
      for (let i = 0; i < 8; i++) child.stdin?.write(chunk);
    }
    await sleep(300);
    expect(server.lines()).toEqual([]);
    for (const child of [greedy, stuck]) child.kill('SIGKILL');
    const lines = await server.ended(2);
    expect(lines.some((line) => /ECONNRESET|EPIPE/.test(line))).toBe(true);
    expect(shell(`nc -N ${server.at.stack} 7 <<< still`).stdout).toBe('still\n');
    await server.stop();
    expect(server.err).toBe('');
    checkCapture(server);
  });
});

test('a client that never reads is slowed down by its own window, and costs no memory', async () => {
  const server = await start('echo', place(ROOM, 40));
  const socket = await open(server);
  const before = server.resident();
  const block = Buffer.alloc(1 << 20);
  let taken = 0;
  const feed = (): void => {
    while (taken < 500 && socket.write(block, () => taken++)) {}
  };
  socket.pause().on('drain', feed);
  feed();
  await sleep(1000);
  expect(taken).toBeLessThan(64);
  expect(server.resident() - before).toBeLessThan(64);
  socket.resetAndDestroy();
  await server.ended(1);
});

test('--quiet prints no line for a connection', async () => {
  const server = await start('echo', place(ROOM, 41), { options: ['--quiet'] });
  expect(shell(`nc -N ${server.at.stack} 7 <<< hush`).stdout).toBe('hush\n');
  await server.stop();
  expect(server.lines()).toEqual([]);
});

test('listens on the port it is told to, and nowhere else', async () => {
  const server = await start('echo', place(ROOM, 42), { options: ['--port', '7007'] });
  expect(shell(`nc -N ${server.at.stack} 7007 <<< here`).stdout).toBe('here\n');
  expect(shell(`nc -vN ${server.at.stack} 7 <<< there`).stderr).toContain('Connection refused');
});
