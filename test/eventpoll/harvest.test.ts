// What epoll_wait reports, and in which order: level, edge and one-shot items, rotation, truncation.
import { EPOLLET, EPOLLIN, EPOLLONESHOT, EPOLLOUT, EPOLLRDHUP, epollEvents } from 'tapstack';
import { beforeEach, describe, expect, it } from 'vitest';
import { Machine } from '../kernel/machine.js';

let m: Machine;
let ep: number;
beforeEach(() => {
  m = new Machine();
  ep = m.epoll();
});

describe('level-triggered', () => {
  it('reports as long as it is true', async () => {
    const [r, w] = m.pipe();
    m.add(ep, r, EPOLLIN, 'r');
    expect(await m.wait(ep)).toBe('');
    m.write(w, 'ab');
    expect(await m.wait(ep)).toBe('r{IN}');
    m.read(r, 1);
    expect(await m.wait(ep)).toBe('r{IN}');
    m.read(r, 1);
    expect(await m.wait(ep)).toBe('');
  });

  it('rotates when there are more events than room: 06 of the oracle, with pipes', async () => {
    const pipes = [1, 2, 3, 4].map(() => m.pipe());
    for (const [n, [r]] of pipes.entries()) m.add(ep, r, EPOLLIN, `a${n + 1}`);
    for (const n of [3, 1, 4, 2]) m.write(pipes[n - 1][1]);
    expect(await m.wait(ep)).toBe('a3{IN} a1{IN} a4{IN} a2{IN}');
    const singles = [];
    for (let i = 0; i < 5; i++) singles.push(await m.wait(ep, 1));
    expect(singles).toEqual(['a3{IN}', 'a1{IN}', 'a4{IN}', 'a2{IN}', 'a3{IN}']);
    expect(await m.wait(ep, 2)).toBe('a1{IN} a4{IN}');
    expect(await m.wait(ep)).toBe('a2{IN} a3{IN} a1{IN} a4{IN}');
  });

  it('keeps its place when more arrives, and loses it by leaving or by DEL and ADD', async () => {
    const [r1, w1] = m.pipe();
    const [r2, w2] = m.pipe();
    m.add(ep, r1, EPOLLIN, 'a');
    m.add(ep, r2, EPOLLIN, 'b');
    m.write(w1);
    m.write(w2);
    m.write(w1);
    expect(await m.wait(ep)).toBe('a{IN} b{IN}');
    m.read(r1);
    expect(await m.wait(ep)).toBe('b{IN}');
    m.write(w1);
    expect(await m.wait(ep)).toBe('b{IN} a{IN}');
    m.del(ep, r2);
    m.add(ep, r2, EPOLLIN, 'b');
    expect(await m.wait(ep)).toBe('a{IN} b{IN}');
  });
});

describe('edge-triggered', () => {
  it('reports each burst once, with everything that is true now', async () => {
    const [a, b] = m.pair();
    m.add(ep, a, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 'a');
    expect(await m.wait(ep)).toBe('a{OUT}');
    expect(await m.wait(ep)).toBe('');
    m.write(b);
    m.write(b);
    expect(await m.wait(ep)).toBe('a{IN|OUT}');
    m.read(a, 1);
    expect(await m.wait(ep)).toBe('');
    m.write(b);
    expect(await m.wait(ep)).toBe('a{IN|OUT}');
  });

  it('forgets an edge whose condition went away before the wait', async () => {
    const [r, w] = m.pipe();
    m.add(ep, r, EPOLLIN | EPOLLET, 'r');
    m.write(w);
    m.read(r);
    expect(await m.wait(ep)).toBe('');
  });

  it('is reported again by MOD', async () => {
    const [r, w] = m.pipe();
    m.write(w);
    m.add(ep, r, EPOLLIN | EPOLLET, 'r');
    expect(await m.wait(ep)).toBe('r{IN}');
    m.mod(ep, r, EPOLLIN | EPOLLET, 's');
    expect(await m.wait(ep)).toBe('s{IN}');
    expect(await m.wait(ep)).toBe('');
  });

  it('leaves what did not fit at the head, and queues newcomers behind', async () => {
    const [r1, w1] = m.pipe();
    const [r2, w2] = m.pipe();
    m.add(ep, r1, EPOLLIN | EPOLLET, 'a');
    m.add(ep, r2, EPOLLIN | EPOLLET, 'b');
    m.write(w1);
    m.write(w2);
    expect(await m.wait(ep, 1)).toBe('a{IN}');
    m.write(w1);
    expect(await m.wait(ep)).toBe('b{IN} a{IN}');
  });
});

