// connect without sleeping: its provisional answers, its failures, and starting over.
import { AF_INET6, AF_UNSPEC, EPOLLET, EPOLLIN, EPOLLOUT, EPOLLRDHUP, SO_ERROR, SOL_SOCKET } from 'tapstack';
import { beforeEach, describe, expect, it } from 'vitest';
import { address, Machine, result } from '../kernel/machine.js';

let m: Machine;
beforeEach(() => {
  m = new Machine();
});

const UNSPEC = { family: AF_UNSPEC, address: '0.0.0.0', port: 0 };
const connect = (fd: number, at: ReturnType<typeof address>, length?: number) =>
  result(m.sys.connect(fd, at, length));

describe('connect', () => {
  it('is in progress even when it is done, then done, then superfluous', async () => {
    const { at } = m.listener();
    const fd = m.socket();
    expect(connect(fd, at)).toBe('-EINPROGRESS');
    expect(await m.poll(fd)).toBe('OUT|WRNORM');
    expect([connect(fd, at), connect(fd, at)]).toEqual([0, '-EISCONN']);
  });

  it('says EALREADY while the other side does not answer', async () => {
    const { at } = m.listener(0);
    m.client(at);
    const fd = m.socket();
    expect([connect(fd, at), connect(fd, at)]).toEqual(['-EINPROGRESS', '-EALREADY']);
    expect(await m.poll(fd)).toBe('0');
    expect([m.write(fd), m.read(fd)]).toEqual(['-EAGAIN', '-EAGAIN']);
  });

  it('refused says so once, and the next one is a new attempt', async () => {
    const fd = m.socket();
    expect(connect(fd, address(1))).toBe('-EINPROGRESS');
    expect(await m.poll(fd)).toBe('IN|OUT|ERR|HUP|RDNORM|WRNORM|RDHUP');
    expect(connect(fd, address(1))).toBe('-ECONNREFUSED');
    expect(await m.poll(fd)).toBe('OUT|HUP|WRNORM');
    const { at } = m.listener();
    expect([connect(fd, at), connect(fd, at)]).toEqual(['-EINPROGRESS', 0]);
  });

  it('says ECONNABORTED to one who comes after the error was taken', () => {
    const fd = m.socket();
    connect(fd, address(1));
    const out = { value: 0 };
    m.sys.getsockopt(fd, SOL_SOCKET, SO_ERROR, out);
    expect(out.value).toBe(111);
    expect(connect(fd, address(1))).toBe('-ECONNABORTED');
  });

  it('checks in the kernel’s order', () => {
    const { fd: listener, at } = m.listener();
    const fd = m.socket();
    expect(connect(fd, at, 1)).toBe('-EINVAL');
    expect(connect(fd, at, 15)).toBe('-EINVAL');
    expect(connect(fd, { ...at, family: AF_INET6 })).toBe('-EAFNOSUPPORT');
    expect(connect(fd, address(80, '192.0.2.1'))).toBe('-ENETUNREACH');
    expect(connect(fd, address(80, '255.255.255.255'))).toBe('-ENETUNREACH');
    expect(connect(fd, address(80, '224.0.0.1'))).toBe('-ENETUNREACH');
    expect(connect(listener, at)).toBe('-EISCONN');
    expect(connect(77, at)).toBe('-EBADF');
    expect(connect(0, at)).toBe('-ENOTSOCK');
    expect(connect(0, null as never)).toBe('-EFAULT');
    expect(connect(fd, address(at.port, '0.0.0.0'))).toBe('-EINPROGRESS');
    expect(connect(fd, at)).toBe(0);
  });

  // covers: self-connect | RFC 9293 section 3.5 | src/tcp/connect.ts
  it('to oneself works', () => {
    const fd = m.socket();
    m.sys.bind(fd, address(7777));
    expect([connect(fd, address(7777)), connect(fd, address(7777))]).toEqual(['-EINPROGRESS', 0]);
    m.write(fd, 'echo');
    expect(m.read(fd)).toBe('echo');
  });

  it('to AF_UNSPEC dissolves, resets the peer first, and leaves ECONNRESET', async () => {
    const [a, b] = m.pair();
    const ep = m.epoll();
    for (const [fd, name] of [
      [a, 'a'],
      [b, 'b'],
    ] as const) {
      m.add(ep, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, name);
    }
    await m.wait(ep);
    expect(connect(a, UNSPEC)).toBe(0);
    expect(await m.wait(ep)).toBe('b{IN|OUT|ERR|HUP|RDHUP} a{OUT|ERR|HUP}');
    expect(m.read(b)).toBe('-ECONNRESET');
  });

  it('is beyond reach of a socket that was shut down before it knew', () => {
    const fd = m.socket();
    connect(fd, address(1));
    expect(result(m.sys.shutdown(fd, 2))).toBe('-ENOTCONN');
    expect(connect(fd, address(1))).toBe('-EINVAL');
    expect(result(m.sys.listen(fd, 1))).toBe('-EINVAL');
    expect(connect(fd, UNSPEC)).toBe(0);
    expect(connect(fd, address(1))).toBe('-EINPROGRESS');
  });

  it('tells the client before the listener', async () => {
    const { fd, at } = m.listener();
    const ep = m.epoll();
    const client = m.socket();
    m.add(ep, fd, EPOLLIN | EPOLLET, 'listener');
    m.sys.bind(client, address());
    m.add(ep, client, EPOLLOUT | EPOLLET, 'client');
    await m.wait(ep);
    connect(client, at);
    expect(await m.wait(ep)).toBe('client{OUT} listener{IN}');
  });
});
