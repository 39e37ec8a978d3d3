// The lab: the same seed gives the same bytes at the same times, faults do what they say, programs run unchanged in virtual time.

import { createHash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { epollEvents } from '../../src/eventpoll/ep-send-events.js';
import { type CableOptions, Lab, LabStuckError, shrink } from '../../src/lab/index.js';
import type { Stack } from '../../src/stack.js';
import { EAGAIN, EHOSTUNREACH } from '../../src/uapi/errno.js';
import { EPOLL_CTL_ADD, EPOLLIN } from '../../src/uapi/poll.js';
import {
  AF_INET,
  IP_MTU,
  IP_MTU_DISCOVER,
  IP_PMTUDISC_DONT,
  IPPROTO_IP,
  SHUT_WR,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
} from '../../src/uapi/socket.js';

const server = { family: AF_INET, address: '10.0.0.2', port: 80 };

function recorder(): { target: PassThrough; digest(): string; bytes(): number } {
  const target = new PassThrough();
  const hash = createHash('sha256');
  let bytes = 0;
  target.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    bytes += chunk.length;
  });
  return { target, digest: () => hash.digest('hex'), bytes: () => bytes };
}

/** Accepts one connection and reads it to its end: how many bytes came, and their digest. */
async function sink(stack: Stack, port = 80): Promise<{ bytes: number; digest: string }> {
  const { sys, blocking } = stack;
  const listener = sys.socket(AF_INET, SOCK_STREAM, 0);
  sys.bind(listener, { family: AF_INET, address: '0.0.0.0', port });
  sys.listen(listener, 4);
  const fd = await blocking.accept(listener, null);
  const hash = createHash('sha256');
  const buffer = new Uint8Array(20_000);
  let bytes = 0;
  for (;;) {
    const got = await blocking.read(fd, buffer);
    if (got <= 0) break;
    hash.update(buffer.subarray(0, got));
    bytes += got;
  }
  sys.close(fd);
  return { bytes, digest: hash.digest('hex') };
}

/** Connects, writes `size` bytes of a pattern and closes: the digest of what was written. */
async function source(stack: Stack, size: number, to = server): Promise<string> {
  const { sys, blocking } = stack;
  const fd = sys.socket(AF_INET, SOCK_STREAM, 0);
  const connected = await blocking.connect(fd, to);
  if (connected < 0) throw new Error(`connect: ${connected}`);
  const data = Uint8Array.from({ length: size }, (_, i) => (i * 7 + (i >> 8)) & 255);
  const written = await blocking.write(fd, data);
  if (written !== size) throw new Error(`write: ${written}`);
  sys.shutdown(fd, SHUT_WR);
  sys.close(fd);
  return createHash('sha256').update(data).digest('hex');
}

interface Outcome {
  capture: string;
  endedMs: number;
  bytes: number;
}

const rough: CableOptions = {
  bandwidth: 10_000_000,
  queue: { discipline: 'codel', frames: 200 },
  delayUs: 10_000,
  jitterUs: 2000,
  loss: { toBad: 0.02, toGood: 0.4, inBad: 0.3, inGood: 0.005 },
  duplicate: 0.01,
  reorder: 0.02,
  reorderUs: 3000,
  corrupt: 0.01,
};

/** Hosts behind a switch and a router, a wire that does everything wrong, a cut in the middle. */
async function rich(seed: number): Promise<Outcome> {
  const lab = new Lab({ seed });
  const record = recorder();
  const [left, other, right] = [lab.cable(), lab.cable({ delayUs: 100 }), lab.cable(rough)];
  const trunk = lab.cable({ bandwidth: 50_000_000, queue: { discipline: 'red', frames: 100 } });
  lab.switch([left.b, other.b, trunk.a]);
  lab.router([
    { link: trunk.b, address: '10.1.0.254/24' },
    { link: right.a, address: '10.0.0.254/24' },
  ]);
  const a = lab.stack({
    link: left.a,
    address: '10.1.0.1/24',
    gateway: '10.1.0.254',
    capture: record.target,
  });
  const c = lab.stack({ link: other.a, address: '10.1.0.3/24', gateway: '10.1.0.254' });
  const b = lab.stack({ link: right.b, address: '10.0.0.2/24', gateway: '10.0.0.254' });
  const both = [sink(b, 80), sink(b, 81)];
  const sent = [source(a, 200_000), source(c, 60_000, { ...server, port: 81 })];
  await lab.pass(200);
  right.partition();
  await lab.pass(700);
  right.heal();
  const results = await lab.run({ until: Promise.all(both) });
  expect(results?.map(({ digest }) => digest)).toEqual(await Promise.all(sent));
  const endedMs = lab.nowMs;
  await lab.close();
  await new Promise((resolve) => setImmediate(resolve));
  return { capture: record.digest(), endedMs, bytes: record.bytes() };
}

