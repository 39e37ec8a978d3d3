// Eventpolls that watch eventpolls: their readiness, their wake-ups, and how far it may go.
import { EPOLLET, EPOLLIN, EPOLLOUT, EPOLLRDNORM } from 'tapstack';
import { beforeEach, describe, expect, it } from 'vitest';
import { Machine, settle } from '../kernel/machine.js';

let m: Machine;
beforeEach(() => {
  m = new Machine({ nofile: 4096 });
});

describe('an eventpoll that is watched', () => {
  it('is readable while it would report something, and looking consumes nothing', async () => {
    const [inner, outer] = [m.epoll(), m.epoll()];
    const [r, w] = m.pipe();
    m.add(inner, r, EPOLLIN | EPOLLET, 'r');
    m.add(outer, inner, EPOLLIN, 'i');
    expect(await m.poll(inner)).toBe('0');
    m.write(w);
    expect(await m.poll(inner)).toBe('IN|RDNORM');
    expect(await m.wait(outer)).toBe('i{IN}');
    expect(await m.wait(inner)).toBe('r{IN}');
    expect(await m.wait(outer)).toBe('');
    expect(await m.poll(inner)).toBe('0');
  });

  it('stays readable after a harvest of a level-triggered item', async () => {
    const [inner, outer] = [m.epoll(), m.epoll()];
    const [r, w] = m.pipe();
    m.add(inner, r, EPOLLIN, 'r');
    m.add(outer, inner, EPOLLIN, 'i');
    m.write(w);
    expect(await m.wait(inner)).toBe('r{IN}');
    expect(await m.wait(outer)).toBe('i{IN}');
    m.read(r);
    expect(await m.wait(outer)).toBe('');
  });

  it('gives an edge for every callback that reaches it, harvested or not', async () => {
    const [inner, outer] = [m.epoll(), m.epoll()];
    const [r, w] = m.pipe();
    m.add(inner, r, EPOLLIN, 'r');
    m.add(outer, inner, EPOLLIN | EPOLLET, 'i');
    m.write(w);
    expect(await m.wait(outer)).toBe('i{IN}');
    expect(await m.wait(outer)).toBe('');
    m.write(w);
    expect(await m.wait(outer)).toBe('i{IN}');
  });

  it('wakes with IN alone: RDNORM interest is met only by MOD', async () => {
    const [inner, outer] = [m.epoll(), m.epoll()];
    const [r, w] = m.pipe();
    m.add(inner, r, EPOLLIN, 'r');
    m.add(outer, inner, EPOLLRDNORM, 'i');
    m.write(w);
    expect(await m.wait(outer)).toBe('');
    m.mod(outer, inner, EPOLLIN | EPOLLOUT | EPOLLRDNORM, 'i');
    expect(await m.wait(outer)).toBe('i{IN|RDNORM}');
  });

  it('wakes a sleeper two levels up', async () => {
    const eps = [m.epoll(), m.epoll(), m.epoll()];
    m.add(eps[1], eps[0], EPOLLIN, 0);
    m.add(eps[2], eps[1], EPOLLIN, 1);
    const [r, w] = m.pipe();
    m.add(eps[0], r, EPOLLIN, 'r');
    const call = m.sleeper(eps[2]);
    m.write(w);
    await settle();
    expect(call.text).toBe('1{IN}');
  });

  it('leaves the sets that watch it when it is closed', async () => {
    const [inner, outer] = [m.epoll(), m.epoll()];
    m.add(outer, inner, EPOLLIN);
    m.sys.close(inner);
    const again = m.epoll();
    expect(again).toBe(inner);
    expect(m.add(outer, again, EPOLLIN)).toBe(0);
  });
});

describe('limits', () => {
  it('no eventpoll watches itself, nor in a circle', () => {
    const [a, b, c] = [m.epoll(), m.epoll(), m.epoll()];
    expect(m.add(a, a, EPOLLIN)).toBe('-EINVAL');
    expect(m.add(a, b, EPOLLIN)).toBe(0);
    expect(m.add(b, c, EPOLLIN)).toBe(0);
    expect(m.add(c, a, EPOLLIN)).toBe('-ELOOP');
    expect(m.add(b, a, EPOLLIN)).toBe('-ELOOP');
  });

  it('five may stand on one another, built from either end', () => {
    const up = Array.from({ length: 6 }, () => m.epoll());
    const fromBelow = up.slice(1).map((outer, i) => m.add(outer, up[i], EPOLLIN));
    expect(fromBelow).toEqual([0, 0, 0, 0, '-ELOOP']);
    const down = Array.from({ length: 6 }, () => m.epoll());
    const fromAbove = down.slice(1).map((inner, i) => m.add(down[i], inner, EPOLLIN));
    expect(fromAbove).toEqual([0, 0, 0, 0, '-ELOOP']);
  });

  it('ELOOP is noticed before EEXIST', () => {
    const [a, b] = [m.epoll(), m.epoll()];
    m.add(a, b, EPOLLIN);
    expect(m.add(a, b, EPOLLIN)).toBe('-EEXIST');
    expect(m.add(b, a, EPOLLIN)).toBe('-ELOOP');
  });

  it('at most 500 paths of length two lead from a file', () => {
    const inner = m.epoll();
    const [r] = m.pipe();
    m.add(inner, r, EPOLLIN);
    for (let i = 0; i < 500; i++) expect(m.add(m.epoll(), inner, EPOLLIN)).toBe(0);
    expect(m.add(m.epoll(), inner, EPOLLIN)).toBe('-EINVAL');
    const [other] = m.pipe();
    expect(m.add(inner, other, EPOLLIN)).toBe(0);
  });

  it('any number of eventpolls may watch a file directly', () => {
    const [r] = m.pipe();
    for (let i = 0; i < 1200; i++) expect(m.add(m.epoll(), r, EPOLLIN)).toBe(0);
  });
});
