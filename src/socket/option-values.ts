// Reading an option's value as copy_from_sockptr would: how long it is, and what int it holds.

import type { Linger, OptionValue, Timeval } from './proto-ops.js';

export const INT_SIZE = 4;
export const LINGER_SIZE = 8;
export const TIMEVAL_SIZE = 16;

/** The option length a C program would pass for this value. */
export function optionSize(value: OptionValue): number {
  if (typeof value === 'number') return INT_SIZE;
  if (typeof value === 'string') return value.length;
  return isLinger(value) ? LINGER_SIZE : TIMEVAL_SIZE;
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
  return isLinger(value) ? value.l_onoff | 0 : value.tv_sec | 0;
}
