// Servers on a real TAP device, recorded while the host's programs use and misuse them; replayed without a device afterwards, every frame
// and every result is the same, and a capture of the replay is the capture of the session.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { withHeader } from '../replay/programs.js';
import { main, place, type Server, shell, start, temporaryDirectory, tshark, wrongFrames } from './server.js';

const ROOM = 92;

/** `tapstack replay`. */
function replay(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [main, 'replay', ...args], { encoding: 'utf8', maxBuffer: 1 << 28 });
}

const SAME = /^\d+ events and (\d+) frames replayed: the same, byte for byte, to the end of the session\.$/m;

/** What tells one frame from another, in the order of a capture. */
function frames(pcap: string): string[] {
  const fields = ['frame.len', 'eth.dst', 'ip.id', 'tcp.seq_raw', 'tcp.ack_raw', 'tcp.flags', 'tcp.checksum'];
  return tshark(pcap, '-T', 'fields', ...fields.flatMap((field) => ['-e', field]));
}

/** One who sends more than he reads, for so long that windows close and are probed; then he leaves with a RST. */
async function glutton(server: Server): Promise<void> {
  const socket = connect({ host: server.at.stack, port: 7 });
  await once(socket, 'connect');
  socket.pause();
  socket.on('error', () => {});
  socket.write(Buffer.alloc(8 << 20, 'glutton '));
  await sleep(1500);
  socket.resetAndDestroy();
  await sleep(100);
}

describe('a server on a TAP device', () => {
  test.each([
    ['level-triggered, with offloads', []],
    [
      'edge-triggered, with plain frames, busy polling, doctor and trace',
      ['--edge', '--no-offload', '--busy-poll', '50', '--doctor', '--trace'],
    ],
  ])('%s', async (_how, options) => {
    const directory = temporaryDirectory();
    const journal = join(directory, 'echo.journal');
    const again = join(directory, 'again.pcapng');
    const at = place(ROOM, 1 + options.length);
    const server = await start('echo', at, { capture: true, options: [...options, '--record', journal] });
    expect(server.out).toContain(`the session is recorded to ${journal}`);
    expect(shell(`ping -c 2 -i 0.2 ${at.stack}`).status).toBe(0);
    expect(shell(`nc -N ${at.stack} 7 <<< hello; nc -N ${at.stack} 8 <<< nobody`).stdout).toBe('hello\n');
    const bulk = 'head -c 3000000 /dev/urandom > $1/sent; nc -N $2 7 < $1/sent | cmp - $1/sent';
    expect(shell(bulk, directory, at.stack)).toMatchObject({ status: 0, stdout: '' });
    await glutton(server);
    await server.stop();
    expect(server.err).toBe('');
    // Nobody else's to read.
    expect(statSync(journal).mode & 0o777).toBe(0o600);

    const replayed = replay(journal, '--pcap', again);
    expect(replayed.stdout).toMatch(SAME);
    expect(replayed).toMatchObject({ status: 0, stderr: '' });
    const recorded = frames(server.pcap as string);
    expect(frames(again)).toEqual(recorded);
    expect(recorded).toHaveLength(Number(SAME.exec(replayed.stdout)?.[1]));
    expect(wrongFrames(again)).toEqual([]);
    const comments = tshark(again, '-T', 'fields', '-e', 'frame.comment');
    expect(comments).toContainEqual(expect.stringMatching(/^event \d+; .*6 bytes in order/));
    expect(comments).toContainEqual(expect.stringMatching(/^event \d+; .*dropped: NO_SOCKET/));
    expect(comments).toContainEqual(expect.stringMatching(/^event \d+: write\(\d+, \{"bytes":\d+\}, \d+\)/));
    expect(comments).toContainEqual(expect.stringMatching(/^event \d+: a timer$/));
  });

  test('http: idle connections, files, keep-alive', async () => {
    const journal = join(temporaryDirectory(), 'http.journal');
    const at = place(ROOM, 20);
    const server = await start('http', at, { options: ['--record', journal] });
    const curl = `curl -s http://${at.stack}/ http://${at.stack}/bytes/5000000 | wc -c`;
    expect(Number(shell(curl).stdout)).toBeGreaterThan(5_000_000);
    await server.stop();
    expect(replay(journal).stdout).toMatch(SAME);
  });
});

