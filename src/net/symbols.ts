// Where sockets keep what is nobody's business but their own. Symbols, because the objects may be the programs'.

import { Socket as BuiltinSocket } from 'node:net';

/** The context of the net that a socket or server belongs to; on its prototype. */
export const kNet = Symbol('net');
/** Whether to be set on the handle once connected. */
export const kNoDelay = Symbol('noDelay');
export const kKeepAlive = Symbol('keepAlive');
export const kKeepAliveDelay = Symbol('keepAliveInitialDelay');
/** Node's own, by which its http knows whether a timer is set. */
export const kTimer: unique symbol = builtinTimer() as never;
/** The timer that was set once, for when one is set again. */
export const kIdleTimer = Symbol('idleTimer');
/** What was written and read by handles that are gone. */
export const kBytesRead = Symbol('bytesRead');
export const kLastQueueSize = Symbol('lastWriteQueueSize');
export const kOnread = Symbol('onread');
export const kResetting = Symbol('resetAndClosing');
export const kTaker = Symbol('taker');
/** The TLSSocket that stands on a socket. */
export const kSecured = Symbol('secured');

/** Has what a socket receives instead of its Readable. */
export interface Taker {
  /** It is an HTTP/2 session. */
  readonly session: boolean;
  data(data: Buffer): void;
  end(): void;
}

/** Memory that a program gives to be read into, and what it wants called. */
export interface OnRead {
  buffer: Uint8Array | (() => Uint8Array);
  current: Uint8Array;
  callback: (count: number, buffer: Uint8Array) => unknown;
}

function builtinTimer(): symbol {
  const symbols = Object.getOwnPropertySymbols(new BuiltinSocket());
  return symbols.find(({ description }) => description === 'timeout') ?? Symbol('timeout');
}
