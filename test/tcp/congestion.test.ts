// Whole transfers through a bottleneck, in virtual time: how much of it each congestion control uses, and what loss does to it.

import { describe, expect, it } from 'vitest';
import { below, SeededRandom } from '../../src/core/random.js';
import type { WireFault } from '../../src/link/wire.js';
import type { Clock } from '../../src/time/clock.js';
import { connectPair, transfer, twoHosts } from './two-hosts.js';

interface Path {
  mbit: number;
  rttMs: number;
  /** Bytes that wait in front of the bottleneck. */
  queue: number;
  loss?: number;
}

/** A link of `mbit` behind a queue, from the first host to the second; loses frames at random, too. */
function bottleneck(path: Path, seed: number, clock: () => Clock) {
  const random = new SeededRandom(seed);
  const seen = { dropped: 0, mostWaitingUs: 0 };
  let freeAt = 0;
  const fault: WireFault = (frame, direction) => {
    if (direction === 'ba') return undefined;
    const now = clock().now();
    if (below(random, 1_000_000) < (path.loss ?? 0) * 1_000_000) return false;
    const waiting = Math.max(0, freeAt - now);
    if ((waiting * path.mbit) / 8 > path.queue) {
      seen.dropped++;
      return false;
    }
    freeAt = Math.max(freeAt, now) + (frame.length * 8) / path.mbit;
    if (waiting > seen.mostWaitingUs) seen.mostWaitingUs = waiting;
    return { delayUs: Math.floor(freeAt - now) };
  };
  return { fault, seen };
}

/** The share of the bottleneck that a transfer of `bytes` got under a congestion control, and what was seen on the way. */
function through(
  control: string,
  path: Path,
  bytes: number,
  seed = 1,
  settings: Record<string, number> = {},
) {
  let clock: Clock | null = null;
  const { fault, seen } = bottleneck(path, seed, () => clock as Clock);
  const pair = twoHosts(seed, { delayUs: path.rttMs * 500, fault });
  clock = pair.clock;
  for (const { host } of [pair.a, pair.b]) {
    expect(host.sysctl.set('net.ipv4.tcp_congestion_control', control)).toBe(0);
    for (const [name, value] of Object.entries(settings)) expect(host.sysctl.set(name, value)).toBe(0);
  }
  const { client, server } = connectPair(pair);
  expect(client.cc.name).toBe(control);
  const result = transfer(pair, pair.a, client, pair.b, server, bytes, seed);
  expect(result).toMatchObject({ bytes, end: 0, received: result.sent });
  const counters = pair.a.host.mib.snapshot().TcpExt;
  return { ...seen, used: (bytes * 8) / (path.mbit * 1000) / result.ms, counters };
}

// covers: CUBIC | RFC 9438 section 4 | src/tcp/congestion/cubic.ts
describe('a transfer through a bottleneck', () => {
  const path: Path = { mbit: 20, rttMs: 40, queue: 100_000 };

  for (const control of ['reno', 'cubic', 'bbr']) {
    it(`fills it under ${control}`, () => {
      expect(through(control, path, 8_000_000).used).toBeGreaterThan(0.8);
    });
  }

  // covers: HyStart and HyStart++ | RFC 9406 section 4.2; Linux hystart_update | src/tcp/congestion/hystart.ts
  it('leaves slow start before the queue overflows (HyStart)', () => {
    const deep = { ...path, queue: 400_000 };
    const counted = ['TCPHystartDelayDetect', 'TCPHystartTrainDetect'];
    const on = through('cubic', deep, 2_000_000);
    expect(counted.reduce((sum, name) => sum + on.counters[name], 0)).toBe(1);
    const off = through('cubic', deep, 2_000_000, 1, { 'tcp_cubic.hystart': 0 });
    expect(counted.reduce((sum, name) => sum + off.counters[name], 0)).toBe(0);
    expect(on.mostWaitingUs).toBeLessThan(off.mostWaitingUs);
    expect([on.dropped, off.dropped > 0]).toEqual([0, true]);
  });

  // covers: HyStart and HyStart++ | RFC 9406 section 4.2; Linux hystart_update | src/tcp/congestion/hystart.ts
  it('and slows down before it does, under HyStart++', () => {
    const deep = { ...path, queue: 800_000 };
    const result = through('cubic', deep, 4_000_000, 1, { 'tcp_cubic.hystart': 2 });
    expect(result.counters.TCPHystartDelayDetect).toBe(1);
    expect(result.dropped).toBe(0);
  });

  // covers: BBR | draft-cardwell-iccrg-bbr-congestion-control-00 | src/tcp/congestion/bbr.ts
  it('keeps the queue short under bbr', () => {
    const deep = { ...path, queue: 2_000_000 };
    const bbr = through('bbr', deep, 8_000_000);
    const cubic = through('cubic', deep, 8_000_000, 1, { 'tcp_cubic.hystart': 0 });
    expect(bbr.mostWaitingUs).toBeLessThan(cubic.mostWaitingUs / 2);
  });
});

describe('random loss of two percent', () => {
  const path: Path = { mbit: 10, rttMs: 40, queue: 100_000, loss: 0.02 };

  // covers: BBR | draft-cardwell-iccrg-bbr-congestion-control-00 | src/tcp/congestion/bbr.ts
  it('is no congestion to bbr, and much of it to reno', () => {
    const bbr = through('bbr', path, 6_000_000);
    const reno = through('reno', path, 2_000_000);
    expect(bbr.used).toBeGreaterThan(0.8);
    expect(reno.used).toBeLessThan(0.5);
  });
});