test('iperf3, which is lent what it receives and sends by reference', async () => {
  const journal = join(temporaryDirectory(), 'iperf3.journal');
  const at = place(ROOM, 22);
  const server = await start('iperf3', at, { options: ['--record', journal] });
  expect(shell(`iperf3 -c ${at.stack} -n 50M && iperf3 -R -c ${at.stack} -n 50M`).status).toBe(0);
  await server.stop();
  expect(replay(journal).stdout).toMatch(SAME);
});

test('a device that is taken away while data is under way', async () => {
  const journal = join(temporaryDirectory(), 'gone.journal');
  const at = place(ROOM, 21);
  const server = await start('echo', at, { options: ['--record', journal] });
  const socket = connect({ host: at.stack, port: 7 });
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(Buffer.alloc(4 << 20));
  await once(socket, 'data');
  expect(shell(`ip link delete ${at.tap}`).status).toBe(0);
  expect(await server.exited()).toEqual({ code: 1, signal: null });
  socket.destroy();
  expect(replay(journal, '--events').stdout).toMatch(/ {2}a link is gone\n/);
  expect(replay(journal).stdout).toMatch(SAME);
});

describe('tapstack replay', () => {
  /** One greeting. */
  async function greeting(net: number, signal: NodeJS.Signals = 'SIGINT'): Promise<string> {
    const journal = join(temporaryDirectory(), 'echo.journal');
    const at = place(ROOM, net);
    const server = await start('echo', at, { options: ['--record', journal] });
    expect(shell(`nc -N ${at.stack} 7 <<< 'Hello, journal'`).stdout).toBe('Hello, journal\n');
    await server.ended(1);
    // The last moment of a process that is killed is lost; this is not.
    await sleep(400);
    await server.stop(signal);
    return journal;
  }

  test('replays what a server that was killed has recorded', async () => {
    const journal = await greeting(30, 'SIGKILL');
    const { status, stdout } = replay(journal);
    expect(stdout).toMatch(/the same, byte for byte, until the journal is cut off\.$/m);
    expect(status).toBe(0);
    expect(replay(journal, '--events').stdout).toMatch(
      /^ +\d+\.\d{6} {2}\d+ {2}read\(5, \{"bytes":65536\}\)$/m,
    );
  });

  test('replays what a server that was killed in the midst of a stream has recorded, also from a pipe', async () => {
    const journal = join(temporaryDirectory(), 'killed.journal');
    const at = place(ROOM, 35);
    const server = await start('echo', at, { options: ['--record', journal] });
    const socket = connect({ host: at.stack, port: 7 });
    let back = 0;
    socket.on('data', ({ length }) => {
      back += length;
      socket.write(Buffer.alloc(length, back));
    });
    socket.on('error', () => {});
    socket.write(Buffer.alloc(1 << 20));
    while (statSync(journal).size < 8 << 20) await sleep(10);
    await server.stop('SIGKILL');
    socket.destroy();
    expect(back).toBeGreaterThan(1 << 21);
    const whole =
      /^(\d+) events and \d+ frames replayed: the same, byte for byte, until the journal is cut off\.$/m;
    const events = Number(whole.exec(replay(journal).stdout)?.[1]);
    expect(events).toBeGreaterThan(50);
    const piped = shell('cat $1 | $2 $3 replay /dev/stdin', journal, process.execPath, main);
    expect(Number(whole.exec(piped.stdout)?.[1])).toBe(events);
  });

  test('says where it goes differently, and shows the sockets there', async () => {
    const journal = await greeting(31);
    const bytes = readFileSync(journal);
    bytes[bytes.indexOf('Hello, journal')] = 'J'.charCodeAt(0);
    writeFileSync(journal, bytes);
    const { status, stdout } = replay(journal);
    expect(status).toBe(1);
    expect(stdout).toMatch(
      /^It goes differently at event \d+, read\(5, .*\), at \d\.\d{6} s \(byte \d+ of the journal\): what came of it\n {2}recorded {2}\[15,.*\n {2}replayed {2}\[15,/m,
    );
    expect(stdout).toMatch(/^tcp +(ESTAB|CLOSE-WAIT) .*:7 .* users:\(\("node",pid=\d+,fd=5\)\)/m);
  });

  test('warns of a journal that another version recorded, and replays it', async () => {
    const journal = await greeting(34);
    expect(replay(journal)).toMatchObject({ status: 0, stderr: '' });
    const other = (header: object) => ({ ...header, version: '0.0.7' });
    writeFileSync(journal, withHeader(readFileSync(journal), other));
    const { status, stdout, stderr } = replay(journal);
    expect(status).toBe(0);
    expect(stderr).toMatch(
      /^tapstack: \S+echo\.journal: It was recorded by tapstack 0\.0\.7 .*that may be why\.\n$/,
    );
    expect(stdout).toContain('recorded by tapstack 0.0.7 on Node');
    expect(JSON.parse(replay(journal, '--json').stdout).foreign).toMatch(/by tapstack 0\.0\.7/);
  });

  test('stops at an event or frame, and shows the sockets as they were then; traces from an event on', async () => {
    const journal = await greeting(32);
    const events = replay(journal, '--events').stdout;
    const read = Number(/ (\d+) {2}read\(5/.exec(events)?.[1]);
    const before = replay(journal, '--until', String(read - 1)).stdout;
    expect(before).toMatch(/^tcp +(ESTAB|CLOSE-WAIT) +1[56] +0 /m);
    expect(before).toMatch(/cubic wscale:\d+,\d+ rto:\d+ .* bytes_received:1[56] /);
    const after = replay(journal, '--until', String(read), '--trace', '--from', String(read)).stdout;
    expect(after).toMatch(/^tcp +(ESTAB|CLOSE-WAIT) +0 +0 /m);
    expect(after).toMatch(/ {2}read\(5, .*\n +tcp_recvmsg {2}15 bytes\n/);
    const whole = JSON.parse(replay(journal, '--json').stdout);
    const half = JSON.parse(replay(journal, '--json', '--frame', String(whole.frames >> 1)).stdout);
    expect(whole).toMatchObject({ end: 'closed', difference: null });
    expect(half).toMatchObject({ end: 'stopped', difference: null, frames: expect.any(Number) });
    expect(half.events).toBeLessThan(whole.events);
  });

  test('a full journal is said, and the server serves on', async () => {
    const journal = join(temporaryDirectory(), 'full.journal');
    const at = place(ROOM, 33);
    const server = await start('echo', at, { options: ['--record', journal, '--record-limit', '1'] });
    const bulk = `head -c 3000000 /dev/zero | nc -N ${at.stack} 7 | wc -c`;
    expect(shell(bulk).stdout.trim()).toBe('3000000');
    await server.stop();
    expect(server.err).toMatch(
      /^tapstack: The journal .*full\.journal is full after \d+ bytes; the session goes on unrecorded\.\n$/,
    );
    expect(replay(journal).stdout).toMatch(/the same, byte for byte, until the journal was full\.$/m);
  });

  test('refuses what is no journal, and a place where none can be', () => {
    const directory = temporaryDirectory();
    const none = join(directory, 'none');
    expect(replay(none)).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^tapstack: Cannot read the journal .*ENOENT/),
    });
    writeFileSync(none, 'something else');
    expect(replay(none)).toMatchObject({
      status: 2,
      stderr: `tapstack: ${none} is no journal of tapstack. \`recordSession\` or \`tapstack echo --record\` makes one.\n`,
    });
  });
});

/** An HTTP server whose handlers take time, use timers and write in pieces, and which calls itself over loopback. */
const PROGRAM = `
const http = require('node:http');
const server = http.createServer((request, response) => {
  if (request.url === '/slow') setTimeout(() => response.end('slow'), 50);
  else if (request.url === '/self') http.get('http://127.0.0.1:8080/slow', (inner) => inner.pipe(response));
  else request.pipe(response);
});
server.listen(8080, () => process.stdout.write('listening\\n'));
process.on('SIGTERM', () => server.close());
`;

test('a Node program on the stack: tapstack run --record', async () => {
  const directory = temporaryDirectory();
  const journal = join(directory, 'run.journal');
  const file = join(directory, 'server.cjs');
  writeFileSync(file, PROGRAM);
  const at = place(ROOM, 40);
  const child = spawn(process.execPath, [main, 'run', ...at.options, '--record', journal, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const url = `http://${at.stack}:8080`;
  expect(shell(`curl -s ${url}/slow ${url}/self ${url}/slow`).stdout).toBe('slowslowslow');
  const bulk = `head -c 2000000 /dev/urandom > ${directory}/sent; curl -s --data-binary @${directory}/sent ${url}/ | cmp - ${directory}/sent`;
  expect(shell(bulk)).toMatchObject({ status: 0, stdout: '' });
  child.kill('SIGTERM');
  await once(child, 'exit');
  expect(replay(journal).stdout).toMatch(SAME);
});
