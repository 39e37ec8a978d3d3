// What rarer options change: addresses, ports and interfaces a socket may have, what a listener remembers of a SYN, limits.
import {
  AF_INET,
  IP_BIND_ADDRESS_NO_PORT,
  IP_FREEBIND,
  IP_LOCAL_PORT_RANGE,
  IP_MINTTL,
  IP_TOS,
  IP_TRANSPARENT,
  IP_TTL,
  IPPROTO_IP,
  IPPROTO_TCP,
  type OptionValue,
  SO_BINDTODEVICE,
  SO_BINDTOIFINDEX,
  SO_BUF_LOCK,
  SO_COOKIE,
  SO_DONTROUTE,
  SO_MAX_PACING_RATE,
  SO_PEERNAME,
  SO_PRIORITY,
  SO_RCVBUF,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_SAVE_SYN,
  TCP_SAVED_SYN,
} from 'tapstack';
import { beforeEach, describe, expect, it } from 'vitest';
import { createWire } from '../../src/link/wire.js';
import { address, Machine, result } from '../kernel/machine.js';

let m: Machine;
let fd: number;
beforeEach(() => {
  m = new Machine();
  fd = m.socket();
});

const set = (level: number, name: number, value: OptionValue, of = fd) =>
  result(m.sys.setsockopt(of, level, name, value));
function get(level: number, name: number, of = fd, length?: number): unknown {
  const out: { value: number | string | object } = { value: 0 };
  const error = m.sys.getsockopt(of, level, name, out, length);
  return error < 0 ? result(error) : out.value;
}
const portOf = (of: number) => {
  const name = address();
  m.sys.getsockname(of, name);
  return name.port;
};
const datagram = () => m.sys.socket(AF_INET, SOCK_DGRAM);