describe('one-shot', () => {
  it('is deaf after one report, even to errors, until MOD', async () => {
    const [r, w] = m.pipe();
    m.add(ep, r, EPOLLIN | EPOLLONESHOT, 'r');
    m.write(w);
    expect(await m.wait(ep)).toBe('r{IN}');
    m.write(w);
    m.sys.close(w);
    expect(await m.wait(ep)).toBe('');
    expect(m.add(ep, r, EPOLLIN)).toBe('-EEXIST');
    m.mod(ep, r, EPOLLONESHOT, 'r');
    expect(await m.wait(ep)).toBe('r{HUP}');
    expect(await m.wait(ep)).toBe('');
  });
});

describe('the list', () => {
  it('does not count items that turn out unready against maxevents', async () => {
    const [r1, w1] = m.pipe();
    const [r2, w2] = m.pipe();
    m.add(ep, r1, EPOLLIN, 'a');
    m.add(ep, r2, EPOLLIN, 'b');
    m.write(w1);
    m.write(w2);
    m.read(r1);
    expect(await m.wait(ep, 1)).toBe('b{IN}');
  });

  it('judges a queued item by its new mask and data at the harvest', async () => {
    const [r, w] = m.pipe();
    m.add(ep, r, EPOLLIN, 'old');
    m.write(w);
    m.mod(ep, r, EPOLLOUT, 'new');
    expect(await m.wait(ep)).toBe('');
    m.mod(ep, r, EPOLLIN, 'newer');
    expect(await m.wait(ep)).toBe('newer{IN}');
  });

  it('returns data as it came', async () => {
    const [r, w] = m.pipe();
    const data = { connection: 1 };
    m.add(ep, r, EPOLLIN, data);
    m.write(w);
    const events = epollEvents(1);
    await m.sys.epoll_wait(ep, events, 1, 0);
    expect(events[0].data).toBe(data);
  });

  it('puts an event back that the array has no room for, and faults only if none fitted', async () => {
    const [r, w] = m.pipe();
    m.add(ep, r, EPOLLIN | EPOLLET, 'r');
    m.write(w);
    expect(await m.sys.epoll_wait(ep, [], 4, 0)).toBe(-14);
    expect(await m.wait(ep)).toBe('r{IN}');
  });

  it('costs the same however many items are idle', async () => {
    const big = new Machine({ nofile: 20_000 });
    const epfd = big.epoll();
    const [r, w] = big.pipe();
    big.add(epfd, r, EPOLLIN | EPOLLET, 'r');
    for (let i = 0; i < 5000; i++) big.add(epfd, big.sys.eventfd(0), EPOLLIN);
    big.write(w);
    expect(await big.wait(epfd)).toBe('r{IN}');
  });
});

describe('several registrations of one file', () => {
  it('are independent; the last added is queued first', async () => {
    const [r, w] = m.pipe();
    const copies = [r, m.sys.dup(r), m.sys.dup(r)];
    for (const [n, fd] of copies.entries()) m.add(ep, fd, EPOLLIN | EPOLLET, n + 1);
    m.write(w);
    expect(await m.wait(ep)).toBe('3{IN} 2{IN} 1{IN}');
  });
});
