// What an idle connection costs: bytes of memory for each that is accepted and registered with epoll, and what a crowd of them
// takes from the speed of one that is active, against one in a process without the crowd (`--lonely`: that process).
// `--connections N,N…`; `--answered`: after one request each; `--trips N`: round trips a turn, 0: none; `--snapshot`: a table by
// class; `--json`.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as t from '../dist/index.js';
import { TxRing } from '../dist/link/tx-ring.js';
import { CrowdLink, GATEWAY, GATEWAY_MAC } from './crowd-link.mjs';
import { heapClasses } from './heap-classes.mjs';

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '10000,100000' },
    answered: { type: 'boolean', default: false },
    trips: { type: 'string', default: '4000' },
    lonely: { type: 'boolean', default: false },
    snapshot: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');
const steps = values.connections.split(',').map(Number);
const trips = Number(values.trips);
const PORT = 7001;
const SIZE = 64;
/** Connections that warm the code up, so that its own memory is not counted. */
const WARM = 2000;
/** Turns that each of the two processes has, one after the other. */
const TURNS = 60;

const link = new CrowdLink(TxRing);
const most = Math.max(...steps) + WARM + 16;
const stack = await t.Stack.create({
  link,
  address: '10.0.0.2/24',
  gateway: GATEWAY,
  neighbours: { [GATEWAY]: GATEWAY_MAC },
  nofile: most,
  sysctl: { 'net.core.somaxconn': 65535 },
});
const { sys } = stack;

function must(result) {
  if (result < 0) throw new Error(`a system call failed with ${result}`);
  return result;
}

/** An echo server as examples/echo-level.mjs, cut down to what idle connections and short requests need. */
async function serve() {
  const listener = must(sys.socket(t.AF_INET, t.SOCK_STREAM | t.SOCK_NONBLOCK, 0));
  must(sys.bind(listener, { family: t.AF_INET, address: '0.0.0.0', port: PORT }));
  must(sys.listen(listener, 4096));
  const ep = must(sys.epoll_create1(0));
  must(sys.epoll_ctl(ep, t.EPOLL_CTL_ADD, listener, { events: t.EPOLLIN, data: listener }));
  const events = t.epollEvents(64);
  const buffer = new Uint8Array(65536);
  const event = { events: t.EPOLLIN, data: 0 };
  for (;;) {
    const ready = await sys.epoll_wait(ep, events, 64, -1);
    for (let i = 0; i < ready; i++) {
      const fd = events[i].data;
      if (fd !== listener) {
        const count = sys.read(fd, buffer);
        if (count > 0) must(sys.write(fd, buffer, count));
        continue;
      }
      for (;;) {
        const accepted = sys.accept4(listener, null, t.SOCK_NONBLOCK);
        if (accepted === -t.EAGAIN) break;
        event.data = must(accepted);
        must(sys.epoll_ctl(ep, t.EPOLL_CTL_ADD, accepted, event));
      }
    }
  }
}

/** The server's microtasks run. */
const turn = () => new Promise((resolve) => setImmediate(resolve));
const soon = async () => {
  for (let i = 0; i < 4; i++) await null;
};

const heap = () => {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

/** `garbage`: what is dead and has grown old, so that it stays until a full collection. */
function memory() {
  for (let i = 0; i < 3; i++) gc({ type: 'minor' });
  const old = heap();
  gc();
  gc();
  return { rss: process.memoryUsage().rss, heap: heap(), garbage: old - heap() };
}

/** Round trips of one connection in a second of processor time, which others on the machine disturb least. */
async function active(index, state, count) {
  const before = link.answers;
  const start = process.cpuUsage();
  for (let i = 0; i < count; i++) await link.roundTrip(index, PORT, state, SIZE, soon);
  link.acknowledge(index, PORT, state);
  const { user, system } = process.cpuUsage(start);
  const seconds = (user + system) / 1e6;
  if (link.answers - before !== count) throw new Error(`${count} requests, ${link.answers - before} answers`);
  return count / seconds;
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

/**
 * Round trips here and in the lonely process, in short turns: a machine is faster or slower for seconds at a time. The medians of
 * its rate and of the pairs' ratios.
 */
async function compare(lonely) {
  const [alone, ratios] = [[], []];
  for (let i = 0; i < TURNS; i++) {
    lonely.send(trips);
    const [there] = await once(lonely, 'message');
    const here = await active(0, state, trips);
    alone.push(there);
    ratios.push(here / there);
  }
  return { trips: median(alone), ratio: median(ratios) };
}

async function startLonely() {
  const child = fork(fileURLToPath(import.meta.url), ['--lonely']);
  await once(child, 'message');
  return child;
}

void serve();
await turn();
await link.open(0, 1, PORT, turn);
const state = CrowdLink.start(link.lastAck);
let opened = 1;
async function openTo(count) {
  await link.open(opened, count, PORT, turn, values.answered ? SIZE : 0);
  opened = count;
  const { established } = stack.tcp.counts;
  if (established !== count) throw new Error(`${count} connections were opened, ${established} are there`);
}

await openTo(WARM);
for (let i = 0; i < 10 && (trips > 0 || values.lonely); i++) await active(0, state, 4000);
if (values.lonely) {
  process.on('message', async (count) => process.send(await active(0, state, count)));
  process.send('ready');
  await once(process, 'disconnect');
  process.exit(0);
}
const lonely = trips === 0 ? null : await startLonely();
const base = memory();
const baseClasses = values.snapshot ? await heapClasses() : null;
const rows = [{ connections: 0, ...(lonely === null ? {} : await compare(lonely)) }];
for (const step of steps) {
  await openTo(WARM + step);
  const now = memory();
  rows.push({
    connections: step,
    rss: (now.rss - base.rss) / step,
    heap: (now.heap - base.heap) / step,
    garbage: now.garbage / step,
    ...(lonely === null ? {} : await compare(lonely)),
  });
}
if (values.json) console.log(JSON.stringify(rows));
else console.table(rows);
if (baseClasses !== null) {
  const last = steps[steps.length - 1];
  const table = [...(await heapClasses())]
    .map(([name, { count, bytes }]) => ({
      name,
      'per connection': (count - (baseClasses.get(name)?.count ?? 0)) / last,
      bytes: (bytes - (baseClasses.get(name)?.bytes ?? 0)) / last,
    }))
    .filter(({ bytes }) => bytes > 0.5)
    .sort((a, b) => b.bytes - a.bytes);
  console.table(table);
}
process.exit(0);
