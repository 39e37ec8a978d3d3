// server.listen('/run/x.sock'): the kernel listens, and what it accepts becomes sockets of this server.

import type { Server as NodeServer, Socket } from 'node:net';
import { serverListen } from './diagnostics.js';
import { kernelNet } from './kernel-net.js';
import type { NetOptions } from './normalize-args.js';
import { PipeHandle } from './pipe-handle.js';
import type { NetServer } from './server.js';
import { onConnection } from './server-connection.js';
import type { TcpHandle } from './tcp-handle.js';

class PipeListener {
  owner: NetServer;
  onconnection = onConnection;
  readonly #inner: NodeServer;

  constructor(owner: NetServer, options: NetOptions) {
    this.owner = owner;
    this.#inner = kernelNet.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket: Socket) => {
      const client = new PipeHandle(socket) as unknown as TcpHandle;
      (this as unknown as TcpHandle).onconnection(0, client);
    });
    this.#inner.on('listening', () => {
      if (owner._handle === (this as unknown as TcpHandle)) owner.emit('listening');
    });
    this.#inner.on('error', (error) => {
      if (serverListen.error.hasSubscribers) serverListen.error.publish({ server: owner, error });
      owner._handle = null;
      owner._pipeName = undefined;
      owner.emit('error', error);
    });
    const { path, readableAll, writableAll, backlog } = options;
    this.#inner.listen({ path, readableAll, writableAll, backlog } as never);
  }

  get listening(): boolean {
    return this.#inner.listening;
  }

  get fd(): number {
    return (this.#inner as unknown as { _handle: { fd: number } | null })._handle?.fd ?? -1;
  }

  close(): void {
    this.#inner.close();
  }

  ref(): void {
    this.#inner.ref();
  }

  unref(): void {
    this.#inner.unref();
  }
}

export function listenPipe(server: NetServer, options: NetOptions): void {
  server._pipeName = options.path as string;
  server._connectionKey = `-1:${options.path}:-1`;
  const listener = new PipeListener(server, options);
  server._handle = listener as unknown as TcpHandle;
  if (listener.listening && serverListen.asyncEnd.hasSubscribers) serverListen.asyncEnd.publish({ server });
  if (server._unref) server.unref();
}
