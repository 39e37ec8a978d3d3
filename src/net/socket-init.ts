// What the constructor of a Socket does, on an object that exists already.

import { Duplex } from 'node:stream';
import type { NetOptions } from './normalize-args.js';
import type { NetSocket } from './socket.js';
import { writeAfterEnd } from './socket-end.js';
import { onStreamRead } from './socket-read.js';
import { abortSocketBy } from './socket-signal.js';
import {
  kBytesRead,
  kKeepAlive,
  kKeepAliveDelay,
  kLastQueueSize,
  kNoDelay,
  kOnread,
  kTimer,
  type OnRead,
} from './symbols.js';
import type { TcpHandle } from './tcp-handle.js';
import { validateAbortSignal, validateByteMode } from './validate.js';

const construct = Duplex as unknown as (this: Duplex, options: unknown) => void;

export function initSocket(socket: NetSocket, given: NetOptions | undefined): void {
  const options: NetOptions = { ...given };
  validateByteMode(options);
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
  socket[kBytesRead] = 0;
  socket[kLastQueueSize] = 0;
  socket[kOnread] = null;
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
  initSocketHandle(socket);
  socket.on('end', writeAfterEnd);

  if (socket._handle && options.readable !== false && !options.manualStart) {
    if (options.pauseOnCreate) {
      socket._handle.reading = false;
      socket._handle.readStop();
      (socket as unknown as { readableFlowing: boolean | null }).readableFlowing = false;
    } else {
      socket.read(0);
    }
  }
  if (signal) {
    validateAbortSignal(signal, 'options.signal');
    abortSocketBy(socket, signal as AbortSignal);
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
  const onread = socket[kOnread];
  if (onread !== null) handle.useUserBuffer(onread.current);
}

function userBuffer(option: unknown): OnRead | null {
  const { buffer, callback } = option as Partial<OnRead>;
  if (typeof callback !== 'function') return null;
  const current = typeof buffer === 'function' ? buffer() : buffer;
  if (!(current instanceof Uint8Array)) return null;
  return { buffer: buffer as OnRead['buffer'], current, callback };
}
