// socket.setTimeout: an event when nothing was read or written for a while. It ends nothing, and keeps no process alive.

import { IdleTimer } from './idle-timer.js';
import type { NetSocket } from './socket.js';
import { kIdleTimer, kLastQueueSize, kNet, kTimer } from './symbols.js';
import { validateDuration, validateFunction } from './validate.js';

export function setSocketTimeout(socket: NetSocket, ms: number, callback: (() => void) | undefined): void {
  if (socket.destroyed) return;
  socket.timeout = ms;
  const duration = validateDuration(ms, 'msecs');
  if (duration === 0) {
    socket[kTimer]?.clear();
    socket[kTimer] = null;
    if (callback !== undefined) {
      validateFunction(callback, 'callback');
      socket.removeListener('timeout', callback);
    }
    return;
  }
  socket[kIdleTimer] ??= new IdleTimer(socket[kNet].timers, () => socket._onTimeout());
  socket[kTimer] = socket[kIdleTimer];
  socket[kTimer].set(duration);
  if (callback !== undefined) {
    validateFunction(callback, 'callback');
    socket.once('timeout', callback);
  }
}

/** The timer has run out. A write that is still getting on is activity, though no call was made for it. */
export function onSocketTimeout(socket: NetSocket): void {
  const handle = socket._handle;
  const last = socket[kLastQueueSize];
  if (last > 0 && handle !== null) {
    const size = handle.writeQueueSize;
    if (last !== size) {
      socket[kLastQueueSize] = size;
      socket._unrefTimer();
      return;
    }
  }
  socket.emit('timeout');
}
