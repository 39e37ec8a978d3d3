// Calls that sleep: what wakes them, in which order, and how much they want.
import {
  AF_INET,
  MSG_DONTWAIT,
  MSG_PEEK,
  MSG_WAITALL,
  SHUT_RDWR,
  SHUT_WR,
  SO_LINGER,
  SO_RCVLOWAT,
  SO_RCVTIMEO,
  SO_SNDBUF,
  SO_SNDTIMEO,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
} from 'tapstack';
import { beforeEach, describe, expect, it } from 'vitest';
import { address, Machine, result, settle } from './machine.js';

let m: Machine;
beforeEach(() => {
  m = new Machine();
});

/** A call going on: `value` is undefined until it returns. */
function watch(call: Promise<number>): { value: number | string | undefined } {
  const seen: { value: number | string | undefined } = { value: undefined };
  void call.then((value) => {
    seen.value = result(value);
  });
  return seen;
}

function blockingPair(): [number, number] {
  const [a, b] = m.pair();
  for (const fd of [a, b]) m.sys.fcntl(fd, 4, 0);
  return [a, b];
}

function blockingListener(): { fd: number; at: ReturnType<typeof address> } {
  const { fd, at } = m.listener();
  m.sys.fcntl(fd, 4, 0);
  return { fd, at };
}

const timeval = (ms: number) => ({ tv_sec: Math.floor(ms / 1000), tv_usec: (ms % 1000) * 1000 });

describe('accept', () => {
  it('of a process that has exited meanwhile keeps no connection', async () => {
    const other = m.stack.createProcess();
    const listener = other.sys.socket(AF_INET, SOCK_STREAM);
    const at = address(80);
    other.sys.bind(listener, at);
    other.sys.listen(listener, 1);
    const call = watch(other.blocking.accept(listener));
    other.exit();
    const client = m.client(at);
    await settle();
    expect(call.value).toBe('-EINTR');
    expect(m.read(client)).toBe(0);
    expect(m.stack.sockets().filter(({ state }) => state === 'ESTABLISHED' || state === 'LISTEN')).toEqual(
      [],
    );
  });

  it('serves those who wait first come, first served', async () => {
    const { fd, at } = blockingListener();
    const calls = [watch(m.blocking.accept(fd)), watch(m.blocking.accept(fd))];
    await settle();
    m.client(at);
    await settle();
    expect(calls.map((call) => call.value)).toEqual([4, undefined]);
    m.client(at);
    await settle();
    expect(calls.map((call) => call.value)).toEqual([4, 5]);
  });

  it('keeps its number while it sleeps, and gives it back if nothing comes', async () => {
    const { fd, at } = blockingListener();
    const call = watch(m.blocking.accept(fd));
    expect(m.sys.eventfd(0)).toBe(fd + 2);
    expect(m.sys.dup2(fd, fd + 1)).toBe(-16); // EBUSY
    m.sys.shutdown(fd, SHUT_RDWR);
    await settle();
    expect(call.value).toBe('-EINVAL');
    expect(m.sys.eventfd(0)).toBe(fd + 1);
    expect(at.port).toBeGreaterThan(0);
  });

  it('survives the closing of its listener, for one connection', async () => {
    const { fd, at } = blockingListener();
    const call = watch(m.blocking.accept(fd));
    m.sys.close(fd);
    await settle();
    m.client(at);
    await settle();
    expect(call.value).toBe(fd + 1);
    expect(m.stack.sockets().some((row) => row.state === 'LISTEN')).toBe(false);
  });

  it('ends by SO_RCVTIMEO, by a signal, and at once when the listener is nonblocking', async () => {
    const { fd } = blockingListener();
    m.sys.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, timeval(50));
    const late = watch(m.blocking.accept(fd));
    await m.pass(52);
    expect(late.value).toBe('-EAGAIN');
    const abort = new AbortController();
    const interrupted = watch(m.blocking.accept(fd, null, { signal: abort.signal }));
    abort.abort();
    await settle();
    expect(interrupted.value).toBe('-EINTR');
    expect(result(await m.blocking.accept(m.listener().fd))).toBe('-EAGAIN');
  });

  it('is full before it is anything else', async () => {
    m.process.nofile = 4;
    expect(result(await m.blocking.accept(m.sys.eventfd(0)))).toBe('-EMFILE');
    expect(result(await m.blocking.accept(77))).toBe('-EBADF');
  });
});

describe('connect', () => {
  it('returns 0 when the handshake is done, or why it was not', async () => {
    const { at } = m.listener();
    const fd = m.socket(SOCK_STREAM);
    expect(result(await m.blocking.connect(fd, at))).toBe(0);
    expect(result(await m.blocking.connect(fd, at))).toBe('-EISCONN');
    const refused = m.socket(SOCK_STREAM);
    expect(result(await m.blocking.connect(refused, address(1)))).toBe('-ECONNREFUSED');
    expect(m.recv(refused)).toBe('-ENOTCONN');
    expect(result(await m.blocking.connect(refused, at))).toBe(0);
  });

  it('interrupted or out of time goes on by itself', async () => {
    const { fd: listener, at } = m.listener(0);
    m.client(at);
    const slow = m.socket(SOCK_STREAM);
    m.sys.setsockopt(slow, SOL_SOCKET, SO_SNDTIMEO, timeval(100));
    const call = watch(m.blocking.connect(slow, at));
    await m.pass(100);
    expect(call.value).toBe('-EINPROGRESS');
    const abort = new AbortController();
    const again = watch(m.blocking.connect(slow, at, 16, { signal: abort.signal }));
    abort.abort();
    await settle();
    expect(again.value).toBe('-EINTR');
    m.sys.accept(listener);
    await m.pass(1000);
    expect(result(await m.blocking.connect(slow, at))).toBe(0);
  });
});

