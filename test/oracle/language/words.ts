// The language's words for the kernel's numbers, and how results are written: the counterpart of kernel/constants.c and
// kernel/text.c.

import * as tapstack from '../../../src/index.js';
import { parseNumber, ScriptError } from './parse.js';

type Bits = readonly (readonly [string, number])[];

const pollBits: Bits = [
  ['IN', tapstack.EPOLLIN],
  ['PRI', tapstack.EPOLLPRI],
  ['OUT', tapstack.EPOLLOUT],
  ['ERR', tapstack.EPOLLERR],
  ['HUP', tapstack.EPOLLHUP],
  ['NVAL', tapstack.POLLNVAL],
  ['RDNORM', tapstack.EPOLLRDNORM],
  ['RDBAND', tapstack.EPOLLRDBAND],
  ['WRNORM', tapstack.EPOLLWRNORM],
  ['WRBAND', tapstack.EPOLLWRBAND],
  ['MSG', tapstack.EPOLLMSG],
  ['RDHUP', tapstack.EPOLLRDHUP],
  ['EXCLUSIVE', tapstack.EPOLLEXCLUSIVE],
  ['WAKEUP', tapstack.EPOLLWAKEUP],
  ['ONESHOT', tapstack.EPOLLONESHOT],
  ['ET', tapstack.EPOLLET],
];
const messageFlags: Bits = [
  ['oob', tapstack.MSG_OOB],
  ['peek', tapstack.MSG_PEEK],
  ['trunc', tapstack.MSG_TRUNC],
  ['dontwait', tapstack.MSG_DONTWAIT],
  ['waitall', tapstack.MSG_WAITALL],
  ['more', tapstack.MSG_MORE],
  ['nosignal', tapstack.MSG_NOSIGNAL],
  ['eor', tapstack.MSG_EOR],
];
const receivedFlags: Bits = [
  ['oob', tapstack.MSG_OOB],
  ['trunc', tapstack.MSG_TRUNC],
  ['ctrunc', tapstack.MSG_CTRUNC],
  ['eor', tapstack.MSG_EOR],
];

function parse(bits: Bits, word: string): number {
  let value = 0;
  for (const part of word.split('|')) value |= bits.find(([name]) => name === part)?.[1] ?? parseNumber(part);
  return value;
}

function print(bits: Bits, value: number): string {
  const names: string[] = [];
  let rest = value;
  for (const [name, bit] of bits) {
    if ((value & bit) === 0) continue;
    names.push(name);
    rest &= ~bit;
  }
  if (rest !== 0) names.push(`0x${(rest >>> 0).toString(16)}`);
  return names.length === 0 ? '0' : names.join('|');
}

export const parseMask = (word: string): number => parse(pollBits, word);
export const printMask = (mask: number): string => print(pollBits, mask);
export const parseFlags = (word: string | undefined): number =>
  word === undefined ? 0 : parse(messageFlags, word);
export const printReceivedFlags = (flags: number): string => print(receivedFlags, flags);

/** poll's default: everything a poll can be asked for. */
export const EVERYTHING =
  tapstack.POLLIN |
  tapstack.POLLPRI |
  tapstack.POLLOUT |
  tapstack.POLLRDNORM |
  tapstack.POLLRDBAND |
  tapstack.POLLWRNORM |
  tapstack.POLLWRBAND |
  tapstack.POLLMSG |
  tapstack.POLLRDHUP;

export type OptionKind = 'int' | 'linger' | 'timeout' | 'string' | 'error';
export interface SocketOption {
  readonly level: number;
  readonly name: number;
  readonly kind: OptionKind;
}

const kinds: Readonly<Record<string, OptionKind>> = {
  SO_LINGER: 'linger',
  SO_RCVTIMEO: 'timeout',
  SO_SNDTIMEO: 'timeout',
  SO_ERROR: 'error',
  TCP_CONGESTION: 'string',
};
const levels: Readonly<Record<string, number>> = {
  SOL_SOCKET: tapstack.SOL_SOCKET,
  IPPROTO_TCP: tapstack.IPPROTO_TCP,
  IPPROTO_IP: tapstack.IPPROTO_IP,
};
const numbers = tapstack as unknown as Readonly<Record<string, unknown>>;

/** The option that `NAME` or `LEVEL NUMBER` means, and the words after it. */
export function takeOption(words: readonly string[]): [SocketOption, readonly string[]] {
  const [word, ...rest] = words;
  const number = /^(SO|TCP)_/.test(word) ? numbers[word] : undefined;
  if (typeof number === 'number') {
    const level = word.startsWith('SO_') ? tapstack.SOL_SOCKET : tapstack.IPPROTO_TCP;
    return [{ level, name: number, kind: kinds[word] ?? 'int' }, rest];
  }
  if (rest.length === 0)
    throw new ScriptError(`'${word}' is no socket option's name, and a level needs a number`);
  return [
    { level: levels[word] ?? parseNumber(word), name: parseNumber(rest[0]), kind: 'int' },
    rest.slice(1),
  ];
}

export const stateName = (state: number): string => tapstack.TCP_STATE_NAMES[state] ?? '?';

/** `-ENAME` of a negated errno, `ENAME` of a positive one. */
export const printErrno = (errno: number): string => `${errno < 0 ? '-' : ''}${tapstack.errnoName(errno)}`;
export const printCount = (result: number): string => (result < 0 ? printErrno(result) : String(result));

const SHOWN_WHOLE = 32;
const SHOWN_END = 8;

function quote(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    if (character === '"' || character === '\\') text += `\\${character}`;
    else if (byte >= 0x20 && byte < 0x7f) text += character;
    else text += `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return `"${text}"`;
}

/** Quoted; beyond 32 bytes both ends and the FNV-1a hash of all. */
export function printPayload(bytes: Uint8Array): string {
  if (bytes.length <= SHOWN_WHOLE) return quote(bytes);
  let hash = 0x811c9dc5 | 0;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  const digits = (hash >>> 0).toString(16).padStart(8, '0');
  return `${quote(bytes.subarray(0, SHOWN_END))}..${quote(bytes.subarray(bytes.length - SHOWN_END))} fnv=${digits}`;
}
