// The writing half of a socket: from the Writable to the handle, or put aside until it is connected.

import { closedBeforeConnection, errnoException, type NodeError, socketClosed } from './errors.js';
import { WriteRequest } from './requests.js';
import type { NetSocket, WriteCallback } from './socket.js';
import { kLastQueueSize } from './symbols.js';
import type { TcpHandle } from './tcp-handle.js';

interface Chunk {
  chunk: unknown;
  encoding: BufferEncoding;
}

export function dispatchWrite(
  socket: NetSocket,
  many: boolean,
  data: unknown,
  encoding: string,
  callback: WriteCallback,
): void {
  if (socket.connecting) {
    socket._pendingData = data;
    socket._pendingEncoding = encoding;
    const failed = (): void => callback(closedBeforeConnection());
    socket.once('connect', () => {
      socket.off('close', failed);
      socket._writeGeneric(many, data, encoding, callback);
    });
    socket.once('close', failed);
    return;
  }
  socket._pendingData = null;
  socket._pendingEncoding = '';
  const handle = socket._handle;
  if (!handle) {
    callback(socketClosed());
    return;
  }
  socket._unrefTimer();
  const request = new WriteRequest();
  request.handle = handle;
  request.oncomplete = onWritten;
  const error = many
    ? writeMany(handle, request, data as Chunk[] & { allBuffers?: boolean })
    : writeOne(handle, request, data, encoding);
  afterDispatch(socket, request, error, callback);
}

function writeOne(handle: TcpHandle, request: WriteRequest, data: unknown, encoding: string): number {
  if (typeof data === 'string') return handle.writeString(request, data, encoding as BufferEncoding);
  request.buffer = data;
  return handle.writeBuffer(request, data as Uint8Array);
}

function writeMany(
  handle: TcpHandle,
  request: WriteRequest,
  data: Chunk[] & { allBuffers?: boolean },
): number {
  const allBuffers = data.allBuffers === true;
  const chunks: unknown[] = [];
  for (const each of data) {
    chunks.push(each.chunk);
    if (!allBuffers) chunks.push(each.encoding);
  }
  request.buffer = chunks;
  return handle.writev(request, chunks, allBuffers);
}

function afterDispatch(
  socket: NetSocket,
  request: WriteRequest,
  error: number,
  callback: WriteCallback,
): void {
  socket._bytesDispatched += request.bytes;
  if (error !== 0) {
    callback(errnoException(error, 'write'));
    return;
  }
  if (request.async) {
    request.callback = callback;
    socket[kLastQueueSize] = request.bytes;
  } else {
    callback();
  }
}

function onWritten(this: WriteRequest, status: number): void {
  const handle = this.handle as TcpHandle;
  const socket = handle.owner as NetSocket;
  const { callback } = this;
  const why = handle.why?.(status);
  if (socket.destroyed) {
    callback?.(why === undefined ? lostWith(socket, handle) : errnoException(status, 'write', why));
    return;
  }
  if (status < 0) {
    const error = errnoException(status, 'write', why);
    if (callback !== null) callback(error);
    else socket.destroy(error);
    return;
  }
  socket._unrefTimer();
  socket[kLastQueueSize] = 0;
  callback?.(null);
}

/** What was being written when a socket ended was written, says Node. Not so if all the network was lost. */
function lostWith({ errored }: NetSocket, handle: TcpHandle): Error | null {
  const errno = (errored as NodeError | null)?.errno;
  return errno !== undefined && handle.why?.(errno) !== undefined ? errored : null;
}

/** Bytes written so far, those included that wait in the stream or for the connection; undefined on the prototype. */
export function pendingBytes(socket: NetSocket): number | undefined {
  const buffered = (socket as unknown as { writableBuffer?: Chunk[] }).writableBuffer;
  if (!buffered) return undefined;
  let bytes = socket._bytesDispatched;
  for (const { chunk, encoding } of buffered) bytes += sizeOf(chunk, encoding);
  const pending = socket._pendingData;
  if (Array.isArray(pending)) {
    for (const { chunk, encoding } of pending as Chunk[]) bytes += sizeOf(chunk, encoding);
  } else if (pending) {
    bytes += sizeOf(pending, socket._pendingEncoding as BufferEncoding);
  }
  return bytes;
}

function sizeOf(chunk: unknown, encoding: BufferEncoding): number {
  return typeof chunk === 'string' ? Buffer.byteLength(chunk, encoding) : (chunk as Uint8Array).length;
}
