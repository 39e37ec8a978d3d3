// TCP_CONGESTION and the sysctls beside it: who may choose which congestion control, and which one a child has.
import { IPPROTO_TCP, TCP_CONGESTION } from 'tapstack';
import { beforeEach, describe, expect, it } from 'vitest';
import { Machine, result } from '../kernel/machine.js';

const DEFAULT = 'net.ipv4.tcp_congestion_control';
const ALLOWED = 'net.ipv4.tcp_allowed_congestion_control';

let m: Machine;
beforeEach(() => {
  m = new Machine();
});

const sysctl = (name: string): unknown => m.stack.sysctl(name);
const setSysctl = (name: string, value: string) => result(m.stack.tcp.host.sysctl.set(name, value));

type Sys = Machine['sys'];
const choose = (name: string, fd: number, sys: Sys = m.sys) =>
  result(sys.setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name));
function chosen(fd: number, sys: Sys = m.sys): unknown {
  const out: { value: unknown } = { value: '' };
  sys.getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, out as { value: string });
  return out.value;
}

// covers: congestion control by name (TCP_CONGESTION, sysctl) | Linux tcp_set_congestion_control | src/socket/sol-tcp.ts
describe('TCP_CONGESTION', () => {
  it('takes what everybody may choose, and what root may', () => {
    const nobody = m.stack.createProcess({ uid: 1000 });
    const fd = nobody.sys.socket(2, 1, 0);
    expect(choose('bbr', fd, nobody.sys)).toBe('-EPERM');
    expect(choose('reno', fd, nobody.sys)).toBe(0);
    expect(choose('nonesuch', fd, nobody.sys)).toBe('-ENOENT');
    expect(chosen(fd, nobody.sys)).toBe('reno');
    expect(choose('bbr', m.socket())).toBe(0);
  });

  it('may ask for what the socket has already', () => {
    const nobody = m.stack.createProcess({ uid: 1000 });
    expect(setSysctl(DEFAULT, 'bbr')).toBe(0);
    const fd = nobody.sys.socket(2, 1, 0);
    setSysctl(ALLOWED, 'reno');
    expect(choose('bbr', fd, nobody.sys)).toBe(0);
    expect(choose('cubic', fd, nobody.sys)).toBe('-EPERM');
  });

  it('is inherited from the listener where it was set; else a child has what new sockets have', () => {
    const plain = m.listener();
    const set = m.listener();
    expect(choose('reno', set.fd)).toBe(0);
    setSysctl(DEFAULT, 'bbr');
    const children = [plain, set].map(({ fd, at }) => {
      m.client(at);
      return chosen(m.sys.accept4(fd, null, 0));
    });
    expect(children).toEqual(['bbr', 'reno']);
    expect([chosen(plain.fd), chosen(set.fd)]).toEqual(['cubic', 'reno']);
  });
});

// covers: congestion control by name (TCP_CONGESTION, sysctl) | Linux tcp_set_allowed_congestion_control | src/core/sysctl.ts
describe('tcp_allowed_congestion_control', () => {
  it('begins with reno and the default, and is set as a whole', () => {
    expect(sysctl(ALLOWED)).toBe('reno cubic');
    expect(setSysctl(ALLOWED, 'bbr  reno')).toBe(0);
    expect(sysctl(ALLOWED)).toBe('reno bbr');
    expect(setSysctl(ALLOWED, '')).toBe(0);
    expect(sysctl(ALLOWED)).toBe('');
  });

  it('refuses what is no congestion control, and keeps what it had', () => {
    expect(setSysctl(ALLOWED, 'reno nonesuch')).toBe('-ENOENT');
    expect(setSysctl(DEFAULT, 'nonesuch')).toBe('-ENOENT');
    expect(sysctl(ALLOWED)).toBe('reno cubic');
  });

  it('takes in whatever becomes the default', () => {
    setSysctl(DEFAULT, 'bbr');
    expect(sysctl(ALLOWED)).toBe('reno cubic bbr');
  });
});
