// The file of a journal, with a disk that is slow, takes less than it was given, or fails: what was recorded stands in it in its order,
// and is read back piece by piece.

import { readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ByteReader, ByteWriter } from '../../src/replay/bytes.js';
import { FINISH, FINISH_CLOSED, RANDOM, TIME } from '../../src/replay/format.js';
import { JournalReader } from '../../src/replay/journal-reader.js';
import { JournalWriter } from '../../src/replay/journal-writer.js';
import { LargeReader, LargeWriter } from '../../src/replay/large.js';

type Write = typeof import('node:fs').write;
type Done = (error: Error | null, count: number) => void;
/** What the file system does with a `write`: itself, or what a test says. */
const disk = vi.hoisted(() => ({
  write: null as ((real: Write, args: unknown[], done: Done) => void) | null,
}));

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  const write = (...args: unknown[]): void => {
    const done = args.pop() as Done;
    if (disk.write === null) (real.write as (...all: unknown[]) => void)(...args, done);
    else disk.write(real.write, args, done);
  };
  return { ...real, write };
});

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tapstack-writer-'));
  path = join(folder, 'journal');
});
afterEach(() => {
  disk.write = null;
  rmSync(folder, { recursive: true, force: true });
});

const header = {
  ...{ version: '1.2.3', build: 'b', node: 'v0', endianness: 'LE' as const },
  ...{ pid: 1, epoch: 0, recent: 0, turns: false, memory: 0, doctor: false, links: [] },
};

/** Bytes that differ from those of any other seed. */
function noise(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let value = seed + 1;
  for (let at = 0; at < length; at++) {
    value = (Math.imul(value, 1664525) + 1013904223) | 0;
    bytes[at] = value >>> 24;
  }
  return bytes;
}

const SIZES = [0, 1, 15, 16, 127, 128, 1000, 5000, 70_000, 262_144, 300_000];
/** What of it is data of its own. */
const isData = (at: number): boolean => at % 3 === 2;

/** Record `at` of a journal. */
function write(writer: JournalWriter, at: number, places: number[]): void {
  const bytes = noise(SIZES[at % SIZES.length], at);
  const body = new ByteWriter();
  if (isData(at)) {
    places.push(writer.data(bytes));
    body.unsigned(at);
  } else body.raw(bytes);
  writer.record(isData(at) ? TIME : RANDOM, body);
}

/** All of them are there, and what they refer to. */
function verify(count: number, places: number[]): void {
  const reader = new JournalReader(path);
  expect(reader.header).toEqual(header);
  for (let at = 0; at < count; at++) {
    const record = reader.next();
    const bytes = noise(SIZES[at % SIZES.length], at);
    expect(record?.type, `record ${at}`).toBe(isData(at) ? TIME : RANDOM);
    const found = isData(at) ? reader.data(places.shift() as number, bytes.length) : record?.body.bytes;
    expect(Buffer.compare(found as Uint8Array, bytes), `record ${at}`).toBe(0);
  }
  expect([reader.next()?.type, reader.next()]).toEqual([FINISH, null]);
  expect([reader.finish, reader.cutOff]).toEqual([FINISH_CLOSED, false]);
  reader.close();
}

describe('a journal is what was recorded', () => {
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  async function recorded(count: number, every: number): Promise<void> {
    const writer = new JournalWriter(path, header);
    const places: number[] = [];
    for (let at = 0; at < count; at++) {
      write(writer, at, places);
      if (at % every === every - 1) await turn();
    }
    writer.finish(FINISH_CLOSED);
    await writer.closed;
    expect(writer.error).toBeNull();
    expect(statSync(path).size).toBe(writer.size);
    verify(count, places);
  }

  it('on a good disk', () => recorded(200, 5));

  it('without a turn of the event loop', () => recorded(300, 1000));

  it('where the file system takes less than it was given', async () => {
    let short = 0;
    // In the next turn, however busy the threads of the pool are.
    disk.write = (_real, args, done) => {
      const [fd, bytes, from, length, position] = args as [number, Uint8Array, number, number, number];
      const less = Math.max(1, length >> 1);
      if (less < length) short++;
      setImmediate(() => done(null, writeSync(fd, bytes, from, less, position)));
    };
    await recorded(100, 2);
    expect(short).toBeGreaterThan(20);
  });

  it('where the disk is so slow that the program has to wait for it, and what it was given comes later', async () => {
    const late: (() => void)[] = [];
    disk.write = (real, args, done) => late.push(() => (real as (...all: unknown[]) => void)(...args, done));
    const writer = new JournalWriter(path, header);
    const places: number[] = [];
    // 70 MB, of which 16 MiB may wait.
    let least = 0;
    for (let at = 0; at < 1000; at++) {
      write(writer, at, places);
      least = Math.max(least, writer.size - statSync(path).size);
    }
    expect(least).toBeGreaterThan(1 << 23);
    expect(least).toBeLessThan(18 << 20);
    writer.finish(FINISH_CLOSED);
    let closed = false;
    void writer.closed.then(() => {
      closed = true;
    });
    await turn();
    expect([closed, late.length]).toEqual([false, 1]);
    late.pop()?.();
    await writer.closed;
    verify(1000, places);
  });

  it('where the disk answers now and then', async () => {
    const late: (() => void)[] = [];
    disk.write = (real, args, done) => late.push(() => (real as (...all: unknown[]) => void)(...args, done));
    const writer = new JournalWriter(path, header);
    const places: number[] = [];
    for (let at = 0; at < 1000; at++) {
      write(writer, at, places);
      if (at % 150 !== 149) continue;
      late.shift()?.();
      for (let n = 0; late.length === 0 && n < 1000; n++) await turn();
    }
    disk.write = null;
    writer.finish(FINISH_CLOSED);
    late.shift()?.();
    await writer.closed;
    verify(1000, places);
  });

  it('up to where the disk fails: the reason is kept', async () => {
    let writes = 0;
    disk.write = (_real, args, done) => {
      if (++writes > 3) done(new Error('ENOSPC: no space left on device, write'), 0);
      else setImmediate(() => done(null, writeSync(...(args as Parameters<typeof writeSync>))));
    };
    const writer = new JournalWriter(path, header);
    const exits = process.listenerCount('exit');
    for (let at = 0; writer.error === null && at < 1000; at++) {
      write(writer, at, []);
      await turn();
    }
    expect(writer.error?.message).toMatch(
      /^The journal stopped after \d+ bytes: .*journal cannot be written \(ENOSPC: no space left on device, write\)\.$/,
    );
    await writer.closed;
    expect(process.listenerCount('exit')).toBeLessThan(exits);
    const size = statSync(path).size;
    writer.record(RANDOM, null);
    writer.finish(FINISH_CLOSED);
    expect(statSync(path).size).toBe(size);
    const reader = new JournalReader(path);
    for (let record = reader.next(); record !== null; record = reader.next());
    expect(reader.cutOff).toBe(true);
    reader.close();
  });
});