describe('addresses and ports', () => {
  it('binds to an address that is not ours with IP_FREEBIND or IP_TRANSPARENT', () => {
    expect(result(m.sys.bind(fd, address(80, '203.0.113.9')))).toBe('-EADDRNOTAVAIL');
    set(IPPROTO_IP, IP_FREEBIND, 1);
    expect(m.sys.bind(fd, address(80, '203.0.113.9'))).toBe(0);
    const other = m.socket();
    expect(set(IPPROTO_IP, IP_TRANSPARENT, 1, other)).toBe(0);
    expect(m.sys.bind(other, address(81, '203.0.113.9'))).toBe(0);
    const user = m.stack.createProcess({ uid: 1000 });
    const theirs = user.sys.socket(AF_INET, SOCK_STREAM);
    expect(result(user.sys.setsockopt(theirs, IPPROTO_IP, IP_TRANSPARENT, 1))).toBe('-EPERM');
  });

  it('leaves the port to connect with IP_BIND_ADDRESS_NO_PORT', () => {
    const { fd: listener, at } = m.listener();
    set(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    m.sys.bind(fd, address());
    expect(portOf(fd)).toBe(0);
    m.sys.connect(fd, at);
    expect(portOf(fd)).toBeGreaterThan(0);
    expect(m.sys.accept(listener)).toBeGreaterThan(0);
  });

  it('takes ephemeral ports from IP_LOCAL_PORT_RANGE, as far as the tunable lets it', () => {
    expect(set(IPPROTO_IP, IP_LOCAL_PORT_RANGE, (40_001 << 16) | 40_000)).toBe(0);
    m.sys.bind(fd, address());
    expect([40_000, 40_001]).toContain(portOf(fd));
    const other = m.socket();
    expect(set(IPPROTO_IP, IP_LOCAL_PORT_RANGE, (100 << 16) | 99, other)).toBe(0);
    m.sys.bind(other, address());
    expect(portOf(other)).toBeGreaterThan(32_767);
    expect(set(IPPROTO_IP, IP_LOCAL_PORT_RANGE, (1 << 16) | 2)).toBe('-EINVAL');
  });

  it('names the peer by SO_PEERNAME', () => {
    const [client] = m.pair();
    expect(get(SOL_SOCKET, SO_PEERNAME, client)).toMatchObject({ address: '127.0.0.1' });
    expect(get(SOL_SOCKET, SO_PEERNAME)).toBe('-ENOTCONN');
  });
});

describe('interfaces', () => {
  const clock = () => m.clock;
  function withWire(): void {
    m = new Machine();
    const [near] = createWire({ clock: clock(), names: ['eth0', 'far'] });
    m = new Machine({ clock: m.clock, link: near, address: '192.0.2.1/24', gateway: '192.0.2.254' });
    fd = m.socket();
  }

  it('binds a socket to one by name or index', () => {
    withWire();
    const name = m.stack.ip.deviceName(2);
    expect(set(SOL_SOCKET, SO_BINDTODEVICE, name)).toBe(0);
    expect([get(SOL_SOCKET, SO_BINDTODEVICE), get(SOL_SOCKET, SO_BINDTOIFINDEX)]).toEqual([name, 2]);
    expect(set(SOL_SOCKET, SO_BINDTODEVICE, 'nonesuch')).toBe('-ENODEV');
    expect(set(SOL_SOCKET, SO_BINDTOIFINDEX, 0)).toBe(0);
    expect(get(SOL_SOCKET, SO_BINDTODEVICE)).toBe('');
  });

  it('hears nothing on another', () => {
    withWire();
    const [receiver, sender] = [datagram(), datagram()];
    m.sys.bind(receiver, address(5000));
    set(SOL_SOCKET, SO_BINDTOIFINDEX, 2, receiver);
    m.sys.sendto(sender, new Uint8Array(1), 1, 0, address(5000));
    expect(m.recv(receiver)).toBe('-EAGAIN');
    set(SOL_SOCKET, SO_BINDTOIFINDEX, 1, receiver);
    m.sys.sendto(sender, new Uint8Array([65]), 1, 0, address(5000));
    expect(m.recv(receiver)).toBe('A');
    const { fd: listener, at } = m.listener();
    set(SOL_SOCKET, SO_BINDTOIFINDEX, 2, listener);
    m.sys.connect(fd, at);
    expect(result(m.sys.connect(fd, at))).toBe('-ECONNREFUSED');
  });

  it('keeps off gateways with SO_DONTROUTE', () => {
    withWire();
    const far = datagram();
    expect(m.sys.sendto(far, new Uint8Array(1), 1, 0, address(9, '203.0.113.1'))).toBe(1);
    set(SOL_SOCKET, SO_DONTROUTE, 1, far);
    expect(result(m.sys.sendto(far, new Uint8Array(1), 1, 0, address(9, '203.0.113.1')))).toBe(
      '-ENETUNREACH',
    );
    expect(m.sys.sendto(far, new Uint8Array(1), 1, 0, address(9, '192.0.2.7'))).toBe(1);
  });
});

describe('connections', () => {
  it('remembers the SYN’s headers, and tells them once', () => {
    const { fd: listener, at } = m.listener();
    set(IPPROTO_TCP, TCP_SAVE_SYN, 1, listener);
    m.sys.connect(fd, at);
    const child = m.sys.accept(listener);
    const syn = get(IPPROTO_TCP, TCP_SAVED_SYN, child) as Uint8Array;
    const view = new DataView(syn.buffer, syn.byteOffset, syn.length);
    expect([syn[0], syn[9], view.getUint16(22), syn[33]]).toEqual([0x45, 6, at.port, 2]);
    expect(syn.length).toBe(20 + (syn[32] >> 4) * 4);
    expect(get(IPPROTO_TCP, TCP_SAVED_SYN, child)).toHaveLength(0);
  });

  it('drops what has come too far (IP_MINTTL)', () => {
    const [a, b] = m.pair();
    set(IPPROTO_IP, IP_MINTTL, 64, b);
    m.write(a, 'near');
    expect(m.read(b)).toBe('near');
    set(IPPROTO_IP, IP_TTL, 63, a);
    m.write(a, 'far');
    expect(m.read(b)).toBe('-EAGAIN');
    expect(m.stack.snmp().TcpExt.TCPMinTTLDrop).toBe(1);
  });

  it('hands a listener’s options to its children', () => {
    const { fd: listener, at } = m.listener();
    set(IPPROTO_IP, IP_MINTTL, 5, listener);
    set(SOL_SOCKET, SO_MAX_PACING_RATE, 9000, listener);
    m.sys.connect(fd, at);
    const child = m.sys.accept(listener);
    expect([get(IPPROTO_IP, IP_MINTTL, child), get(SOL_SOCKET, SO_MAX_PACING_RATE, child)]).toEqual([
      5, 9000,
    ]);
  });
});

describe('what is read', () => {
  it('gives each socket a cookie of its own', () => {
    const cookie = get(SOL_SOCKET, SO_COOKIE);
    expect(get(SOL_SOCKET, SO_COOKIE)).toBe(cookie);
    expect(get(SOL_SOCKET, SO_COOKIE, m.socket())).not.toBe(cookie);
    expect(get(SOL_SOCKET, SO_COOKIE, fd, 4)).toBe('-EINVAL');
  });

  it('cuts an answer to the room there is', () => {
    expect(get(SOL_SOCKET, SO_RCVBUF, fd, 4)).toBe(131072);
    expect(get(SOL_SOCKET, SO_RCVBUF, fd, 2)).toBe(0);
    expect(get(SOL_SOCKET, SO_RCVBUF, fd, -1)).toBe('-EINVAL');
  });

  it('sets the priority by IP_TOS', () => {
    const seen = [8, 16, 24, 0].map((tos) => {
      set(IPPROTO_IP, IP_TOS, tos);
      return get(SOL_SOCKET, SO_PRIORITY);
    });
    expect(seen).toEqual([2, 6, 4, 0]);
  });

  it('tells by SO_BUF_LOCK which buffers were sized', () => {
    set(SOL_SOCKET, SO_RCVBUF, 10_000);
    expect(get(SOL_SOCKET, SO_BUF_LOCK)).toBe(2);
  });
});

describe('fs.file-max', () => {
  it('bounds the open files of all but root', () => {
    const user = m.stack.createProcess({ uid: 1000 });
    m.stack.sysctl('fs.file-max', m.stack.kernel.openFiles.open + 1);
    const first = user.sys.socket(AF_INET, SOCK_STREAM);
    expect(first).toBeGreaterThan(0);
    expect(result(user.sys.socket(AF_INET, SOCK_STREAM))).toBe('-ENFILE');
    expect(result(user.sys.pipe([]))).toBe('-ENFILE');
    expect(result(user.sys.epoll_create1(0))).toBe('-ENFILE');
    expect(user.sys.dup(first)).toBeGreaterThan(0);
    expect(m.socket()).toBeGreaterThan(0);
    m.sys.close(fd);
    m.sys.close(fd + 1);
    expect(user.sys.eventfd(0)).toBeGreaterThan(0);
  });

  it('counts an accepted connection before it is taken', () => {
    const user = m.stack.createProcess({ uid: 1000 });
    const listener = user.sys.socket(AF_INET, SOCK_STREAM);
    user.sys.bind(listener, address(8080));
    user.sys.listen(listener, 1);
    m.sys.connect(fd, address(8080));
    m.stack.sysctl('fs.file-max', m.stack.kernel.openFiles.open);
    expect(result(user.sys.accept(listener))).toBe('-ENFILE');
    m.stack.sysctl('fs.file-max', 1000);
    expect(user.sys.accept(listener)).toBeGreaterThan(0);
  });
});
