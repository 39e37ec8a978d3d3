// Fast Open between two programs on one stack: calls that sleep, what a listener is told, keys and tunables.

import {
  IPPROTO_TCP,
  MSG_FASTOPEN,
  type OptionResult,
  SO_SNDTIMEO,
  SOL_SOCKET,
  TCP_FASTOPEN,
  TCP_FASTOPEN_CONNECT,
  TCP_FASTOPEN_KEY,
  TCP_INFO,
} from 'tapstack';
import { beforeEach, describe, expect, it } from 'vitest';
import { type address, Machine, result, settle } from './machine.js';

const SYN_DATA = 32;

let m: Machine;
beforeEach(() => {
  m = new Machine();
  m.stack.host.sysctl.set('net.ipv4.tcp_fastopen', 3);
});

function listener(queue = 4): { fd: number; at: ReturnType<typeof address> } {
  const made = m.listener();
  m.sys.setsockopt(made.fd, IPPROTO_TCP, TCP_FASTOPEN, queue);
  return made;
}

function blockingSocket(): number {
  return m.sys.socket(2, 1);
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function options(fd: number): number {
  const out: OptionResult = { value: 0 };
  m.sys.getsockopt(fd, IPPROTO_TCP, TCP_INFO, out);
  return (out.value as { options: number }).options;
}

function read(fd: number): string {
  const buffer = new Uint8Array(100_000);
  const length = m.sys.read(fd, buffer);
  return length < 0 ? String(result(length)) : new TextDecoder().decode(buffer.subarray(0, length));
}

/** The client learns the cookie. */
async function introduce(at: ReturnType<typeof address>, fd: number): Promise<void> {
  const client = blockingSocket();
  expect(await m.blocking.sendto(client, bytes('x'), 1, MSG_FASTOPEN, at)).toBe(1);
  const server = m.sys.accept(fd);
  expect(read(server)).toBe('x');
  expect(options(server) & SYN_DATA).toBe(0);
  m.sys.close(client);
  m.sys.close(server);
}

// covers: Fast Open, client | RFC 7413 section 4.2.1 | src/tcp/fastopen/fastopen-client.ts
describe('a send that connects', () => {
  it('asks for a cookie first, and brings its data on the SYN next time', async () => {
    const { fd, at } = listener();
    await introduce(at, fd);
    const client = blockingSocket();
    expect(await m.blocking.sendto(client, bytes('hello'), 5, MSG_FASTOPEN, at)).toBe(5);
    const server = m.sys.accept(fd);
    expect(read(server)).toBe('hello');
    expect(options(server) & SYN_DATA).toBe(SYN_DATA);
    expect(options(client) & SYN_DATA).toBe(SYN_DATA);
    const { TcpExt } = m.stack.snmp();
    expect(TcpExt).toMatchObject({
      TCPFastOpenActive: 1,
      TCPFastOpenPassive: 1,
      TCPFastOpenCookieReqd: 1,
      TCPFastOpenActiveFail: 0,
      TCPFastOpenPassiveFail: 0,
    });
  });

  it('goes on with what the SYN does not hold', async () => {
    const { fd, at } = listener();
    await introduce(at, fd);
    const client = blockingSocket();
    const text = 'abcdefgh'.repeat(12_000);
    expect(await m.blocking.sendto(client, bytes(text), text.length, MSG_FASTOPEN, at)).toBe(text.length);
    const server = m.sys.accept(fd);
    expect(read(server)).toBe(text);
  });

  it('is ECONNREFUSED where nobody listens', async () => {
    const { fd, at } = listener();
    await introduce(at, fd);
    m.sys.close(fd);
    const client = blockingSocket();
    const sent = await m.blocking.sendto(client, bytes('hello'), 5, MSG_FASTOPEN, at);
    expect(result(sent)).toBe('-ECONNREFUSED');
  });

  it('gives back what the SYN took when SO_SNDTIMEO is over, and EINTR when it is interrupted', async () => {
    m.stack.host.sysctl.set('net.ipv4.tcp_fastopen', 5);
    const { at, fd } = m.listener();
    // The listener is deaf: its accept queue is full, and every SYN is dropped.
    m.sys.listen(fd, 0);
    m.client(at);
    await settle();
    const first = blockingSocket();
    m.sys.setsockopt(first, SOL_SOCKET, SO_SNDTIMEO, { tv_sec: 0, tv_usec: 50_000 });
    const waiting = m.blocking.sendto(first, bytes('hello'), 5, MSG_FASTOPEN, at);
    await m.pass(60);
    expect(await waiting).toBe(5);
    const second = blockingSocket();
    const abort = new AbortController();
    const asleep = m.blocking.sendto(second, bytes('hello'), 5, MSG_FASTOPEN, at, { signal: abort.signal });
    await settle();
    abort.abort();
    expect(result(await asleep)).toBe('-EINTR');
  });
});

describe('TCP_FASTOPEN_CONNECT', () => {
  it('lets a program that knows only connect and write open with data', async () => {
    const { fd, at } = listener();
    await introduce(at, fd);
    const client = blockingSocket();
    expect(m.sys.setsockopt(client, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)).toBe(0);
    expect(await m.blocking.connect(client, at)).toBe(0);
    expect(result(m.sys.accept(fd))).toBe('-EAGAIN');
    expect(await m.blocking.write(client, bytes('hello'))).toBe(5);
    const server = m.sys.accept(fd);
    expect(read(server)).toBe('hello');
    expect(options(server) & SYN_DATA).toBe(SYN_DATA);
  });

  it('is dissolved like any other connection', async () => {
    const { fd, at } = listener();
    await introduce(at, fd);
    const client = blockingSocket();
    m.sys.setsockopt(client, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
    m.sys.connect(client, at);
    expect(m.sys.connect(client, { family: 0, address: '', port: 0 })).toBe(0);
    expect(m.sys.connect(client, at)).toBe(0);
    expect(await m.blocking.write(client, bytes('again'))).toBe(5);
    expect(read(m.sys.accept(fd))).toBe('again');
  });
});

describe('the key', () => {
  const ZEROS = '00000000-00000000-00000000-00000000';
  const NAME = 'net.ipv4.tcp_fastopen_key';

  it('is shown as zeros until somebody needs one, and then drawn', () => {
    const { sysctl } = m.stack.host;
    expect(sysctl.get(NAME)).toBe(ZEROS);
    listener();
    const drawn = sysctl.get(NAME);
    expect(drawn).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{8}){3}$/);
    expect(drawn).not.toBe(ZEROS);
    listener();
    expect(sysctl.get(NAME)).toBe(drawn);
  });

  it('is four hexadecimal words, or eight, and nothing else', () => {
    const { sysctl } = m.stack.host;
    expect(sysctl.set(NAME, '1-2-3-A')).toBe(0);
    expect(sysctl.get(NAME)).toBe('00000001-00000002-00000003-0000000a');
    expect(sysctl.set(NAME, '1-2-3-4,5-6-7-8')).toBe(0);
    for (const wrong of [
      '',
      '1-2-3',
      '1-2-3-4-5',
      '1-2-3-x',
      '1-2-3-4,',
      '1-2-3-4,5-6-7-8,9-a-b-c',
      '123456789-2-3-4',
    ])
      expect(result(sysctl.set(NAME, wrong)), wrong).toBe('-EINVAL');
    expect(sysctl.get(NAME)).toBe('00000001-00000002-00000003-00000004,00000005-00000006-00000007-00000008');
    expect(sysctl.all()[NAME]).toBe(sysctl.get(NAME));
  });

  it('can be a listener’s own', () => {
    const { fd } = listener();
    m.stack.host.sysctl.set(NAME, '03020100-07060504-0b0a0908-0f0e0d0c');
    const out: OptionResult = { value: 0 };
    expect(m.sys.getsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, out)).toBe(0);
    expect(out.value).toEqual(Uint8Array.from({ length: 16 }, (_, i) => i));
    const both = Uint8Array.from({ length: 32 }, (_, i) => 100 + i);
    expect(m.sys.setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, both)).toBe(0);
    m.sys.getsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, out);
    expect(out.value).toEqual(both);
    m.sys.getsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, out, 16);
    expect(out.value).toEqual(both.subarray(0, 16));
    expect(result(m.sys.setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, both.subarray(0, 17)))).toBe('-EINVAL');
    expect(result(m.sys.setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, 7))).toBe('-EINVAL');
  });
});

describe('TCP_FASTOPEN', () => {
  it('takes a length up to net.core.somaxconn, before or after listen', () => {
    const out: OptionResult = { value: 0 };
    const { fd } = listener(7);
    m.sys.getsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, out);
    expect(out.value).toBe(7);
    expect(m.sys.setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, 1_000_000)).toBe(0);
    m.sys.getsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, out);
    expect(out.value).toBe(4096);
    expect(result(m.sys.setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, -1))).toBe('-EINVAL');
    const [client] = m.pair();
    expect(result(m.sys.setsockopt(client, IPPROTO_TCP, TCP_FASTOPEN, 1))).toBe('-EINVAL');
  });
});
