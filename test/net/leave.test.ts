// What a process with its own network owes its peers when it ends: what it has written, and a FIN.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { deviceThere, place, until } from '../integration/server.js';
import { requireLab } from '../link/lab.js';

const ROOM = 87;
const scenario = fileURLToPath(new URL('leave-scenario.mjs', import.meta.url));

beforeAll(requireLab);

/** Runs the scenario against a server whose connections `serve` gets. */
async function run(net: number, how: string[], serve: (socket: Socket) => void) {
  const { tap, host, stack } = place(ROOM, net);
  const server = createServer(serve);
  await once(server.listen(0, '0.0.0.0'), 'listening');
  const { port } = server.address() as { port: number };
  const args = [scenario, tap, `${stack}/24`, `${host}/24`, String(port), ...how];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
    server.close();
  });
  let queued = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    queued += text;
  });
  const from = performance.now();
  const [code] = await once(child, 'close');
  expect(code).toBe(3);
  expect(deviceThere(tap)).toBe(false);
  return { queued: Number(queued), ms: performance.now() - from };
}

test('what is in the send queue arrives, and a FIN after it', async () => {
  let received = 0;
  let ended = false;
  // A reader who takes its time, so that the queue cannot be emptied at once.
  const { queued } = await run(1, ['leave'], (socket) => {
    onTestFinished(() => void socket.destroy());
    socket.on('data', (data) => {
      received += data.length;
      socket.pause();
      setTimeout(() => socket.resume(), 2);
    });
    socket.on('end', () => {
      ended = true;
    });
  });
  await until(() => ended, 'the end of the stream');
  expect(queued).toBeGreaterThan(100_000);
  expect(received).toBe(queued);
});

test('a peer that does not read is waited for no longer than a second', async () => {
  const { ms } = await run(2, ['leave', 'stuck'], (socket) => {
    onTestFinished(() => void socket.destroy());
    socket.pause();
  });
  expect(ms).toBeGreaterThan(1000);
  expect(ms).toBeLessThan(8000);
});

test('without it, what the device has not taken yet is lost', async () => {
  let received = 0;
  const { queued } = await run(3, ['vanish'], (socket) => {
    onTestFinished(() => void socket.destroy());
    socket.on('data', (data) => {
      received += data.length;
    });
  });
  await sleep(200);
  expect(received).toBeLessThan(queued);
});
