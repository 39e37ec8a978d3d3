// bind, and what getsockname and getpeername say when.
import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOCK_STREAM,
  SOL_SOCKET,
} from 'tapstack';
import { beforeEach, describe, expect, it } from 'vitest';
import { address, Machine, result } from '../kernel/machine.js';

let m: Machine;
beforeEach(() => {
  m = new Machine();
});

function sockname(fd: number): string {
  const at = address();
  const error = m.sys.getsockname(fd, at);
  return error < 0 ? String(result(error)) : `${at.address}:${at.port}`;
}

function peername(fd: number): string {
  const at = address();
  const error = m.sys.getpeername(fd, at);
  return error < 0 ? String(result(error)) : `${at.address}:${at.port}`;
}

describe('socket', () => {
  it('knows what it is not', () => {
    expect(result(m.sys.socket(AF_INET6, SOCK_STREAM))).toBe('-EAFNOSUPPORT');
    expect(result(m.sys.socket(AF_INET, SOCK_RAW))).toBe('-ESOCKTNOSUPPORT');
    expect(result(m.sys.socket(AF_INET, 12))).toBe('-EINVAL');
    expect(result(m.sys.socket(AF_INET, SOCK_STREAM | 0x100))).toBe('-EINVAL');
    expect(result(m.sys.socket(AF_INET, SOCK_STREAM, 17))).toBe('-EPROTONOSUPPORT');
    expect(m.sys.socket(AF_INET, SOCK_STREAM, 6)).toBe(3);
  });
});

describe('bind', () => {
  it('checks in the kernel’s order', () => {
    const fd = m.socket();
    const bind = (at: ReturnType<typeof address>, length?: number) => result(m.sys.bind(fd, at, length));
    expect(bind(address(0), 15)).toBe('-EINVAL');
    expect(bind({ ...address(0), family: AF_INET6 })).toBe('-EAFNOSUPPORT');
    expect(bind({ ...address(0), family: AF_UNSPEC })).toBe('-EAFNOSUPPORT');
    expect(bind(address(0, '192.0.2.77'))).toBe('-EADDRNOTAVAIL');
    expect(bind(address(0, 'localhost'))).toBe('-EINVAL');
    expect(bind({ family: AF_UNSPEC, address: '0.0.0.0', port: 0 })).toBe(0);
    expect(bind(address(0, '192.0.2.77'))).toBe('-EADDRNOTAVAIL');
    expect(bind(address(0))).toBe('-EINVAL');
    expect(result(m.sys.bind(0, address()))).toBe('-ENOTSOCK');
    expect(result(m.sys.bind(77, address()))).toBe('-EBADF');
    expect(result(m.sys.bind(fd, null as never))).toBe('-EFAULT');
  });

  it('refuses a port that is taken, unless both agree to share', () => {
    const [first, second, third] = [m.socket(), m.socket(), m.socket()];
    const at = address(5000, '0.0.0.0');
    expect(m.sys.bind(first, at)).toBe(0);
    expect(result(m.sys.bind(second, address(5000)))).toBe('-EADDRINUSE');
    for (const fd of [first, second]) m.sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    expect(m.sys.bind(second, address(5000))).toBe(0);
    m.sys.setsockopt(third, SOL_SOCKET, SO_REUSEPORT, 1);
    expect(result(m.sys.bind(third, at))).toBe('-EADDRINUSE');
    expect(m.sys.listen(first, 1)).toBe(0);
    expect(result(m.sys.listen(second, 1))).toBe('-EADDRINUSE');
    m.sys.close(first);
    expect(m.sys.listen(second, 1)).toBe(0);
  });

  it('is refused while accepted connections hold the port, but not those a reset has ended', () => {
    const { fd, at } = m.listener();
    const client = m.client(at);
    const child = m.sys.accept4(fd, null, SOCK_NONBLOCK);
    m.sys.close(fd);
    const again = m.socket();
    expect(result(m.sys.bind(again, at))).toBe('-EADDRINUSE');
    m.sys.setsockopt(client, SOL_SOCKET, 13, { l_onoff: 1, l_linger: 0 });
    m.sys.close(client);
    expect(m.read(child)).toBe('-ECONNRESET');
    expect(m.sys.bind(again, at)).toBe(0);
  });

  it('spreads a SO_REUSEPORT group’s connections', () => {
    const at = address(6000);
    const group = [1, 2, 3].map(() => {
      const fd = m.socket();
      m.sys.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, 1);
      expect([m.sys.bind(fd, at), m.sys.listen(fd, 200)]).toEqual([0, 0]);
      return fd;
    });
    for (let i = 0; i < 150; i++) m.client(at);
    const shares = m.stack
      .sockets()
      .filter((row) => row.state === 'LISTEN')
      .map((row) => row.recvq);
    expect(shares.reduce((sum, share) => sum + share, 0)).toBe(150);
    for (const share of shares) expect(share).toBeGreaterThan(20);
    expect(group).toHaveLength(3);
  });
});

describe('names', () => {
  it('follow the socket through its life', () => {
    const fd = m.socket();
    expect([sockname(fd), peername(fd)]).toEqual(['0.0.0.0:0', '-ENOTCONN']);
    const { fd: listener, at } = m.listener();
    m.sys.connect(fd, at);
    expect(sockname(fd)).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(peername(fd)).toBe(`127.0.0.1:${at.port}`);
    const child = m.sys.accept4(listener, null, SOCK_NONBLOCK);
    expect([sockname(child), peername(child)]).toEqual([peername(fd), sockname(fd)]);
    expect(sockname(listener)).toBe(`127.0.0.1:${at.port}`);
    m.sys.shutdown(fd, 1);
    m.sys.shutdown(child, 1);
    expect([peername(fd), peername(child)]).toEqual(['-ENOTCONN', '-ENOTCONN']);
  });

  it('are told by accept4 even of a connection that is over', () => {
    const { fd, at } = m.listener();
    const client = m.client(at);
    const name = sockname(client);
    m.sys.setsockopt(client, SOL_SOCKET, 13, { l_onoff: 1, l_linger: 0 });
    m.sys.close(client);
    const from = address();
    const child = m.sys.accept4(fd, from, SOCK_NONBLOCK);
    expect(`${from.address}:${from.port}`).toBe(name);
    expect(peername(child)).toBe('-ENOTCONN');
  });

  it('leave the stale port of a dissolved connection on show', () => {
    const [a] = m.pair();
    const before = sockname(a);
    expect(m.sys.connect(a, { family: AF_UNSPEC, address: '0.0.0.0', port: 0 })).toBe(0);
    expect(sockname(a)).toBe(`0.0.0.0:${before.split(':')[1]}`);
  });
});
