// The edge-trigger doctor: each way of holding epoll wrong is said once, with the place; holding it right is not remarked on.

import { expect, test } from 'vitest';
import {
  AF_INET,
  type DoctorWarning,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLET,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  epollEvents,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  Stack,
  VirtualClock,
} from '../../src/index.js';

const SERVER = { family: AF_INET, address: '127.0.0.1', port: 7 };
const buffer = new Uint8Array(4096);
const events = epollEvents(8);

function scene(heard?: (warning: DoctorWarning) => void) {
  const warnings: DoctorWarning[] = [];
  const clock = new VirtualClock();
  const doctor = heard ?? ((warning) => warnings.push(warning));
  const stack = new Stack({ clock, seed: 1, doctor });
  const { sys } = stack;
  const listener = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sys.bind(listener, SERVER);
  sys.listen(listener, 8);
  const client = () => {
    const fd = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sys.connect(fd, SERVER);
    return fd;
  };
  const pair = () => {
    const peer = client();
    return { peer, child: sys.accept4(listener, null, SOCK_NONBLOCK) };
  };
  const epoll = sys.epoll_create1(0);
  const watch = (fd: number, mask: number) =>
    sys.epoll_ctl(epoll, EPOLL_CTL_ADD, fd, { events: mask, data: fd });
  const wait = () => sys.epoll_wait(epoll, events, 8, 0);
  const codes = () => warnings.map(({ code }) => code);
  return { warnings, codes, clock, stack, sys, listener, client, pair, epoll, watch, wait };
}

test('an edge-triggered consumer that stops before EAGAIN and sleeps is told so, once, with the place of registration', async () => {
  const { sys, pair, watch, wait, warnings, codes } = scene();
  const { peer, child } = pair();
  watch(child, EPOLLIN | EPOLLET);
  sys.write(peer, buffer, 100);
  expect(await wait()).toBe(1);
  sys.read(child, buffer, 10);
  await wait();
  await wait();
  expect(codes()).toEqual(['ET_NOT_DRAINED']);
  expect(warnings[0].fd).toBe(child);
  expect(warnings[0].registeredAt).toMatch(/doctor\.test\.ts:\d+:\d+$/);
});

test('reading until EAGAIN, or until a read falls short, is right', async () => {
  const { sys, pair, watch, wait, codes } = scene();
  const first = pair();
  const second = pair();
  watch(first.child, EPOLLIN | EPOLLET);
  watch(second.child, EPOLLIN | EPOLLET);
  sys.write(first.peer, buffer, 100);
  sys.write(second.peer, buffer, 100);
  expect(await wait()).toBe(2);
  while (sys.read(first.child, buffer, 10) > 0);
  sys.read(second.child, buffer, 4096);
  await wait();
  expect(codes()).toEqual([]);
});

test('one accept per edge leaves connections standing', async () => {
  const { sys, listener, client, watch, wait, codes } = scene();
  watch(listener, EPOLLIN | EPOLLET);
  client();
  client();
  expect(await wait()).toBe(1);
  sys.accept4(listener, null, SOCK_NONBLOCK);
  await wait();
  expect(codes()).toEqual(['ET_ONE_ACCEPT']);
});

test('a level-triggered loop that never consumes its event spins', async () => {
  const { sys, pair, watch, wait, codes } = scene();
  const { peer, child } = pair();
  watch(child, EPOLLIN);
  sys.write(peer, buffer, 1);
  for (let i = 0; i < 99; i++) await wait();
  expect(codes()).toEqual([]);
  await wait();
  expect(codes()).toEqual(['LT_SPIN']);
});

test('reading a little each time is slow, but no spin', async () => {
  const { sys, pair, watch, wait, codes } = scene();
  const { peer, child } = pair();
  watch(child, EPOLLIN);
  sys.write(peer, buffer, 300);
  for (let i = 0; i < 300; i++) {
    expect(await wait()).toBe(1);
    sys.read(child, buffer, 1);
  }
  expect(codes()).toEqual([]);
});

test('a one-shot that is never armed again stays silent over waiting data', async () => {
  const { sys, pair, watch, wait, clock, codes } = scene();
  const { peer, child } = pair();
  watch(child, EPOLLIN | EPOLLONESHOT);
  sys.write(peer, buffer, 1);
  expect(await wait()).toBe(1);
  clock.advance(900_000);
  await Promise.resolve();
  expect(codes()).toEqual([]);
  clock.advance(200_000);
  await Promise.resolve();
  expect(codes()).toEqual(['ONESHOT_NOT_REARMED']);
});

