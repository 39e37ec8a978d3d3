// Operations that make, connect, name and end sockets and other descriptors, on the stack.

import {
  AF_INET,
  F_DUPFD,
  F_GETFD,
  F_GETFL,
  F_SETFL,
  FD_CLOEXEC,
  O_NONBLOCK,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  type SockAddr,
} from '../../../src/index.js';
import { parseNumber, ScriptError } from '../language/parse.js';
import {
  type Context,
  now,
  type Operations,
  resultCount,
  resultFd,
  returnsAtOnce,
  settled,
} from './operation.js';

const anAddress = (): SockAddr => ({ family: AF_INET, address: '127.0.0.1', port: 0 });
const isNumber = (word: string): boolean => /^\d/.test(word);

function socketFlag(word: string): number {
  if (word === 'nonblock') return SOCK_NONBLOCK;
  if (word === 'cloexec') return SOCK_CLOEXEC;
  throw new ScriptError(`'${word}' is neither nonblock nor cloexec`);
}

function bindTwo({ names, options }: Context, words: readonly string[], fds: readonly number[]): string {
  names.bind(words[0], fds[0]);
  names.bind(words[1], fds[1]);
  return options.hideFds ? 'ok' : `fd=${fds[0]} fd=${fds[1]}`;
}

/** X takes the lowest free number and Y the next, although the listener needs one while it is there: it moves up. */
function pair(context: Context, words: readonly string[]): string {
  const { sys } = context.stack;
  const client = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const low = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const listener = sys.fcntl(low, F_DUPFD, 700);
  sys.close(low);
  if (client < 0 || listener < 0) {
    sys.close(client);
    return resultCount(context.task, Math.min(client, listener));
  }
  const address = anAddress();
  sys.bind(listener, address);
  sys.listen(listener, 1);
  sys.getsockname(listener, address);
  sys.connect(client, address);
  const child = sys.accept4(listener, null, SOCK_NONBLOCK);
  sys.close(listener);
  if (child < 0) throw new ScriptError(`pair ${words[0]} ${words[1]}: loopback does not deliver`);
  // The second connect() moves the API state from CONNECTING to CONNECTED.
  sys.connect(client, address);
  return bindTwo(context, words, [client, child]);
}

async function connect(context: Context, words: readonly string[]): Promise<string> {
  const { stack, names, task } = context;
  const fd = names.fd(words[0]);
  const address = names.parseAddress(words[1]);
  const length = words.length > 2 ? parseNumber(words[2]) : undefined;
  const result = returnsAtOnce(context, fd)
    ? stack.sys.connect(fd, address, length)
    : await task.call((signal) => stack.blocking.connect(fd, address, length, { signal }));
  return resultCount(task, result);
}

async function accept(context: Context, words: readonly string[]): Promise<string> {
  const { stack, names, task } = context;
  const from = anAddress();
  const listener = names.fd(words[0]);
  let flags = 0;
  for (const word of words.slice(1)) flags |= isNumber(word) ? parseNumber(word) : socketFlag(word);
  const fd = returnsAtOnce(context, listener)
    ? stack.sys.accept4(listener, from, flags)
    : await task.call((signal) => stack.blocking.accept4(listener, from, flags, { signal }));
  const result = resultFd(context, fd);
  return fd < 0 ? result : `${result} from=${names.printAddress(from, fd)}`;
}

async function close(context: Context, words: readonly string[]): Promise<string> {
  const { stack, names, task } = context;
  const fd = names.fd(words[0]);
  const result = await task.call((signal) => stack.blocking.close(fd, { signal }));
  if (result === 0) names.forget(fd);
  return resultCount(task, result);
}

function dup2(context: Context, words: readonly string[]): string {
  const { stack, names } = context;
  const old = names.fd(words[0]);
  const fd = stack.sys.dup2(old, isNumber(words[1]) ? parseNumber(words[1]) : names.fd(words[1]));
  if (fd >= 0 && fd !== old) names.forget(fd);
  return resultFd(context, fd);
}

function fcntl({ stack, names, task }: Context, words: readonly string[]): string {
  const fd = names.fd(words[0]);
  const flags = stack.sys.fcntl(fd, F_GETFL);
  if (flags < 0) return resultCount(task, flags);
  if (words.length < 2) {
    const closeOnExec = (stack.sys.fcntl(fd, F_GETFD) & FD_CLOEXEC) !== 0;
    return `${(flags & O_NONBLOCK) !== 0 ? 'non' : ''}block${closeOnExec ? '|cloexec' : ''}`;
  }
  const wanted = (flags & ~O_NONBLOCK) | (words[1] === 'nonblock' ? O_NONBLOCK : 0);
  return resultCount(task, stack.sys.fcntl(fd, F_SETFL, wanted));
}

const hows: Readonly<Record<string, number>> = { rd: SHUT_RD, wr: SHUT_WR, rdwr: SHUT_RDWR };

function nameOf(
  { names, task }: Context,
  word: string,
  call: (fd: number, address: SockAddr) => number,
): string {
  const address = anAddress();
  const result = call(names.fd(word), address);
  return result < 0 ? resultCount(task, result) : names.printAddress(address, -1);
}

export const socketOperations: Operations = {
  socket: now(0, (context, words) => {
    const dgram = words.includes('dgram');
    let type = dgram ? SOCK_DGRAM : SOCK_STREAM;
    for (const word of words) if (word !== 'dgram') type |= socketFlag(word);
    return resultFd(context, context.stack.sys.socket(AF_INET, type, 0));
  }),
  pair: settled(2, pair),
  bind: now(2, ({ stack, names, task }, [handle, address, length]) => {
    const size = length === undefined ? undefined : parseNumber(length);
    return resultCount(task, stack.sys.bind(names.fd(handle), names.parseAddress(address), size));
  }),
  listen: now(2, ({ stack, names, task }, [handle, backlog]) =>
    resultCount(task, stack.sys.listen(names.fd(handle), parseNumber(backlog))),
  ),
  connect: settled(2, connect),
  accept: settled(1, accept),
  shutdown: settled(2, ({ stack, names, task }, [handle, how]) =>
    resultCount(task, stack.sys.shutdown(names.fd(handle), hows[how] ?? parseNumber(how))),
  ),
  close: settled(1, close),
  dup: now(1, (context, [handle]) => resultFd(context, context.stack.sys.dup(context.names.fd(handle)))),
  dup2: settled(2, dup2),
  fcntl: now(1, fcntl),
  open: now(1, (context, [path]) => resultFd(context, context.stack.sys.open(path))),
  pipe: now(2, (context, words) => {
    const fds = [-1, -1];
    const result = context.stack.sys.pipe2(fds, O_NONBLOCK);
    return result < 0 ? resultCount(context.task, result) : bindTwo(context, words, fds);
  }),
  eventfd: now(1, (context, [initial]) =>
    resultFd(context, context.stack.sys.eventfd(parseNumber(initial), O_NONBLOCK)),
  ),
  getsockname: settled(1, (context, [handle]) => nameOf(context, handle, context.stack.sys.getsockname)),
  getpeername: settled(1, (context, [handle]) => nameOf(context, handle, context.stack.sys.getpeername)),
  nofile: now(1, ({ stack }, [limit]) => {
    stack.process.nofile = parseNumber(limit);
    return '0';
  }),
};