describe('a disk that fails in the midst of something large', () => {
  it('ends the journal, and not the program', () => {
    disk.write = (_real, _args, done) => done(new Error('ENOSPC: no space left on device, write'), 0);
    const writer = new JournalWriter(path, header);
    writer.data(new Uint8Array(1 << 20));
    expect(writer.error?.message).toContain('ENOSPC');
  });
});

describe('a journal that is cut anywhere', () => {
  it('ends there, and is not damaged', async () => {
    const writer = new JournalWriter(path, header);
    for (let at = 0; at < 6; at++) write(writer, at, []);
    writer.finish(FINISH_CLOSED);
    await writer.closed;
    const whole = readFileSync(path);
    for (let size = 250; size < whole.length; size += size < 400 || size > whole.length - 80 ? 1 : 97) {
      writeFileSync(path, whole.subarray(0, size));
      const reader = new JournalReader(path);
      let count = 0;
      for (let record = reader.next(); record !== null; record = reader.next()) count++;
      expect([reader.cutOff, reader.finish, count < 7], `${size} bytes`).toEqual([true, 0, true]);
      expect(() => reader.data(size - 10, 11)).toThrow(RangeError);
      reader.close();
    }
  });
});

describe('what a program sends again', () => {
  /** A journal as an array of what was put there. */
  function journal() {
    const put: Uint8Array[] = [];
    const large = new LargeWriter((bytes) => put.push(new Uint8Array(bytes)) - 1);
    const reader = new LargeReader((at, length) => put[at].subarray(0, length));
    const sent = (bytes: Uint8Array, again = true): void => {
      const to = new ByteWriter();
      large.write(to, bytes, again);
      expect(Buffer.compare(reader.read(new ByteReader(to.written)), bytes)).toBe(0);
    };
    return { put, sent };
  }

  it('stands in the journal twice at most, also where less of it is sent', () => {
    const { put, sent } = journal();
    const page = Buffer.from(noise(50_000, 1));
    for (let n = 0; n < 10; n++) sent(page);
    for (const count of [49_999, 30_000, 4096]) sent(page.subarray(0, count));
    expect(put.length).toBe(2);
    // From another place, or more than then.
    sent(page.subarray(1));
    expect(put.length).toBe(3);
  });

  it('is found to have changed, in the first byte or the last', () => {
    for (const changed of [0, 49_999]) {
      const { put, sent } = journal();
      // A slice of a Buffer is no copy.
      const page = Buffer.from(noise(50_000, 2));
      for (let n = 0; n < 4; n++) sent(page);
      page[changed] ^= 1;
      for (let n = 0; n < 4; n++) sent(page);
      expect(put.length).toBe(3);
    }
  });

  it('is not looked for where something else stands each time, nor in what is received, nor when it is small', () => {
    const { put, sent } = journal();
    const buffer = new Uint8Array(10_000);
    for (let n = 0; n < 20; n++) {
      buffer.set(noise(10_000, n));
      sent(buffer);
    }
    expect(put.length).toBe(20);
    for (let n = 0; n < 20; n++) sent(buffer, false);
    expect(put.length).toBe(40);
    for (let n = 0; n < 20; n++) sent(buffer.subarray(0, 4095));
    expect(put.length).toBe(40);
  });

  it('is forgotten when there is too much of it', () => {
    const { put, sent } = journal();
    const pages = Array.from({ length: 100 }, (_, at) => noise(100_000, at));
    for (let n = 0; n < 3; n++) for (const page of pages) sent(page);
    expect(put.length).toBeGreaterThan(200);
    for (let n = 0; n < 5; n++) sent(pages[0]);
    expect(put.length).toBeLessThan(310);
  });
});