test('a one-shot armed again in time, or consumed, is right', async () => {
  const { sys, pair, epoll, watch, wait, clock, codes } = scene();
  const { peer, child } = pair();
  watch(child, EPOLLIN | EPOLLONESHOT);
  sys.write(peer, buffer, 1);
  expect(await wait()).toBe(1);
  sys.read(child, buffer);
  clock.advance(2_000_000);
  sys.epoll_ctl(epoll, EPOLL_CTL_MOD, child, { events: EPOLLIN | EPOLLONESHOT, data: child });
  sys.write(peer, buffer, 1);
  expect(await wait()).toBe(1);
  sys.epoll_ctl(epoll, EPOLL_CTL_MOD, child, { events: EPOLLIN | EPOLLONESHOT, data: child });
  clock.advance(2_000_000);
  await Promise.resolve();
  expect(codes()).toEqual([]);
});

test('a registration that outlives its descriptor is a ghost', async () => {
  const { sys, pair, watch, wait, codes } = scene();
  const { peer, child } = pair();
  watch(child, EPOLLIN);
  sys.dup(child);
  sys.close(child);
  sys.write(peer, buffer, 1);
  expect(await wait()).toBe(1);
  expect(codes()).toEqual(['STALE_REGISTRATION']);
});

test('waiting for room to answer before reading on is right, and the doctor looking on asks for no room itself', async () => {
  const { sys, pair, watch, wait, codes } = scene();
  const { peer, child } = pair();
  watch(child, EPOLLIN | EPOLLOUT | EPOLLET);
  sys.write(peer, buffer, 100);
  expect(await wait()).toBe(1);
  sys.read(child, buffer, 10);
  while (sys.write(child, buffer) > 0);
  expect(await wait()).toBe(0);
  expect(codes()).toEqual([]);
  while (sys.read(peer, buffer) > 0);
  expect(await wait()).toBe(1);
  expect(events[0].events).toBe(EPOLLIN | EPOLLOUT);
});

test('a listener served by accept(2), which takes no flags, does not spin', async () => {
  const { sys, listener, client, watch, wait, codes } = scene();
  watch(listener, EPOLLIN);
  for (let i = 0; i < 120; i++) {
    client();
    expect(await wait()).toBe(1);
    sys.close(sys.accept(listener));
  }
  expect(codes()).toEqual([]);
});

test("what a doctor throws is the program's own error, and epoll_wait goes on", async () => {
  const { sys, listener, client, watch, wait } = scene(() => {
    throw new Error('a warning');
  });
  const thrown = uncaught();
  watch(listener, EPOLLIN | EPOLLET);
  client();
  client();
  expect(await wait()).toBe(1);
  sys.accept4(listener, null, SOCK_NONBLOCK);
  expect(await wait()).toBe(0);
  expect((await thrown).message).toBe('a warning');
  client();
  expect(await wait()).toBe(1);
});

/** The next error nobody caught, which the test runner then does not see. */
function uncaught(): Promise<Error> {
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  return new Promise((resolve) => {
    process.once('uncaughtException', (error) => {
      for (const other of others) process.on('uncaughtException', other);
      resolve(error);
    });
  });
}

test('who closes a descriptor, or removes it, leaves nothing behind that could be missed', async () => {
  const { sys, clock, pair, epoll, watch, wait, codes } = scene();
  const [read, removed, once] = [pair(), pair(), pair()];
  watch(read.child, EPOLLIN | EPOLLET);
  watch(removed.child, EPOLLIN | EPOLLET);
  watch(once.child, EPOLLIN | EPOLLONESHOT);
  for (const { peer } of [read, removed, once]) sys.write(peer, buffer, 100);
  expect(await wait()).toBe(3);
  // A request of known length was read, and answered; nobody asks until EAGAIN who knows that he closes.
  sys.read(read.child, buffer, 100);
  sys.close(read.child);
  sys.epoll_ctl(epoll, EPOLL_CTL_DEL, removed.child, null);
  sys.epoll_ctl(epoll, EPOLL_CTL_DEL, once.child, null);
  await wait();
  clock.advance(5_000_000);
  await wait();
  expect(codes()).toEqual([]);
});
