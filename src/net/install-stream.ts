// Node's http2 and tls put a stream that has no native handle behind a socket of their own (JSStreamSocket). What is asked of that
// one is for ours to answer: the addresses above all.

import { Duplex } from 'node:stream';
import tls from 'node:tls';
import type { Net } from './create-net.js';
import type { NetSocket } from './socket.js';

type Method = (this: Wrapper, ...args: unknown[]) => unknown;
interface Wrapper {
  stream?: unknown;
}

const ASKED = ['_getpeername', '_getsockname', 'setNoDelay', 'setKeepAlive', 'ref', 'unref'] as const;

export function installStream(net: Net): void {
  const proto = wrapperPrototype();
  const isOurs = (value: unknown): value is NetSocket =>
    Object.prototype.isPrototypeOf.call(net.Socket.prototype, value as never);
  for (const name of ASKED) {
    const before = proto[name];
    proto[name] = function (...args: unknown[]): unknown {
      if (!isOurs(this.stream)) return Reflect.apply(before, this, args);
      const answer = Reflect.apply(this.stream[name] as () => unknown, this.stream, args);
      return answer === this.stream ? this : answer;
    };
  }
}

/** The class is internal: an instance has it. */
function wrapperPrototype(): Record<string, Method> {
  const secured = new tls.TLSSocket(new Duplex() as never, {});
  const { _parentWrap } = (secured as unknown as { _handle: { _parentWrap: object } })._handle;
  secured.destroy();
  return Object.getPrototypeOf(_parentWrap) as Record<string, Method>;
}
