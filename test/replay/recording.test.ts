// What a program has of being recorded: a file that is its own, whatever stands there or becomes of the disk, and calls as ever.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordSession, replaySession } from '../../src/replay/index.js';
import { EPIPE } from '../../src/uapi/errno.js';
import { crowd } from './programs.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tapstack-recording-'));
  path = join(folder, 'journal');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a journal', () => {
  it("is nobody else's to read, also where a file of that name was", async () => {
    writeFileSync(path, 'mine', { mode: 0o644 });
    const stack = recordSession({ memory: 8 << 20 }, path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await stack.close();
  });

  it('goes through a pipe, too', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const cat = spawn('sh', ['-c', 'cat "$1" > "$2"', 'test', pipe, path], { stdio: 'ignore' });
    const stack = recordSession({ memory: 8 << 20 }, pipe);
    const said = await crowd(stack);
    await stack.close();
    await once(cat, 'exit');
    expect(said.length).toBeGreaterThan(20);
    expect(await replaySession(path)).toMatchObject({ difference: null, end: 'closed' });
  });

  it('is one of many in a process, without a warning of too many listeners', async () => {
    const warnings: string[] = [];
    const warned = ({ message }: Error): void => void warnings.push(message);
    process.on('warning', warned);
    const stacks = Array.from({ length: 15 }, (_, at) => recordSession({ memory: 4 << 20 }, `${path}${at}`));
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.all(stacks.map((stack) => stack.close()));
    process.off('warning', warned);
    expect(warnings).toEqual([]);
  });

  it('ends when the disk is full: the session goes on, and says so once', async () => {
    const told: string[] = [];
    const stack = recordSession({ memory: 8 << 20 }, '/dev/full', {
      onEnd: ({ message }) => told.push(message),
    });
    await crowd(stack);
    await stack.close();
    expect(told).toEqual([
      expect.stringMatching(/^The journal stopped after \d+ bytes: \/dev\/full cannot be written \(ENOSPC/),
    ]);
  });
});

it('leaves nothing behind of a stack that could not be made, but a journal that says why', async () => {
  const before = process.listenerCount('exit');
  const options = { sysctl: { 'net.ipv4.no_such_thing': 1 } };
  expect(() => recordSession(options, path)).toThrow(/no_such_thing/);
  expect(process.listenerCount('exit')).toBe(before);
  const { difference, end, stack } = await replaySession(path);
  expect([difference, end, stack]).toEqual([null, 'closed', null]);
});

describe("a process's callbacks make calls, inside of the one that led to them", () => {
  it.each([
    ['nothing more', false],
    ['and then throw: whoever made the call gets that', true],
  ])('%s', async (_what, throws) => {
    const stack = recordSession({ memory: 8 << 20 }, path);
    const { sys, blocking, process: parent } = stack;
    const child = parent.fork();
    const pipe = [0, 0];
    sys.pipe(pipe);
    sys.close(pipe[0]);
    const fds: number[] = [];
    parent.onSigpipe = () => {
      fds.push(sys.eventfd(0));
      if (throws) throw new Error('a broken pipe');
    };
    child.onExit = () => fds.push(sys.eventfd(1));
    const write = () => sys.write(pipe[1], new Uint8Array(1));
    if (throws) expect(write).toThrow('a broken pipe');
    else expect(write()).toBe(-EPIPE);
    const again = blocking.write(pipe[1], new Uint8Array(1));
    if (throws) await expect(again).rejects.toThrow('a broken pipe');
    else expect(await again).toBe(-EPIPE);
    child.exit();
    expect(fds).toEqual([3, 5, 6]);
    expect(sys.eventfd(2)).toBe(7);
    await stack.close();
    const told: string[] = [];
    const onEvent = (_number: number, text: string) => told.push(text);
    const { difference, end } = await replaySession(path, { onEvent });
    expect([difference, end]).toEqual([null, 'closed']);
    expect(told.filter((text) => text.startsWith('eventfd')).length).toBe(4);
  });

  it('also where a call goes on that slept', async () => {
    const stack = recordSession({ memory: 8 << 20 }, path);
    const { sys, blocking, process } = stack;
    const pipe = [0, 0];
    sys.pipe(pipe);
    const fds: number[] = [];
    process.onSigpipe = () => fds.push(sys.eventfd(0), sys.eventfd(1));
    const bytes = new Uint8Array(100_000);
    // More than a pipe holds.
    const writing = blocking.write(pipe[1], bytes);
    const another = blocking.write(pipe[1], bytes);
    sys.eventfd(2);
    sys.close(pipe[0]);
    expect(await Promise.all([writing, another])).toEqual([65_536, -EPIPE]);
    fds.push(sys.eventfd(3));
    await stack.close();
    expect(fds).toEqual([3, 6, 7, 8, 9]);
    const replay = await replaySession(path);
    expect([replay.difference, replay.end]).toEqual([null, 'closed']);
  });
});
