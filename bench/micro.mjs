// The stack's small parts by themselves, under mitata: prints a JSON object of nanoseconds by name (the median of many calls).

import { measure } from 'mitata';
import {
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLET,
  EPOLLIN,
  epollEvents,
  SeededRandom,
  Stack,
} from 'tapstack';
import { HsipKey } from '../dist/core/hsiphash.js';
import { RxPacket } from '../dist/ip/rx-packet.js';
import { IpAddress } from '../dist/packet/address.js';
import { addRange } from '../dist/packet/checksum.js';
import { TupleTable, tupleHash } from '../dist/tcp/demux.js';
import { Segment } from '../dist/tcp/segment.js';
import { RealClock } from '../dist/time/clock.js';
import { Timer, TimerWheel } from '../dist/time/timer-wheel.js';

const READY = 10;
const MANY = 10_000;
const CONNECTIONS = 100_000;

const must = (result) => {
  if (result < 0) throw new Error(`a system call failed with ${result}`);
  return result;
};

const results = {};

async function time(name, run) {
  const { p50 } = await measure(run, { inner_gc: false });
  results[name] = p50;
}

async function epoll() {
  const { sys } = new Stack({ nofile: 4 * MANY });
  const events = epollEvents(64);
  const one = new Uint8Array(8);
  one[0] = 1;
  for (const registered of [READY, MANY]) {
    const epfd = must(sys.epoll_create1(0));
    const fds = Array.from({ length: registered }, () => must(sys.eventfd(0, 0)));
    for (const fd of fds) must(sys.epoll_ctl(epfd, EPOLL_CTL_ADD, fd, { events: EPOLLIN, data: fd }));
    for (const fd of fds.slice(0, READY)) must(sys.write(fd, one));
    const among = `among ${registered.toLocaleString('en-US')}`;
    await time(`epoll_wait, ${READY} ready ${among}`, () => sys.epoll_wait(epfd, events, 64, 0));
    const event = { events: EPOLLIN, data: 0 };
    const last = fds.at(-1);
    await time(`epoll_ctl MOD ${among}`, () => sys.epoll_ctl(epfd, EPOLL_CTL_MOD, last, event));
    await time(`epoll_ctl DEL and ADD ${among}`, () => {
      sys.epoll_ctl(epfd, EPOLL_CTL_DEL, last, null);
      sys.epoll_ctl(epfd, EPOLL_CTL_ADD, last, event);
    });
  }
  const epfd = must(sys.epoll_create1(0));
  const fd = must(sys.eventfd(0, 0));
  must(sys.epoll_ctl(epfd, EPOLL_CTL_ADD, fd, { events: EPOLLIN | EPOLLET, data: fd }));
  await time('asleep in epoll_wait, woken by a write', async () => {
    const waiting = sys.epoll_wait(epfd, events, 64, -1);
    sys.write(fd, one);
    await waiting;
  });
}

async function timers() {
  class Silent extends Timer {
    expire() {}
  }
  const wheel = new TimerWheel(new RealClock());
  const crowd = Array.from({ length: CONNECTIONS }, () => new Silent());
  for (const [i, timer] of crowd.entries()) wheel.arm(timer, 60_000 + i);
  const timer = new Silent();
  wheel.arm(timer, 200);
  await time('a timer armed again for later, beside 100,000', () => wheel.arm(timer, 200));
  await time('a timer cancelled and armed, beside 100,000', () => {
    wheel.cancel(timer);
    wheel.arm(timer, 200);
  });
  for (const each of [...crowd, timer]) wheel.cancel(each);
}

async function demux() {
  const key = new HsipKey(new SeededRandom(1));
  const table = new TupleTable();
  const local = IpAddress.parse('10.0.0.2');
  const peers = Array.from({ length: 256 }, (_, i) => IpAddress.parse(`10.1.0.${i}`));
  const entries = Array.from({ length: CONNECTIONS }, (_, i) => ({
    saddr: local,
    daddr: peers[i % peers.length],
    sport: 7,
    dport: 1024 + (i >> 8),
    hash: 0,
    hashNext: null,
  }));
  for (const entry of entries)
    table.insert(entry, tupleHash(key, local, entry.sport, entry.daddr, entry.dport));
  let at = 0;
  await time('four-tuple to connection, of 100,000', () => {
    at = (at + 7919) % CONNECTIONS;
    const { daddr, dport } = entries[at];
    return table.lookup(tupleHash(key, local, 7, daddr, dport), local, 7, daddr, dport);
  });
}

async function parse() {
  const view = new DataView(new ArrayBuffer(2048));
  const packet = new RxPacket();
  packet.transport = 34;
  packet.length = 32 + 1448;
  view.setUint16(34 + 12, (8 << 12) | 0x10);
  view.setInt32(34 + 20, 0x0101080a);
  const segment = new Segment();
  await time('a TCP header with timestamps parsed', () => segment.parse(view, packet));
  await time('checksum of 1,460 bytes, in TypeScript', () => addRange(view, 34, 1460, 0));
}

for (const part of [epoll, timers, demux, parse]) await part();
console.log(JSON.stringify(results));
process.exit();
