// Looking at arguments before anything is done with them, with Node's errors for what is wrong.

import { badPort, invalidArgType, invalidArgValue, outOfRange } from './errors.js';

export function validateFunction(value: unknown, name: string): void {
  if (typeof value !== 'function') throw invalidArgType(name, 'of type function', value);
}

export function validateBoolean(value: unknown, name: string): void {
  if (typeof value !== 'boolean') throw invalidArgType(name, 'of type boolean', value);
}

export function validateString(value: unknown, name: string): void {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value);
}

export function validateNumber(value: unknown, name: string): void {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
}

export function validateInt32(value: unknown, name: string, min: number, max = 0x7fffffff): void {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < min || value > max) throw outOfRange(name, `>= ${min} && <= ${max}`, value);
}

/** Numbers and what reads as one, as in `'0x50'`; the port as a number. */
export function validatePort(port: unknown, name = 'Port'): number {
  const readable = typeof port === 'number' || (typeof port === 'string' && port.trim().length > 0);
  const value = Number(port);
  if (!readable || value !== value >>> 0 || value > 0xffff) throw badPort(name, port);
  return value;
}

export function validateAbortSignal(signal: unknown, name: string): void {
  const isSignal = typeof signal === 'object' && signal !== null && 'aborted' in signal;
  if (signal !== undefined && !isSignal) throw invalidArgType(name, 'an instance of AbortSignal', signal);
}

export function validateObject(value: unknown, name: string): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidArgType(name, 'of type object', value);
}

const TIMEOUT_MAX = 0x7fffffff;

/** A number of milliseconds that a timer can be set to. */
export function validateDuration(value: unknown, name: string): number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  if (value < 0 || !Number.isFinite(value)) throw outOfRange(name, 'a non-negative finite number', value);
  if (value > TIMEOUT_MAX) {
    process.emitWarning(
      `${value} does not fit into a 32-bit signed integer.\nTimer duration was truncated to ${TIMEOUT_MAX}.`,
      'TimeoutOverflowWarning',
    );
    return TIMEOUT_MAX;
  }
  return value;
}

/** Streams of bytes have no object mode. */
export function validateByteMode(options: Readonly<Record<string, unknown>>): void {
  for (const name of ['objectMode', 'readableObjectMode', 'writableObjectMode']) {
    if (options[name]) throw invalidArgValue(`options.${name}`, options[name], 'is not supported');
  }
}
