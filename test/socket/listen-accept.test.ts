// listen and accept: queues, limits, inheritance, and the end of a listener.
import {
  EPOLLET,
  EPOLLIN,
  F_GETFD,
  F_GETFL,
  IPPROTO_TCP,
  O_NONBLOCK,
  SO_KEEPALIVE,
  SO_RCVBUF,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_SOCKET,
  TCP_NODELAY,
} from 'tapstack';
import { beforeEach, describe, expect, it } from 'vitest';
import { address, Machine, result } from '../kernel/machine.js';

let m: Machine;
beforeEach(() => {
  m = new Machine();
});

const accept = (fd: number, flags = SOCK_NONBLOCK) => result(m.sys.accept4(fd, null, flags));
const states = () => m.stack.sockets().map((row) => row.state);

describe('listen', () => {
  it('is refused where it makes no sense', () => {
    expect(result(m.sys.listen(77, 1))).toBe('-EBADF');
    expect(result(m.sys.listen(0, 1))).toBe('-ENOTSOCK');
    expect(result(m.sys.listen(m.socket(SOCK_DGRAM), 1))).toBe('-EOPNOTSUPP');
    const [a] = m.pair();
    expect(result(m.sys.listen(a, 1))).toBe('-EINVAL');
  });

  it('without bind takes a free odd port of every address', () => {
    const fd = m.socket();
    expect(m.sys.listen(fd, 1)).toBe(0);
    const at = address();
    m.sys.getsockname(fd, at);
    expect([at.address, at.port % 2]).toEqual(['0.0.0.0', 1]);
  });

  it('bounds the backlog by somaxconn, and -1 asks for all of it', () => {
    const { fd } = m.listener(8);
    const backlog = () => m.stack.sockets()[0].sendq;
    expect(backlog()).toBe(8);
    m.sys.listen(fd, -1);
    expect(backlog()).toBe(4096);
    m.stack.sysctl('net.core.somaxconn', 100);
    m.sys.listen(fd, 5000);
    expect(backlog()).toBe(100);
  });
});

describe('the accept queue', () => {
  it('of backlog N holds N + 1, drops SYNs beyond, and hands out the oldest', async () => {
    const { fd, at } = m.listener(1);
    const clients = [m.client(at), m.client(at), m.client(at)];
    expect(m.stack.sockets()[0]).toMatchObject({ recvq: 2, sendq: 1 });
    expect(m.stack.snmp().TcpExt.ListenOverflows).toBe(1);
    const name = address();
    m.sys.getsockname(clients[0], name);
    expect(m.stack.sockets()[0].acceptQueue?.[0]).toBe(`127.0.0.1:${name.port}`);
    expect([accept(fd), accept(fd), accept(fd)]).toEqual([7, 8, '-EAGAIN']);
    await m.pass(1100);
    expect(accept(fd)).toBe(9);
  });

  it('raises one edge for a burst, and none for what accept leaves', async () => {
    const { fd, at } = m.listener();
    const ep = m.epoll();
    m.add(ep, fd, EPOLLIN | EPOLLET, 'l');
    m.client(at);
    m.client(at);
    expect(await m.wait(ep)).toBe('l{IN}');
    accept(fd);
    expect(await m.wait(ep)).toBe('');
    m.client(at);
    expect(await m.wait(ep)).toBe('l{IN}');
  });

  it('keeps a child that was reset, with its data before the error', () => {
    const { fd, at } = m.listener();
    const client = m.client(at);
    m.sys.connect(client, at);
    m.write(client, 'last words');
    m.sys.setsockopt(client, SOL_SOCKET, 13, { l_onoff: 1, l_linger: 0 });
    m.sys.close(client);
    const child = accept(fd) as number;
    expect(child).toBeGreaterThan(0);
    expect([m.read(child), m.read(child), m.read(child)]).toEqual(['last words', '-ECONNRESET', 0]);
  });
});

describe('accept', () => {
  it('notices errors in the kernel’s order', () => {
    const [a] = m.pair();
    expect(accept(77)).toBe('-EBADF');
    expect(accept(a, 1)).toBe('-EINVAL');
    expect(accept(0)).toBe('-ENOTSOCK');
    expect(accept(a)).toBe('-EINVAL');
    expect(accept(m.socket(SOCK_DGRAM))).toBe('-EOPNOTSUPP');
    m.process.nofile = 6;
    expect(accept(0)).toBe('-EMFILE');
  });

  it('with a bad address loses the connection', async () => {
    const { fd, at } = m.listener();
    const client = m.client(at);
    expect(result(m.sys.accept4(fd, 5 as never, 0))).toBe('-EFAULT');
    expect(accept(fd)).toBe('-EAGAIN');
    expect(m.read(client)).toBe(0);
  });

  it('gives flags by its own arguments, options by the listener', () => {
    const { fd, at } = m.listener();
    m.sys.setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    m.sys.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, 20_000);
    m.sys.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    m.client(at);
    m.client(at);
    const plain = m.sys.accept(fd);
    const flagged = m.sys.accept4(fd, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
    expect(m.sys.fcntl(plain, F_GETFL) & O_NONBLOCK).toBe(0);
    expect([m.sys.fcntl(flagged, F_GETFL) & O_NONBLOCK, m.sys.fcntl(flagged, F_GETFD)]).toEqual([
      O_NONBLOCK,
      1,
    ]);
    const get = (level: number, name: number) => {
      const out = { value: 0 };
      m.sys.getsockopt(plain, level, name, out);
      return out.value;
    };
    expect(get(SOL_SOCKET, SO_KEEPALIVE)).toBe(1);
    expect(get(SOL_SOCKET, SO_RCVBUF)).toBe(40_000);
    expect(get(IPPROTO_TCP, TCP_NODELAY)).toBe(1);
  });
});

describe('the end of a listener', () => {
  it('resets everybody in its queue', () => {
    const { fd, at } = m.listener();
    const clients = [m.client(at), m.client(at)];
    m.sys.close(fd);
    expect(clients.map((client) => m.read(client))).toEqual(['-ECONNRESET', '-ECONNRESET']);
    expect(states()).toEqual([]);
  });

  it('by shutdown leaves a socket that can listen again', async () => {
    const { fd, at } = m.listener();
    expect(m.sys.shutdown(fd, 1)).toBe(0);
    expect(await m.poll(fd)).toBe('0');
    expect(m.sys.shutdown(fd, 0)).toBe(0);
    expect(await m.poll(fd)).toBe('OUT|HUP|WRNORM');
    const client = m.socket();
    m.sys.connect(client, at);
    expect(result(m.sys.connect(client, at))).toBe('-ECONNREFUSED');
    expect(m.sys.listen(fd, 1)).toBe(0);
  });
});
