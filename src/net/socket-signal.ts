// AbortSignal: what ends a socket or a server from outside.

import { addAbortSignal } from 'node:stream';
import type { NetSocket } from './socket.js';

export function abortSocketBy(socket: NetSocket, signal: AbortSignal): void {
  addAbortSignal(signal, socket);
}
