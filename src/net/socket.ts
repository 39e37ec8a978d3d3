// net.Socket: a Duplex over a handle. This class is never constructed, because programs call `Socket()` without `new` and on
// objects of their own: `initSocket` does a constructor's work, and each net has a constructor function over these methods.

import { Duplex } from 'node:stream';
import type { NetContext } from './context.js';
import { errnoException, socketClosed } from './errors.js';
import type { AddressOut } from './handle-base.js';
import type { IdleTimer } from './idle-timer.js';
import { isNormalized, normalizeArgs } from './normalize-args.js';
import { ShutdownRequest } from './requests.js';
import type { NetServer } from './server.js';
import { startConnect } from './socket-connect.js';
import { tryReadStart } from './socket-read.js';
import { onSocketTimeout, setSocketTimeout } from './socket-timeout.js';
import { dispatchWrite, pendingBytes } from './socket-write.js';
import {
  kBytesRead,
  kIdleTimer,
  kKeepAlive,
  kKeepAliveDelay,
  kLastQueueSize,
  kNet,
  kNoDelay,
  kOnread,
  kResetting,
  kSecured,
  kTaker,
  kTimer,
  type OnRead,
  type Taker,
} from './symbols.js';
import type { TcpHandle } from './tcp-handle.js';

export type WriteCallback = (error?: Error | null) => void;

export class NetSocket extends Duplex {
  declare readonly [kNet]: NetContext;
  declare _handle: TcpHandle | null;
  declare connecting: boolean;
  declare _hadError: boolean;
  declare _host: string | null;
  declare _parent: NetSocket | null;
  declare _peername: AddressOut | undefined;
  declare _sockname: AddressOut | null | undefined;
  declare _pendingData: unknown;
  declare _pendingEncoding: string;
  declare _bytesDispatched: number;
  declare server: NetServer | null;
  declare _server: NetServer | null;
  declare timeout: number | undefined;
  declare autoSelectFamilyAttemptedAddresses: string[] | undefined;
  declare [kTimer]: IdleTimer | null;
  declare [kIdleTimer]: IdleTimer | null;
  declare [kBytesRead]: number;
  declare [kLastQueueSize]: number;
  declare [kNoDelay]: boolean;
  declare [kKeepAlive]: boolean;
  declare [kKeepAliveDelay]: number;
  declare [kOnread]: OnRead | null;
  declare [kTaker]: Taker | null;
  declare [kSecured]: (Duplex & { secureConnecting?: boolean }) | null;
  declare [kResetting]: boolean;

  connect(...args: unknown[]): this {
    const [options, callback] = isNormalized(args[0]) ? args[0] : normalizeArgs(args);
    startConnect(this, options, callback);
    return this;
  }

  override pause(): this {
    if (this[kOnread] !== null && !this.connecting && this._handle?.reading) this._stopReading();
    return super.pause();
  }

  override resume(): this {
    if (this[kOnread] !== null && !this.connecting && this._handle !== null && !this._handle.reading)
      tryReadStart(this);
    return super.resume();
  }

  override read(size?: number): ReturnType<Duplex['read']> {
    if (this[kOnread] !== null && !this.connecting && this._handle !== null && !this._handle.reading)
      tryReadStart(this);
    return super.read(size);
  }

  _stopReading(): void {
    if (this._handle === null) return;
    this._handle.reading = false;
    if (this.destroyed) return;
    const error = this._handle.readStop();
    if (error < 0) this.destroy(errnoException(error, 'read'));
  }

  override _read(size: number): void {
    if (this.connecting || !this._handle) this.once('connect', () => this._read(size));
    else if (!this._handle.reading) tryReadStart(this);
  }

  _writeGeneric(many: boolean, data: unknown, encoding: string, callback: WriteCallback): void {
    dispatchWrite(this, many, data, encoding, callback);
  }

  override _write(data: unknown, encoding: string, callback: WriteCallback): void {
    this._writeGeneric(false, data, encoding, callback);
  }

  override _writev(chunks: { chunk: unknown; encoding: BufferEncoding }[], callback: WriteCallback): void {
    this._writeGeneric(true, chunks, '', callback);
  }

  override _final(callback: WriteCallback): void {
    if (this.connecting) {
      this.once('connect', () => this._final(callback));
      return;
    }
    if (!this._handle) {
      callback();
      return;
    }
    const request = new ShutdownRequest();
    request.handle = this._handle;
    request.callback = callback;
    request.oncomplete = afterShutdown;
    const error = this._handle.shutdown(request);
    if (error === 0) return;
    // A peer that is gone needs no goodbye.
    callback(error === 1 || error === ENOTCONN ? undefined : errnoException(error, 'shutdown'));
  }

