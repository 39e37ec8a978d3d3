// Listeners that a program steers while its session is recorded: what it told them, and what its hooks said to each SYN, stands in the
// journal, and happens again without the program.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createWire, type Listener, RealClock, Stack } from 'tapstack';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SeededRandom } from '../../src/core/random.js';
import { Lab } from '../../src/lab/index.js';
import { createNet, listenerOf } from '../../src/net/index.js';
import { recordSession, replaySession } from '../../src/replay/index.js';
import { EAGAIN } from '../../src/uapi/errno.js';
import { AF_INET, SOCK_NONBLOCK, SOCK_STREAM } from '../../src/uapi/socket.js';
import { Machine } from '../kernel/machine.js';
import { servedBy } from '../kernel/served-by.js';
import { uncaught } from '../kernel/uncaught.js';
import { type Counters, rough } from './programs.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tapstack-steering-'));
  path = join(folder, 'server.journal');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const recorded = (): Machine => new Machine({}, (options) => recordSession(options, path));

/** The session happens again, silently, with the same counters. */
async function happensAgain(counters: Counters): Promise<string[]> {
  const events: string[] = [];
  const heard = await uncaught(async () => {
    const replay = await replaySession(path, { onEvent: (_number, text) => events.push(text) });
    expect(replay.difference).toBeNull();
    expect(replay.end).toBe('closed');
    expect(replay.stack?.snmp()).toEqual(counters);
  });
  expect(heard).toEqual([]);
  return events;
}

/**
 * A server that takes connections as fast as it likes, and whose program is of a mind of its own about each SYN; thirty clients over a
 * bad cable. What it is told changes all the time.
 */
async function moodySession(seed: number): Promise<Counters> {
  const lab = new Lab({ seed });
  const cable = lab.cable(rough);
  const a = lab.stack({ link: cable.a, address: '10.0.0.1/24' });
  const b = lab.stack({ link: cable.b, address: '10.0.0.2/24', record: path });
  const mood = new SeededRandom(seed);
  const roll = (sides: number): number => (mood.int32() >>> 0) % sides;
  const fd = b.sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  b.sys.bind(fd, { family: AF_INET, address: '0.0.0.0', port: 7 });
  b.sys.listen(fd, 1);
  const listener = b.listener(fd);
  listener.onSyn = () => {
    if (roll(4) === 0)
      b.listener(fd).acceptOverflow = (['sysctl', 'park', 'abort', 'reset'] as const)[roll(4)];
    const say = roll(8);
    if (say === 4) throw new Error('a bad mood');
    if (say === 5) return 'whatever' as never;
    return (['accept', 'drop', 'reset', 'cookie'] as const)[say];
  };
  const clients = Array.from({ length: 30 }, async (_, at) => {
    await a.sys.poll([], at * 300);
    const client = a.sys.socket(AF_INET, SOCK_STREAM);
    if ((await a.blocking.connect(client, { family: AF_INET, address: '10.0.0.2', port: 7 })) === 0)
      await a.blocking.write(client, new Uint8Array(2000));
    a.sys.close(client);
  });
  const server = (async () => {
    for (let round = 0; round < 60; round++) {
      await b.sys.poll([], 400);
      listener.synOverflow = (['sysctl', 'drop', 'cookie', 'reset'] as const)[roll(4)];
      if (round % 7 === 3) listener.pause({ refuse: roll(2) === 1 });
      else listener.resume();
      const accepted = b.sys.accept(fd);
      if (accepted !== -EAGAIN) b.sys.close(accepted);
    }
  })();
  await lab.run({ until: Promise.all([...clients, server]) });
  const counters = b.snmp();
  await lab.close();
  return counters;
}

