// Calls with nonsense for arguments, for whoever wants to see what becomes of them.

import { EPOLLIN, EPOLLOUT, SOCK_DGRAM } from 'tapstack';
import { SeededRandom } from '../../src/core/random.js';
import { type Machine, settle } from './machine.js';

type Call = (...args: unknown[]) => unknown;

/** What C has no word for, and values at the edges of what it has. */
const nonsense = (): readonly unknown[] => [
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
function descriptors(m: Machine): number[] {
  const [r, w] = m.pipe();
  const [client, child] = m.pair();
  const timer = m.sys.timerfd_create(1, 0);
  const ep = m.epoll();
  m.add(ep, child, EPOLLIN | EPOLLOUT);
  return [r, w, client, child, timer, ep, m.sys.eventfd(1), m.socket(SOCK_DGRAM), m.listener().fd, 0];
}

/** Makes every call, each 150 times. What was thrown. */
export async function callAll(m: Machine, seed: number): Promise<string[]> {
  const random = new SeededRandom(seed);
  const pick = <T>(of: readonly T[]): T => of[(random.int32() >>> 0) % of.length];
  const thrown: string[] = [];
  for (const [face, calls] of Object.entries({ sys: m.sys, blocking: m.blocking })) {
    for (const [name, call] of Object.entries(calls as unknown as Record<string, Call>)) {
      for (let i = 0; i < 150; i++) {
        const fds = i % 50 === 0 ? descriptors(m) : [3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        const args = Array.from({ length: i % 7 }, () => pick(nonsense()));
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
  return thrown;
}
