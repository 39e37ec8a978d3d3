// Idle connections: what each costs (accepted, registered with epoll, once answered), and what many of them cost an active one. The
// kernel's own memory stands beside: over a veth pair it holds both ends, over a TAP the client's only, so the difference
// is a server's.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { contenders, place } from '../contenders.mjs';
import { kernelMemory, memoryOf, socketsInUse } from '../memory.mjs';
import { warmUpsOf } from '../rounds.mjs';
import { start } from '../server.mjs';
import { client, clientProgram, progress, sh } from '../shell.mjs';
import { median } from '../statistics.mjs';

const WHO = ['tapstack', 'tapstack-net', 'node-net', 'kernel'];
/** The client needs an address for each so many connections. */
const SOURCES = 8;
/** Descriptors that are something else. */
const SPARE_FILES = 200;

/**
 * A server that chooses whether to look for frames before it sleeps has twice the round trips while it does, and is asked again now and
 * then: of two such servers one was faster by half, as it happened. Here all of ours look.
 */
function polling(contender) {
  if (contender.kernel) return contender;
  const command = (end) => {
    const [file, args] = contender.command(end);
    return [file, [...args, '--busy-poll', '100']];
  };
  return { ...contender, command };
}

/** Connections that one process may have here. */
function room() {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  return Number(/^Max open files\s+\d+\s+(\d+)/m.exec(limits)[1]) - SPARE_FILES;
}

async function addSources({ device, host }) {
  const base = host.replace(/\.1$/, '');
  const lines = Array.from(
    { length: SOURCES },
    (_, i) => `ip address add ${base}.${10 + i}/16 dev ${device}`,
  );
  await sh(lines.join('\n'));
  return `${base}.10`;
}

/** One client's connections, which stay until the function it resolves with is called. */
async function hold(count, source, { contender }) {
  const args = ['-n', `${count}`, '-s', source, '-S', `${SOURCES}`, 'idle', contender.server];
  const child = spawn(clientProgram, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    complaint += text;
  });
  const ended = once(child, 'exit');
  const first = await Promise.race([once(child.stdout, 'data'), ended]);
  if (!Buffer.isBuffer(first[0])) throw new Error(`${count} idle connections: ${complaint.trim()}`);
  return async () => {
    child.stdin.end();
    await ended;
  };
}

/** As many clients as the connections take that one process may have. */
async function open(count, source, server) {
  const closers = [];
  for (let left = count; left > 0; left -= room())
    closers.push(await hold(Math.min(left, room()), source, server));
  return async () => {
    for (const close of closers) await close();
  };
}

/** Closing a hundred thousand connections takes both ends a while; what measures memory next must not see it. */
async function allClosed() {
  const impatient = Date.now() + 15_000;
  while (socketsInUse() > 50 && Date.now() < impatient)
    await new Promise((resolve) => setTimeout(resolve, 100));
}

/** Memory after the garbage of the work before has had its chance to go. */
async function settled(read) {
  await new Promise((resolve) => setTimeout(resolve, 300));
  return read();
}

/** Round trips per second. */
async function speed(server, seconds) {
  const args = ['-n', '1', '-w', '0.05', '-t', `${seconds}`, 'rr', server.contender.server];
  return (await client(args, seconds + 15)).perSecond;
}

/** Pairs in the time of a round. */
const PAIRS = 5;

/**
 * Two servers' speeds, by short turns in changing order: a machine is faster or slower for seconds at a time, which two medians of a
 * few runs each took for a difference. The second's is the first's median times the median of the pairs' ratios.
 */
async function compare(lonely, server, { rounds, seconds }) {
  const [alone, ratios] = [[], []];
  for (let i = 0; i < rounds * PAIRS; i++) {
    const order = i % 2 === 0 ? [lonely, server] : [server, lonely];
    const found = new Map();
    for (const one of order) found.set(one, await speed(one, seconds / PAIRS));
    alone.push(found.get(lonely));
    ratios.push(found.get(server) / found.get(lonely));
  }
  return { alone: median(alone), beside: median(alone) * median(ratios) };
}

/** What `count` connections made of the memory that was there before, bytes for each. */
const each = (before, now, count) => ({
  own: (now.own - before.own) / count,
  kernel: (now.kernel - before.kernel) / count,
});

/** Two servers of one kind, of which one has the idle connections; their active ones take turns. */
async function measure(contender, counts, options) {
  const server = await start(contender);
  const lonely = await start({ ...contender, ...place(contender.index + 40) });
  const closers = [];
  try {
    const source = await addSources(contender);
    // Both are to be compiled.
    for (const one of [server, lonely])
      for (let i = 0; i < warmUpsOf(contender, options); i++) await speed(one, options.seconds);
    // Some come and go first: tables and code that are there once are not a connection's.
    await (await open(1000, source, server))();
    await allClosed();
    const memory = () => ({ own: memoryOf(server.pid).resident, kernel: kernelMemory() });
    const before = await settled(memory);
    const found = {};
    let there = 0;
    for (const count of counts) {
      progress(`idle connections: ${count.toLocaleString('en-US')}, ${contender.name}`);
      closers.push(await open(count - there, source, server));
      there = count;
      found[count] = each(before, await settled(memory), count);
    }
    return { counts: found, most: there, ...(await compare(lonely, server, options)) };
  } finally {
    for (const close of closers) await close();
    await allClosed();
    await lonely.stop();
    await server.stop();
    progress('');
  }
}

export const idle = {
  name: 'idle',
  title: 'idle connections',
  contenders: contenders.filter(({ name }) => WHO.includes(name)).map(polling),
  /** By contender: bytes for each connection at each count; round trips per second with none and with the most of them. */
  async run(some, options) {
    const wanted = options.quick ? [10_000] : [10_000, 100_000];
    // A stack in the process needs no descriptors of the kernel's: only the others stop at what a process may have.
    const countsFor = ({ kernel }) =>
      kernel ? [...new Set(wanted.map((count) => Math.min(count, room())))] : wanted;
    const found = {};
    for (const contender of some)
      found[contender.name] = await measure(contender, countsFor(contender), options);
    return found;
  },
};
