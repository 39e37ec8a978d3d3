// Pipes, eventfds, timerfds and files that cannot be polled, with Linux's masks and wake-ups.
import {
  CLOCK_MONOTONIC,
  EFD_SEMAPHORE,
  EPOLLET,
  EPOLLIN,
  EPOLLOUT,
  type Itimerspec,
  TFD_TIMER_ABSTIME,
} from 'tapstack';
import { beforeEach, describe, expect, it } from 'vitest';
import { Machine, result } from './machine.js';

let m: Machine;
let ep: number;
beforeEach(() => {
  m = new Machine();
  ep = m.epoll();
});

describe('a pipe', () => {
  it('shows what Linux shows', async () => {
    const [r, w] = m.pipe();
    expect([await m.poll(r), await m.poll(w)]).toEqual(['0', 'OUT|WRNORM']);
    m.write(w);
    expect(await m.poll(r)).toBe('IN|RDNORM');
    m.sys.close(w);
    expect(await m.poll(r)).toBe('IN|HUP|RDNORM');
    m.read(r);
    expect(await m.poll(r)).toBe('HUP');
    expect(m.read(r)).toBe(0);
  });

  it('without a reader says EPIPE, and SIGPIPE', async () => {
    const [r, w] = m.pipe();
    m.sys.close(r);
    expect(await m.poll(w)).toBe('OUT|ERR|WRNORM');
    let raised = 0;
    m.process.onSigpipe = () => raised++;
    expect(m.write(w)).toBe('-EPIPE');
    expect([raised, m.process.signals.SIGPIPE]).toEqual([1, 1]);
    // Nothing can be written to nobody.
    expect(m.write(w, '')).toBe(0);
  });

  it('holds 64 KiB, and tells a waiting writer when a page comes free', async () => {
    const [r, w] = m.pipe();
    const big = 'x'.repeat(100_000);
    expect(m.write(w, big)).toBe(65536);
    expect(m.write(w)).toBe('-EAGAIN');
    m.add(ep, w, EPOLLOUT | EPOLLET, 'w');
    expect(await m.wait(ep)).toBe('');
    m.read(r, 4095);
    expect(await m.wait(ep)).toBe('');
    m.read(r, 1);
    expect(await m.wait(ep)).toBe('w{OUT}');
    const out = { value: 0 };
    m.sys.ioctl(r, 0x541b, out);
    expect(out.value).toBe(65536 - 4096);
  });

  it('joins small writes in one page, and keeps the order of bytes', () => {
    const [r, w] = m.pipe();
    let sent = '';
    for (let i = 0; i < 300; i++) {
      const text = String(i).repeat(1 + (i % 50));
      m.write(w, text);
      sent += text;
    }
    let received = '';
    for (
      let part = m.read(r, 777);
      typeof part === 'string' && !part.startsWith('-');
      part = m.read(r, 777)
    ) {
      received += part;
    }
    expect(received).toBe(sent);
  });

  it('gives an edge for every write once it is polled', async () => {
    const [r, w] = m.pipe();
    m.add(ep, r, EPOLLIN | EPOLLET, 'r');
    m.write(w);
    expect(await m.wait(ep)).toBe('r{IN}');
    m.write(w);
    expect(await m.wait(ep)).toBe('r{IN}');
  });

  it('is one-way', () => {
    const [r, w] = m.pipe();
    expect([m.write(r), m.read(w)]).toEqual(['-EBADF', '-EBADF']);
  });
});

describe('an eventfd', () => {
  const bytes = (value: bigint): Uint8Array => {
    const buffer = new Uint8Array(8);
    new DataView(buffer.buffer).setBigUint64(0, value, true);
    return buffer;
  };
  const take = (fd: number): bigint | string => {
    const buffer = new Uint8Array(8);
    const read = m.sys.read(fd, buffer);
    return read === 8 ? new DataView(buffer.buffer).getBigUint64(0, true) : String(result(read));
  };

  it('adds up, and is taken whole', async () => {
    const fd = m.sys.eventfd(3);
    m.sys.write(fd, bytes(4n));
    expect(await m.poll(fd)).toBe('IN|OUT');
    expect(take(fd)).toBe(7n);
    expect(take(fd)).toBe('-EAGAIN');
    expect(await m.poll(fd)).toBe('OUT');
  });

  it('as a semaphore is taken one by one', () => {
    const fd = m.sys.eventfd(2, EFD_SEMAPHORE);
    expect([take(fd), take(fd), take(fd)]).toEqual([1n, 1n, '-EAGAIN']);
  });

  it('fills up at 2^64 - 2, and reports OUT when it is taken', async () => {
    const fd = m.sys.eventfd(0);
    m.add(ep, fd, EPOLLOUT | EPOLLET, 'e');
    await m.wait(ep);
    m.sys.write(fd, bytes(0xffff_ffff_ffff_fffen));
    expect(result(m.sys.write(fd, bytes(1n)))).toBe('-EAGAIN');
    expect(result(m.sys.write(fd, bytes(0xffff_ffff_ffff_ffffn)))).toBe('-EINVAL');
    expect(await m.poll(fd)).toBe('IN');
    take(fd);
    expect(await m.wait(ep)).toBe('e{OUT}');
  });

  it('wants eight bytes', () => {
    const fd = m.sys.eventfd(1);
    expect(result(m.sys.read(fd, new Uint8Array(7)))).toBe('-EINVAL');
    expect(result(m.sys.write(fd, new Uint8Array(7)))).toBe('-EINVAL');
    expect(result(m.sys.eventfd(0, 2))).toBe('-EINVAL');
  });
});

