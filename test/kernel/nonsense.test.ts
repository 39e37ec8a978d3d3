// `stack.sys` never throws and `stack.blocking` never rejects, whatever stands in the place of an argument: C would say EFAULT, EBADF
// or EINVAL. And nothing that was refused leaves the stack unable to go on.
import { EPOLLIN, epollEvents, IPPROTO_TCP, SO_LINGER, SO_RCVTIMEO, SOL_SOCKET, TCP_NODELAY } from 'tapstack';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Machine, result } from './machine.js';
import { callAll } from './nonsense.js';

let m: Machine;
beforeEach(() => {
  m = new Machine();
});
afterEach(async () => {
  await m.stack.close();
});

describe('epoll_wait into an array with holes', () => {
  it('is EFAULT, and the event is still there for the next', async () => {
    const [r, w] = m.pipe();
    const ep = m.epoll();
    m.add(ep, r, EPOLLIN, 'r');
    const sleeping = m.sys.epoll_wait(ep, new Array(8), 8, -1);
    m.write(w);
    expect(result(await sleeping)).toBe('-EFAULT');
    expect(result(await m.sys.epoll_wait(ep, new Array(8), 8, 0))).toBe('-EFAULT');
    const [s, t] = m.pipe();
    m.add(ep, s, EPOLLIN, 's');
    m.write(t);
    const events = epollEvents(1);
    events.length = 2;
    expect(await m.sys.epoll_wait(ep, events, 2, 0)).toBe(1);
    expect(events[0].data).toBe('r');
    expect(await m.wait(ep)).toBe('s{IN} r{IN}');
  });
});

describe('part of a byte', () => {
  it('is not read, and the stream stays whole', async () => {
    const [client, child] = m.pair();
    m.write(client, 'abc');
    expect(result(m.sys.read(child, new Uint8Array(8), 0.5))).toBe('-EFAULT');
    expect(result(m.sys.write(child, new Uint8Array(8), 1.5))).toBe('-EFAULT');
    expect(m.read(child)).toBe('abc');
  });
});

describe('what is missing', () => {
  it('is EFAULT where C would find nothing at the address', async () => {
    const [client] = m.pair();
    const nothing = undefined as never;
    expect(result(m.sys.read(client, nothing))).toBe('-EFAULT');
    expect(result(m.sys.send(client, nothing))).toBe('-EFAULT');
    expect(result(m.sys.sendmsg(client, { msg_iov: ['text'] as never }))).toBe('-EFAULT');
    expect(result(m.sys.setsockopt(client, IPPROTO_TCP, TCP_NODELAY, nothing))).toBe('-EFAULT');
    expect(result(m.sys.getsockopt(client, SOL_SOCKET, SO_LINGER, nothing))).toBe('-EFAULT');
    expect(result(m.sys.timerfd_settime(m.sys.timerfd_create(1), 0, nothing))).toBe('-EFAULT');
    expect(result(m.sys.open(nothing))).toBe('-EFAULT');
    expect(result(m.sys.open(''))).toBe('-ENOENT');
    expect(result(await m.sys.poll([nothing], 0))).toBe('-EFAULT');
    // A time-out that is no number would be one that never comes.
    const half = { tv_sec: 1 } as never;
    expect(result(m.sys.setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, half))).toBe('-EINVAL');
  });
});

describe.each([
  [1, false],
  [2, false],
  [3, false],
  [4, true],
])('whatever a program passes (seed %i, doctor %s)', (seed, watched) => {
  beforeEach(() => {
    if (watched) m = new Machine({ doctor: () => {} });
  });

  it('is answered, not thrown at', async () => {
    expect(await callAll(m, seed)).toEqual([]);
  });
});
