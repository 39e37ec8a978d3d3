// What the constructor of a Socket does, on an object that exists already.

import { Duplex } from 'node:stream';
import { ECONNABORTED } from '../uapi/errno.js';
import { errnoException } from './errors.js';
import type { NetOptions } from './normalize-args.js';
import type { NetSocket } from './socket.js';
import { writeAfterEnd } from './socket-end.js';
import { onStreamRead } from './socket-read.js';
import { abortSocketBy } from './socket-signal.js';
import {
  kBytesRead,
  kIdleTimer,
  kKeepAlive,
  kKeepAliveDelay,
  kLastQueueSize,
  kNoDelay,
  kOnread,
  kSecured,
  kTaker,
  kTimer,
  type OnRead,
} from './symbols.js';
import type { TcpHandle } from './tcp-handle.js';
import { validateAbortSignal, validateByteMode } from './validate.js';

const construct = Duplex as unknown as (this: Duplex, options: unknown) => void;

/**
 * What the socket of an accepted connection is made with. A class, so that it has one shape from the beginning: to add properties to
 * a copy of somebody's options costs as much as all the rest of a Socket.
 */
export class ConnectionOptions {
  readonly emitClose = false;
  readonly autoDestroy = true;
  readonly decodeStrings = false;
  readonly handle: TcpHandle;
  readonly allowHalfOpen: boolean;
  readonly pauseOnCreate: boolean;
  readonly readableHighWaterMark: number | undefined;
  readonly writableHighWaterMark: number | undefined;

  constructor(handle: TcpHandle, allowHalfOpen: boolean, pause: boolean, highWaterMark: number | undefined) {
    this.handle = handle;
    this.allowHalfOpen = allowHalfOpen;
    this.pauseOnCreate = pause;
    this.readableHighWaterMark = highWaterMark;
    this.writableHighWaterMark = highWaterMark;
  }
}

export function initSocket(socket: NetSocket, given: NetOptions | ConnectionOptions | undefined): void {
  if (given instanceof ConnectionOptions) {
    initFields(socket);
    Reflect.apply(construct, socket, [given]);
    socket._handle = given.handle;
    start(socket, true, given.pauseOnCreate);
    return;
  }
  const options: NetOptions = { ...given };
  validateByteMode(options);
  initFields(socket);
  socket[kNoDelay] = Boolean(options.noDelay);
  socket[kKeepAlive] = Boolean(options.keepAlive);
  socket[kKeepAliveDelay] = ~~(Math.max(0, Number(options.keepAliveInitialDelay) || 0) / 1000);

  const { handle, signal, onread } = options;
  options.allowHalfOpen = Boolean(options.allowHalfOpen);
  options.emitClose = false;
  options.autoDestroy = true;
  options.decodeStrings = false;
  // Handled below: by a Socket's own rules.
  delete options.signal;
  Reflect.apply(construct, socket, [options]);

  if (handle) socket._handle = handle as TcpHandle;
  if (onread !== undefined && onread !== null) socket[kOnread] = userBuffer(onread);
  start(socket, options.readable !== false && !options.manualStart, Boolean(options.pauseOnCreate));
  if (signal) {
    validateAbortSignal(signal, 'options.signal');
    abortSocketBy(socket, signal as AbortSignal);
  }
}

function initFields(socket: NetSocket): void {
  socket.connecting = false;
  socket._hadError = false;
  socket._handle = null;
  socket._parent = null;
  socket._host = null;
  socket._peername = undefined;
  socket._sockname = undefined;
  socket._pendingData = null;
  socket._pendingEncoding = '';
  socket._bytesDispatched = 0;
  socket.server = null;
  socket._server = null;
  socket.autoSelectFamilyAttemptedAddresses = undefined;
  socket[kTimer] = null;
  socket[kIdleTimer] = null;
  socket[kBytesRead] = 0;
  socket[kLastQueueSize] = 0;
  socket[kOnread] = null;
  socket[kTaker] = null;
  socket[kSecured] = null;
  socket[kNoDelay] = false;
  socket[kKeepAlive] = false;
  socket[kKeepAliveDelay] = 0;
}

/** Takes the handle up, if there is one, and begins to read. */
function start(socket: NetSocket, reads: boolean, paused: boolean): void {
  initSocketHandle(socket);
  socket.on('end', writeAfterEnd);
  if (!socket._handle || !reads) return;
  if (paused) {
    socket._handle.reading = false;
    socket._handle.readStop();
    (socket as unknown as { readableFlowing: boolean | null }).readableFlowing = false;
  } else {
    socket.read(0);
  }
}

/** The handle's callbacks are for this socket from now on. */
export function initSocketHandle(socket: NetSocket): void {
  const handle = socket._handle;
  socket._sockname = null;
  socket._peername = undefined;
  if (!handle) return;
  handle.owner = socket;
  handle.onread = onStreamRead;
  handle.onstackclosed = destroyOwner;
  const onread = socket[kOnread];
  if (onread !== null) handle.useUserBuffer(onread.current);
}

/** As if the program had done it: it did, by closing the stack. An error is only for whoever waits to be connected. */
function destroyOwner(this: TcpHandle): void {
  const socket = this.owner as NetSocket;
  const secured = socket[kSecured];
  // Before it hears of what could not be written.
  if (secured?.secureConnecting)
    secured.destroy(errnoException(-ECONNABORTED, 'connect', this.why(-ECONNABORTED)));
  else secured?.destroy();
  socket.destroy();
}

function userBuffer(option: unknown): OnRead | null {
  const { buffer, callback } = option as Partial<OnRead>;
  if (typeof callback !== 'function') return null;
  const current = typeof buffer === 'function' ? buffer() : buffer;
  if (!(current instanceof Uint8Array)) return null;
  return { buffer: buffer as OnRead['buffer'], current, callback };
}
