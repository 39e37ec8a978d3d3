// tls over sockets whose handles are not Node's: TLSSocket takes them for plain streams, which it can do. Clients get their
// socket made beforehand, servers hand each connection over as a stream, and questions about the connection are passed on.

import tls from 'node:tls';
import type { Net } from './create-net.js';
import { asPlainStreams } from './install-socket.js';
import { type Callback, type NetOptions, normalizeArgs } from './normalize-args.js';
import type { NetSocket } from './socket.js';
import { kSecured } from './symbols.js';

type Any = Record<string, unknown>;
type TlsSocketClass = new (...args: unknown[]) => tls.TLSSocket;

export function installTls(net: Net): void {
  const target = tls as unknown as Any;
  const Original = tls.TLSSocket as unknown as TlsSocketClass;
  const connect = tls.connect as unknown as (options: NetOptions, callback: Callback | null) => tls.TLSSocket;
  const { Socket } = net;
  const isOurs = (value: unknown): value is NetSocket =>
    Object.prototype.isPrototypeOf.call(Socket.prototype, value as never);

  target.connect = (...args: unknown[]): tls.TLSSocket => {
    const [options, callback] = connectArgs(args);
    if (options.path) return connect(options, callback);
    if (options.socket) {
      const secured = asPlainStreams(() => connect(options, callback));
      if (isOurs(options.socket)) joinLives(options.socket, secured);
      return secured;
    }
    return connectOver(net, connect, options, callback);
  };

  target.TLSSocket = securedSocket(net, Original, isOurs);
  forwardQuestions(Original, isOurs);
}

/** The forms of tls.connect, which has options behind port and host. */
function connectArgs(args: readonly unknown[]): [NetOptions, Callback | null] {
  const [options, callback] = normalizeArgs(args);
  const more = [args[1], args[2]].find((each) => typeof each === 'object' && each !== null);
  return [{ ...options, ...(more as NetOptions | undefined) }, callback];
}

function connectOver(
  net: Net,
  connect: (options: NetOptions, callback: Callback | null) => tls.TLSSocket,
  options: NetOptions,
  callback: Callback | null,
): tls.TLSSocket {
  const { signal: _signal, onread, timeout, ...plain } = options;
  const raw = new net.Socket({
    ...plain,
    allowHalfOpen: Boolean(options.allowHalfOpen),
  } as never) as unknown as NetSocket;
  // TLSSocket looks at its options before there is a connection, and waits for that.
  const secured = asPlainStreams(
    () => connect({ ...options, socket: raw }, callback),
    onread === undefined ? undefined : { onread },
  );
  joinLives(raw, secured);
  raw.on('lookup', (...told) => secured.emit('lookup', ...told));
  raw.on('ready', () => secured.emit('ready'));
  if (timeout) secured.setTimeout(timeout as number);
  raw.connect({ ...plain });
  return secured;
}

/** Neither outlives the other. At the peer's FIN the connection stays: the farewell of TLS is still to be sent. */
export function joinLives(raw: NetSocket, secured: tls.TLSSocket): void {
  raw.allowHalfOpen = true;
  raw[kSecured] = secured;
  secured.once('close', () => raw.destroy());
  raw.once('close', () => secured.destroy());
}

function securedSocket(
  net: Net,
  Original: TlsSocketClass,
  isOurs: (value: unknown) => value is NetSocket,
): TlsSocketClass {
  function TLSSocket(this: object | undefined, ...args: unknown[]): object {
    const target = new.target ?? Original;
    if (!args[0]) {
      const [, options] = args as [unknown, NetOptions | undefined];
      const raw = new net.Socket({ allowHalfOpen: Boolean(options?.allowHalfOpen) } as never);
      return yetToConnect(raw as unknown as NetSocket, (socket) =>
        asPlainStreams(() => Reflect.construct(Original, [socket, options], target) as tls.TLSSocket),
      );
    }
    const made = asPlainStreams(() => Reflect.construct(Original, args, target) as tls.TLSSocket);
    if (isOurs(args[0])) joinLives(args[0], made);
    return made;
  }
  TLSSocket.prototype = Original.prototype;
  Object.setPrototypeOf(TLSSocket, Object.getPrototypeOf(Original) as object);
  return TLSSocket as unknown as TlsSocketClass;
}

/** Made without a socket, it has its own `connect`. */
function yetToConnect(raw: NetSocket, make: (raw: NetSocket) => tls.TLSSocket): tls.TLSSocket {
  const secured = make(raw);
  joinLives(raw, secured);
  raw.on('lookup', (...told) => secured.emit('lookup', ...told));
  raw.on('ready', () => secured.emit('ready'));
  const connect = (...args: unknown[]): tls.TLSSocket => {
    const [options, callback] = normalizeArgs(args);
    if (callback !== null) secured.once('connect', callback);
    raw.connect(options);
    return secured;
  };
  return Object.assign(secured, { connect });
}

/** What a TLS handle asks of the handle below it. The streams that stand between know no such thing, but the socket does. */
const QUESTIONS = ['ref', 'unref', 'getsockname', 'getpeername', 'setNoDelay', 'setKeepAlive'] as const;

function forwardQuestions(Original: TlsSocketClass, isOurs: (value: unknown) => value is NetSocket): void {
  const probe = new Original(undefined, {});
  const proto = Object.getPrototypeOf((probe as unknown as { _handle: object })._handle) as Any;
  probe.destroy();
  for (const name of QUESTIONS) {
    const before = proto[name] as ((...args: unknown[]) => unknown) | undefined;
    proto[name] = function (this: { _parentWrap?: { stream?: unknown } }, ...args: unknown[]): unknown {
      const raw = this._parentWrap?.stream;
      if (!isOurs(raw)) return before === undefined ? undefined : Reflect.apply(before, this, args);
      const handle = raw._handle as unknown as Record<string, (...args: unknown[]) => unknown> | null;
      return handle === null ? -9 : handle[name](...args);
    };
  }
}
