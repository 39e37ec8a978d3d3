// Datagram sockets: addresses, truncation, connecting, errors from the network, readiness.
import {
  AF_INET,
  AF_UNSPEC,
  EPOLLET,
  EPOLLIN,
  EPOLLOUT,
  MSG_OOB,
  MSG_PEEK,
  MSG_TRUNC,
  SO_ERROR,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_SOCKET,
} from 'tapstack';
import { beforeEach, describe, expect, it } from 'vitest';
import { address, Machine, result } from '../kernel/machine.js';

let m: Machine;
beforeEach(() => {
  m = new Machine();
});

function bound(): { fd: number; at: ReturnType<typeof address> } {
  const fd = m.socket(SOCK_DGRAM | SOCK_NONBLOCK);
  const at = address();
  m.sys.bind(fd, at);
  m.sys.getsockname(fd, at);
  return { fd, at };
}

const bytes = (text: string) => new TextEncoder().encode(text);

describe('a datagram', () => {
  it('arrives whole, with its sender', () => {
    const [a, b] = [bound(), bound()];
    expect(m.sys.sendto(a.fd, bytes('hello'), 5, 0, b.at)).toBe(5);
    m.sys.sendto(a.fd, bytes(''), 0, 0, b.at);
    const from = address();
    const buffer = new Uint8Array(10);
    expect(m.sys.recvfrom(b.fd, buffer, 10, 0, from)).toBe(5);
    expect(from).toEqual(a.at);
    expect(m.recv(b.fd)).toBe(0);
    expect(m.recv(b.fd)).toBe('-EAGAIN');
  });

  it('is cut to the buffer, which MSG_TRUNC and recvmsg tell', () => {
    const [a, b] = [bound(), bound()];
    for (let i = 0; i < 3; i++) m.sys.sendto(a.fd, bytes('0123456789'), 10, 0, b.at);
    const buffer = new Uint8Array(4);
    expect(m.sys.recv(b.fd, buffer, 4, MSG_TRUNC | MSG_PEEK)).toBe(10);
    expect(m.recv(b.fd, 4)).toBe('0123');
    const message = { msg_iov: [new Uint8Array(2), new Uint8Array(1)], msg_name: address(), msg_flags: 0 };
    expect(m.sys.recvmsg(b.fd, message)).toBe(3);
    expect([message.msg_flags & MSG_TRUNC, message.msg_name]).toEqual([MSG_TRUNC, a.at]);
    expect(m.sys.recv(b.fd, buffer, 4, MSG_TRUNC)).toBe(10);
  });

  it('to nobody comes back as an error to a connected sender', async () => {
    const a = bound();
    const gone = bound();
    m.sys.close(gone.fd);
    expect(m.sys.connect(a.fd, gone.at)).toBe(0);
    expect(m.write(a.fd, 'x')).toBe(1);
    expect(await m.poll(a.fd)).toBe('OUT|ERR|WRNORM');
    const out = { value: 0 };
    m.sys.getsockopt(a.fd, SOL_SOCKET, SO_ERROR, out);
    expect(out.value).toBe(111);
    m.write(a.fd, 'x');
    expect(m.recv(a.fd)).toBe('-ECONNREFUSED');
  });
});

describe('a datagram socket', () => {
  it('hears only its peer while connected, and everybody after AF_UNSPEC', () => {
    const [a, b, c] = [bound(), bound(), bound()];
    m.sys.connect(a.fd, b.at);
    m.sys.sendto(c.fd, bytes('c'), 1, 0, a.at);
    m.sys.sendto(b.fd, bytes('b'), 1, 0, a.at);
    expect([m.recv(a.fd), m.recv(a.fd)]).toEqual(['b', '-EAGAIN']);
    m.sys.connect(a.fd, { family: AF_UNSPEC, address: '0.0.0.0', port: 0 });
    expect(m.write(a.fd)).toBe('-EDESTADDRREQ');
  });

  it('gives edges like any other', async () => {
    const [a, b] = [bound(), bound()];
    const ep = m.epoll();
    m.add(ep, b.fd, EPOLLIN | EPOLLOUT | EPOLLET, 'b');
    expect(await m.wait(ep)).toBe('b{OUT}');
    m.sys.sendto(a.fd, bytes('1'), 1, 0, b.at);
    expect(await m.wait(ep)).toBe('b{IN|OUT}');
    m.sys.sendto(a.fd, bytes('2'), 1, 0, b.at);
    expect(await m.wait(ep)).toBe('b{IN|OUT}');
  });

  it('cannot listen, accept or be shut down without a peer', () => {
    const a = bound();
    expect(result(m.sys.listen(a.fd, 1))).toBe('-EOPNOTSUPP');
    expect(result(m.sys.accept(a.fd))).toBe('-EOPNOTSUPP');
    expect(result(m.sys.shutdown(a.fd, 2))).toBe('-ENOTCONN');
    expect(result(m.sys.send(a.fd, bytes('x'), 1, MSG_OOB))).toBe('-EOPNOTSUPP');
  });

  it('refuses bad destinations', () => {
    const a = bound();
    const to = (at: ReturnType<typeof address>) => result(m.sys.sendto(a.fd, bytes('x'), 1, 0, at));
    expect(to({ family: 10, address: '127.0.0.1', port: 1 })).toBe('-EAFNOSUPPORT');
    expect(to({ family: AF_INET, address: 'nowhere', port: 1 })).toBe('-EINVAL');
    expect(to(address(0))).toBe('-EINVAL');
    expect(to(address(9, '192.0.2.1'))).toBe('-ENETUNREACH');
    expect(result(m.sys.sendto(a.fd, new Uint8Array(65_508), 65_508, 0, a.at))).toBe('-EMSGSIZE');
  });

  it('takes a port of its own when it first sends, and is listed', () => {
    const b = bound();
    const fd = m.socket(SOCK_DGRAM);
    m.sys.sendto(fd, bytes('x'), 1, 0, b.at);
    const at = address();
    m.sys.getsockname(fd, at);
    expect([at.address, at.port > 0]).toEqual(['0.0.0.0', true]);
    const rows = m.stack.sockets().filter((row) => row.protocol === 'udp');
    expect(rows.map((row) => row.local).sort()).toEqual([`*:${at.port}`, `127.0.0.1:${b.at.port}`].sort());
    m.sys.close(fd);
    expect(m.stack.sockets()).toHaveLength(1);
  });
});
