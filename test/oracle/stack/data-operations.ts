// Operations that move bytes on the stack: send, recv and their kin, and filling and draining.

import { MSG_DONTWAIT, MSG_NOSIGNAL, MSG_TRUNC } from '../../../src/index.js';
import { parseNumber, ScriptError } from '../language/parse.js';
import { parseFlags, printErrno, printPayload, printReceivedFlags } from '../language/words.js';
import { type Context, type Operations, resultCount, returnsAtOnce, settled } from './operation.js';

const FILL_CHUNK = 4096;
const DRAIN_CHUNK = 65536;
const LARGEST = 1 << 26;

function size(word: string): number {
  const bytes = parseNumber(word);
  if (bytes < 0 || bytes > LARGEST) {
    throw new ScriptError(`${bytes} bytes are more than a script may move at once`);
  }
  return bytes;
}

/** The bytes of `N` or `"text"`. */
function payload({ names }: Context, handle: string, word: string): Uint8Array {
  return word.startsWith('"')
    ? new TextEncoder().encode(word.slice(1, -1))
    : names.pattern(handle, size(word));
}

async function send(context: Context, words: readonly string[], isWrite: boolean): Promise<string> {
  const { stack, names, task } = context;
  const { signals } = stack.process;
  const [handle, what, flagWord] = words;
  const fd = names.fd(handle);
  const bytes = payload(context, handle, what);
  const flags = isWrite ? 0 : parseFlags(flagWord);
  const atOnce = returnsAtOnce(context, fd) || (flags & MSG_DONTWAIT) !== 0;
  const before = signals.SIGPIPE;
  const result = atOnce
    ? isWrite
      ? stack.sys.write(fd, bytes)
      : stack.sys.send(fd, bytes, bytes.length, flags)
    : await task.call((signal) =>
        isWrite
          ? stack.blocking.write(fd, bytes, bytes.length, { signal })
          : stack.blocking.send(fd, bytes, bytes.length, flags, { signal }),
      );
  if (result > 0 && !what.startsWith('"')) names.sent(handle, result);
  const partial = result > 0 && result < bytes.length && task.fired ? ' (then BLOCKED)' : '';
  return `${resultCount(task, result)}${partial}${signals.SIGPIPE > before ? ' +SIGPIPE' : ''}`;
}

function received({ task }: Context, result: number, bytes: Uint8Array, flags: number): string {
  if (result <= 0 || (flags & MSG_TRUNC) !== 0) return resultCount(task, result);
  const partial = result < bytes.length && task.fired ? ' (then BLOCKED)' : '';
  return `${result} ${printPayload(bytes.subarray(0, result))}${partial}`;
}

async function recv(context: Context, words: readonly string[], isRead: boolean): Promise<string> {
  const { stack, names, task } = context;
  const fd = names.fd(words[0]);
  const bytes = new Uint8Array(size(words[1]));
  const flags = isRead ? 0 : parseFlags(words[2]);
  const atOnce = returnsAtOnce(context, fd) || (flags & MSG_DONTWAIT) !== 0;
  const result = atOnce
    ? isRead
      ? stack.sys.read(fd, bytes)
      : stack.sys.recv(fd, bytes, bytes.length, flags)
    : await task.call((signal) =>
        isRead
          ? stack.blocking.read(fd, bytes, bytes.length, { signal })
          : stack.blocking.recv(fd, bytes, bytes.length, flags, { signal }),
      );
  return received(context, result, bytes, flags);
}

async function recvmsg(context: Context, words: readonly string[]): Promise<string> {
  const { stack, names, task } = context;
  const fd = names.fd(words[0]);
  const bytes = new Uint8Array(size(words[1]));
  const flags = parseFlags(words[2]);
  const message = { msg_iov: [bytes], msg_flags: 0 };
  const atOnce = returnsAtOnce(context, fd) || (flags & MSG_DONTWAIT) !== 0;
  const result = atOnce
    ? stack.sys.recvmsg(fd, message, flags)
    : await task.call((signal) => stack.blocking.recvmsg(fd, message, flags, { signal }));
  const text = received(context, result, bytes, flags);
  return result < 0 ? text : `${text} msg_flags=${printReceivedFlags(message.msg_flags)}`;
}

function fill({ stack, names }: Context, words: readonly string[]): string {
  const verbose = words.at(-1) === 'v';
  const [handle, chunkWord] = verbose ? words.slice(0, -1) : words;
  const fd = names.fd(handle);
  // How much fits is nobody's promise, so the handle's running pattern stays where it is.
  const chunk = names.pattern(handle, chunkWord === undefined ? FILL_CHUNK : size(chunkWord));
  for (let total = 0; ; ) {
    const sent = stack.sys.send(fd, chunk, chunk.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent <= 0) return `full ${printErrno(sent)}${verbose ? ` ${total}` : ''}`;
    total += sent;
  }
}

function drain({ stack, names }: Context, words: readonly string[]): string {
  const quiet = words.at(-1) === 'q';
  const [handle, limitWord] = quiet ? words.slice(0, -1) : words;
  const limit = limitWord === undefined ? Number.POSITIVE_INFINITY : parseNumber(limitWord);
  const fd = names.fd(handle);
  const bytes = new Uint8Array(DRAIN_CHUNK);
  let reason = 'limit';
  let total = 0;
  while (total < limit) {
    const got = stack.sys.recv(fd, bytes, Math.min(DRAIN_CHUNK, limit - total), MSG_DONTWAIT);
    if (got > 0) {
      total += got;
      continue;
    }
    reason = got === 0 ? 'EOF' : printErrno(got);
    break;
  }
  return quiet ? reason : `${reason} ${total}`;
}

export const dataOperations: Operations = {
  send: settled(2, (context, words) => send(context, words, false)),
  write: settled(2, (context, words) => send(context, words, true)),
  recv: settled(2, (context, words) => recv(context, words, false)),
  read: settled(2, (context, words) => recv(context, words, true)),
  recvmsg: settled(2, recvmsg),
  fill: settled(1, fill),
  drain: settled(1, drain),
};
