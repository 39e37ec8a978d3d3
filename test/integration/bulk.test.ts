// 100 MB through the echo server and back, by nc, at every kind of MTU, with the kernel's help (TSO) and without. A shorter
// transfer of each kind is recorded and read again by tshark.

import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  checkCapture,
  place,
  shellAsync,
  start,
  temporaryDirectory,
  tshark,
  until,
  wrongFrames,
} from './server.js';

const ROOM = 82;
const MB = 1_000_000;

/** A file of random bytes, and its SHA-256. */
function randomFile(megabytes: number): { path: string; digest: string } {
  const path = join(temporaryDirectory(), 'sent');
  const hash = createHash('sha256');
  const fd = openSync(path, 'w');
  for (let i = 0; i < megabytes; i++) {
    const block = randomBytes(MB);
    hash.update(block);
    writeSync(fd, block);
  }
  closeSync(fd);
  return { path, digest: hash.digest('hex') };
}

async function echoed(stack: string, path: string): Promise<string> {
  const { code, out } = await shellAsync(
    `timeout 50 nc -N "$1" 7 < "$2" | sha256sum; exit $PIPESTATUS`,
    stack,
    path,
  );
  expect(code).toBe(0);
  return out.slice(0, 64);
}

describe.each([
  { mode: 'TSO', options: [] },
  { mode: 'plain', options: ['--no-offload'] },
  { mode: 'plain, received by a thread', options: ['--no-offload', '--napi', 'threaded'] },
])('$mode', ({ options }) => {
  const net = (mtu: number, recorded: number) =>
    [576, 1500, 9000].indexOf(mtu) * 10 + recorded * 5 + options.length;

  test.each([576, 1500, 9000])(
    '100 MB come back as they were, MTU %d',
    async (mtu) => {
      const { path, digest } = randomFile(100);
      const server = await start('echo', place(ROOM, net(mtu, 0)), {
        options: [...options, '--mtu', `${mtu}`],
      });
      expect(await echoed(server.at.stack, path)).toBe(digest);
      expect((await server.ended(1))[0]).toContain('100000000 bytes in, 100000000 bytes out');
      await server.stop();
      expect(server.err).toBe('');
    },
    60_000,
  );

  test.each([576, 1500, 9000])(
    'no frame of such a transfer is wrong, MTU %d',
    async (mtu) => {
      const { path, digest } = randomFile(8);
      const server = await start('echo', place(ROOM, net(mtu, 1)), {
        capture: true,
        options: [...options, '--edge', '--mtu', `${mtu}`],
      });
      expect(await echoed(server.at.stack, path)).toBe(digest);
      await server.stop();
      checkCapture(server);
      // Captures lie above the NIC, as on Linux: there TSO has not been cut yet, and GRO has joined what came in plain frames.
      const large = `frame.packet_flags_direction == 1 && frame.len > ${mtu + 14}`;
      expect(tshark(server.pcap ?? '', '-Y', large).length).toBeGreaterThan(0);
      expect(readFileSync(server.pcap ?? '').length).toBeGreaterThan(16 * MB);
    },
    60_000,
  );
});

test('the frames that the NIC cuts and sums are right in the eyes of the host', async () => {
  const { path, digest } = randomFile(4);
  const server = await start('echo', place(ROOM, 99), { options: ['--no-offload'] });
  const seen = join(temporaryDirectory(), 'host.pcapng');
  const listener = spawn('tshark', ['-i', server.at.tap, '-w', seen], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  onTestFinished(() => void listener.kill('SIGKILL'));
  let said = '';
  listener.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await until(() => said.includes('Capture started'), 'tshark to listen');
  expect(await echoed(server.at.stack, path)).toBe(digest);
  const ended = once(listener, 'close');
  listener.kill('SIGINT');
  await ended;
  expect(wrongFrames(seen)).toEqual([]);
  const lengths = tshark(seen, '-Y', `ip.src == ${server.at.stack}`, '-T', 'fields', '-e', 'frame.len').map(
    Number,
  );
  // Of 3,000: a listener on a busy machine is behind when it is told to end.
  expect(lengths.length).toBeGreaterThan(100);
  expect(Math.max(...lengths)).toBe(1514);
});
