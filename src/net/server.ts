// net.Server: listens on a handle and turns what arrives into sockets. Like Socket it is never constructed: programs, and
// Node's own http and tls, call `Server` on objects of theirs.

import { EventEmitter } from 'node:events';
import type { NetContext } from './context.js';
import { notRunning } from './errors.js';
import type { AddressOut } from './handle-base.js';
import { startListen } from './server-listen.js';
import type { NetSocket } from './socket.js';
import { kNet } from './symbols.js';
import type { TcpHandle } from './tcp-handle.js';

/** Symbol.asyncDispose; Node 20 has it, its types for ES2022 do not. */
const ASYNC_DISPOSE: unique symbol = (Symbol as unknown as { asyncDispose: never }).asyncDispose;

export class NetServer extends EventEmitter {
  declare readonly [kNet]: NetContext;
  declare _handle: TcpHandle | null;
  declare _connections: number;
  declare _connectionKey: string | undefined;
  declare _pipeName: string | undefined;
  declare _unref: boolean;
  declare _listeningId: number;
  declare allowHalfOpen: boolean;
  declare pauseOnConnect: boolean;
  declare noDelay: boolean;
  declare keepAlive: boolean;
  declare keepAliveInitialDelay: number;
  declare highWaterMark: number | undefined;
  declare maxConnections: number | undefined;

  listen(...args: unknown[]): this {
    startListen(this, args);
    return this;
  }

  get listening(): boolean {
    return !!this._handle;
  }

  address(): AddressOut | string | null {
    if (this._pipeName !== undefined) return this._handle ? this._pipeName : null;
    if (this._handle?.getsockname) {
      const name: AddressOut = {};
      this._handle.getsockname(name);
      return name;
    }
    return null;
  }

  getConnections(callback: (error: Error | null, count: number) => void): this {
    process.nextTick(callback, null, this._connections);
    return this;
  }

  close(callback?: unknown): this {
    if (typeof callback === 'function') {
      const then = callback as (error?: Error) => void;
      this.once('close', this._handle ? then : () => then(notRunning()));
    }
    // A listen whose name is still being looked up comes to nothing.
    this._listeningId++;
    if (this._handle) {
      this._handle.close();
      this._handle = null;
    }
    this._emitCloseIfDrained();
    return this;
  }

  async [ASYNC_DISPOSE](): Promise<void> {
    if (!this._handle) return;
    await new Promise<void>((resolve, reject) => {
      this.close((error?: Error) => (error ? reject(error) : resolve()));
    });
  }

  _emitCloseIfDrained(): void {
    if (this._handle || this._connections > 0) return;
    process.nextTick(emitClose, this);
  }

  override [EventEmitter.captureRejectionSymbol](error: Error, event: string, ...args: unknown[]): void {
    if (event === 'connection') (args[0] as NetSocket).destroy(error);
    else this.emit('error', error);
  }

  ref(): this {
    this._unref = false;
    this._handle?.ref();
    return this;
  }

  unref(): this {
    this._unref = true;
    this._handle?.unref();
    return this;
  }
}

function emitClose(server: NetServer): void {
  server.emit('close');
}
