// Who is woken: several callers of epoll_wait, several eventpolls on one file, EPOLLEXCLUSIVE, time-outs and signals
//.
import { EPOLLET, EPOLLEXCLUSIVE, EPOLLIN, EPOLLOUT } from 'tapstack';
import { beforeEach, describe, expect, it } from 'vitest';
import { Machine, settle } from '../kernel/machine.js';

let m: Machine;
let ep: number;
beforeEach(() => {
  m = new Machine();
  ep = m.epoll();
});

describe('a sleeper', () => {
  it('is woken by an event', async () => {
    const [r, w] = m.pipe();
    m.add(ep, r, EPOLLIN, 'r');
    const call = m.sleeper(ep);
    await settle();
    expect(call.text).toBeUndefined();
    m.write(w);
    await settle();
    expect(call.text).toBe('r{IN}');
  });

  it('is woken by an ADD and by a MOD that find something ready', async () => {
    const [r, w] = m.pipe();
    m.write(w);
    const first = m.sleeper(ep);
    m.add(ep, r, EPOLLIN, 'r');
    await settle();
    expect(first.text).toBe('r{IN}');
    m.mod(ep, r, EPOLLOUT, 'r');
    const second = m.sleeper(ep);
    m.mod(ep, r, EPOLLIN, 's');
    await settle();
    expect(second.text).toBe('s{IN}');
  });

  it('returns 0 when its time is up, not before', async () => {
    const call = m.sleeper(ep, 20);
    await m.pass(19);
    expect(call.text).toBeUndefined();
    await m.pass(1);
    expect(call.text).toBe('');
  });

  it('sleeps a whole millisecond even from the middle of one', async () => {
    m.clock.advance(700);
    const call = m.sleeper(ep, 1);
    m.clock.advance(900);
    await settle();
    expect(call.text).toBeUndefined();
    m.clock.advance(400);
    await settle();
    expect(call.text).toBe('');
  });

  it('is interrupted by its signal, and only then', async () => {
    const abort = new AbortController();
    const call = m.sleeper(ep, -1, abort.signal);
    await settle();
    abort.abort();
    await settle();
    expect(call.text).toBe('-EINTR');
    expect(await m.sys.epoll_pwait(ep, [], 1, 0, { signal: abort.signal })).toBe(0);
    expect(await m.sys.epoll_pwait(ep, [], 1, 10, { signal: abort.signal })).toBe(-4);
  });

  it('goes back to sleep, until the same moment, when somebody took the event away', async () => {
    const [r, w] = m.pipe();
    m.add(ep, r, EPOLLIN, 'r');
    const call = m.sleeper(ep, 10);
    await m.pass(5);
    m.write(w);
    m.read(r);
    await m.pass(4);
    expect(call.text).toBeUndefined();
    await m.pass(1);
    expect(call.text).toBe('');
  });

  it('on an eventpoll that is closed still gets its event, and keeps it alive until then', async () => {
    const [r, w] = m.pipe();
    m.add(ep, r, EPOLLIN, 'r');
    const call = m.sleeper(ep);
    m.sys.close(ep);
    await settle();
    expect(call.text).toBeUndefined();
    m.write(w);
    await settle();
    expect(call.text).toBe('r{IN}');
  });

  it('is ended by closing the stack', async () => {
    const call = m.sleeper(ep);
    await m.stack.close();
    await settle();
    expect(call.text).toBe('-EINTR');
  });
});

