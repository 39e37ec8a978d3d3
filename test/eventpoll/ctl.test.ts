// epoll_ctl's errors and their order, and how long a registration lives.
import { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLLET, EPOLLIN, EPOLLOUT, epollEvents } from 'tapstack';
import { beforeEach, describe, expect, it } from 'vitest';
import { Machine, result } from '../kernel/machine.js';

let m: Machine;
let ep: number;
beforeEach(() => {
  m = new Machine();
  ep = m.epoll();
});

const ctl = (epfd: number, op: number, fd: number, event: { events: number; data: unknown } | null) =>
  result(m.sys.epoll_ctl(epfd, op, fd, event));
const IN = { events: EPOLLIN, data: 0 };

describe('bad arguments', () => {
  it('are noticed in the kernel’s order', () => {
    const [r, w] = m.pipe();
    const regular = m.sys.open('/etc/passwd');
    m.add(ep, r, EPOLLIN);
    expect(ctl(77, EPOLL_CTL_ADD, r, null)).toBe('-EFAULT');
    expect(ctl(77, EPOLL_CTL_DEL, r, null)).toBe('-EBADF');
    expect(ctl(ep, EPOLL_CTL_ADD, 77, IN)).toBe('-EBADF');
    expect(ctl(r, EPOLL_CTL_ADD, regular, IN)).toBe('-EPERM');
    expect(ctl(ep, 9, regular, IN)).toBe('-EPERM');
    expect(ctl(ep, EPOLL_CTL_ADD, 0, IN)).toBe('-EPERM');
    expect(ctl(r, EPOLL_CTL_ADD, w, IN)).toBe('-EINVAL');
    expect(ctl(ep, EPOLL_CTL_DEL, ep, null)).toBe('-EINVAL');
    expect(ctl(ep, EPOLL_CTL_ADD, r, IN)).toBe('-EEXIST');
    expect(ctl(ep, EPOLL_CTL_DEL, w, null)).toBe('-ENOENT');
    expect(ctl(ep, 9, w, IN)).toBe('-EINVAL');
    expect(ctl(ep, EPOLL_CTL_DEL, r, null)).toBe(0);
  });

  it('of epoll_create and epoll_create1', () => {
    expect([0, -1].map((size) => result(m.sys.epoll_create(size)))).toEqual(['-EINVAL', '-EINVAL']);
    expect(m.sys.epoll_create(1)).toBeGreaterThan(2);
    expect(result(m.sys.epoll_create1(1))).toBe('-EINVAL');
    expect(m.sys.fcntl(m.sys.epoll_create1(0o2000000), 1)).toBe(1);
  });

  it('of epoll_wait and epoll_pwait2', async () => {
    const [r] = m.pipe();
    const events = epollEvents(1);
    const wait = async (fd: number, max: number) => result(await m.sys.epoll_wait(fd, events, max, 0));
    expect(await wait(77, 1)).toBe('-EBADF');
    expect(await wait(ep, 0)).toBe('-EINVAL');
    expect(await wait(ep, 178956971)).toBe('-EINVAL');
    expect(await wait(ep, 178956970)).toBe(0);
    expect(await wait(r, 1)).toBe('-EINVAL');
    const pwait2 = async (sec: number, nsec: number, fd = ep) =>
      result(await m.sys.epoll_pwait2(fd, events, 1, { tv_sec: sec, tv_nsec: nsec }));
    expect(await pwait2(0, -1)).toBe('-EINVAL');
    expect(await pwait2(0, 1_000_000_000, 77)).toBe('-EINVAL');
    expect(await pwait2(-1, 0)).toBe('-EINVAL');
    expect(await pwait2(0, 0)).toBe(0);
  });

  it('beyond fs.epoll.max_user_watches', () => {
    m.stack.sysctl('fs.epoll.max_user_watches', 2);
    const fds = [1, 2, 3].map(() => m.sys.eventfd(0));
    expect(fds.map((fd) => m.add(ep, fd, EPOLLIN))).toEqual([0, 0, '-ENOSPC']);
    m.sys.close(fds[0]);
    expect(m.add(ep, fds[2], EPOLLIN)).toBe(0);
  });
});