describe('a timerfd', () => {
  const spec = (value: number, interval = 0): Itimerspec => ({
    it_value: { tv_sec: 0, tv_nsec: value * 1e6 },
    it_interval: { tv_sec: 0, tv_nsec: interval * 1e6 },
  });
  const ticks = (fd: number): number | string => {
    const buffer = new Uint8Array(8);
    const read = m.sys.read(fd, buffer);
    return read === 8 ? Number(new DataView(buffer.buffer).getBigUint64(0, true)) : result(read);
  };

  it('becomes readable when it expires, once', async () => {
    const fd = m.sys.timerfd_create(CLOCK_MONOTONIC);
    m.sys.timerfd_settime(fd, 0, spec(50));
    const call = m.sleeper(ep);
    m.add(ep, fd, EPOLLIN, 't');
    await m.pass(49);
    expect(call.text).toBeUndefined();
    await m.pass(1);
    expect(call.text).toBe('t{IN}');
    expect([ticks(fd), ticks(fd)]).toEqual([1, '-EAGAIN']);
  });

  it('wakes its sleeper a month later', async () => {
    const month = { tv_sec: 30 * 24 * 3600, tv_nsec: 0 };
    const fd = m.sys.timerfd_create(CLOCK_MONOTONIC);
    m.sys.timerfd_settime(fd, 0, { it_value: month, it_interval: { tv_sec: 0, tv_nsec: 0 } });
    const call = m.sleeper(ep);
    m.add(ep, fd, EPOLLIN, 't');
    m.clock.advance((month.tv_sec - 1) * 1e6);
    await m.pass(0);
    expect(call.text).toBeUndefined();
    m.clock.advance(1e6);
    await m.pass(1);
    expect(call.text).toBe('t{IN}');
  });

  it('counts expirations nobody read', async () => {
    const fd = m.sys.timerfd_create(CLOCK_MONOTONIC);
    m.sys.timerfd_settime(fd, 0, spec(10, 20));
    await m.pass(75);
    expect(ticks(fd)).toBe(4);
    const now = spec(0);
    m.sys.timerfd_gettime(fd, now);
    expect(now).toEqual(spec(15, 20));
    const old = spec(0);
    m.sys.timerfd_settime(fd, 0, spec(0), old);
    expect(old).toEqual(spec(15, 20));
    await m.pass(100);
    expect(ticks(fd)).toBe('-EAGAIN');
  });

  it('is one edge, however often it expires, until it is read or asked how it stands', async () => {
    const fd = m.sys.timerfd_create(CLOCK_MONOTONIC);
    m.add(ep, fd, EPOLLIN | EPOLLET, 't');
    m.sys.timerfd_settime(fd, 0, spec(10, 10));
    const edge = async (ms: number): Promise<string> => {
      await m.pass(ms);
      return m.wait(ep);
    };
    expect([await edge(10), await edge(30)]).toEqual(['t{IN}', '']);
    expect(ticks(fd)).toBe(4);
    expect([await edge(9), await edge(1), await edge(30)]).toEqual(['', 't{IN}', '']);
    m.sys.timerfd_gettime(fd, spec(0));
    expect([await edge(10), await edge(30)]).toEqual(['t{IN}', '']);
    expect(ticks(fd)).toBe(8);
  });

  it('can be set to a moment, even one that is past', async () => {
    await m.pass(100);
    const fd = m.sys.timerfd_create(CLOCK_MONOTONIC);
    m.sys.timerfd_settime(fd, TFD_TIMER_ABSTIME, spec(40));
    await m.pass(1);
    expect(ticks(fd)).toBe(1);
    m.sys.timerfd_settime(fd, TFD_TIMER_ABSTIME, spec(130));
    await m.pass(28);
    expect(ticks(fd)).toBe('-EAGAIN');
    await m.pass(1);
    expect(ticks(fd)).toBe(1);
  });

  it('refuses what makes no sense', () => {
    const fd = m.sys.timerfd_create(CLOCK_MONOTONIC);
    expect(result(m.sys.timerfd_create(99))).toBe('-EINVAL');
    expect(result(m.sys.timerfd_settime(0, 0, spec(1)))).toBe('-EINVAL');
    expect(result(m.sys.timerfd_settime(99, 0, spec(1)))).toBe('-EBADF');
    expect(result(m.sys.timerfd_settime(fd, 0, spec(-1)))).toBe('-EINVAL');
    expect(result(m.sys.read(fd, new Uint8Array(4)))).toBe('-EINVAL');
  });
});

describe('plain files', () => {
  it('are there, cannot be watched, and are always ready for poll', async () => {
    const fd = m.sys.open('/etc/passwd');
    expect(m.add(ep, fd, EPOLLIN)).toBe('-EPERM');
    expect(m.read(fd, 4)).toBe('root');
    expect(m.write(fd)).toBe('-EBADF');
    expect(await m.poll(fd)).toBe('IN|OUT|RDNORM|WRNORM');
    expect(result(m.sys.open('/nowhere'))).toBe('-ENOENT');
    expect(m.sys.read(m.sys.open('/'), new Uint8Array(1))).toBe(-21); // EISDIR
    expect(m.write(m.sys.open('/dev/null'))).toBe('-EBADF');
    expect(m.read(m.sys.open('/dev/zero'), 2)).toBe('\0\0');
    expect([m.write(1, 'abc'), m.read(0)]).toEqual([3, 0]);
  });
});
