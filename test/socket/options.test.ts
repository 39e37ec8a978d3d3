// Socket options: what is stored, what is read back, what is refused, and which raise events.
import {
  EPOLLET,
  EPOLLIN,
  EPOLLOUT,
  IP_MTU,
  IP_TOS,
  IP_TTL,
  IPPROTO_IP,
  IPPROTO_TCP,
  type OptionValue,
  SO_ACCEPTCONN,
  SO_DOMAIN,
  SO_ERROR,
  SO_LINGER,
  SO_OOBINLINE,
  SO_PRIORITY,
  SO_PROTOCOL,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_RCVLOWAT,
  SO_RCVTIMEO,
  SO_REUSEADDR,
  SO_SNDBUF,
  SO_SNDLOWAT,
  SO_TYPE,
  SOL_SOCKET,
  TCP_CONGESTION,
  TCP_CORK,
  TCP_DEFER_ACCEPT,
  TCP_INFO,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_LINGER2,
  TCP_MAXSEG,
  TCP_NODELAY,
  TCP_NOTSENT_LOWAT,
  TCP_QUICKACK,
  TCP_SYNCNT,
  TCP_USER_TIMEOUT,
  TCP_WINDOW_CLAMP,
  type TcpInfo,
} from 'tapstack';
import { beforeEach, describe, expect, it } from 'vitest';
import { Machine, result } from '../kernel/machine.js';

let m: Machine;
let fd: number;
beforeEach(() => {
  m = new Machine();
  fd = m.socket();
});

const set = (level: number, name: number, value: OptionValue, length?: number) =>
  result(m.sys.setsockopt(fd, level, name, value, length));
function get(level: number, name: number, of = fd): unknown {
  const out: { value: number | string | object } = { value: 0 };
  const error = m.sys.getsockopt(of, level, name, out);
  return error < 0 ? result(error) : out.value;
}

describe('SOL_SOCKET', () => {
  it('stores flags as 0 and 1', () => {
    expect([get(SOL_SOCKET, SO_REUSEADDR), get(SOL_SOCKET, SO_OOBINLINE)]).toEqual([0, 0]);
    set(SOL_SOCKET, SO_REUSEADDR, 77);
    expect(get(SOL_SOCKET, SO_REUSEADDR)).toBe(1);
    expect(set(SOL_SOCKET, SO_PRIORITY, 3)).toBe(0);
    expect(get(SOL_SOCKET, SO_PRIORITY)).toBe(3);
  });

  it('doubles and clamps buffers', () => {
    expect([get(SOL_SOCKET, SO_RCVBUF), get(SOL_SOCKET, SO_SNDBUF)]).toEqual([131072, 16384]);
    const cases = [
      [SO_SNDBUF, 10_000, 20_000],
      [SO_SNDBUF, 1, 4608],
      [SO_SNDBUF, 1 << 30, 2 * 212_992],
      [SO_SNDBUF, -1, 2 * 212_992],
      [SO_RCVBUF, 1, 2304],
      [SO_RCVBUF, 50_000, 100_000],
    ] as const;
    for (const [name, value, stored] of cases) {
      expect(set(SOL_SOCKET, name, value)).toBe(0);
      expect(get(SOL_SOCKET, name)).toBe(stored);
    }
    set(SOL_SOCKET, SO_RCVBUFFORCE, 1_000_000);
    expect(get(SOL_SOCKET, SO_RCVBUF)).toBe(2_000_000);
  });

  it('bounds SO_RCVLOWAT', () => {
    set(SOL_SOCKET, SO_RCVLOWAT, 0);
    expect(get(SOL_SOCKET, SO_RCVLOWAT)).toBe(1);
    set(SOL_SOCKET, SO_RCVLOWAT, -5);
    expect(get(SOL_SOCKET, SO_RCVLOWAT)).toBe(6_291_456 / 2);
    set(SOL_SOCKET, SO_RCVBUF, 10_000);
    set(SOL_SOCKET, SO_RCVLOWAT, -5);
    expect(get(SOL_SOCKET, SO_RCVLOWAT)).toBe(10_000);
  });

  it('keeps time-outs in ticks of 4 ms', () => {
    expect(get(SOL_SOCKET, SO_RCVTIMEO)).toEqual({ tv_sec: 0, tv_usec: 0 });
    set(SOL_SOCKET, SO_RCVTIMEO, { tv_sec: 1, tv_usec: 50_001 });
    expect(get(SOL_SOCKET, SO_RCVTIMEO)).toEqual({ tv_sec: 1, tv_usec: 52_000 });
    expect(set(SOL_SOCKET, SO_RCVTIMEO, { tv_sec: 0, tv_usec: 1_000_000 })).toBe('-EDOM');
    expect(set(SOL_SOCKET, SO_RCVTIMEO, 5)).toBe('-EINVAL');
  });

  it('keeps the time of SO_LINGER when it is switched off', () => {
    set(SOL_SOCKET, SO_LINGER, { l_onoff: 5, l_linger: 7 });
    expect(get(SOL_SOCKET, SO_LINGER)).toEqual({ l_onoff: 1, l_linger: 7 });
    set(SOL_SOCKET, SO_LINGER, { l_onoff: 0, l_linger: 99 });
    expect(get(SOL_SOCKET, SO_LINGER)).toEqual({ l_onoff: 0, l_linger: 7 });
  });

  it('tells what cannot be set', () => {
    expect([SO_TYPE, SO_PROTOCOL, SO_DOMAIN].map((name) => get(SOL_SOCKET, name))).toEqual([1, 6, 2]);
    expect([get(SOL_SOCKET, SO_ACCEPTCONN), get(SOL_SOCKET, SO_ACCEPTCONN, m.listener().fd)]).toEqual([0, 1]);
    expect(get(SOL_SOCKET, SO_SNDLOWAT)).toBe(1);
    for (const name of [SO_TYPE, SO_ERROR, SO_ACCEPTCONN, SO_SNDLOWAT, 9999]) {
      expect(set(SOL_SOCKET, name, 1)).toBe('-ENOPROTOOPT');
    }
    expect(get(SOL_SOCKET, 9999)).toBe('-ENOPROTOOPT');
  });
});

