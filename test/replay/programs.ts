// Programs whose sessions are recorded: an echo server on epoll, a client of blocking calls, and several that wake one another.

import { expect } from 'vitest';
import { epollEvents } from '../../src/eventpoll/ep-send-events.js';
import { type CableOptions, Lab, type LabStackOptions } from '../../src/lab/index.js';
import type { Stack } from '../../src/stack.js';
import { EAGAIN, EINTR } from '../../src/uapi/errno.js';
import { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLLET, EPOLLEXCLUSIVE, EPOLLIN } from '../../src/uapi/poll.js';
import { AF_INET, SHUT_WR, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_STREAM } from '../../src/uapi/socket.js';

/** A cable that leaves nothing out. */
export const rough: CableOptions = {
  bandwidth: 10_000_000,
  queue: { discipline: 'codel', frames: 200 },
  delayUs: 10_000,
  jitterUs: 2000,
  loss: 0.05,
  reorder: 0.05,
  reorderUs: 5000,
  duplicate: 0.02,
  corrupt: 0.02,
};

/** Echoes by epoll until the stack is closed, edge-triggered, as the command's own server can. A first byte 0 is not answered. */
export async function echo(stack: Stack, port = 7): Promise<void> {
  const { sys } = stack;
  const epfd = sys.epoll_create1(0);
  const listener = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  sys.bind(listener, { family: AF_INET, address: '0.0.0.0', port });
  sys.listen(listener, 8);
  sys.epoll_ctl(epfd, EPOLL_CTL_ADD, listener, { events: EPOLLIN, data: { fd: listener } });
  const events = epollEvents(8);
  const buffer = new Uint8Array(3000);
  for (;;) {
    const count = await sys.epoll_wait(epfd, events, 8, 500);
    if (count === -EINTR) return;
    for (const { data } of events.slice(0, Math.max(count, 0))) {
      const { fd } = data as { fd: number };
      if (fd === listener) {
        const accepted = sys.accept4(listener, { family: 0, address: '', port: 0 }, SOCK_NONBLOCK);
        if (accepted >= 0)
          sys.epoll_ctl(epfd, EPOLL_CTL_ADD, accepted, { events: EPOLLIN | EPOLLET, data: { fd: accepted } });
        continue;
      }
      let got = sys.read(fd, buffer);
      for (; got > 0; got = sys.read(fd, buffer)) if (buffer[0] !== 0) sys.write(fd, buffer, got);
      if (got === -EAGAIN) continue;
      sys.epoll_ctl(epfd, EPOLL_CTL_DEL, fd, null);
      sys.close(fd);
    }
  }
}

/** Sends by blocking calls, and reads what comes back until there is no more: how much that was. */
export async function talk(
  stack: Stack,
  size: number,
  address = '10.0.0.2',
  pauseMs = 2000,
): Promise<number> {
  const { sys, blocking } = stack;
  const fd = sys.socket(AF_INET, SOCK_STREAM);
  expect(await blocking.connect(fd, { family: AF_INET, address, port: 7 })).toBe(0);
  const reader = (async () => {
    const buffer = new Uint8Array(5000);
    for (let bytes = 0; ; ) {
      const got = await blocking.read(fd, buffer);
      if (got <= 0) return bytes;
      bytes += got;
    }
  })();
  for (let sent = 0; sent < size; sent += 10_000)
    await blocking.write(fd, new Uint8Array(10_000).fill(1 + sent / 10_000));
  // Not answered, and alone: its acknowledgement is delayed.
  await sys.poll([], pauseMs);
  await blocking.write(fd, new Uint8Array(100));
  await sys.poll([], pauseMs / 8);
  sys.shutdown(fd, SHUT_WR);
  const bytes = await reader;
  sys.close(fd);
  return bytes;
}

/** The journal with its header changed: 17 bytes of magic, one of format, `H`, a length in sevens of bits, JSON. */
export function withHeader(journal: Buffer, change: (header: Record<string, unknown>) => object): Buffer {
  const FROM = 'tapstack journal\n'.length + 2;
  let [at, length] = [FROM, 0];
  do length += (journal[at] & 0x7f) * 0x80 ** (at - FROM);
  while (journal[at++] >= 0x80);
  const changed = Buffer.from(JSON.stringify(change(JSON.parse(journal.toString('utf8', at, at + length)))));
  const size: number[] = [];
  for (let left = changed.length; left > 0; left >>= 7) size.push(left < 0x80 ? left : (left & 0x7f) | 0x80);
  return Buffer.concat([
    journal.subarray(0, FROM),
    Buffer.from(size),
    changed,
    journal.subarray(at + length),
  ]);
}

