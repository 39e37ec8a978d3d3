// shutdown in every state, what close sends, and what reading and writing say afterwards.
import {
  EPOLLET,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
  MSG_NOSIGNAL,
  MSG_OOB,
  MSG_PEEK,
  SIOCATMARK,
  SIOCINQ,
  SO_OOBINLINE,
  SOL_SOCKET,
} from 'tapstack';
import { beforeEach, describe, expect, it } from 'vitest';
import { Machine, result } from '../kernel/machine.js';

let m: Machine;
beforeEach(() => {
  m = new Machine();
});

const shutdown = (fd: number, how: number) => result(m.sys.shutdown(fd, how));
const ALL = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

describe('shutdown', () => {
  it('of a fresh socket fails, sets its bits and wakes', async () => {
    const fd = m.socket();
    const ep = m.epoll();
    m.add(ep, fd, ALL, 's');
    expect(await m.wait(ep)).toBe('s{OUT|HUP}');
    expect(shutdown(fd, 0)).toBe('-ENOTCONN');
    expect(await m.wait(ep)).toBe('s{IN|OUT|HUP|RDHUP}');
    expect([shutdown(fd, 3), shutdown(fd, -1)]).toEqual(['-EINVAL', '-EINVAL']);
    expect(await m.wait(ep)).toBe('');
  });

  it('tells the peer first, and oneself again when the FIN is acknowledged', async () => {
    const [x, y] = m.pair();
    const ep = m.epoll();
    m.add(ep, x, ALL, 'x');
    m.add(ep, y, ALL, 'y');
    await m.wait(ep);
    shutdown(x, 1);
    expect(await m.wait(ep)).toBe('y{IN|OUT|RDHUP} x{OUT}');
    expect([m.read(y), m.write(x)]).toEqual([0, '-EPIPE']);
    expect(m.write(y, 'still')).toBe(5);
    expect(m.read(x)).toBe('still');
    shutdown(y, 1);
    expect(await m.wait(ep)).toBe('x{IN|OUT|HUP|RDHUP} y{IN|OUT|HUP|RDHUP}');
    expect([shutdown(x, 1), shutdown(y, 0)]).toEqual(['-ENOTCONN', '-ENOTCONN']);
  });

  it('for reading stops nothing that arrives', async () => {
    const [x, y] = m.pair();
    shutdown(x, 0);
    expect(await m.poll(x)).toBe('IN|OUT|RDNORM|WRNORM|RDHUP');
    expect(m.write(y, 'abc')).toBe(3);
    expect([m.read(x), m.read(x)]).toEqual(['abc', 0]);
  });

  it('of both ways makes arriving data a reset', async () => {
    const [x, y] = m.pair();
    shutdown(x, 2);
    expect(m.write(y, 'abc')).toBe(3);
    expect(m.read(x)).toBe('-ECONNRESET');
    expect(await m.poll(y)).toBe('IN|OUT|ERR|HUP|RDNORM|WRNORM|RDHUP');
    expect(m.write(y)).toBe('-EPIPE');
  });

  it('during the handshake gives it up', () => {
    const { at } = m.listener(0);
    m.client(at);
    const fd = m.client(at);
    expect(shutdown(fd, 1)).toBe(0);
    expect(m.read(fd)).toBe('-ECONNRESET');
    expect(result(m.sys.connect(fd, at))).toBe('-EINPROGRESS');
  });
});

describe('after a reset', () => {
  it('data comes first, then the error once, then the end', () => {
    const [x, y] = m.pair();
    m.write(y, 'data');
    m.sys.setsockopt(y, SOL_SOCKET, 13, { l_onoff: 1, l_linger: 0 });
    m.sys.close(y);
    expect([m.read(x, 2), m.read(x), m.read(x), m.read(x)]).toEqual(['da', 'ta', '-ECONNRESET', 0]);
    expect(m.write(x)).toBe('-EPIPE');
    expect(m.process.signals.SIGPIPE).toBe(1);
    expect(result(m.sys.send(x, new Uint8Array(1), 1, MSG_NOSIGNAL))).toBe('-EPIPE');
    expect(m.process.signals.SIGPIPE).toBe(1);
  });

  it('in CLOSE_WAIT it is EPIPE, which reading never shows', () => {
    const [x, y] = m.pair();
    m.sys.close(y);
    expect(m.write(x)).toBe(1);
    expect(m.read(x)).toBe(0);
    expect(m.write(x)).toBe('-EPIPE');
    expect(m.process.signals.SIGPIPE).toBe(1);
  });

  it('comes of closing with unread data', () => {
    const [x, y] = m.pair();
    m.write(x, 'unread');
    m.sys.close(y);
    expect([m.write(x), m.write(x)]).toEqual(['-ECONNRESET', '-EPIPE']);
  });
});

describe('recv', () => {
  it('of nothing says whether there is something', () => {
    const [x, y] = m.pair();
    expect(m.recv(x, 0)).toBe('-EAGAIN');
    expect(m.read(x, 0)).toBe(0);
    m.write(y, 'a');
    expect(m.recv(x, 0)).toBe(0);
    expect(m.recv(m.socket(), 1)).toBe('-ENOTCONN');
    expect(m.recv(m.listener().fd, 1)).toBe('-ENOTCONN');
  });

  it('finds urgent bytes where they are', async () => {
    const [x, y] = m.pair();
    const value = (request: number) => {
      const out = { value: -1 };
      m.sys.ioctl(x, request, out);
      return out.value;
    };
    m.write(y, 'ab');
    m.sys.send(y, new TextEncoder().encode('cU'), 2, MSG_OOB);
    m.write(y, 'de');
    expect(await m.poll(x)).toBe('IN|PRI|OUT|RDNORM|WRNORM');
    expect([value(SIOCINQ), value(SIOCATMARK)]).toEqual([3, 0]);
    expect(m.recv(x, 100, MSG_PEEK)).toBe('abc');
    expect(m.recv(x)).toBe('abc');
    expect(value(SIOCATMARK)).toBe(1);
    expect(m.recv(x, 1, MSG_OOB)).toBe('U');
    expect(m.recv(x, 1, MSG_OOB)).toBe('-EINVAL');
    expect(m.recv(x)).toBe('de');
    m.sys.setsockopt(x, SOL_SOCKET, SO_OOBINLINE, 1);
    m.sys.send(y, new TextEncoder().encode('V'), 1, MSG_OOB);
    expect(m.recv(x)).toBe('V');
  });

  it('through recvmsg fills buffer after buffer', () => {
    const [x, y] = m.pair();
    const parts = [new TextEncoder().encode('hello '), new TextEncoder().encode('world')];
    expect(m.sys.sendmsg(y, { msg_iov: parts })).toBe(11);
    const buffers = [new Uint8Array(4), new Uint8Array(10)];
    const message = { msg_iov: buffers, msg_flags: -1 };
    expect(m.sys.recvmsg(x, message)).toBe(11);
    expect(buffers.map((buffer) => new TextDecoder().decode(buffer).replaceAll('\0', ''))).toEqual([
      'hell',
      'o world',
    ]);
    expect(message.msg_flags).toBe(0);
  });
});