describe('IPPROTO_TCP', () => {
  it('has Linux’s defaults', () => {
    const names = [
      TCP_NODELAY,
      TCP_CORK,
      TCP_QUICKACK,
      TCP_KEEPIDLE,
      TCP_KEEPINTVL,
      TCP_KEEPCNT,
      TCP_SYNCNT,
      TCP_LINGER2,
      TCP_DEFER_ACCEPT,
      TCP_USER_TIMEOUT,
      TCP_NOTSENT_LOWAT,
      TCP_MAXSEG,
      TCP_WINDOW_CLAMP,
    ];
    expect(names.map((name) => get(IPPROTO_TCP, name))).toEqual([
      0, 0, 1, 7200, 75, 9, 6, 60, 0, 0, 0, 536, 0,
    ]);
    expect(get(IPPROTO_TCP, TCP_CONGESTION)).toBe('cubic');
  });

  it('bounds and rounds as Linux does', () => {
    const cases: readonly (readonly [number, number, number | string])[] = [
      [TCP_KEEPIDLE, 0, '-EINVAL'],
      [TCP_KEEPIDLE, 32767, 32767],
      [TCP_KEEPINTVL, 32768, '-EINVAL'],
      [TCP_KEEPCNT, 128, '-EINVAL'],
      [TCP_KEEPCNT, 127, 127],
      [TCP_SYNCNT, 0, '-EINVAL'],
      [TCP_LINGER2, -5, -1],
      [TCP_LINGER2, 0, 60],
      [TCP_LINGER2, 500, 120],
      [TCP_DEFER_ACCEPT, 1, 1],
      [TCP_DEFER_ACCEPT, 3, 3],
      [TCP_DEFER_ACCEPT, 5, 7],
      [TCP_DEFER_ACCEPT, 15, 15],
      [TCP_DEFER_ACCEPT, 60, 63],
      [TCP_DEFER_ACCEPT, 200, 247],
      [TCP_DEFER_ACCEPT, -1, 0],
      [TCP_USER_TIMEOUT, -1, '-EINVAL'],
      [TCP_USER_TIMEOUT, 5000, 5000],
      [TCP_MAXSEG, 87, '-EINVAL'],
      [TCP_MAXSEG, 88, 88],
      [TCP_MAXSEG, 0, 536],
      [TCP_WINDOW_CLAMP, 1, 1152],
      [TCP_NODELAY, 9, 1],
      [TCP_NOTSENT_LOWAT, 4000, 4000],
    ];
    for (const [name, value, expected] of cases) {
      const error = set(IPPROTO_TCP, name, value);
      expect([name, value, error === 0 ? get(IPPROTO_TCP, name) : error]).toEqual([name, value, expected]);
    }
    expect(set(IPPROTO_TCP, TCP_CONGESTION, 'nonesuch')).toBe('-ENOENT');
    expect(set(IPPROTO_TCP, TCP_CONGESTION, 'reno')).toBe(0);
  });

  it('sends what TCP_CORK held back', () => {
    const [a, b] = m.pair();
    m.sys.setsockopt(a, IPPROTO_TCP, TCP_CORK, 1);
    m.write(a, 'held');
    expect(m.read(b)).toBe('-EAGAIN');
    m.sys.setsockopt(a, IPPROTO_TCP, TCP_CORK, 0);
    expect(m.read(b)).toBe('held');
  });

  it('has TCP_INFO', () => {
    const [a] = m.pair();
    expect((get(IPPROTO_TCP, TCP_INFO, a) as TcpInfo).state).toBe(1);
    expect((get(IPPROTO_TCP, TCP_INFO) as TcpInfo).state).toBe(7);
  });
});