describe('several sleepers on one eventpoll', () => {
  it('are woken latest first; an edge wakes one', async () => {
    const [r, w] = m.pipe();
    m.add(ep, r, EPOLLIN | EPOLLET, 'r');
    const calls = [m.sleeper(ep), m.sleeper(ep), m.sleeper(ep)];
    m.write(w);
    await settle();
    expect(calls.map((call) => call.text)).toEqual([undefined, undefined, 'r{IN}']);
    m.write(w);
    await settle();
    expect(calls.map((call) => call.text)).toEqual([undefined, 'r{IN}', 'r{IN}']);
  });

  it('hand a level on to one another until somebody consumes it', async () => {
    const [r, w] = m.pipe();
    m.add(ep, r, EPOLLIN, 'r');
    const calls = [m.sleeper(ep), m.sleeper(ep)];
    m.write(w);
    await settle();
    expect(calls.map((call) => call.text)).toEqual(['r{IN}', 'r{IN}']);
  });

  it('whose harvest is empty queue at the head again', async () => {
    const [r, w] = m.pipe();
    m.add(ep, r, EPOLLIN | EPOLLET, 'r');
    const [first, second] = [m.sleeper(ep), m.sleeper(ep)];
    m.write(w);
    m.read(r);
    await settle();
    m.write(w);
    await settle();
    expect([first.text, second.text]).toEqual([undefined, 'r{IN}']);
  });

  it('both run when an event follows a wake-up before the woken one has run', async () => {
    const [r1, w1] = m.pipe();
    const [r2, w2] = m.pipe();
    m.add(ep, r1, EPOLLIN | EPOLLET, 'a');
    m.add(ep, r2, EPOLLIN | EPOLLET, 'b');
    const [first, second] = [m.sleeper(ep, -1, undefined, 1), m.sleeper(ep, -1, undefined, 1)];
    m.write(w1);
    m.write(w2);
    await settle();
    expect([first.text, second.text]).toEqual(['b{IN}', 'a{IN}']);
  });
});

describe('several eventpolls on one file', () => {
  it('each get each edge', async () => {
    const other = m.epoll();
    const [r, w] = m.pipe();
    m.add(ep, r, EPOLLIN | EPOLLET, 'r');
    m.add(other, r, EPOLLIN | EPOLLET, 'r');
    m.write(w);
    expect(await m.wait(ep)).toBe('r{IN}');
    expect(await m.wait(other)).toBe('r{IN}');
  });
});

describe('EPOLLEXCLUSIVE', () => {
  it('wakes one sleeper per connection, in the order of ADD', async () => {
    const { fd, at } = m.listener();
    const eps = [m.epoll(), m.epoll(), m.epoll()];
    for (const each of eps) m.add(each, fd, EPOLLIN | EPOLLEXCLUSIVE, 'l');
    const calls = eps.map((each) => m.sleeper(each));
    m.client(at);
    await settle();
    expect(calls.map((call) => call.text)).toEqual(['l{IN}', undefined, undefined]);
    m.client(at);
    await settle();
    expect(calls.map((call) => call.text)).toEqual(['l{IN}', 'l{IN}', undefined]);
  });

  it('queues a stale item where nobody slept before it stopped, and everywhere if nobody sleeps', async () => {
    const { fd, at } = m.listener();
    const eps = [m.epoll(), m.epoll(), m.epoll()];
    for (const each of eps) m.add(each, fd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLET, 'l');
    const call = m.sleeper(eps[1]);
    m.client(at);
    await settle();
    expect(call.text).toBe('l{IN}');
    expect(await Promise.all(eps.map((each) => m.wait(each)))).toEqual(['l{IN}', '', '']);
    m.client(at);
    expect(await Promise.all(eps.map((each) => m.wait(each)))).toEqual(['l{IN}', 'l{IN}', 'l{IN}']);
  });

  it('is visited by a state change everywhere', async () => {
    const { fd } = m.listener();
    const eps = [m.epoll(), m.epoll()];
    for (const each of eps) m.add(each, fd, EPOLLIN | EPOLLEXCLUSIVE, 'l');
    const calls = eps.map((each) => m.sleeper(each));
    m.sys.shutdown(fd, 2);
    await settle();
    expect(calls.map((call) => call.text)).toEqual(['l{HUP}', 'l{HUP}']);
  });

  it('may be used only with ADD, and with few companions', () => {
    const [r] = m.pipe();
    const inner = m.epoll();
    expect(m.add(ep, r, EPOLLIN | EPOLLEXCLUSIVE | (1 << 30))).toBe('-EINVAL');
    expect(m.add(ep, r, 0x2000 | EPOLLEXCLUSIVE)).toBe('-EINVAL');
    expect(m.add(ep, inner, EPOLLIN | EPOLLEXCLUSIVE)).toBe('-EINVAL');
    expect(m.add(ep, r, EPOLLIN | EPOLLEXCLUSIVE)).toBe(0);
    expect(m.mod(ep, r, EPOLLIN)).toBe('-EINVAL');
    expect(m.mod(ep, r, EPOLLIN | EPOLLEXCLUSIVE)).toBe('-EINVAL');
    expect(m.del(ep, r)).toBe(0);
  });
});