describe('the same seed', () => {
  it('gives the same capture to the byte and the same times, another seed another', async () => {
    const first = await rich(42);
    expect(first.bytes).toBeGreaterThan(200_000);
    expect(await rich(42)).toEqual(first);
    expect((await rich(43)).capture).not.toBe(first.capture);
  });
});

describe('cables', () => {
  const pair = (options: CableOptions, seed = 1) => {
    const lab = new Lab({ seed });
    const cable = lab.cable(options);
    const a = lab.stack({ link: cable.a, address: '10.0.0.1/24' });
    const b = lab.stack({ link: cable.b, address: '10.0.0.2/24' });
    return { lab, cable, a, b };
  };

  it('take as long as their bandwidth and delay say', async () => {
    const { lab, a, b } = pair({ bandwidth: 8_000_000, delayUs: 20_000 });
    void source(a, 1_000_000);
    await lab.run({ until: sink(b) });
    // A megabyte at a megabyte a second, a few round trips, and 5 % of headers.
    expect(lab.nowMs).toBeGreaterThan(1040);
    expect(lab.nowMs).toBeLessThan(1600);
    await lab.close();
  });

  it('lose the frames they are told to', async () => {
    const { lab, cable, a, b } = pair({ delayUs: 1000, ab: { loss: { frames: [2] } } });
    void source(a, 1000);
    await lab.run({ until: sink(b) });
    expect(cable.ab.counters.lost).toBe(1);
    // The first frame was the question of ARP, the second the SYN: it came again after a second.
    expect(lab.nowMs).toBeGreaterThan(1000);
    expect(a.snmp().TcpExt.TCPSynRetrans).toBe(1);
    await lab.close();
  });

  it('deliver every byte intact whatever they lose, repeat, damage and reorder', async () => {
    const { lab, cable, a, b } = pair({ ...rough, loss: 0.03 }, 7);
    const sent = source(a, 300_000);
    const got = await lab.run({ until: sink(b) });
    expect(got).toEqual({ bytes: 300_000, digest: await sent });
    const { lost, duplicated, reordered, corrupted } = cable.ab.counters;
    for (const count of [lost, duplicated, reordered, corrupted]) expect(count).toBeGreaterThan(0);
    await lab.close();
  });

  it('can be cut and mended, and changed while they run', async () => {
    const { lab, cable, a, b } = pair({ delayUs: 1000 });
    const done = sink(b);
    void source(a, 50_000);
    await lab.pass(1);
    cable.partition();
    await lab.pass(10_000);
    cable.heal();
    cable.change({ delayUs: 500_000 });
    const before = lab.nowMs;
    expect((await lab.run({ until: done }))?.bytes).toBe(50_000);
    expect(lab.nowMs - before).toBeGreaterThan(500);
    expect(cable.ab.counters.cut).toBeGreaterThan(0);
    await lab.close();
  });

  it('drop what their queue does not hold', async () => {
    const { lab, cable, a, b } = pair({ bandwidth: 2_000_000, delayUs: 5000, queue: { frames: 5 } });
    void source(a, 200_000);
    expect((await lab.run({ until: sink(b) }))?.bytes).toBe(200_000);
    expect(cable.ab.counters.queueDropped).toBeGreaterThan(0);
    await lab.close();
  });

  it.each([
    ['red', 1],
    ['red', 3],
    ['codel', 1],
    ['codel', 3],
  ] as const)('mark by %s rather than drop, where both ends have tcp_ecn %d', async (discipline, tcpEcn) => {
    const queue = { discipline, frames: 60, ecn: true };
    const { lab, cable, a, b } = pair({ bandwidth: 10_000_000, delayUs: 10_000, queue });
    for (const stack of [a, b]) stack.sysctl('net.ipv4.tcp_ecn', `${tcpEcn}`);
    void source(a, 3_000_000);
    expect((await lab.run({ until: sink(b) }))?.bytes).toBe(3_000_000);
    const { marked, queueDropped } = cable.ab.counters;
    expect(marked).toBeGreaterThan(5);
    expect(queueDropped).toBeLessThan(marked);
    const { TCPDeliveredCE } = a.snmp().TcpExt;
    // Accurate ECN tells of each mark, RFC 3168 of the round trips that saw one.
    if (tcpEcn === 3) expect(TCPDeliveredCE).toBe(marked);
    else expect(TCPDeliveredCE).toBeGreaterThan(marked);
    await lab.close();
  });

  it('drop what may not be marked', async () => {
    const queue = { discipline: 'codel', frames: 60, ecn: true } as const;
    const { lab, cable, a, b } = pair({ bandwidth: 10_000_000, delayUs: 10_000, queue });
    void source(a, 3_000_000);
    expect((await lab.run({ until: sink(b) }))?.bytes).toBe(3_000_000);
    expect(cable.ab.counters.marked).toBe(0);
    expect(cable.ab.counters.queueDropped).toBeGreaterThan(5);
    await lab.close();
  });
});

