// The listener below a server, for whoever wants more of it than `node:net` has: pauses, its queues, a say in each SYN. A function
// and no method, so that servers have Node's shape and nothing else.

import type { Server } from 'node:net';
import type { Listener } from '../kernel/listener-handle.js';
import { EOPNOTSUPP } from '../uapi/errno.js';
import { errnoException, notRunning } from './errors.js';
import { TcpHandle } from './tcp-handle.js';

/**
 * The listener of a server that listens on a stack, be it of `net`, `http`, `https`, `http2` or `tls`: `listenerOf(server).pause()`.
 * docs/accept.md tells what it can. @throws Error ERR_SERVER_NOT_RUNNING before it listens and once it is closed (a server on a name
 * listens with 'listening'), ENOTSUP if it listens on the kernel
 */
export function listenerOf(server: Server): Listener {
  const handle = (server as { _handle?: unknown })._handle;
  if (!handle) throw notRunning();
  if (!(handle instanceof TcpHandle) || handle.fd < 0)
    throw errnoException(-EOPNOTSUPP, 'listenerOf', '- this server listens on the kernel, not on a stack');
  return handle.listener;
}
