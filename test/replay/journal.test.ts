// A journal that is not what was recorded: one byte changed, cut, full, of another version, or none at all.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SocketDetails } from '../../src/control/socket-details.js';
import { createSyscalls } from '../../src/kernel/syscalls.js';
import { Lab } from '../../src/lab/index.js';
import { recordSession, replaySession } from '../../src/replay/index.js';
import type { Stack } from '../../src/stack.js';
import { Reno } from '../../src/tcp/congestion/reno.js';
import { AF_INET, SOCK_DGRAM } from '../../src/uapi/socket.js';
import { crowd, echo, talk, withHeader } from './programs.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tapstack-journal-'));
  path = join(folder, 'server.journal');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A client and a recorded server on a good cable; the client sends 10,000 times the byte 1. */
async function session(): Promise<Buffer> {
  const lab = new Lab({ seed: 1 });
  const cable = lab.cable({ delayUs: 1000 });
  const client = lab.stack({ link: cable.a, address: '10.0.0.1/24' });
  const server = lab.stack({ link: cable.b, address: '10.0.0.2/24', record: path });
  void echo(server);
  await lab.run({ until: talk(client, 10_000) });
  await lab.pass(5000);
  await lab.close();
  return readFileSync(path);
}

function rewrite(bytes: Uint8Array): void {
  writeFileSync(path, bytes);
}