describe('routers', () => {
  it('tell senders about small links and missing routes', async () => {
    const lab = new Lab();
    const [near, far] = [lab.cable(), lab.cable({ mtu: 600 })];
    const router = lab.router([
      { link: near.b, address: '10.1.0.254/24' },
      { link: far.a, address: '10.0.0.254/24' },
    ]);
    const a = lab.stack({ link: near.a, address: '10.1.0.1/24', gateway: '10.1.0.254' });
    const b = lab.stack({ link: far.b, address: '10.0.0.2/24', gateway: '10.0.0.254' });
    const sent = source(a, 100_000);
    const got = await lab.run({ until: sink(b) });
    expect(got?.digest).toBe(await sent);
    expect(router.forwarded).toBeGreaterThan(100);
    const fd = a.sys.socket(AF_INET, SOCK_STREAM, 0);
    const refused = a.blocking.connect(fd, { ...server, address: '172.16.0.1' });
    expect([-101, -EHOSTUNREACH]).toContain(await lab.run({ until: refused }));
    await lab.close();
  });
});

describe('routers before a small link', () => {
  function smallLink() {
    const lab = new Lab();
    const [near, far] = [lab.cable(), lab.cable({ mtu: 600 })];
    const router = lab.router([
      { link: near.b, address: '10.1.0.254/24' },
      { link: far.a, address: '10.0.0.254/24' },
    ]);
    const a = lab.stack({ link: near.a, address: '10.1.0.1/24', gateway: '10.1.0.254' });
    const b = lab.stack({ link: far.b, address: '10.0.0.2/24', gateway: '10.0.0.254' });
    return { lab, router, a, b, near };
  }

  it('cut what may be cut, and the datagram arrives whole', async () => {
    const { lab, router, a, b } = smallLink();
    const to = { family: AF_INET, address: '10.0.0.2', port: 9 };
    const [from, at] = [a.sys.socket(AF_INET, SOCK_DGRAM, 0), b.sys.socket(AF_INET, SOCK_DGRAM, 0)];
    b.sys.bind(at, to);
    a.sys.setsockopt(from, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
    // Fragments of its own, on a cable that carries 1500 bytes; the router cuts them again.
    const sent = Uint8Array.from({ length: 4000 }, (_, i) => (i * 7 + (i >> 8)) & 255);
    const got = new Uint8Array(5000);
    const reading = b.blocking.read(at, got);
    expect(a.sys.sendto(from, sent, 4000, 0, to)).toBe(4000);
    expect(await lab.run({ until: reading })).toBe(4000);
    expect(Buffer.compare(got.subarray(0, 4000), sent)).toBe(0);
    expect([router.forwarded, router.fragmented, router.dropped]).toEqual([3, 3, 0]);
    expect(b.snmp().Ip.ReasmOKs).toBe(1);
    await lab.close();
  });

  it('refuse what may not be cut, and say how much would pass', async () => {
    const { lab, router, a, b } = smallLink();
    const to = { family: AF_INET, address: '10.0.0.2', port: 9 };
    const from = a.sys.socket(AF_INET, SOCK_DGRAM, 0);
    b.sys.bind(b.sys.socket(AF_INET, SOCK_DGRAM, 0), to);
    a.sys.connect(from, to);
    expect(a.sys.send(from, new Uint8Array(1000), 1000, 0)).toBe(1000);
    await lab.run();
    expect([router.forwarded, router.fragmented, router.dropped]).toEqual([0, 0, 1]);
    const mtu = { value: 0 };
    expect(a.sys.getsockopt(from, IPPROTO_IP, IP_MTU, mtu)).toBe(0);
    expect(mtu.value).toBe(600);
    await lab.close();
  });

  it('let a stream through whose sender does not discover the path', async () => {
    const { lab, router, a, b } = smallLink();
    a.changeRoute('0.0.0.0/0', { via: '10.1.0.254', mtu: 1500, lock: ['mtu'] });
    b.changeRoute('0.0.0.0/0', { via: '10.0.0.254', advmss: 1460 });
    const sent = source(a, 50_000);
    const got = await lab.run({ until: sink(b) });
    expect(got?.digest).toBe(await sent);
    expect(router.fragmented).toBeGreaterThan(30);
    expect(router.dropped).toBe(0);
    await lab.close();
  });
});

describe('programs', () => {
  it('run unchanged: an epoll loop that echoes', async () => {
    const lab = new Lab();
    const cable = lab.cable({ delayUs: 5000 });
    const a = lab.stack({ link: cable.a, address: '10.0.0.1/24' });
    const b = lab.stack({ link: cable.b, address: '10.0.0.2/24' });
    void echo(b);
    const fd = a.sys.socket(AF_INET, SOCK_STREAM, 0);
    const buffer = new Uint8Array(100);
    const talk = async (): Promise<number> => {
      await a.blocking.connect(fd, server);
      await a.blocking.write(fd, new Uint8Array(50).fill(9));
      return a.blocking.read(fd, buffer);
    };
    expect(await lab.run({ until: talk() })).toBe(50);
    expect(lab.nowMs).toBeGreaterThan(20);
    expect(lab.nowMs).toBeLessThan(60);
    await lab.close();
  });

  it('that wait for something outside the lab are reported', async () => {
    const lab = new Lab();
    const forever = new Promise<void>(() => {});
    await expect(lab.run({ until: forever })).rejects.toThrow(LabStuckError);
    await expect(lab.run({ until: forever })).rejects.toThrow('outside the lab');
  });

  it('fail as they fail', async () => {
    const lab = new Lab();
    await expect(lab.run({ until: Promise.reject(new Error('mine')) })).rejects.toThrow('mine');
  });
});

async function echo(stack: Stack): Promise<void> {
  const { sys } = stack;
  const listener = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sys.bind(listener, { family: AF_INET, address: '0.0.0.0', port: 80 });
  sys.listen(listener, 4);
  const ep = sys.epoll_create1(0);
  sys.epoll_ctl(ep, EPOLL_CTL_ADD, listener, { events: EPOLLIN, data: listener });
  const events = epollEvents(8);
  const buffer = new Uint8Array(1000);
  for (;;) {
    const n = await sys.epoll_wait(ep, events, 8, -1);
    if (n < 0) return;
    for (const { data } of events.slice(0, n)) {
      if (data === listener) {
        const fd = sys.accept4(listener, null, SOCK_NONBLOCK);
        sys.epoll_ctl(ep, EPOLL_CTL_ADD, fd, { events: EPOLLIN, data: fd });
        continue;
      }
      const got = sys.read(data as number, buffer);
      if (got > 0) sys.write(data as number, buffer, got);
      else if (got !== -EAGAIN) sys.close(data as number);
    }
  }
}

describe('series', () => {
  it('show a connection growing', async () => {
    const lab = new Lab();
    const cable = lab.cable({ delayUs: 10_000, bandwidth: 20_000_000 });
    const a = lab.stack({ link: cable.a, address: '10.0.0.1/24' });
    const b = lab.stack({ link: cable.b, address: '10.0.0.2/24' });
    const series = lab.record(a);
    void source(a, 300_000);
    await lab.run({ until: sink(b) });
    const [name, points] = [...series.connections][0];
    expect(name).toMatch(/^10\.0\.0\.1:\d+ > 10\.0\.0\.2:80$/);
    expect(Math.max(...points.map(({ cwnd }) => cwnd))).toBeGreaterThan(20);
    expect(points.some(({ srttUs }) => srttUs > 19_000 && srttUs < 60_000)).toBe(true);
    await lab.close();
  });
});

describe('shrinking', () => {
  it('finds the one fault that matters, and tells how to see it again', async () => {
    const faults = Array.from({ length: 20 }, (_, i) => ({ at: i }));
    const check = async (scenario: { hosts: number; faults: readonly { at: number }[] }): Promise<void> => {
      if (scenario.faults.some(({ at }) => at === 13) && scenario.hosts >= 3) throw new Error('13');
    };
    const found = await shrink({ seed: 5, hosts: 9, faults }, check);
    expect(found?.scenario).toEqual({ seed: 5, hosts: 3, faults: [{ at: 13 }] });
    expect(found?.replay).toBe('await check({"seed":5,"hosts":3,"faults":[{"at":13}]});');
    expect(await shrink({ seed: 5, hosts: 2, faults }, check)).toBeNull();
  });
});
