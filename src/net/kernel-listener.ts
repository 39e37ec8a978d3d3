// A server of Node's own for an address that stays on the kernel; its connections become handles.

import builtin, { type AddressInfo } from 'node:net';
import { EBADF } from '../uapi/errno.js';
import type { AddressOut } from './handle-base.js';
import type { NetServer } from './server.js';
import type { TcpHandle } from './tcp-handle.js';

const { Server } = builtin;

export interface Bound {
  address: string;
  port: number;
  family: 4 | 6;
}

type Listen2 = (address: string, port: number, family: number, backlog: number) => void;

export class KernelListener {
  readonly #server: builtin.Server;
  readonly #bound: Bound;
  readonly #backlog: number;

  constructor(bound: Bound, backlog: number, connected: (peer: builtin.Socket) => void) {
    this.#bound = bound;
    this.#backlog = backlog;
    this.#server = new Server({ allowHalfOpen: true, pauseOnConnect: true }, connected);
  }

  /** 0. What goes wrong is told by the handle's owner in the next tick, instead of that it listens. */
  listen(handle: TcpHandle): number {
    this.#server.on('error', (error) => {
      const owner = handle.owner as NetServer;
      if (owner._handle === handle) owner._handle = null;
      handle.close();
      owner.emit('error', error);
    });
    const { address, port, family } = this.#bound;
    // The step that is taken at once: the port is there when it returns.
    const { _listen2 } = this.#server as unknown as { _listen2: Listen2 };
    Reflect.apply(_listen2, this.#server, [address, port, family, this.#backlog]);
    return 0;
  }

  getsockname(out: AddressOut): number {
    const address = this.#server.address();
    if (address === null) return -EBADF;
    Object.assign(out, address as AddressInfo);
    return 0;
  }

  close(): void {
    if (this.#server.listening) this.#server.close();
  }

  ref(): void {
    this.#server.ref();
  }

  unref(): void {
    this.#server.unref();
  }
}
