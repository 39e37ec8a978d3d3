// `net.Socket` of a program whose net is replaced. What has a handle or a descriptor of the kernel is still a socket of Node's
// own, as is what Node's own classes make of themselves; all are `instanceof net.Socket`.

import tls from 'node:tls';
import type { Net } from './create-net.js';

interface SocketOptions {
  fd?: unknown;
  handle?: { isStreamBase?: unknown } | null;
}

type SocketConstructor = new (options?: unknown) => object;

/** How often a socket of ours is yet to pass for a stream, so that TLSSocket does not look for a native handle in it. */
let hiding = 0;
/** Options that TLSSocket keeps from its own Socket when it has been given a stream. */
let handedOn: object | undefined;

let working = false;
let born: tls.TLSSocket | undefined;

/**
 * Calls `work`, to which the first socket of ours it asks about is no `net.Socket`: TLSSocket's first question. The Socket that
 * it makes of itself has the options `more`.
 */
export function asPlainStreams<T>(work: () => T, more?: object): T {
  hiding = 1;
  handedOn = more;
  working = true;
  try {
    return work();
  } finally {
    hiding = 0;
    handedOn = undefined;
    working = false;
    born = undefined;
  }
}

/** The TLSSocket that `work`, which returns nothing itself, makes as `asPlainStreams` has it. */
export function securedBy(work: () => void): tls.TLSSocket | undefined {
  return asPlainStreams(() => {
    work();
    return born;
  });
}

export function installedSocket(net: Net, BuiltinSocket: unknown): unknown {
  const Builtin = BuiltinSocket as SocketConstructor;
  const Ours = net.Socket as unknown as SocketConstructor;
  const isBuiltin = (value: unknown): boolean =>
    Object.prototype.isPrototypeOf.call(Builtin.prototype, value as never);

  function Socket(this: object | undefined, options?: SocketOptions | number): object | undefined {
    if (isBuiltin(this)) {
      const secured = this instanceof tls.TLSSocket;
      const all = secured && handedOn ? { ...(options as object), ...handedOn } : options;
      Reflect.apply(Builtin as unknown as () => void, this, [all]);
      if (secured && working) born = this;
      return undefined;
    }
    if (new.target === undefined && Object.prototype.isPrototypeOf.call(Ours.prototype, this as never)) {
      Reflect.apply(Ours as unknown as () => void, this, [options]);
      return undefined;
    }
    if (ofTheKernel(options)) return new Builtin(options);
    return Reflect.construct(Ours, [options], new.target ?? Ours) as object;
  }
  Socket.prototype = Ours.prototype;
  Object.setPrototypeOf(Socket, Object.getPrototypeOf(Ours) as object);
  Object.defineProperty(Socket, Symbol.hasInstance, {
    value(this: { prototype: object }, value: unknown): boolean {
      const ours = Object.prototype.isPrototypeOf.call(this.prototype, value as never);
      if (ours && hiding > 0) {
        hiding = 0;
        return false;
      }
      if (ours) return true;
      return this === (Socket as unknown) && isBuiltin(value);
    },
  });
  return Socket;
}

function ofTheKernel(options: SocketOptions | number | undefined): boolean {
  if (typeof options === 'number') return true;
  if (typeof options !== 'object' || options === null) return false;
  return options.fd !== undefined || options.handle?.isStreamBase === true;
}
