// The reading half of a socket: from the handle's `onread` into the Readable, or into memory that the program gave.

import { errnoException, type NodeError } from './errors.js';
import type { NetSocket } from './socket.js';
import { kOnread, kTaker, type OnRead } from './symbols.js';
import { EOF, type TcpHandle } from './tcp-handle.js';

export function tryReadStart(socket: NetSocket): void {
  const handle = socket._handle as TcpHandle;
  handle.reading = true;
  const error = handle.readStart();
  if (error < 0) socket.destroy(errnoException(error, 'read'));
}

/** `handle.onread` of a socket. */
export function onStreamRead(this: TcpHandle, count: number, data: Buffer | undefined): void {
  const socket = this.owner as NetSocket;
  socket._unrefTimer();
  if (count > 0) {
    if (socket.destroyed) return;
    const taker = socket[kTaker];
    if (taker !== null && data !== undefined) {
      taker.data(data);
      return;
    }
    const onread = socket[kOnread];
    const more = onread === null ? socket.push(data) : intoUserBuffer(this, onread, socket, count);
    if (!more && this.reading) {
      this.reading = false;
      if (!socket.destroyed) this.readStop();
    }
    return;
  }
  // A foreign handle that tells nothing tells the end.
  if (count === EOF || count === undefined) {
    if (socket[kTaker] !== null) {
      socket[kTaker].end();
      return;
    }
    socket.push(null);
    // Somebody has to take the end even where nobody takes data.
    socket.read(0);
    return;
  }
  socket.destroy(errnoException(count, 'read', this.why?.(count)) as NodeError);
}

function intoUserBuffer(handle: TcpHandle, onread: OnRead, socket: NetSocket, count: number): boolean {
  const buffer = onread.current;
  const more = onread.callback.call(socket, count, buffer) !== false;
  if (typeof onread.buffer === 'function') {
    const next = onread.buffer();
    if (next instanceof Uint8Array) {
      onread.current = next;
      handle.useUserBuffer(next);
    }
  }
  return more;
}
