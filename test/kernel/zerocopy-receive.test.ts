// What a program is lent of the packet memory (TCP_ZEROCOPY_RECEIVE), as its system calls show it, over loopback: whose it is, and when
// it goes back.
import {
  AF_INET,
  EINVAL,
  EIO,
  ENOPROTOOPT,
  EOPNOTSUPP,
  EPOLL_CTL_ADD,
  EPOLLET,
  EPOLLIN,
  epollEvents,
  IPPROTO_TCP,
  SO_TIMESTAMP,
  SOCK_DGRAM,
  SOL_SOCKET,
  TCP_ZEROCOPY_RECEIVE,
  type TcpZerocopyReceive,
} from 'tapstack';
import { beforeEach, expect, it } from 'vitest';
import { Machine } from './machine.js';

const SIZE = 40_000;

let m: Machine;
let before: number;
beforeEach(() => {
  m = new Machine({ memory: 8 << 20 });
  before = m.stack.host.memory.used;
});

/** A connection with SIZE times `byte` to be read from its second end. */
async function filled(byte: number): Promise<[sender: number, receiver: number]> {
  const [sender, receiver] = m.pair();
  expect(m.sys.write(sender, new Uint8Array(SIZE).fill(byte))).toBe(SIZE);
  await m.pass(1);
  return [sender, receiver];
}

function lend(fd: number, value: TcpZerocopyReceive = { length: 1 << 20 }, sys = m.sys): TcpZerocopyReceive {
  expect(sys.getsockopt(fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, { value })).toBe(0);
  return value;
}

const contents = ({ iov = [] }: TcpZerocopyReceive): Set<number> => new Set(iov.flatMap((part) => [...part]));

it('is lent by getsockopt, stays when the socket is closed, and goes back by munmap, piece by piece', async () => {
  const [sender, receiver] = await filled(1);
  const zc = lend(receiver);
  expect([zc.length, zc.inq, zc.err]).toEqual([SIZE, 0, 0]);
  m.sys.close(receiver);
  m.sys.close(sender);
  await m.pass(120_000);
  const [, other] = await filled(2);
  expect(m.sys.read(other, new Uint8Array(SIZE))).toBe(SIZE);
  expect(contents(zc)).toEqual(new Set([1]));
  for (const part of zc.iov as Uint8Array[]) {
    expect(m.sys.munmap(part.subarray(0))).toBe(-EINVAL);
    expect(m.sys.munmap(part)).toBe(0);
    expect(m.sys.munmap(part)).toBe(-EINVAL);
  }
  expect(m.stack.host.memory.used).toBe(before);
});

it('is one process’s, which alone can give it back, and ends with it', async () => {
  for (const end of ['exit', 'exec'] as const) {
    const [, receiver] = await filled(1);
    const other = m.stack.createProcess();
    const { used } = m.stack.host.memory;
    const fd = m.process.pass(receiver, other);
    const zc = lend(fd, { length: 1 << 20 }, other.sys);
    expect(m.sys.munmap((zc.iov as Uint8Array[])[0])).toBe(-EINVAL);
    // The bytes are out of the queue, and not yet free.
    expect(m.stack.host.memory.used).toBe(used);
    other[end]();
    expect(m.stack.host.memory.used).toBeLessThanOrEqual(used - SIZE);
    other.exit();
  }
});

it('is not a child’s: its memory is a copy', async () => {
  const [, receiver] = await filled(1);
  const zc = lend(receiver);
  const child = m.process.fork();
  expect(child.sys.munmap((zc.iov as Uint8Array[])[0])).toBe(-EINVAL);
  child.exit();
  expect(contents(zc)).toEqual(new Set([1]));
});

it('serves for many sockets by one object: each call gives back what the one before lent', async () => {
  const receivers = [(await filled(1))[1], (await filled(2))[1], (await filled(3))[1]];
  const { used } = m.stack.host.memory;
  const zc: TcpZerocopyReceive = { length: 0 };
  for (const [i, fd] of receivers.entries()) {
    zc.length = 1 << 20;
    lend(fd, zc);
    expect(contents(zc)).toEqual(new Set([i + 1]));
  }
  expect(m.stack.host.memory.used).toBeLessThan(used - 2 * SIZE + 1);
  for (const part of zc.iov as Uint8Array[]) m.sys.munmap(part);
  expect(m.stack.host.memory.used).toBe(before);
});

it('leaves nothing for epoll to tell of, until the end', async () => {
  const [sender, receiver] = await filled(1);
  const ep = m.epoll();
  m.add(ep, receiver, EPOLLIN, 'r');
  expect(await m.wait(ep)).toBe('r{IN}');
  lend(receiver);
  expect(await m.wait(ep)).toBe('');
  m.sys.close(sender);
  await m.pass(1);
  expect(await m.wait(ep)).toBe('r{IN}');
  const value = { length: 1 << 20 };
  expect(m.sys.getsockopt(receiver, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, { value })).toBe(-EIO);
  expect(m.read(receiver)).toBe(0);
});

it('is drained for the doctor once nothing is left', async () => {
  const warnings: string[] = [];
  m = new Machine({ doctor: ({ code }) => warnings.push(code) });
  const [, receiver] = await filled(1);
  const ep = m.epoll();
  m.sys.epoll_ctl(ep, EPOLL_CTL_ADD, receiver, { events: EPOLLIN | EPOLLET, data: receiver });
  const events = epollEvents(1);
  expect(await m.sys.epoll_wait(ep, events, 1, 0)).toBe(1);
  lend(receiver);
  expect(await m.sys.epoll_wait(ep, events, 1, 0)).toBe(0);
  expect(warnings).toEqual([]);
  const [, second] = await filled(1);
  m.sys.epoll_ctl(ep, EPOLL_CTL_ADD, second, { events: EPOLLIN | EPOLLET, data: second });
  expect(await m.sys.epoll_wait(ep, events, 1, 0)).toBe(1);
  expect(lend(second, { length: 100 }).inq).toBe(SIZE);
  await m.sys.epoll_wait(ep, events, 1, 0);
  expect(warnings).toEqual(['ET_NOT_DRAINED']);
});

it('does not leave behind when its bytes came (SO_TIMESTAMP): the next read tells of its own', async () => {
  const [sender, receiver] = m.pair();
  m.sys.setsockopt(receiver, SOL_SOCKET, SO_TIMESTAMP, 1);
  for (let i = 0; i < 3; i++) {
    m.sys.write(sender, new Uint8Array(SIZE));
    await m.pass(1);
    lend(receiver);
  }
  await m.pass(1000);
  m.write(sender, 'late');
  await m.pass(1);
  const header = { msg_iov: [new Uint8Array(10)], msg_control: [] as unknown[] };
  expect(m.sys.recvmsg(receiver, header as Parameters<typeof m.sys.recvmsg>[1], 0)).toBe(4);
  expect(header.msg_control).toMatchObject([{ cmsg_data: { tv_sec: 1 } }]);
});

it('is refused: no object, -EINVAL; a datagram socket, -EOPNOTSUPP', async () => {
  const [, receiver] = await filled(1);
  const value = { length: 1 << 20 };
  expect(m.sys.getsockopt(receiver, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, { value: 1 })).toBe(-EINVAL);
  const datagram = m.sys.socket(AF_INET, SOCK_DGRAM);
  expect(m.sys.getsockopt(datagram, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, { value })).toBe(-EOPNOTSUPP);
  expect(m.sys.setsockopt(receiver, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, 1)).toBe(-ENOPROTOOPT);
});