describe('one byte of the journal is changed', () => {
  it('in what a frame carries: the read that finds it returns something else', async () => {
    const bytes = await session();
    bytes[bytes.indexOf(Buffer.alloc(500, 1)) + 100] = 2;
    rewrite(bytes);
    const { difference, end, stack } = await replaySession(path);
    expect(end).toBe('stopped');
    expect(difference?.during).toMatch(/^read\(5, \{"bytes":3000\}\)$/);
    expect(difference?.what).toBe('what came of it');
    expect(difference?.recorded).not.toBe(difference?.replayed);
    expect(new SocketDetails(stack as Stack).list().map(({ state }) => state)).toContain('ESTABLISHED');
  });

  it('in what the program wrote: the frame that carries it is another', async () => {
    const bytes = await session();
    // The second time that so many are in a row: received, and written back.
    const received = bytes.indexOf(Buffer.alloc(500, 1));
    const written = bytes.indexOf(Buffer.concat([Buffer.from('write'), Buffer.of(3)]), received);
    bytes[bytes.indexOf(Buffer.alloc(500, 1), written) + 20] = 2;
    rewrite(bytes);
    const { difference } = await replaySession(path);
    expect(difference?.during).toMatch(/^write\(5, /);
    expect(difference?.what).toBe('a frame is sent');
    expect(difference?.recorded).toMatch(/^\{"payload":"[0-9a-f]+"\}$/);
  });

  it('in a sequence number: the stack answers with another acknowledgement', async () => {
    const bytes = await session();
    const payload = bytes.indexOf(Buffer.alloc(500, 1));
    // TCP's header with timestamps: 32 bytes, the sequence number 4 into it.
    bytes[payload - 32 + 7] ^= 1;
    rewrite(bytes);
    const { difference } = await replaySession(path);
    expect(difference?.event).toBeGreaterThan(10);
    expect(difference?.time).toBeGreaterThan(1_000_000);
    expect(readFileSync(path)[difference?.at ?? -1]).toBeDefined();
  });

  it('anywhere: it is never taken for the same session and no other error than a difference or damage comes of it', async () => {
    const bytes = await session();
    const whole = await replaySession(path);
    expect(whole.difference).toBeNull();
    const header = bytes.indexOf('}') + 200;
    let noticed = 0;
    let tries = 0;
    for (let at = header; at < bytes.length - 2; at += 611) {
      const changed = Buffer.from(bytes);
      changed[at] ^= 0x10;
      rewrite(changed);
      tries++;
      const replay = await replaySession(path).catch((error: Error) => error);
      if (replay instanceof Error) expect(replay.name).toBe('JournalError');
      if (replay instanceof Error || replay.difference !== null || replay.end !== 'closed') noticed++;
    }
    expect(tries).toBeGreaterThan(30);
    // Bytes that decide nothing are left: the padding of frames, times that nobody compares.
    expect(noticed / tries).toBeGreaterThan(0.8);
  });
});

describe('a journal that ends early', () => {
  it('is replayed as far as it goes, wherever it is cut', async () => {
    const bytes = await session();
    const whole = await replaySession(path);
    let before = 0;
    for (const part of [0.3, 0.5, 0.77, 0.9]) {
      rewrite(bytes.subarray(0, Math.floor(bytes.length * part)));
      const { difference, end, events } = await replaySession(path);
      expect(difference).toBeNull();
      expect(end).toBe('cut off');
      expect(events).toBeGreaterThan(before);
      before = events;
    }
    expect(before).toBeLessThan(whole.events);
  });

  it('in the midst of an event as well as between two: neither is a difference', async () => {
    const bytes = await session();
    const ends = new Set<number>();
    for (let size = bytes.length >> 2; size < bytes.length; size += 113) {
      rewrite(bytes.subarray(0, size));
      const { difference, end, events, stack } = await replaySession(path);
      expect(difference, `${size} bytes`).toBeNull();
      expect(end).toBe('cut off');
      expect(new SocketDetails(stack as Stack).list().length).toBeGreaterThan(0);
      ends.add(events);
    }
    expect(ends.size).toBeGreaterThan(20);
  });

  it('because it is full: the session goes on unrecorded, and says so once', async () => {
    const told: string[] = [];
    const stack = recordSession({ memory: 8 << 20 }, path, {
      limit: 20_000,
      onEnd: ({ message }) => told.push(message),
    });
    await crowd(stack);
    await stack.close();
    expect(told).toEqual([
      expect.stringMatching(
        /^The journal .*server\.journal is full after \d+ bytes; the session goes on unrecorded\.$/,
      ),
    ]);
    const { difference, end, events } = await replaySession(path);
    expect(difference).toBeNull();
    expect(end).toBe('full');
    expect(events).toBeGreaterThan(20);
  });

  it('not at a size that is none', () => {
    for (const limit of [0, -1, Number.NaN])
      expect(() => recordSession({}, path, { limit })).toThrow(
        /^the limit of a journal is bytes, more than 0/,
      );
  });

  it('because its file cannot be written', () => {
    expect(() => recordSession({}, join(folder, 'nowhere', 'x'))).toThrow(
      /^Cannot record to .*nowhere.x: ENOENT.*Choose a path/,
    );
  });
});

describe('a file that cannot be replayed', () => {
  const refused = async (): Promise<{ code: string; message: string }> =>
    replaySession(path).then(
      () => expect.unreachable(),
      ({ code, message }) => ({ code, message }),
    );

  it('is not there', async () => {
    expect(await refused()).toEqual({
      code: 'UNREADABLE',
      message: expect.stringMatching(/^Cannot read the journal .*server.journal: ENOENT/),
    });
  });

  it.each([
    ['a capture', '\n\r\r\n'],
    ['nothing', ''],
    ['half a word', 'tapstack jour'],
  ])('is no journal: %s', async (_what, text) => {
    rewrite(Buffer.from(text));
    expect((await refused()).code).toBe('NO_JOURNAL');
  });

  it('is of another format: whose, and who can read it', async () => {
    const bytes = withHeader(await session(), (header) => ({ ...header, version: '7.1.0-beta.2' }));
    bytes[17] = 9;
    rewrite(bytes);
    expect(await refused()).toEqual({
      code: 'OTHER_FORMAT',
      message: expect.stringMatching(
        /is a journal of format 9, recorded by tapstack 7\.1\.0-beta\.2; tapstack \S+ reads format \d\. Replay it with the version that recorded it\.$/,
      ),
    });
    rewrite(bytes.subarray(0, 19));
    expect((await refused()).message).toMatch(/is a journal of format 9; tapstack/);
  });

  it.each([
    ['nothing', () => ({})],
    ['no list of links', (header: object) => ({ ...header, links: 3 })],
    ['links that are none', (header: object) => ({ ...header, links: [null] })],
    ['a clock that is none', (header: object) => ({ ...header, epoch: 'soon' })],
  ])('says of the stack what makes no sense: %s', async (_what, change) => {
    rewrite(withHeader(await session(), change));
    expect(await refused()).toEqual({
      code: 'DAMAGED',
      message: expect.stringMatching(/at byte 18 \(what it says of the stack makes no sense\)/),
    });
  });

  it('ends in its first record', async () => {
    const bytes = await session();
    rewrite(bytes.subarray(0, 60));
    expect((await refused()).code).toBe('DAMAGED');
  });
});

describe('a journal of another version', () => {
  async function foreign(change: object): Promise<{ told: string[]; foreign: string | null; same: boolean }> {
    rewrite(withHeader(await session(), (header) => ({ ...header, ...change })));
    const told: string[] = [];
    const { foreign, difference } = await replaySession(path, { onForeign: (text) => told.push(text) });
    return { told, foreign, same: difference === null };
  }

  it.each([
    ['of tapstack', { version: '0.0.7' }, /^It was recorded by tapstack 0\.0\.7 \(this is .*that may be why/],
    ['of its code', { build: '0123456789abcdef' }, /^It was recorded by another build of tapstack \d/],
    [
      'of machine',
      { endianness: 'BE' },
      /^It was recorded on a machine with the highest byte of a number first/,
    ],
    ['of all', { version: '9.0.0', build: '', endianness: 'BE' }, /by tapstack 9\.0\.0 .*, and on a machine/],
  ])('is replayed, and that it is another is said: %s', async (_what, change, expected) => {
    const { told, foreign: sentence, same } = await foreign(change);
    expect(sentence).toMatch(expected);
    expect(told).toEqual([sentence]);
    expect(same).toBe(true);
  });

  it('is not taken for one because another Node recorded it, nor when the same build did', async () => {
    expect(await foreign({ node: 'v99.0.0' })).toEqual({ told: [], foreign: null, same: true });
    expect(await foreign({})).toEqual({ told: [], foreign: null, same: true });
  });
});

it('tells each event with the time at which it happened', async () => {
  await session();
  const told: [number, string, number][] = [];
  const { events } = await replaySession(path, { onEvent: (...event) => told.push(event) });
  expect(told.map(([number]) => number)).toEqual(Array.from({ length: events }, (_, at) => at + 1));
  expect(told[1]).toEqual([2, 'epoll_create1(0)', 1_000_000]);
  const frames = told.filter(([, text]) => text.endsWith('received')).map(([, , time]) => time);
  // A millisecond each way: ARP's question, the SYN, the acknowledgement.
  expect(frames.slice(0, 3)).toEqual([1_001_000, 1_003_000, 1_005_000]);
});

describe('a replay that is stopped', () => {
  it('at an event leaves the stack as it was then', async () => {
    await session();
    const whole = await replaySession(path);
    const states = new Set<string>();
    for (let untilEvent = 1; untilEvent < whole.events; untilEvent += 5) {
      const { stack, events, end } = await replaySession(path, { untilEvent });
      expect(events).toBe(untilEvent);
      expect(end).toBe('stopped');
      for (const { state } of stack?.sockets() ?? []) states.add(state);
    }
    expect([...states].sort()).toEqual(['CLOSE_WAIT', 'ESTABLISHED', 'LISTEN']);
  });

  it('at a frame', async () => {
    await session();
    const { frames, stack } = await replaySession(path, { untilFrame: 3 });
    expect(frames).toBe(4);
    // ARP's question and answer, the SYN and, in the same event, what answers it.
    expect(stack?.sockets()).toEqual([
      expect.objectContaining({ state: 'LISTEN', synQueue: ['10.0.0.1:36348'] }),
    ]);
  });
});

it('says to whoever asks more of a replayed stack that there is no more', async () => {
  await session();
  const { stack } = await replaySession(path, { untilEvent: 5 });
  expect(() => stack?.host.random.int32()).toThrow(/^the journal has ended, or its replay was stopped/);
});

describe('what no journal can hold', () => {
  it('is asked for: a congestion control of the program', async () => {
    class Mine extends Reno {
      override readonly name: string = 'mine';
    }
    const stack = recordSession({ memory: 8 << 20 }, path);
    stack.registerCongestionControl(new Mine());
    stack.sysctl('net.ipv4.tcp_congestion_control', 'mine');
    await stack.close();
    await expect(replaySession(path)).rejects.toThrow(
      /registered the congestion control mine.*in `controls`/,
    );
    const { difference, stack: again } = await replaySession(path, { controls: [new Mine()] });
    expect(difference).toBeNull();
    expect(again?.sysctl('net.ipv4.tcp_congestion_control')).toBe('mine');
  });

  it('is noticed: a frame that something else has sent', async () => {
    const lab = new Lab({ seed: 1 });
    const cable = lab.cable();
    const stack = lab.stack({ link: cable.a, address: '10.0.0.1/24', record: path });
    // The calls themselves, with nobody in between.
    const sys = createSyscalls(stack.process);
    const fd = sys.socket(AF_INET, SOCK_DGRAM);
    sys.sendto(fd, new Uint8Array(5), 5, 0, { family: AF_INET, address: '10.0.0.2', port: 9 });
    await lab.close();
    expect((await replaySession(path)).difference).toMatchObject({
      what: 'what happens between events',
      recorded: expect.stringContaining('a frame, by something that is not recorded'),
      replayed: 'nothing',
    });
  });
});
