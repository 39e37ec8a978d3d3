// Two hosts, a cable that loses, repeats and reorders, and a listener that is steered at random while clients come: whoever is not
// refused gets in in the end, every decision is told and counted, and nothing is left behind.

import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../src/core/random.js';
import { onTrace, type TraceMessage } from '../../src/core/trace.js';
import { Lab } from '../../src/lab/index.js';
import { ECONNREFUSED } from '../../src/uapi/errno.js';
import { AF_INET, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET } from '../../src/uapi/socket.js';

const CLIENTS = 60;
const rough = { bandwidth: 5_000_000, delayUs: 10_000, loss: 0.08, duplicate: 0.05, reorder: 0.05 };

/** One of these, by a number below their length. */
function one<T>(random: SeededRandom, of: readonly T[]): T {
  return of[(random.int32() >>> 0) % of.length];
}

async function stormy(seed: number) {
  const lab = new Lab({ seed });
  const random = new SeededRandom(seed);
  const cable = lab.cable(rough);
  const client = lab.stack({ link: cable.a, address: '10.0.0.1/24' });
  const server = lab.stack({ link: cable.b, address: '10.0.0.2/24' });
  const at = { family: AF_INET, address: '10.0.0.2', port: 80 };
  const fd = server.sys.socket(AF_INET, SOCK_STREAM);
  server.sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  server.sys.bind(fd, at);
  server.sys.listen(fd, 3);
  const listener = server.listener(fd);
  let decisions = 0;
  const stop = onTrace(
    (_name, message) => {
      const { by, verdict } = message as TraceMessage<'steer_listener'>;
      // Those alone that a counter tells of, too.
      if (by === 'pause' || (by === 'onSyn' && verdict !== 'accept') || verdict === 'reset') decisions++;
    },
    ['steer_listener'],
  );
  /** Another mood every 700 ms, for so long; then a plain listener. */
  const steer = async (): Promise<void> => {
    for (let i = 0; i < 40; i++) {
      await server.sys.poll([], 700);
      const mood = one(random, ['pause', 'refuse', 'resume', 'resume', 'hook', 'plain']);
      if (mood === 'pause' || mood === 'refuse') listener.pause({ refuse: mood === 'refuse' });
      if (mood === 'resume') listener.resume();
      if (mood === 'hook')
        listener.onSyn = () => one(random, ['accept', 'accept', 'drop', 'reset', 'cookie'] as const);
      if (mood === 'plain') listener.onSyn = null;
      listener.synOverflow = one(random, ['sysctl', 'drop', 'cookie', 'reset']);
      listener.acceptOverflow = one(random, ['sysctl', 'park', 'abort', 'reset']);
      expect(listener.acceptQueue.length).toBeLessThanOrEqual(listener.limits.acceptQueue);
      expect(listener.synQueue.length).toBeLessThanOrEqual(listener.limits.synQueue);
    }
    listener.resume();
    listener.onSyn = null;
    listener.synOverflow = 'sysctl';
    listener.acceptOverflow = 'sysctl';
  };
  let served = 0;
  const serve = async (): Promise<void> => {
    const buffer = new Uint8Array(16);
    for (;;) {
      const child = await server.blocking.accept(fd);
      if (child < 0) return;
      void server.blocking.read(child, buffer).then(async (count) => {
        if (count > 0) await server.blocking.write(child, buffer, count);
        server.sys.close(child);
      });
      served++;
      await server.sys.poll([], 300);
    }
  };
  const outcomes = new Map<string, number>();
  const note = (what: string): void => void outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
  const visit = async (number: number): Promise<void> => {
    await client.sys.poll([], Math.floor(number / 10) * 4000);
    const socket = client.sys.socket(AF_INET, SOCK_STREAM);
    const connected = await client.blocking.connect(socket, at);
    if (connected === 0) {
      const buffer = Uint8Array.of(number);
      const sent = await client.blocking.write(socket, buffer);
      const got = sent < 0 ? sent : await client.blocking.read(socket, buffer);
      note(got === 1 && buffer[0] === number ? 'answered' : 'reset');
    } else note(connected === -ECONNREFUSED ? 'refused' : `connect ${connected}`);
    client.sys.close(socket);
  };
  void serve();
  const visits = Array.from({ length: CLIENTS }, (_, number) => visit(number));
  try {
    await lab.run({ until: Promise.all([steer(), ...visits]), limitMs: 600_000 });
  } finally {
    stop();
  }
  const counters = listener.counters;
  server.sys.close(fd);
  await lab.run({ limitMs: 600_000 });
  const left = [client, server].map(({ tcp, host }) => [tcp.counts, host.memory.used]);
  await lab.close();
  return { outcomes, counters, decisions, served, left };
}

/** What all of them counted. */
const sums = new Map<string, number>();

describe('a listener steered at random, in bad weather', () => {
  it.each([1, 2, 3, 4, 5, 6])('seed %i: who is not refused is answered', async (seed) => {
    const { outcomes, counters, decisions, served, left } = await stormy(seed);
    const { answered = 0, refused = 0, reset = 0, ...others } = Object.fromEntries(outcomes);
    expect(others).toEqual({});
    expect(answered + refused + reset).toBe(CLIENTS);
    expect(answered).toBeGreaterThan(0);
    expect(served).toBeGreaterThanOrEqual(answered);
    const { OnSynErrors, ...counted } = counters;
    for (const [name, count] of Object.entries(counters)) sums.set(name, (sums.get(name) ?? 0) + count);
    expect([OnSynErrors, Object.values(counted).reduce((sum, count) => sum + count, 0)]).toEqual([
      0,
      decisions,
    ]);
    expect(refused + reset).toBeLessThanOrEqual(
      counters.PausedResets + counters.OnSynResets + counters.OverflowResets,
    );
    const nothing = [{ established: 0, requests: 0, timeWait: 0, orphans: 0 }, 0];
    expect(left).toEqual([nothing, nothing]);
  });

  it('and all that can happen to a SYN of a single listener has happened', () => {
    const never = [...sums].filter(([, count]) => count === 0).map(([name]) => name);
    expect(never).toEqual(['PausedPasses', 'OnSynErrors']);
  });
});