describe('recv', () => {
  it('waits for something, and takes what is there', async () => {
    const [a, b] = blockingPair();
    const buffer = new Uint8Array(100);
    const call = watch(m.blocking.recv(a, buffer));
    await settle();
    expect(call.value).toBeUndefined();
    m.write(b, 'hello');
    await settle();
    expect(call.value).toBe(5);
    expect(result(await m.blocking.recv(a, buffer, 100, MSG_DONTWAIT))).toBe('-EAGAIN');
  });

  it('with MSG_WAITALL waits for all, but not beyond the end', async () => {
    const [a, b] = blockingPair();
    const buffer = new Uint8Array(10);
    const call = watch(m.blocking.recv(a, buffer, 10, MSG_WAITALL));
    m.write(b, 'hello');
    await settle();
    expect(call.value).toBeUndefined();
    m.write(b, 'world and more');
    await settle();
    expect(call.value).toBe(10);
    const rest = watch(m.blocking.recv(a, new Uint8Array(100), 100, MSG_WAITALL));
    await settle();
    m.sys.shutdown(b, SHUT_WR);
    await settle();
    expect(rest.value).toBe(9);
    expect(await m.blocking.recv(a, buffer)).toBe(0);
  });

  it('is woken by SO_RCVLOWAT unread bytes only, even with some in hand', async () => {
    const [a, b] = blockingPair();
    m.sys.setsockopt(a, SOL_SOCKET, SO_RCVLOWAT, 10);
    const call = watch(m.blocking.recv(a, new Uint8Array(100)));
    m.write(b, '12345');
    await settle();
    m.write(b, '123456');
    await settle();
    expect(call.value).toBe(11);
    m.write(b, '12345');
    const second = watch(m.blocking.recv(a, new Uint8Array(100)));
    await settle();
    m.write(b, '123456');
    await settle();
    expect(second.value).toBeUndefined();
    m.write(b, '1234');
    await settle();
    expect(second.value).toBe(15);
  });

  it('with MSG_PEEK leaves everything', async () => {
    const [a, b] = blockingPair();
    const call = watch(m.blocking.recv(a, new Uint8Array(8), 8, MSG_PEEK | MSG_WAITALL));
    m.write(b, 'abcd');
    await settle();
    m.write(b, 'efgh');
    await settle();
    expect(call.value).toBe(8);
    expect(m.read(a)).toBe('abcdefgh');
  });

  it('keeps an error for the next call when it has bytes', async () => {
    const [a, b] = blockingPair();
    const call = watch(m.blocking.recv(a, new Uint8Array(10), 10, MSG_WAITALL));
    m.write(b, 'abc');
    await settle();
    m.sys.setsockopt(b, SOL_SOCKET, SO_LINGER, { l_onoff: 1, l_linger: 0 });
    m.sys.close(b);
    await settle();
    expect(call.value).toBe(3);
    expect(result(await m.blocking.recv(a, new Uint8Array(10)))).toBe('-ECONNRESET');
    expect(await m.blocking.recv(a, new Uint8Array(10))).toBe(0);
  });

  it('is not ended by closing its descriptor, but by the next event', async () => {
    const [a, b] = blockingPair();
    const call = watch(m.blocking.recv(a, new Uint8Array(10)));
    m.sys.close(a);
    await settle();
    expect(call.value).toBeUndefined();
    m.write(b, 'late');
    await settle();
    expect(call.value).toBe(4);
  });

  it('ends by SO_RCVTIMEO and by a signal, with what it has', async () => {
    const [a, b] = blockingPair();
    m.sys.setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, timeval(20));
    const nothing = watch(m.blocking.recv(a, new Uint8Array(10)));
    await m.pass(20);
    expect(nothing.value).toBe('-EAGAIN');
    m.write(b, 'abc');
    const some = watch(m.blocking.recv(a, new Uint8Array(10), 10, MSG_WAITALL));
    await m.pass(20);
    expect(some.value).toBe(3);
  });

  it('of a datagram socket serves those who wait in order', async () => {
    const fd = m.sys.socket(AF_INET, SOCK_DGRAM);
    const at = address();
    m.sys.bind(fd, at);
    m.sys.getsockname(fd, at);
    const from = address();
    const calls = [
      watch(m.blocking.recvfrom(fd, new Uint8Array(10), 10, 0, from)),
      watch(m.blocking.recvfrom(fd, new Uint8Array(10), 10, 0, null)),
    ];
    await settle();
    const sender = m.sys.socket(AF_INET, SOCK_DGRAM);
    m.sys.sendto(sender, new Uint8Array(3), 3, 0, at);
    await settle();
    expect(calls.map((call) => call.value)).toEqual([3, undefined]);
    const name = address();
    m.sys.getsockname(sender, name);
    expect(from.port).toBe(name.port);
    m.sys.sendto(sender, new Uint8Array(0), 0, 0, at);
    await settle();
    expect(calls[1].value).toBe(0);
  });
});