describe('IPPROTO_IP', () => {
  it('sets TOS without touching the congestion bits, and TTL within a byte', () => {
    set(IPPROTO_IP, IP_TOS, 0xff);
    expect(get(IPPROTO_IP, IP_TOS)).toBe(0xfc);
    expect(get(IPPROTO_IP, IP_TTL)).toBe(64);
    expect([set(IPPROTO_IP, IP_TTL, 0), set(IPPROTO_IP, IP_TTL, 256)]).toEqual(['-EINVAL', '-EINVAL']);
    set(IPPROTO_IP, IP_TTL, 9);
    expect(get(IPPROTO_IP, IP_TTL)).toBe(9);
    set(IPPROTO_IP, IP_TTL, -1);
    expect(get(IPPROTO_IP, IP_TTL)).toBe(64);
    expect(get(IPPROTO_IP, IP_MTU)).toBe('-ENOTCONN');
    expect(get(IPPROTO_IP, IP_MTU, m.pair()[0])).toBe(65535);
  });
});

describe('bad arguments', () => {
  it('are refused', () => {
    expect(set(SOL_SOCKET, SO_REUSEADDR, 1, 3)).toBe('-EINVAL');
    expect(set(IPPROTO_TCP, TCP_NODELAY, 1, 3)).toBe('-EINVAL');
    expect(set(SOL_SOCKET, SO_REUSEADDR, 1, -1)).toBe('-EINVAL');
    expect([set(99, 1, 1), get(99, 1)]).toEqual(['-ENOPROTOOPT', '-EOPNOTSUPP']);
    expect(set(IPPROTO_TCP, 9999, 1)).toBe('-ENOPROTOOPT');
    expect(result(m.sys.setsockopt(77, SOL_SOCKET, SO_REUSEADDR, 1))).toBe('-EBADF');
    expect(result(m.sys.setsockopt(0, SOL_SOCKET, SO_REUSEADDR, 1))).toBe('-ENOTSOCK');
  });
});

describe('an option as an edge', () => {
  it('SO_SNDBUF and TCP_NOTSENT_LOWAT report OUT again, if it is writable', async () => {
    const [a] = m.pair();
    const ep = m.epoll();
    m.add(ep, a, EPOLLOUT | EPOLLET, 'a');
    await m.wait(ep);
    m.sys.setsockopt(a, SOL_SOCKET, SO_SNDBUF, 30_000);
    expect(await m.wait(ep)).toBe('a{OUT}');
    m.sys.setsockopt(a, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4000);
    expect(await m.wait(ep)).toBe('a{OUT}');
    m.sys.setsockopt(a, SOL_SOCKET, SO_RCVBUF, 30_000);
    m.sys.setsockopt(a, IPPROTO_TCP, TCP_NODELAY, 1);
    expect(await m.wait(ep)).toBe('');
  });

  it('SO_RCVLOWAT reports IN when enough is there', async () => {
    const [a, b] = m.pair();
    const ep = m.epoll();
    m.add(ep, a, EPOLLIN | EPOLLET, 'a');
    m.sys.setsockopt(a, SOL_SOCKET, SO_RCVLOWAT, 10);
    m.write(b, '12345');
    expect(await m.wait(ep)).toBe('');
    m.sys.setsockopt(a, SOL_SOCKET, SO_RCVLOWAT, 6);
    expect(await m.wait(ep)).toBe('');
    m.sys.setsockopt(a, SOL_SOCKET, SO_RCVLOWAT, 5);
    expect(await m.wait(ep)).toBe('a{IN}');
  });
});