describe('a steered session is recorded and happens again', () => {
  it('whatever the program thinks of each SYN', async () => {
    const total: Record<string, number> = {};
    for (const seed of [1, 2, 3]) {
      let counters: Counters | undefined;
      const heard = await uncaught(async () => {
        counters = await moodySession(seed);
      });
      expect(new Set(heard)).toEqual(
        new Set(['a bad mood', expect.stringMatching(/^onSyn answered 'whatever'/)]),
      );
      const events = await happensAgain(counters as Counters);
      expect(events).toContain('listener 1: onSyn true');
      for (const [name, value] of Object.entries((counters as Counters).Listener))
        total[name] = (total[name] ?? 0) + value;
    }
    const names = ['PausedDrops', 'PausedResets', 'OnSynDrops', 'OnSynResets', 'OnSynCookies', 'OnSynErrors'];
    for (const name of [...names, 'OverflowResets']) expect(total[name], name).toBeGreaterThan(0);
  });

  it('where the hook looks, calls, pauses, and closes its listener', async () => {
    const m = recorded();
    const first = m.listener();
    const second = m.listener();
    const third = m.listener();
    const child = m.process.fork();
    const seen: unknown[] = [];
    m.stack.listener(first.fd).onSyn = () => {
      m.sys.close(first.fd);
      child.sys.close(first.fd);
      return 'accept';
    };
    const other = child.listener(second.fd);
    other.onSyn = ({ peer }) => {
      // A look at the clock, in the midst of the event.
      seen.push(m.stack.listener(third.fd).acceptQueue.length, peer.address);
      m.client(third.at);
      m.sys.setsockopt(second.fd, 1, 9, 1);
      other.pause();
      other.onSyn = null;
    };
    m.client(first.at);
    m.client(second.at);
    await m.pass(1100);
    m.client(second.at);
    await m.pass(1500);
    expect(seen).toEqual([0, '127.0.0.1']);
    expect([m.stack.listener(third.fd).acceptQueue.length, other.onSyn, other.paused]).toEqual([
      1,
      null,
      'dropping',
    ]);
    const counters = m.stack.snmp();
    expect(counters.Listener.PausedDrops).toBe(2);
    await m.stack.close();
    const events = await happensAgain(counters);
    expect(events.filter((text) => text.startsWith('listener '))).toEqual([
      'listener 1: onSyn true',
      'listener 2: onSyn true',
      'listener 2: pause false',
      'listener 2: onSyn false',
    ]);
  });

  it('where the hook takes its time, and looks at the clock: the SYN is answered then', async () => {
    const clock = new RealClock();
    const wire = createWire({ clock });
    const a = new Stack({ clock, link: wire[0], address: '10.0.0.1/24', memory: 8 << 20 });
    const b = recordSession({ clock, link: wire[1], address: '10.0.0.2/24', memory: 8 << 20 }, path);
    const fd = b.sys.socket(AF_INET, SOCK_STREAM);
    b.sys.bind(fd, { family: AF_INET, address: '0.0.0.0', port: 7 });
    b.sys.listen(fd, 1);
    const listener = b.listener(fd);
    listener.onSyn = () => {
      const until = performance.now() + 20;
      while (performance.now() < until) expect(listener.acceptQueue).toEqual([]);
    };
    const client = a.sys.socket(AF_INET, SOCK_STREAM);
    expect(await a.blocking.connect(client, { family: AF_INET, address: '10.0.0.2', port: 7 })).toBe(0);
    const counters = b.snmp();
    await a.close();
    await b.close();
    // Timestamps of the answer are milliseconds of then.
    await happensAgain(counters);
  });

  it('with workers who are woken by turns', async () => {
    const m = recorded();
    const { fd, at } = m.listener();
    m.stack.listener(fd).wakeOrder = 'turns';
    const by = await servedBy(m, fd, at);
    expect(by).toBe('abcabc');
    const counters = m.stack.snmp();
    await m.stack.close();
    await happensAgain(counters);
  });

  it('of a server of tapstack/net', async () => {
    const stack = recordSession({ memory: 8 << 20 }, path);
    const net = createNet(stack);
    const server = net.createServer((socket) => socket.end('hello'));
    await new Promise<void>((resolve) => server.listen(7, '127.0.0.1', resolve));
    const asked: number[] = [];
    listenerOf(server).onSyn = ({ peer }) => {
      asked.push(peer.port);
      if (asked.length === 1) listenerOf(server).pause();
    };
    const talk = async (): Promise<string> => {
      let text = '';
      for await (const chunk of net.connect({ port: 7, host: '127.0.0.1' })) text += chunk;
      return text;
    };
    expect(await talk()).toBe('hello');
    const late = talk();
    await new Promise((resolve) => setTimeout(resolve, 50));
    listenerOf(server).resume();
    expect(await late).toBe('hello');
    expect(asked.length).toBe(2);
    server.close();
    await new Promise((resolve) => server.on('close', resolve));
    const counters = stack.snmp();
    expect(counters.Listener.PausedDrops).toBe(1);
    await stack.close();
    await happensAgain(counters);
  });
});

describe('a listener of a recorded stack', () => {
  it('is as any other: it shows the hook that was set, and refuses what makes no sense', async () => {
    const m = recorded();
    const { fd } = m.listener();
    const listener: Listener = m.stack.listener(fd);
    const hook = () => 'drop' as const;
    listener.onSyn = hook;
    listener.synOverflow = 'reset';
    listener.pause({ refuse: true });
    const again = m.process.fork().listener(fd);
    expect([again.onSyn, again.synOverflow, again.paused, again.wakeOrder]).toEqual([
      hook,
      'reset',
      'refusing',
      'first',
    ]);
    expect(again.onSyn).toBe(hook);
    for (const wrong of [
      () => Object.assign(listener, { onSyn: 'drop' }),
      () => Object.assign(listener, { synOverflow: 'sometimes' }),
      () => listener.pause(7 as never),
    ])
      expect(wrong).toThrow(/onSyn must be|synOverflow cannot be|pause\(\) takes/);
    expect(() => m.stack.listener(99)).toThrow('listener EBADF: descriptor 99 is not open');
    again.onSyn = null;
    expect([listener.onSyn, listener.synOverflow]).toEqual([null, 'reset']);
    m.sys.close(fd);
    m.sys.close(fd);
    const counters = m.stack.snmp();
    await m.stack.close();
    expect(() => listener.resume()).toThrow('this listener was closed');
    await happensAgain(counters);
  });

  it('is steered on when its journal is full, and nothing more of it is recorded', async () => {
    const m = new Machine({}, (options) => recordSession(options, path, { limit: 3000, onEnd: () => {} }));
    const { fd, at } = m.listener();
    const listener = m.stack.listener(fd);
    let asked = 0;
    listener.onSyn = () => {
      asked++;
    };
    for (let n = 0; n < 30; n++) m.client(at);
    listener.pause();
    expect(asked).toBeGreaterThan(10);
    expect(listener.paused).toBe('dropping');
    await m.stack.close();
    const { difference, end } = await replaySession(path);
    expect(difference).toBeNull();
    expect(end).toBe('full');
  });
});

it('another answer in the journal is a difference: the SYN is answered otherwise', async () => {
  const m = recorded();
  const { fd, at } = m.listener();
  m.stack.listener(fd).onSyn = () => 'accept';
  m.client(at);
  await m.stack.close();
  const bytes = readFileSync(path);
  // Programs run, they have run, one says 'accept'.
  const answer = bytes.indexOf(Buffer.from([0x28, 1, 4, 0x29, 0, 0x76, 1, 0]));
  expect(answer).toBeGreaterThan(0);
  bytes[answer + 7] = 1;
  writeFileSync(path, bytes);
  const { difference, end } = await replaySession(path);
  expect(end).toBe('stopped');
  expect(difference).not.toBeNull();
});