describe('a registration', () => {
  it('outlives its descriptor while a dup keeps the file, and reports the old data', async () => {
    const [r, w] = m.pipe();
    m.add(ep, r, EPOLLIN, 'old');
    const copy = m.sys.dup(r);
    m.sys.close(r);
    m.write(w);
    expect(await m.wait(ep)).toBe('old{IN}');
    expect(m.del(ep, r)).toBe('-EBADF');
    expect(m.del(ep, copy)).toBe('-ENOENT');
    m.sys.dup2(copy, r);
    expect(m.del(ep, r)).toBe(0);
    expect(await m.wait(ep)).toBe('');
  });

  it('ends with the last reference, and its queued event with it', async () => {
    const fd = m.sys.eventfd(1);
    m.add(ep, fd, EPOLLIN, 'e');
    m.sys.close(fd);
    expect(await m.wait(ep)).toBe('');
  });

  it('may share its number with another file', async () => {
    const [r, w] = m.pipe();
    m.add(ep, r, EPOLLIN | EPOLLET, 'ghost');
    const copy = m.sys.dup(r);
    m.sys.close(r);
    const event = m.sys.eventfd(1);
    expect(event).toBe(r);
    expect(m.add(ep, event, EPOLLIN | EPOLLET, 'new')).toBe(0);
    m.write(w);
    expect(await m.wait(ep)).toBe('new{IN} ghost{IN}');
    expect(m.del(ep, event)).toBe(0);
    expect(m.del(ep, event)).toBe('-ENOENT');
    m.sys.close(copy);
    m.write(w);
    expect(await m.wait(ep)).toBe('');
  });

  it('belongs to all who share the eventpoll: fork', async () => {
    const [r, w] = m.pipe();
    const child = m.process.fork();
    const events = epollEvents(4);
    expect(result(child.sys.epoll_ctl(ep, EPOLL_CTL_ADD, r, { events: EPOLLIN, data: 'c' }))).toBe(0);
    m.write(w);
    expect(await m.wait(ep)).toBe('c{IN}');
    m.sys.close(r);
    expect(await m.wait(ep)).toBe('c{IN}');
    expect(m.report(await child.sys.epoll_wait(ep, events, 4, 0), events)).toBe('c{IN}');
    child.exit();
    expect(await m.wait(ep)).toBe('');
  });

  it('reports what is true at ADD', async () => {
    const [, w] = m.pipe();
    m.add(ep, w, EPOLLOUT | EPOLLET, 'w');
    expect(await m.wait(ep)).toBe('w{OUT}');
    expect(await m.wait(ep)).toBe('');
  });

  it('takes unknown bits without complaint', async () => {
    const [r, w] = m.pipe();
    expect(m.add(ep, r, EPOLLIN | (1 << 20) | (1 << 29), 'r')).toBe(0);
    m.write(w);
    expect(await m.wait(ep)).toBe('r{IN}');
  });
});

it('costs as much among many as among few when one number comes and goes', () => {
  /** Milliseconds for two hundred removals and additions; the median of many goes. */
  const cost = (registered: number): number => {
    const { sys } = new Machine({ nofile: registered + 10 });
    const epfd = sys.epoll_create1(0);
    let fd = -1;
    for (let i = 0; i < registered; i++) {
      fd = sys.eventfd(0);
      sys.epoll_ctl(epfd, EPOLL_CTL_ADD, fd, IN);
    }
    const goes: number[] = [];
    for (let i = 0; i < 41; i++) {
      const from = performance.now();
      for (let j = 0; j < 200; j++) {
        sys.epoll_ctl(epfd, EPOLL_CTL_DEL, fd, null);
        sys.epoll_ctl(epfd, EPOLL_CTL_ADD, fd, IN);
      }
      goes.push(performance.now() - from);
    }
    return goes.sort((a, b) => a - b)[20];
  };
  const few = cost(10);
  expect(cost(10_000)).toBeLessThan(few * 5);
});
