// Reading an option's value as copy_from_sockptr would: how long it is, and what int it holds.

import { EINVAL } from '../uapi/errno.js';
import { SO_COOKIE, SOL_SOCKET } from '../uapi/socket.js';
import type { Linger, OptionResult, OptionValue, Timeval } from './proto-ops.js';

export const INT_SIZE = 4;
export const LINGER_SIZE = 8;
export const TIMEVAL_SIZE = 16;

/** The option length a C program would pass for this value. */
export function optionSize(value: OptionValue): number {
  if (value === undefined || value === null) return 0;
  if (typeof value === 'number') return INT_SIZE;
  if (typeof value === 'string') return value.length;
  if (value instanceof Uint8Array) return value.length;
  if (isLinger(value)) return LINGER_SIZE;
  return isTimeval(value) ? TIMEVAL_SIZE : Object.keys(value).length * INT_SIZE;
}

/** What of an answer fits into `length` bytes: an int loses its upper ones; a cookie goes whole or not at all. */
export function cutOption(level: number, name: number, out: OptionResult, length: number): number {
  if (level === SOL_SOCKET && name === SO_COOKIE) return length < 8 ? -EINVAL : 0;
  if (typeof out.value === 'number' && length < INT_SIZE) out.value &= (1 << (length * 8)) - 1;
  else if (typeof out.value === 'string' || out.value instanceof Uint8Array)
    out.value = out.value.slice(0, length);
  return 0;
}

export function isLinger(value: OptionValue): value is Linger {
  return typeof value === 'object' && 'l_onoff' in value;
}

export function isTimeval(value: OptionValue): value is Timeval {
  return typeof value === 'object' && 'tv_sec' in value;
}

/** The first int of the value, as a C program that passes the wrong type would have it read. */
export function intOf(value: OptionValue): number {
  if (typeof value === 'number') return value | 0;
  if (typeof value === 'string') return 0;
  if (value instanceof Uint8Array)
    return value.length < INT_SIZE ? 0 : new DataView(value.buffer, value.byteOffset).getInt32(0, true);
  if (isLinger(value)) return value.l_onoff | 0;
  return isTimeval(value) ? value.tv_sec | 0 : 0;
}
