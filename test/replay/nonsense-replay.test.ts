// Whatever a program passes to its calls, it gets the same answers when its session is recorded, and they happen again.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EPOLLIN, epollEvents } from 'tapstack';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordSession, replaySession } from '../../src/replay/index.js';
import { Machine, result } from '../kernel/machine.js';
import { callAll } from '../kernel/nonsense.js';

let folder: string;
let path: string;
let m: Machine;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tapstack-nonsense-'));
  path = join(folder, 'journal');
  m = new Machine({}, (options) => recordSession(options, path));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function happensAgain(): Promise<number> {
  await m.stack.close();
  const { difference, end, events } = await replaySession(path);
  expect(difference).toBeNull();
  expect(end).toBe('closed');
  return events;
}

it.each([1, 2, 3, 4])('calls with anything for arguments (seed %i)', async (seed) => {
  expect(await callAll(m, seed)).toEqual([]);
  expect(await happensAgain()).toBeGreaterThan(10_000);
});

describe('arguments that a copy would not do for', () => {
  it('one object twice', async () => {
    const [r, w] = m.pipe();
    m.write(w, 'x');
    const set = new Set([r, w]);
    // Both sets are the same, and the second is filled in last.
    expect(await m.sys.select(10, set, set, null, 0)).toBe(2);
    const ep = m.epoll();
    // As many as the descriptor's number.
    const events = epollEvents(ep);
    expect(await m.sys.epoll_wait(ep, events, ep, 0)).toBe(0);
    expect(result((await m.sys.epoll_wait(ep, events, events as never, 0)) as number)).toBe('-EINVAL');
    await happensAgain();
  });

  it('an array of events with holes, or with one for several', async () => {
    const ep = m.epoll();
    for (const data of ['r', 's', 't']) {
      const [r, w] = m.pipe();
      m.add(ep, r, EPOLLIN, data);
      m.write(w);
    }
    expect(result(await m.sys.epoll_wait(ep, new Array(8), 8, 0))).toBe('-EFAULT');
    const [one] = epollEvents(1);
    expect(await m.sys.epoll_wait(ep, [one, null as never, one], 3, 0)).toBe(1);
    expect(await m.sys.epoll_wait(ep, [one, one, one], 3, 0)).toBe(3);
    expect(await m.sys.epoll_wait(ep, epollEvents(2), 3, 0)).toBe(2);
    await happensAgain();
  });
});
