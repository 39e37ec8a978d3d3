// After the peer's FIN, unless half-open sockets are wanted, ours follows, and nothing can be written any more.

import { Duplex } from 'node:stream';
import { endedByPeer } from './errors.js';
import type { NetSocket, WriteCallback } from './socket.js';

/** Listener of 'end'. */
export function writeAfterEnd(this: NetSocket): void {
  if (!this.allowHalfOpen) this.write = refuse as NetSocket['write'];
}

function refuse(this: NetSocket, chunk: unknown, encoding?: unknown, callback?: WriteCallback): boolean {
  // What reacts to 'end' itself may still say something: our own end comes after it.
  if (!this.writableEnded) return Reflect.apply(Duplex.prototype.write, this, [chunk, encoding, callback]);
  const then = typeof encoding === 'function' ? (encoding as WriteCallback) : callback;
  const error = endedByPeer();
  if (typeof then === 'function') process.nextTick(then, error);
  this.destroy(error);
  return false;
}
