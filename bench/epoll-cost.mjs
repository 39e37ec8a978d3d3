// What epoll_wait costs with ten ready sockets among 10, 1,000 and 100,000 registered ones, and what epoll_ctl costs in sets
// of those sizes. Sizes take turns in one process, so that a noisy machine disturbs all alike; the ratios are the result.

import { parseArgs } from 'node:util';
import {
  AF_INET,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLIN,
  epollEvents,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  Stack,
} from 'tapstack';

const SIZES = [10, 1_000, 100_000];
const ACTIVE = 10;

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '40' }, json: { type: 'boolean' } },
});
const rounds = Number(values.rounds);

const stack = new Stack({ nofile: 250_000, memory: 256 << 20 });
const { sys } = stack;
const events = epollEvents(64);
const datagram = new Uint8Array(1);

function must(result) {
  if (result < 0) throw new Error(`a system call failed with ${result}`);
  return result;
}

/** An eventpoll with `size` sockets in it, ten of which receive. */
function interestSet(size) {
  const ep = must(sys.epoll_create1(0));
  const sockets = [];
  const sender = must(sys.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
  const targets = [];
  for (let i = 0; i < size; i++) {
    const fd = must(sys.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    if (i % (size / ACTIVE) === 0) {
      must(sys.bind(fd, { family: AF_INET, address: '127.0.0.1', port: 0 }));
      const target = { family: AF_INET, address: '', port: 0 };
      must(sys.getsockname(fd, target));
      targets.push(target);
    }
    must(sys.epoll_ctl(ep, EPOLL_CTL_ADD, fd, { events: EPOLLIN, data: fd }));
    sockets.push(fd);
  }
  return { size, ep, sockets, sender, targets, wait: [], cycle: [], mod: [], replace: [] };
}

/** Level-triggered and not read: every call returns the same ten. */
async function timeWaits(set, calls) {
  for (const target of set.targets) must(sys.sendto(set.sender, datagram, 1, 0, target));
  const start = process.hrtime.bigint();
  for (let i = 0; i < calls; i++) {
    if ((await sys.epoll_wait(set.ep, events, 64, -1)) !== ACTIVE) throw new Error('expected ten events');
  }
  set.wait.push(Number(process.hrtime.bigint() - start) / (calls * ACTIVE));
  await drain(set);
}

async function drain(set) {
  const count = await sys.epoll_wait(set.ep, events, 64, 0);
  for (let i = 0; i < count; i++) must(sys.recv(events[i].data, datagram, 1, 0));
}

/** A datagram arrives at each of the ten, one call reports them, each is read. */
async function timeCycles(set, cycles) {
  const start = process.hrtime.bigint();
  for (let i = 0; i < cycles; i++) {
    for (const target of set.targets) must(sys.sendto(set.sender, datagram, 1, 0, target));
    await drain(set);
  }
  set.cycle.push(Number(process.hrtime.bigint() - start) / (cycles * ACTIVE));
}

function timeControl(set, calls) {
  const step = Math.max(1, Math.floor(set.sockets.length / calls)) | 1;
  const event = { events: EPOLLIN, data: 0 };
  let at = 0;
  const next = () => {
    at = (at + step) % set.sockets.length;
    event.data = set.sockets[at];
    return set.sockets[at];
  };
  let start = process.hrtime.bigint();
  for (let i = 0; i < calls; i++) must(sys.epoll_ctl(set.ep, EPOLL_CTL_MOD, next(), event));
  set.mod.push(Number(process.hrtime.bigint() - start) / calls);
  start = process.hrtime.bigint();
  for (let i = 0; i < calls; i++) {
    const fd = next();
    must(sys.epoll_ctl(set.ep, EPOLL_CTL_DEL, fd, null));
    must(sys.epoll_ctl(set.ep, EPOLL_CTL_ADD, fd, event));
  }
  set.replace.push(Number(process.hrtime.bigint() - start) / calls);
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

const sets = SIZES.map(interestSet);
for (let round = -5; round < rounds; round++) {
  for (const set of sets) {
    await timeWaits(set, 300);
    await timeCycles(set, 100);
    timeControl(set, 1000);
    // Rounds below zero warm up.
    if (round < 0) for (const list of [set.wait, set.cycle, set.mod, set.replace]) list.length = 0;
  }
}

const rows = sets.map((set) => ({
  registered: set.size,
  'epoll_wait ns/event': median(set.wait),
  'arrive, wait, read ns/event': median(set.cycle),
  'MOD ns': median(set.mod),
  'DEL + ADD ns': median(set.replace),
}));
if (values.json) {
  console.log(JSON.stringify(rows));
} else {
  console.table(
    rows.map((row) => Object.fromEntries(Object.entries(row).map(([k, v]) => [k, Math.round(v)]))),
  );
  const [first] = rows;
  for (const row of rows.slice(1)) {
    const ratios = Object.keys(first)
      .slice(1)
      .map((key) => `${key.replace(/ ns.*/, '')} ${(row[key] / first[key]).toFixed(2)}`);
    console.log(`${row.registered} registered, compared with 10: ${ratios.join(', ')}`);
  }
}
await stack.close();
