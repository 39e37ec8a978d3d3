// Operations on readiness, on the stack: epoll, poll and select.

import {
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  type EpollEvent,
  epollEvents,
} from '../../../src/index.js';
import { parseNumber, ScriptError } from '../language/parse.js';
import { EVERYTHING, parseMask, printMask } from '../language/words.js';
import { type Context, now, type Operations, resultCount, resultFd, settled } from './operation.js';

/** What is ready is few; a maxevents of 178956970 needs no room of that size. */
const MOST_EVENTS = 4096;
/** A name that never got a number is a closed descriptor to poll, which looks away from negative ones. */
const CLOSED_FD = 899;

const operations: Readonly<Record<string, number>> = {
  add: EPOLL_CTL_ADD,
  mod: EPOLL_CTL_MOD,
  del: EPOLL_CTL_DEL,
};

function ctl({ stack, names, task }: Context, words: readonly string[]): string {
  const [set, operation, target, mask, data] = words;
  const tag = data === undefined ? names.tag(target) : BigInt.asUintN(64, BigInt(data));
  const event: EpollEvent | null =
    mask === 'null' ? null : { events: mask === undefined ? 0 : parseMask(mask), data: tag };
  const number = operations[operation] ?? parseNumber(operation);
  return resultCount(task, stack.sys.epoll_ctl(names.fd(set), number, names.fd(target), event));
}

function printEvents({ names, options, task }: Context, result: number, events: EpollEvent[]): string {
  if (result <= 0) return resultCount(task, result);
  const items = events.slice(0, result).map((event) => ({ mask: event.events, data: event.data as bigint }));
  if (options.sort) items.sort((a, b) => (a.data < b.data ? -1 : a.data > b.data ? 1 : 0));
  return `${result} ${items.map(({ mask, data }) => `${names.printTag(data)}{${printMask(mask)}}`).join(' ')}`;
}

async function wait(context: Context, words: readonly string[]): Promise<string> {
  const { stack, names, task } = context;
  const [set, most = '16', timeout = '0'] = words;
  const events = epollEvents(Math.max(0, Math.min(parseNumber(most), MOST_EVENTS)));
  const fd = names.fd(set);
  const result = await task.call((signal) =>
    stack.sys.epoll_pwait(fd, events, parseNumber(most), parseNumber(timeout), { signal }),
  );
  return printEvents(context, result, events);
}

async function pwait2(context: Context, words: readonly string[]): Promise<string> {
  const { stack, names, task } = context;
  const [set, most, seconds, nanoseconds] = words;
  const events = epollEvents(Math.max(0, Math.min(parseNumber(most), MOST_EVENTS)));
  if (seconds !== 'null' && nanoseconds === undefined) {
    throw new ScriptError('pwait2: seconds and nanoseconds, or null');
  }
  const timeout =
    seconds === 'null' ? null : { tv_sec: parseNumber(seconds), tv_nsec: parseNumber(nanoseconds) };
  const fd = names.fd(set);
  const result = await task.call((signal) =>
    stack.sys.epoll_pwait2(fd, events, parseNumber(most), timeout, { signal }),
  );
  return printEvents(context, result, events);
}

async function poll({ stack, names, task }: Context, words: readonly string[]): Promise<string> {
  const [handle, mask, timeout = '0'] = words;
  const fd = names.fd(handle);
  const entry = {
    fd: fd < 0 ? CLOSED_FD : fd,
    events: mask === undefined ? EVERYTHING : parseMask(mask) & 0xffff,
    revents: 0,
  };
  const result = await task.call((signal) => stack.sys.poll([entry], parseNumber(timeout), { signal }));
  return result < 0 ? resultCount(task, result) : printMask(entry.revents);
}

async function select({ stack, names, task }: Context, words: readonly string[]): Promise<string> {
  const [handle, timeout = '0'] = words;
  const number = names.fd(handle);
  const fd = number < 0 ? CLOSED_FD : number;
  const [read, write, except] = [new Set([fd]), new Set([fd]), new Set([fd])];
  const result = await task.call((signal) =>
    stack.sys.select(fd + 1, read, write, except, parseNumber(timeout), { signal }),
  );
  const ready =
    result <= 0 ? [] : [read.size > 0 && 'read', write.size > 0 && 'write', except.size > 0 && 'except'];
  return [resultCount(task, result), ...ready.filter((word) => word !== false)].join(' ');
}

export const epollOperations: Operations = {
  epoll_create1: now(0, (context, [flags]) => {
    const value = flags === undefined ? 0 : flags === 'cloexec' ? EPOLL_CLOEXEC : parseNumber(flags);
    return resultFd(context, context.stack.sys.epoll_create1(value));
  }),
  epoll_create: now(1, (context, [size]) =>
    resultFd(context, context.stack.sys.epoll_create(parseNumber(size))),
  ),
  ctl: settled(3, ctl),
  wait: settled(1, wait),
  pwait2: settled(3, pwait2),
  poll: settled(1, poll),
  select: settled(1, select),
};
