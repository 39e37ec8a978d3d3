// UNIX domain sockets are the kernel's: a stack has none. A handle with the TCP handle's shape over a socket of Node's own, so
// that `net.connect('/run/x.sock')` and `server.listen('/run/x.sock')` work as ever.

import { AsyncResource } from 'node:async_hooks';
import type * as nodeNet from 'node:net';
import { deliver } from './deliver.js';
import { kernelNet } from './kernel-net.js';
import type { ConnectRequest, ShutdownRequest, WriteRequest } from './requests.js';
import { EOF, type TcpHandle } from './tcp-handle.js';

const ECANCELED = -125;
const EIO = -5;

interface KernelError extends Error {
  errno?: number;
}

export class PipeHandle {
  fd = -1;
  reading = false;
  bytesRead = 0;
  bytesWritten = 0;
  owner: unknown = null;
  onread: (nread: number, data: Buffer | undefined) => void = ignore;

  readonly #scope = new AsyncResource('PIPEWRAP');
  #inner: nodeNet.Socket;
  #connect: ConnectRequest | null = null;
  #userBuffer: Uint8Array | null = null;
  /** The end, or an error, that came while nobody read. */
  #ending = 0;
  #closed = false;

  /** @param inner A connection that was accepted, or nothing yet. */
  constructor(inner: nodeNet.Socket = new kernelNet.Socket({ allowHalfOpen: true })) {
    this.#inner = inner;
    inner.on('end', () => this.#end(EOF));
    inner.on('error', (error: KernelError) => this.#failed(error.errno ?? EIO));
    inner.on('data', (data: Buffer) => this.#data(data));
    inner.pause();
  }

  getAsyncId(): number {
    return this.#scope.asyncId();
  }

  getProviderType(): string {
    return 'PIPEWRAP';
  }

  connectPath(request: ConnectRequest, path: string): number {
    this.#connect = request;
    this.#inner.connect({ path }, () => {
      this.#connect = null;
      request.oncomplete(0, this as unknown as TcpHandle, request, true, true);
    });
    return 0;
  }

  #failed(errno: number): void {
    const request = this.#connect;
    this.#connect = null;
    if (request !== null) request.oncomplete(errno, this as unknown as TcpHandle, request, false, false);
    else this.#end(errno);
  }

  #data(data: Buffer): void {
    const rest = deliver(this, data, () => this.#userBuffer);
    if (rest.length > 0) this.#inner.unshift(rest);
  }

  #end(result: number): void {
    if (this.#closed) return;
    if (this.reading) this.onread(result, undefined);
    else this.#ending = result;
  }

  readStart(): number {
    this.reading = true;
    this.#inner.resume();
    const result = this.#ending;
    if (result !== 0) {
      this.#ending = 0;
      process.nextTick(() => this.#end(result));
    }
    return 0;
  }

  readStop(): number {
    this.reading = false;
    this.#inner.pause();
    return 0;
  }

  useUserBuffer(buffer: Uint8Array): void {
    this.#userBuffer = buffer;
  }

  writeBuffer(request: WriteRequest, data: Uint8Array): number {
    request.bytes = data.length;
    request.async = true;
    this.bytesWritten += data.length;
    this.#inner.write(data, (error?: KernelError | null) =>
      request.oncomplete(error ? (error.errno ?? ECANCELED) : 0),
    );
    return 0;
  }

  writeString(request: WriteRequest, text: string, encoding: BufferEncoding): number {
    return this.writeBuffer(request, Buffer.from(text, encoding));
  }

  writev(request: WriteRequest, chunks: readonly unknown[], allBuffers: boolean): number {
    const parts: Uint8Array[] = [];
    for (let at = 0; at < chunks.length; at += allBuffers ? 1 : 2) {
      const chunk = chunks[at];
      parts.push(
        typeof chunk === 'string'
          ? Buffer.from(chunk, chunks[at + 1] as BufferEncoding)
          : (chunk as Uint8Array),
      );
    }
    return this.writeBuffer(request, Buffer.concat(parts));
  }

  get writeQueueSize(): number {
    return this.#inner.writableLength;
  }

  shutdown(request: ShutdownRequest): number {
    this.#inner.end(() => request.oncomplete(0));
    return 0;
  }

  close(callback?: () => void): void {
    if (this.#closed) return;
    this.#closed = true;
    this.reading = false;
    if (callback !== undefined) {
      if (this.#inner.closed) process.nextTick(() => callback.call(this));
      else this.#inner.once('close', () => callback.call(this));
    }
    this.#inner.destroy();
  }

  reset(callback?: () => void): number {
    this.close(callback);
    return 0;
  }

  ref(): void {
    this.#inner.ref();
  }

  unref(): void {
    this.#inner.unref();
  }

  hasRef(): boolean {
    return !this.#closed;
  }
}

function ignore(): void {}
