// server.listen(): the many forms, and the one thing they come to. Without a name to look up the port is there when the call
// returns; 'listening' and 'error' come a tick later.

import { serverListen } from './diagnostics.js';
import { alreadyListening, invalidArgValue, listenException, type NodeError } from './errors.js';
import { type NetOptions, normalizeArgs, toNumber } from './normalize-args.js';
import type { NetServer } from './server.js';
import { onConnection } from './server-connection.js';
import { listenPipe } from './server-pipe.js';
import { kNet } from './symbols.js';
import type { TcpHandle } from './tcp-handle.js';
import { validateAbortSignal, validatePort } from './validate.js';

/** libuv's default, and Node's. */
const BACKLOG = 511;

export function startListen(server: NetServer, args: readonly unknown[]): void {
  const [given, callback] = normalizeArgs(args);
  if (server._handle) throw alreadyListening();
  const backlog = toNumber(args.length > 1 && args[1]) || toNumber(args.length > 2 && args[2]);
  if (serverListen.asyncStart.hasSubscribers) serverListen.asyncStart.publish({ server, options: given });
  if (callback !== null) server.once('listening', callback);
  const options = handleOptions(given);
  if (options instanceof HandleGiven) {
    server._handle = options.handle;
    setup(server, null, -1, 4, backlog || BACKLOG);
    return;
  }
  if (options.signal !== undefined) abortBy(server, options.signal);
  if (typeof options.fd === 'number' && options.fd >= 0) {
    setup(server, null, -1, 4, backlog || BACKLOG, options.fd);
    return;
  }
  const anyPort =
    args.length === 0 ||
    typeof args[0] === 'function' ||
    (options.port === undefined && 'port' in options) ||
    options.port === null;
  if (anyPort) options.port = 0;
  if (typeof options.port === 'number' || typeof options.port === 'string') {
    const port = validatePort(options.port, 'options.port');
    const queue = backlog || (options.backlog as number) || BACKLOG;
    if (options.host) lookupAndListen(server, options.host as string, port, queue);
    else setup(server, null, port, 4, queue);
    return;
  }
  if (options.path && isPipe(options.path)) {
    listenPipe(server, options);
    return;
  }
  if (!('port' in options || 'path' in options)) {
    throw invalidArgValue('options', given, 'must have the property "port" or "path"');
  }
  throw invalidArgValue('options', given);
}

function isPipe(path: unknown): boolean {
  return typeof path === 'string' && toNumber(path) === false;
}

class HandleGiven {
  readonly handle: TcpHandle;

  constructor(handle: TcpHandle) {
    this.handle = handle;
  }
}

/** Options that are, or hold, a handle that is bound already. */
function handleOptions(options: NetOptions): NetOptions | HandleGiven {
  const inner = (options._handle ?? options.handle ?? options) as Partial<TcpHandle>;
  if (
    typeof inner === 'object' &&
    inner !== null &&
    typeof inner.listen === 'function' &&
    'onconnection' in inner
  )
    return new HandleGiven(inner as TcpHandle);
  return { ...options };
}

function abortBy(server: NetServer, given: unknown): void {
  validateAbortSignal(given, 'options.signal');
  const signal = given as AbortSignal;
  const abort = (): void => {
    server.close();
  };
  if (signal.aborted) {
    process.nextTick(abort);
    return;
  }
  signal.addEventListener('abort', abort);
  server.once('close', () => signal.removeEventListener('abort', abort));
}

function lookupAndListen(server: NetServer, host: string, port: number, backlog: number): void {
  const id = ++server._listeningId;
  server[kNet].lookup(host, {}, (error, address, family) => {
    if (server._listeningId !== id) return;
    if (error) server.emit('error', error);
    else setup(server, address as string, port, family as number, backlog);
  });
}

function setup(
  server: NetServer,
  address: string | null,
  port: number,
  family: number,
  backlog: number,
  fd?: number,
): void {
  (server as NetServer & { _listen2: typeof listen2 })._listen2(address, port, family, backlog, fd);
}

/** The last step, which programs know as `_listen2`. */
export function listen2(
  this: NetServer,
  address: string | null,
  port: number,
  family: number,
  backlog: number,
  fd?: number,
): void {
  if (!this._handle) {
    const handle = this[kNet].createHandle();
    let error = 0;
    if (fd !== undefined) error = handle.open(fd);
    else if (family === 6) error = handle.bind6(address ?? '::', port);
    else error = handle.bind(address ?? '0.0.0.0', port);
    if (error < 0) {
      handle.close();
      const where = address ?? (port < 0 ? '' : '0.0.0.0');
      failListen(this, listenException(error, 'listen', where, port, handle.why?.(error)));
      return;
    }
    this._handle = handle;
  }
  const handle = this._handle;
  handle.onconnection = onConnection;
  handle.owner = this;
  handle.onstackclosed = closeOwner;
  const error = handle.listen(backlog);
  if (error < 0) {
    handle.close();
    this._handle = null;
    failListen(this, listenException(error, 'listen', address ?? '0.0.0.0', port, handle.why?.(error)));
    return;
  }
  this._connectionKey = `${family}:${address ?? '0.0.0.0'}:${port}`;
  if (this._unref) this.unref();
  if (serverListen.asyncEnd.hasSubscribers) serverListen.asyncEnd.publish({ server: this });
  process.nextTick(emitListening, this);
}

function closeOwner(this: TcpHandle): void {
  (this.owner as NetServer).close();
}

function failListen(server: NetServer, error: NodeError): void {
  if (serverListen.error.hasSubscribers) serverListen.error.publish({ server, error });
  process.nextTick(emitError, server, error);
}

function emitError(server: NetServer, error: Error): void {
  server.emit('error', error);
}

function emitListening(server: NetServer): void {
  if (server._handle) server.emit('listening');
}
