// Which arguments of a call go in, and which come out: what is written down before it, and what is compared after it.

import { epollEvents } from '../eventpoll/ep-send-events.js';
import type { EpollEvent } from '../eventpoll/epitem.js';
import type { MessageHeader } from '../kernel/sys-message.js';
import type { TcpZerocopyReceive } from '../tcp/zerocopy-receive.js';
import type { ByteReader, ByteWriter } from './bytes.js';
import type { Values } from './values.js';

type Arguments = readonly unknown[];

/** Where a process has a call. */
export const FACES = ['sys', 'blocking', 'process'] as const;
export type Face = (typeof FACES)[number];

/** The buffer to be filled is the second argument. */
const READS = new Set(['read', 'recv', 'recvfrom']);
/** The buffer is the second argument; the third says how much of it. */
const WRITES = new Set(['write', 'send', 'sendto']);
const WAITS = new Set(['epoll_wait', 'epoll_pwait', 'epoll_pwait2', 'harvest']);

/** Whatever buffers are in an argument are to be filled, or were given out by the stack and come back. */
const FILLS = new Set(['recvmsg', 'getsockopt', 'munmap']);

/** Arguments that a call fills in, beside buffers. */
const FILLED: Readonly<Record<string, readonly number[]>> = {
  recvfrom: [4],
  accept: [1],
  accept4: [1],
  getsockname: [1],
  getpeername: [1],
  getsockopt: [3],
  pipe: [0],
  pipe2: [0],
  ioctl: [2],
  timerfd_settime: [3],
  timerfd_gettime: [1],
  poll: [0],
  select: [1, 2, 3],
};

/** What is given to the call `name`. */
export function writeArguments(values: Values, to: ByteWriter, name: string, args: Arguments): void {
  to.unsigned(args.length);
  for (const [at, value] of args.entries()) {
    const first = typeof value === 'object' && value !== null ? args.indexOf(value) : at;
    if (at === 3 && name === 'epoll_ctl') writeEvent(values, to, value as EpollEvent | null | undefined);
    else if (first < at) values.same(to, first);
    else if (at === 1 && READS.has(name)) values.write(to, value, 'room');
    else if (at === 1 && WRITES.has(name) && value instanceof Uint8Array) {
      const [, , count] = args;
      values.bytes(to, value, 'data', typeof count === 'number' && count >= 0 ? count : undefined);
    } else if (FILLS.has(name)) values.write(to, value, 'room');
    else if (at === 1 && WAITS.has(name))
      values.write(to, Array.isArray(value) ? slots(value, args[2]) : { value });
    else values.write(to, value);
  }
}

export function readArguments(values: Values, from: ByteReader, name: string): unknown[] {
  const args: unknown[] = [];
  for (let left = from.unsigned(); left > 0; left--) {
    const at = args.length;
    if (at === 3 && name === 'epoll_ctl') args.push(readEvent(values, from));
    else {
      const value = values.read(from, args);
      const isRoom = at === 1 && WAITS.has(name) && (typeof value === 'number' || !args.includes(value));
      args.push(isRoom ? roomFor(value) : value);
    }
  }
  return args;
}

/** How many events there is room for; or where not each of those asked for has its own, which each has, and -1 for a hole. */
function slots(events: readonly unknown[], maxevents: unknown): number | number[] {
  const { length } = events;
  const asked = Math.min(length, typeof maxevents === 'number' ? maxevents : 0);
  for (let at = 0; at < asked; at++) {
    if (isSlot(events[at]) && (at === 0 || events[at] !== events[at - 1])) continue;
    return Array.from({ length }, (_, each) => (isSlot(events[each]) ? events.indexOf(events[each]) : -1));
  }
  return length;
}

function isSlot(event: unknown): boolean {
  return typeof event === 'object' && event !== null;
}

function roomFor(value: unknown): unknown {
  if (typeof value === 'number') return epollEvents(value);
  if (!Array.isArray(value)) return (value as { value: unknown }).value;
  const events = epollEvents(value.length);
  return value.map((slot: number) => (slot < 0 ? null : events[slot]));
}

/** What came of the call: its result, and what it filled in. */
export function writeOutcome(
  values: Values,
  to: ByteWriter,
  name: string,
  args: Arguments,
  result: unknown,
): void {
  values.write(to, result, 'room');
  const count = typeof result === 'number' ? result : 0;
  if (READS.has(name) && count > 0) {
    const buffer = args[1] as Uint8Array;
    values.bytes(to, buffer.subarray(0, Math.min(count, buffer.length)), 'digest');
  }
  if (name === 'recvmsg' && count >= 0) writeMessage(values, to, args[1] as MessageHeader, count);
  if (WAITS.has(name)) {
    const events = args[1] as readonly EpollEvent[];
    for (let i = 0; i < count; i++) writeEvent(values, to, events[i]);
  }
  for (const at of FILLED[name] ?? []) {
    values.write(to, name === 'getsockopt' ? copiedOnly(args[at], count) : args[at], 'digest');
  }
}

/** Of a copybuf (TCP_ZEROCOPY_RECEIVE) what was copied there; the rest is the program's, and nobody has written it down. */
function copiedOnly(out: unknown, result: number): unknown {
  const value = (out as { value?: unknown } | null | undefined)?.value as
    | TcpZerocopyReceive
    | null
    | undefined;
  const copybuf = value?.copybuf;
  if (!(copybuf instanceof Uint8Array)) return out;
  return { value: { ...value, copybuf: copybuf.subarray(0, result < 0 ? 0 : value?.copybuf_len) } };
}

/** The same, to be shown. */
export function readOutcome(values: Values, from: ByteReader, name: string): unknown[] {
  const shown = [values.read(from)];
  while (from.left > 0) shown.push(WAITS.has(name) ? readEvent(values, from) : values.read(from));
  return shown;
}

function writeEvent(values: Values, to: ByteWriter, event: EpollEvent | null | undefined): void {
  const readable = typeof event === 'object' && event !== null;
  to.byte(readable ? 1 : 0);
  if (!readable) return;
  values.write(to, event.events);
  values.token(to, event.data);
}

function readEvent(values: Values, from: ByteReader): EpollEvent | null {
  if (from.byte() === 0) return null;
  return { events: values.read(from) as number, data: values.read(from) };
}

function writeMessage(values: Values, to: ByteWriter, message: MessageHeader, count: number): void {
  let left = count;
  for (const buffer of message.msg_iov) {
    if (left <= 0) break;
    values.bytes(to, buffer.subarray(0, left), 'digest');
    left -= buffer.length;
  }
  const { msg_name, msg_control, msg_flags } = message;
  values.write(to, [msg_name, msg_control, msg_flags], 'digest');
}
