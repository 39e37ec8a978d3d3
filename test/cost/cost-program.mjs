// What a round trip and a megabyte cost the stacks: frames sent, bytes copied, bytes allocated. Counted, never timed; run by
// cost.test.ts in a process of its own, whose young generation is so large that no collection comes between two looks at it.

import {
  AF_INET,
  EPOLL_CTL_ADD,
  EPOLLIN,
  EPOLLOUT,
  epollEvents,
  IPPROTO_TCP,
  MSG_SPLICE_PAGES,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  TCP_ZEROCOPY_RECEIVE,
} from 'tapstack';
import { joinedStacks } from './still-cable.mjs';

const SERVER = { family: AF_INET, address: '10.0.0.2', port: 7 };
const MB = 1 << 20;
const buffer = new Uint8Array(256 << 10);

const must = (result) => {
  if (result < 0) throw new Error(`a system call failed with ${result}`);
  return result;
};

/** A level-triggered echo, sink or source on the server's stack, which serves until the process ends. */
async function serve(sys, work) {
  const listener = must(sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  must(sys.bind(listener, { ...SERVER, address: '0.0.0.0' }));
  must(sys.listen(listener, 128));
  const epfd = must(sys.epoll_create1(0));
  must(sys.epoll_ctl(epfd, EPOLL_CTL_ADD, listener, { events: EPOLLIN, data: listener }));
  const events = epollEvents(64);
  const inside = work === 'sourceMapped' ? sys.mmap(256 << 10) : new Uint8Array(256 << 10);
  const zc = { length: 0 };
  const optval = { value: zc };
  const writes = work.startsWith('source');
  for (;;) {
    const ready = must(await sys.epoll_wait(epfd, events, 64, -1));
    for (let i = 0; i < ready; i++) {
      const fd = events[i].data;
      if (fd === listener) {
        const accepted = must(sys.accept4(listener, null, SOCK_NONBLOCK));
        const wants = writes ? EPOLLOUT : EPOLLIN;
        must(sys.epoll_ctl(epfd, EPOLL_CTL_ADD, accepted, { events: wants, data: accepted }));
      } else if (writes) {
        sys.send(fd, inside, inside.length, MSG_SPLICE_PAGES);
      } else if (work === 'sinkLent') {
        zc.length = inside.length;
        must(sys.getsockopt(fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, optval));
        if (zc.length === 0) sys.read(fd, inside);
      } else {
        const count = sys.read(fd, inside);
        if (count > 0 && work === 'echo') must(sys.write(fd, inside, count));
        else if (count === 0) must(sys.close(fd));
      }
    }
  }
}

async function connected({ work, tso }) {
  const pair = joinedStacks({ tso });
  void serve(pair.server.sys, work);
  const { sys } = pair.client;
  const fd = must(sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  sys.connect(fd, SERVER);
  for (let i = 0; i < 10; i++) await pair.turn();
  return { ...pair, fd };
}

async function roundTrips({ turn, client: { sys }, fd }, count) {
  for (let done = 0; done < count; done++) {
    must(sys.write(fd, buffer, 64));
    await turn();
    if (sys.read(fd, buffer) !== 64) throw new Error('no answer came within a turn');
  }
}

/** Whole connections: opened, one round trip, closed by both. */
async function connections({ turn, client: { sys } }, count) {
  for (let done = 0; done < count; done++) {
    const fd = must(sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    sys.connect(fd, SERVER);
    for (let turns = 0; sys.write(fd, buffer, 64) !== 64; turns++) {
      if (turns > 10) throw new Error(`connection ${done} did not come about: ${sys.write(fd, buffer, 64)}`);
      await turn();
    }
    await turn();
    if (sys.read(fd, buffer) !== 64) throw new Error('no answer came within a turn');
    must(sys.close(fd));
    await turn();
  }
}

/** At least `count` bytes from the client's stack to the server's, or back. */
async function bulk({ turn, client, frames, fd }, count, work) {
  let moved = 0;
  let still = 0;
  while (moved < count) {
    const done = work?.startsWith('sink')
      ? client.sys.write(fd, buffer, 64 << 10)
      : client.sys.read(fd, buffer);
    if (done > 0) moved += done;
    else {
      still++;
      await turn();
      if (still > 100_000) throw new Error(`stuck after ${moved} bytes, ${frames()} frames`);
    }
  }
}

/** Bytes copied by typed arrays while `run` runs; loops over some 64 bytes are not seen. */
async function copied(run) {
  const methods = Object.getPrototypeOf(Uint8Array.prototype);
  const { set, copyWithin } = methods;
  let bytes = 0;
  methods.set = function (source, at) {
    bytes += source.byteLength ?? source.length;
    return set.call(this, source, at);
  };
  methods.copyWithin = function (to, from, end) {
    bytes += (end - from) * this.BYTES_PER_ELEMENT;
    return copyWithin.call(this, to, from, end);
  };
  try {
    await run();
  } finally {
    Object.assign(methods, { set, copyWithin });
  }
  return bytes;
}

/** Bytes allocated by `run`: the least of several goes, since compilers allocate too. */
async function allocated(run) {
  let least = Infinity;
  for (let i = 0; i < 8; i++) {
    globalThis.gc();
    const before = process.memoryUsage().heapUsed;
    await run();
    least = Math.min(least, process.memoryUsage().heapUsed - before);
  }
  return least;
}

async function costOf(work, tso, amount, warmUp, run) {
  const pair = await connected({ work, tso });
  await run(pair, warmUp);
  const before = pair.frames();
  await run(pair, amount);
  const frames = pair.frames() - before;
  const bytes = await allocated(() => run(pair, amount));
  const copies = await copied(() => run(pair, amount));
  return { frames, allocated: bytes, copied: copies };
}

const per = (cost, units) =>
  Object.fromEntries(
    Object.entries(cost).map(([name, value]) => [name, Math.round((value / units) * 100) / 100]),
  );

const found = {
  roundTrip: per(await costOf('echo', true, 2000, 30_000, roundTrips), 2000),
  connection: per(await costOf('echo', true, 1000, 10_000, connections), 1000),
};
for (const tso of [true, false]) {
  for (const work of ['sink', 'source']) {
    const cost = await costOf(work, tso, 8 * MB, 128 * MB, (pair, count) => bulk(pair, count, work));
    found[`${work}${tso ? '' : 'Plain'}`] = per(cost, 8);
  }
}
// Sent from where the program has it.
found.sourceMapped = per(await costOf('sourceMapped', true, 8 * MB, 128 * MB, bulk), 8);
// Received where it is.
found.sinkLent = per(
  await costOf('sinkLent', true, 8 * MB, 128 * MB, (pair, count) => bulk(pair, count, 'sink')),
  8,
);
console.log(JSON.stringify(found));
process.exit();