describe('send', () => {
  it('waits until all is queued', async () => {
    const [a, b] = blockingPair();
    m.sys.setsockopt(a, SOL_SOCKET, SO_SNDBUF, 10_000);
    const total = 1_000_000;
    const call = watch(m.blocking.send(a, new Uint8Array(total)));
    await settle();
    expect(call.value).toBeUndefined();
    const buffer = new Uint8Array(65536);
    for (let received = 0; received < total; ) {
      const count = await m.blocking.recv(b, buffer);
      received += count;
      await m.pass(1);
    }
    expect(call.value).toBe(total);
  });

  it('interrupted or reset returns what was queued; the error is for the next call', async () => {
    const [a, b] = blockingPair();
    m.sys.setsockopt(a, SOL_SOCKET, SO_SNDBUF, 10_000);
    const abort = new AbortController();
    const call = watch(m.blocking.send(a, new Uint8Array(5_000_000), 5_000_000, 0, { signal: abort.signal }));
    await settle();
    abort.abort();
    await settle();
    expect(call.value).toBeGreaterThan(10_000);
    const second = watch(m.blocking.send(a, new Uint8Array(100_000)));
    await settle();
    m.sys.close(b);
    await settle();
    expect(second.value).toBe('-ECONNRESET');
    expect(result(await m.blocking.send(a, new Uint8Array(1)))).toBe('-EPIPE');
    expect(m.process.signals.SIGPIPE).toBe(1);
  });

  it('during the handshake waits for its end', async () => {
    const { fd: listener, at } = m.listener(0);
    m.client(at);
    const fd = m.socket();
    m.sys.connect(fd, at);
    m.sys.fcntl(fd, 4, 0);
    const call = watch(m.blocking.send(fd, new Uint8Array(10)));
    await settle();
    m.sys.accept(listener);
    await m.pass(1100);
    expect(call.value).toBe(10);
  });
});

describe('read and write', () => {
  it('of a pipe sleep until there is something, or room', async () => {
    const [r, w] = m.pipe();
    const call = watch(m.blocking.read(r, new Uint8Array(10)));
    await settle();
    m.write(w, 'abc');
    await settle();
    expect(call.value).toBe(3);
    const big = watch(m.blocking.write(w, new Uint8Array(100_000)));
    await settle();
    expect(big.value).toBeUndefined();
    for (let i = 0; i < 30; i++) {
      m.read(r, 4096);
      await settle();
    }
    expect(big.value).toBe(100_000);
    const end = watch(m.blocking.read(r, new Uint8Array(10)));
    await settle();
    m.sys.close(w);
    await settle();
    expect(end.value).toBe(0);
  });

  it('of a socket are recv and send', async () => {
    const [a, b] = blockingPair();
    const call = watch(m.blocking.read(a, new Uint8Array(10)));
    expect(await m.blocking.write(b, new Uint8Array(4))).toBe(4);
    await settle();
    expect(call.value).toBe(4);
    expect(await m.blocking.read(a, new Uint8Array(0))).toBe(0);
  });
});

describe('close with SO_LINGER', () => {
  it('waits until everything is acknowledged', async () => {
    const [a, b] = blockingPair();
    m.sys.setsockopt(a, SOL_SOCKET, SO_LINGER, { l_onoff: 1, l_linger: 5 });
    m.sys.send(a, new Uint8Array(10), 10, 0);
    const call = watch(m.blocking.close(a));
    await settle();
    expect(call.value).toBe(0);
    expect(m.read(b)).toHaveLength(10);
  });

  it('counts as a close: the file is open no more (fs.file-max)', async () => {
    const [a, b] = blockingPair();
    const { openFiles } = m.stack.kernel;
    const before = openFiles.open;
    m.sys.setsockopt(a, SOL_SOCKET, SO_LINGER, { l_onoff: 1, l_linger: 5 });
    await m.blocking.close(a);
    m.sys.close(b);
    expect(openFiles.open).toBe(before - 2);
  });

  it('gives up after its time, and is 0 even then', async () => {
    const [a, b] = blockingPair();
    m.sys.setsockopt(a, SOL_SOCKET, SO_LINGER, { l_onoff: 1, l_linger: 2 });
    const big = new Uint8Array(8_000_000);
    while (m.sys.send(a, big, big.length, 0) > 0) await settle();
    const call = watch(m.blocking.close(a));
    await m.pass(1990);
    expect(call.value).toBeUndefined();
    await m.pass(20);
    expect(call.value).toBe(0);
    expect(result(m.sys.close(a))).toBe('-EBADF');
    expect(m.sys.close(b)).toBe(0);
  });
});
