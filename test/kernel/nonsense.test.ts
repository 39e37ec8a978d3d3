// `stack.sys` never throws and `stack.blocking` never rejects, whatever stands in the place of an argument: C would say EFAULT, EBADF
// or EINVAL. And nothing that was refused leaves the stack unable to go on.
import {
  EPOLLIN,
  EPOLLOUT,
  epollEvents,
  IPPROTO_TCP,
  SO_LINGER,
  SO_RCVTIMEO,
  SOCK_DGRAM,
  SOL_SOCKET,
  TCP_NODELAY,
} from 'tapstack';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SeededRandom } from '../../src/core/random.js';
import { Machine, result, settle } from './machine.js';

let m: Machine;
beforeEach(() => {
  m = new Machine();
});
afterEach(async () => {
  await m.stack.close();
});

type Call = (...args: unknown[]) => unknown;

/** What C has no word for, and values at the edges of what it has. */
const NONSENSE: readonly unknown[] = [
  undefined,
  null,
  Number.NaN,
  -1,
  0,
  1,
  2,
  0.5,
  1000.5,
  -(2 ** 31),
  2 ** 31,
  2 ** 53,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  true,
  '',
  'text',
  [],
  [null],
  [1],
  new Array(4),
  {},
  { events: null, data: 0 },
  { family: 2, address: null, port: null },
  { family: 2, address: '127.0.0.1', port: 0.5 },
  { msg_iov: null },
  { msg_iov: [null] },
  { msg_iov: ['text'] },
  { msg_iov: [new Uint8Array(8)], msg_control: [null] },
  { msg_iov: [new Uint8Array(8), 5], msg_name: 5, msg_control: 5 },
  { it_value: null, it_interval: null },
  { value: undefined },
  { value: null },
  { tv_sec: null, tv_usec: null },
  { tv_sec: Number.NaN, tv_nsec: 0 },
  new Uint8Array(0),
  new Uint8Array(8),
  new Set([3, -1, Number.NaN]),
];

/** A descriptor of each kind. */
function descriptors(): number[] {
  const [r, w] = m.pipe();
  const [client, child] = m.pair();
  const timer = m.sys.timerfd_create(1, 0);
  const ep = m.epoll();
  m.add(ep, child, EPOLLIN | EPOLLOUT);
  return [r, w, client, child, timer, ep, m.sys.eventfd(1), m.socket(SOCK_DGRAM), m.listener().fd, 0];
}

describe('epoll_wait into an array with holes', () => {
  it('is EFAULT, and the event is still there for the next', async () => {
    const [r, w] = m.pipe();
    const ep = m.epoll();
    m.add(ep, r, EPOLLIN, 'r');
    const sleeping = m.sys.epoll_wait(ep, new Array(8), 8, -1);
    m.write(w);
    expect(result(await sleeping)).toBe('-EFAULT');
    expect(result(await m.sys.epoll_wait(ep, new Array(8), 8, 0))).toBe('-EFAULT');
    const [s, t] = m.pipe();
    m.add(ep, s, EPOLLIN, 's');
    m.write(t);
    const events = epollEvents(1);
    events.length = 2;
    expect(await m.sys.epoll_wait(ep, events, 2, 0)).toBe(1);
    expect(events[0].data).toBe('r');
    expect(await m.wait(ep)).toBe('s{IN} r{IN}');
  });
});

describe('part of a byte', () => {
  it('is not read, and the stream stays whole', async () => {
    const [client, child] = m.pair();
    m.write(client, 'abc');
    expect(result(m.sys.read(child, new Uint8Array(8), 0.5))).toBe('-EFAULT');
    expect(result(m.sys.write(child, new Uint8Array(8), 1.5))).toBe('-EFAULT');
    expect(m.read(child)).toBe('abc');
  });
});

describe('what is missing', () => {
  it('is EFAULT where C would find nothing at the address', async () => {
    const [client] = m.pair();
    const nothing = undefined as never;
    expect(result(m.sys.read(client, nothing))).toBe('-EFAULT');
    expect(result(m.sys.send(client, nothing))).toBe('-EFAULT');
    expect(result(m.sys.sendmsg(client, { msg_iov: ['text'] as never }))).toBe('-EFAULT');
    expect(result(m.sys.setsockopt(client, IPPROTO_TCP, TCP_NODELAY, nothing))).toBe('-EFAULT');
    expect(result(m.sys.getsockopt(client, SOL_SOCKET, SO_LINGER, nothing))).toBe('-EFAULT');
    expect(result(m.sys.timerfd_settime(m.sys.timerfd_create(1), 0, nothing))).toBe('-EFAULT');
    expect(result(m.sys.open(nothing))).toBe('-EFAULT');
    expect(result(m.sys.open(''))).toBe('-ENOENT');
    expect(result(await m.sys.poll([nothing], 0))).toBe('-EFAULT');
    // A time-out that is no number would be one that never comes.
    const half = { tv_sec: 1 } as never;
    expect(result(m.sys.setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, half))).toBe('-EINVAL');
  });
});

describe.each([
  [1, false],
  [2, false],
  [3, false],
  [4, true],
])('whatever a program passes (seed %i, doctor %s)', (seed, watched) => {
  beforeEach(() => {
    if (watched) m = new Machine({ doctor: () => {} });
  });

  it('is answered, not thrown at', async () => {
    const random = new SeededRandom(seed);
    const pick = <T>(of: readonly T[]): T => of[(random.int32() >>> 0) % of.length];
    const thrown: string[] = [];
    for (const [face, calls] of Object.entries({ sys: m.sys, blocking: m.blocking })) {
      for (const [name, call] of Object.entries(calls as unknown as Record<string, Call>)) {
        for (let i = 0; i < 150; i++) {
          const fds = i % 50 === 0 ? descriptors() : [3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
          const args = Array.from({ length: i % 7 }, () => pick(NONSENSE));
          if (i % 3 !== 0 && args.length > 0) args[0] = pick(fds);
          const failed = (error: unknown): void => {
            thrown.push(`${face}.${name}(${args.map(String).join(', ')}): ${(error as Error).message}`);
          };
          try {
            const answer = call(...args);
            if (answer instanceof Promise) answer.catch(failed);
          } catch (error) {
            failed(error);
          }
        }
        await settle();
      }
    }
    for (let i = 0; i < 10; i++) {
      m.stack.kernel.interruptAll();
      await settle();
    }
    expect(thrown).toEqual([]);
  });
});