  override end(...args: unknown[]): this {
    Reflect.apply(super.end, this, args);
    return this;
  }

  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', this.destroy);
  }

  resetAndDestroy(): this {
    if (!this._handle) {
      this.destroy(socketClosed());
    } else if (this.connecting) {
      this.once('connect', () => resetNow(this));
    } else {
      resetNow(this);
    }
    return this;
  }

  override _destroy(error: Error | null, callback: WriteCallback): void {
    this.connecting = false;
    for (let socket: NetSocket | null = this; socket !== null; socket = socket._parent) stopTimer(socket);
    if (this._handle) {
      closeHandle(this, this._handle, error !== null && error !== undefined);
      callback(error);
    } else {
      callback(error);
      process.nextTick(emitClose, this, false);
    }
    const server = this._server;
    if (server !== null && server !== undefined) {
      server._connections--;
      server._emitCloseIfDrained();
    }
  }

  setTimeout(ms: number, callback?: () => void): this {
    setSocketTimeout(this, ms, callback);
    return this;
  }

  _onTimeout(): void {
    onSocketTimeout(this);
  }

  _unrefTimer(): void {
    for (let socket: NetSocket | null = this; socket; socket = socket._parent) {
      if (!socket.destroyed) socket[kTimer]?.refresh();
    }
  }

  setNoDelay(enable?: unknown): this {
    const on = enable === undefined ? true : Boolean(enable);
    if (!this._handle) {
      this[kNoDelay] = on;
    } else if (this._handle.setNoDelay && on !== this[kNoDelay]) {
      this[kNoDelay] = on;
      this._handle.setNoDelay(on);
    }
    return this;
  }

  setKeepAlive(enable?: unknown, initialDelayMs?: unknown): this {
    const on = Boolean(enable);
    const seconds = ~~((initialDelayMs as number) / 1000);
    if (!this._handle) {
      this[kKeepAlive] = on;
      this[kKeepAliveDelay] = seconds;
    } else if (this._handle.setKeepAlive) {
      if (on === this[kKeepAlive] && (!on || seconds === this[kKeepAliveDelay])) return this;
      this[kKeepAlive] = on;
      this[kKeepAliveDelay] = seconds;
      this._handle.setKeepAlive(on, seconds);
    }
    return this;
  }

  address(): AddressOut {
    return this._getsockname();
  }

  _getpeername(): AddressOut {
    if (!this._handle?.getpeername || this.connecting) return this._peername ?? {};
    if (!this._peername) {
      const name: AddressOut = {};
      if (this._handle.getpeername(name) < 0) return {};
      this._peername = name;
    }
    return this._peername;
  }

  _getsockname(): AddressOut {
    if (!this._handle?.getsockname) return {};
    if (!this._sockname) {
      const name: AddressOut = {};
      if (this._handle.getsockname(name) < 0) return {};
      this._sockname = name;
    }
    return this._sockname;
  }

  ref(): this {
    if (!this._handle) this.once('connect', this.ref);
    else this._handle.ref?.();
    return this;
  }

  unref(): this {
    if (!this._handle) this.once('connect', this.unref);
    else this._handle.unref?.();
    return this;
  }

  get _connecting(): boolean {
    return this.connecting;
  }

  get pending(): boolean {
    return !this._handle || this.connecting;
  }

  get readyState(): string {
    if (this.connecting) return 'opening';
    if (this.readable && this.writable) return 'open';
    if (this.readable) return 'readOnly';
    return this.writable ? 'writeOnly' : 'closed';
  }

  get bufferSize(): number | undefined {
    return this._handle ? this.writableLength : undefined;
  }

  get bytesRead(): number {
    return this._handle ? this._handle.bytesRead : this[kBytesRead];
  }

  get _bytesWritten(): number | undefined {
    return pendingBytes(this);
  }

  get bytesWritten(): number | undefined {
    return pendingBytes(this);
  }

  get remoteAddress(): string | undefined {
    return this._getpeername().address;
  }

  get remoteFamily(): string | undefined {
    return this._getpeername().family;
  }

  get remotePort(): number | undefined {
    return this._getpeername().port;
  }

  get localAddress(): string | undefined {
    return this._getsockname().address;
  }

  get localPort(): number | undefined {
    return this._getsockname().port;
  }

  get localFamily(): string | undefined {
    return this._getsockname().family;
  }
}

const ENOTCONN = -107;

function afterShutdown(this: ShutdownRequest): void {
  this.callback();
}

function resetNow(socket: NetSocket): void {
  socket[kResetting] = true;
  socket.destroy();
}

function closeHandle(socket: NetSocket, handle: TcpHandle, hadError: boolean): void {
  socket[kBytesRead] = handle.bytesRead;
  const closed = (): void => {
    socket.emit('close', hadError);
  };
  if (socket[kResetting]) {
    socket[kResetting] = false;
    const error = handle.reset(closed);
    if (error < 0) {
      handle.close(closed);
      socket.emit('error', errnoException(error, 'reset'));
    }
  } else {
    handle.close(closed);
  }
  handle.onread = ignore;
  socket._handle = null;
  socket._sockname = null;
}

function emitClose(socket: NetSocket, hadError: boolean): void {
  socket.emit('close', hadError);
}

function stopTimer(socket: NetSocket): void {
  socket[kIdleTimer]?.cancel();
}

function ignore(): void {}
