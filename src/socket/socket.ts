// struct socket: the application's half of a connection. Below it is a sock, which outlives it while the protocol finishes;
// above it an open file, which programs share, poll and hang into eventpolls.

import type { Sock } from '../core/sock.js';
import { WaitQueue } from '../core/wait-queue.js';
import type { ProtoOps } from './proto-ops.js';

/** What connect() has been told so far (socket_state); not the state of the connection. */
export const SS_UNCONNECTED = 1;
export const SS_CONNECTING = 2;
export const SS_CONNECTED = 3;
export const SS_DISCONNECTING = 4;

export class Socket extends WaitQueue {
  state = SS_UNCONNECTED;
  readonly ops: ProtoOps;
  readonly sk: Sock;

  /** sock_init_data, sock_graft: from here on the sock's wake-ups reach this socket. */
  constructor(ops: ProtoOps, sk: Sock) {
    super();
    this.ops = ops;
    this.sk = sk;
    sk.wq = this;
  }

  /** SOCK_STREAM or SOCK_DGRAM */
  get type(): number {
    return this.sk.type;
  }

  /** Those who wait for it; struct socket has its queue within, too. */
  get wq(): WaitQueue {
    return this;
  }
}
