// One attempt to connect: bind if asked to, connect, and what is told of how it went.

import { isIP } from 'node:net';
import { connectException, invalidAddressFamily, invalidIpAddress, type NodeError } from './errors.js';
import { observeConnect } from './performance-entries.js';
import type { PipeHandle } from './pipe-handle.js';
import { ConnectRequest } from './requests.js';
import type { NetSocket } from './socket.js';
import { kKeepAlive, kKeepAliveDelay, kNoDelay } from './symbols.js';
import type { TcpHandle } from './tcp-handle.js';

/** Where to, and from where, once it is known. */
export interface Destination {
  host: string;
  port: number;
  localAddress: string | undefined;
  localPort: number | undefined;
}

export type LookupAny = (
  host: string,
  options: { family: unknown; hints: number; all: boolean },
  callback: (error: NodeError | null, address: unknown, family?: number) => void,
) => void;

/** The answer of a lookup, looked at before it is used. */
export function connectTo(socket: NetSocket, ip: string, family: number, destination: Destination): void {
  if (isIP(ip) === 0) {
    process.nextTick(fail, socket, invalidIpAddress(ip));
  } else if (family !== 4 && family !== 6) {
    process.nextTick(fail, socket, invalidAddressFamily(family, destination.host, destination.port));
  } else {
    socket._unrefTimer();
    connectNow(socket, ip, family, destination);
  }
}

export function fail(socket: NetSocket, error: Error): void {
  socket.destroy(error);
}

export function connectNow(socket: NetSocket, ip: string, family: number, to: Destination): void {
  if (!socket.connecting) return;
  const handle = socket._handle as TcpHandle;
  const bindError = bindLocal(handle, family, to);
  if (bindError !== 0) {
    const local = to.localAddress ?? (family === 4 ? '0.0.0.0' : '::');
    socket.destroy(
      connectException(bindError, 'bind', local, to.localPort, undefined, handle.why?.(bindError)),
    );
    return;
  }
  socket.emit('connectionAttempt', ip, to.port, family);
  const request = attempt(ip, family, to, afterConnect);
  const error = begin(handle, request);
  if (error === 0) return;
  const failure = attemptError(socket, request, error);
  socket.destroy(failure);
  socket.emit('connectionAttemptFailed', ip, to.port, family, failure);
}

/** 0, and `request.oncomplete` is called later; or -errno. */
export function begin(handle: TcpHandle, request: ConnectRequest): number {
  const { address, port } = request;
  const error =
    request.addressType === 6
      ? handle.connect6(request, address, port)
      : handle.connect(request, address, port);
  if (error === 0 && handle.onStack) request.observed = observeConnect(address, port);
  return error;
}

/** To a UNIX domain socket, which is the kernel's. */
export function connectPath(socket: NetSocket, path: string): void {
  const request = new ConnectRequest(afterConnect);
  request.address = path;
  (socket._handle as unknown as PipeHandle).connectPath(request, path);
}

export function attempt(
  address: string,
  family: number,
  to: Destination,
  oncomplete: ConnectRequest['oncomplete'],
): ConnectRequest {
  const request = new ConnectRequest(oncomplete);
  request.address = address;
  request.port = to.port;
  request.localAddress = to.localAddress;
  request.localPort = to.localPort;
  request.addressType = family;
  return request;
}

/** Binds where the options say, if they do. Errors of a bind that only connect would tell are told here. */
export function bindLocal(handle: TcpHandle, family: number, to: Destination): number {
  if (!to.localAddress && !to.localPort) return 0;
  const port = to.localPort ?? 0;
  return family === 4
    ? handle.bind(to.localAddress ?? '0.0.0.0', port)
    : handle.bind6(to.localAddress ?? '::', port);
}

/** An attempt that could not even begin: told with the name the socket has, be it none. */
export function attemptError(socket: NetSocket, request: ConnectRequest, error: number): NodeError {
  const { address, port } = socket._getsockname();
  const why = socket._handle?.why?.(error);
  const local = why === undefined ? `${address}:${port}` : undefined;
  return connectException(error, 'connect', request.address, request.port, local, why);
}

export function afterConnect(status: number, handle: TcpHandle, request: ConnectRequest): void {
  const socket = handle.owner as NetSocket;
  if (socket.destroyed) return;
  socket.connecting = false;
  socket._sockname = null;
  if (status === 0) {
    established(socket, handle, request);
    return;
  }
  const error = failedConnect(status, request, handle);
  socket.emit('connectionAttemptFailed', request.address, request.port, request.addressType, error);
  socket.destroy(error);
}

export function failedConnect(status: number, request: ConnectRequest, handle: TcpHandle): NodeError {
  const { localAddress, localPort } = request;
  const local = localAddress !== undefined && localPort ? `${localAddress}:${localPort}` : undefined;
  const error = connectException(
    status,
    'connect',
    request.address,
    request.port,
    local,
    handle.why?.(status),
  );
  if (localAddress !== undefined) error.localAddress = localAddress;
  if (localPort) error.localPort = localPort;
  return error;
}

export function established(socket: NetSocket, handle: TcpHandle, request: ConnectRequest): void {
  socket._unrefTimer();
  if (socket[kNoDelay] && handle.setNoDelay) handle.setNoDelay(true);
  if (socket[kKeepAlive] && handle.setKeepAlive) handle.setKeepAlive(true, socket[kKeepAliveDelay]);
  socket.emit('connect');
  socket.emit('ready');
  if (!socket.isPaused()) socket.read(0);
  request.observed?.connected();
}