export type Counters = ReturnType<Stack['snmp']>;

/** Two stacks, both recorded to the two files, over a bad cable that is cut for a while; the counters when nothing flies any more. */
export async function roughSession(
  seed: number,
  journals: readonly [string, string],
  options: LabStackOptions = {},
): Promise<[Counters, Counters]> {
  const lab = new Lab({ seed });
  const cable = lab.cable(rough);
  const a = lab.stack({ link: cable.a, address: '10.0.0.1/24', record: journals[0] });
  const b = lab.stack({ link: cable.b, address: '10.0.0.2/24', record: journals[1], ...options });
  void echo(b);
  const talks = Promise.all([talk(a, 200_000), talk(a, 50_000)]);
  await lab.pass(150);
  cable.partition();
  await lab.pass(1000);
  cable.heal();
  await lab.run({ until: talks });
  await lab.pass(100_000);
  const counters: [Counters, Counters] = [a.snmp(), b.snmp()];
  await lab.close();
  return counters;
}

/**
 * Programs of one stack that wake each other: two on one eventpoll, one of them exclusively woken, eventfds, pipes, timers, a signal,
 * datagrams and a stream over loopback, a child. Who runs first decides who finds what.
 */
export async function crowd(stack: Stack): Promise<string[]> {
  const { sys, blocking } = stack;
  const said: string[] = [];
  const bell = sys.eventfd(0, SOCK_NONBLOCK);
  const pipe = [0, 0];
  sys.pipe(pipe);
  const child = stack.process.fork();
  const waiting = [stack.process, child].map(async (process, who) => {
    const epfd = process.sys.epoll_create1(0);
    process.sys.epoll_ctl(epfd, EPOLL_CTL_ADD, bell, { events: EPOLLIN | EPOLLEXCLUSIVE, data: who });
    const events = epollEvents(4);
    for (let round = 0; round < 20; round++) {
      const count = await process.sys.epoll_wait(epfd, events, 4, 40);
      const value = new Uint8Array(8);
      said.push(`${who}: ${count} ${process.sys.read(bell, value)} ${value[0]}`);
      if (round % 3 === 0) await process.blocking.write(pipe[1], Uint8Array.of(who, round));
    }
  });
  const reading = (async () => {
    const buffer = new Uint8Array(100);
    for (let n = 0; n < 10; n++) {
      const got = await blocking.read(pipe[0], buffer);
      said.push(`pipe ${got}`);
      sys.write(bell, Uint8Array.of(n + 1, 0, 0, 0, 0, 0, 0, 0));
    }
  })();
  const datagrams = (async () => {
    const one = sys.socket(AF_INET, SOCK_DGRAM);
    const two = child.sys.socket(AF_INET, SOCK_DGRAM);
    child.sys.bind(two, { family: AF_INET, address: '127.0.0.1', port: 5000 });
    for (let n = 0; n < 10; n++) {
      const [got] = await Promise.all([
        child.blocking.recvfrom(two, new Uint8Array(99), 99, 0, { family: 0, address: '', port: 0 }),
        blocking.sendto(one, new Uint8Array(n + 1), n + 1, 0, {
          family: AF_INET,
          address: '127.0.0.1',
          port: 5000,
        }),
      ]);
      said.push(`datagram ${got}`);
      sys.write(bell, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));
    }
  })();
  const abort = new AbortController();
  const impatient = child.blocking
    .recv(sys.dup(pipe[0]), new Uint8Array(1), 1, 0, { signal: abort.signal })
    .then((result) => said.push(`not a socket ${result}`));
  const polls = sys
    .poll([{ fd: 99, events: EPOLLIN, revents: 0 }], 10)
    .then((count) => said.push(`poll ${count}`));
  const interrupted = sys
    .epoll_pwait(sys.epoll_create1(0), epollEvents(1), 1, -1, { signal: abort.signal })
    .then((result) => {
      said.push(`interrupted ${result}`);
      child.sys.write(bell, Uint8Array.of(7, 0, 0, 0, 0, 0, 0, 0));
    });
  queueMicrotask(() => abort.abort());
  void echo(stack, 7);
  const loop = talk(stack, 30_000, '127.0.0.1', 100).then((bytes) => said.push(`loop ${bytes}`));
  await Promise.all([...waiting, reading, datagrams, impatient, polls, interrupted, loop]);
  child.exit();
  return said;
}
