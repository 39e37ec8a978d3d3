// Node's http2 and tls put a stream that has no native handle behind a socket of their own (JSStreamSocket). What is asked of that
// one is for ours to answer: the addresses above all.

import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { ECANCELED, EPIPE } from '../uapi/errno.js';
import type { Net } from './create-net.js';
import type { NodeError } from './errors.js';
import type { NetSocket } from './socket.js';

type Method = (this: Wrapper, ...args: unknown[]) => unknown;
interface Wrapper {
  stream?: unknown;
  _handle?: unknown;
  [key: symbol]: unknown;
}

const ASKED = ['_getpeername', '_getsockname', 'setNoDelay', 'setKeepAlive', 'ref', 'unref'] as const;

export function installStream(net: Net): void {
  const proto = wrapperPrototype();
  const isOurs = (value: unknown): value is NetSocket =>
    Object.prototype.isPrototypeOf.call(net.Socket.prototype, value as never);
  installWrite(proto, isOurs);
  for (const name of ASKED) {
    const before = proto[name];
    proto[name] = function (...args: unknown[]): unknown {
      if (!isOurs(this.stream)) return Reflect.apply(before, this, args);
      const answer = Reflect.apply(this.stream[name] as () => unknown, this.stream, args);
      return answer === this.stream ? this : answer;
    };
  }
}

const CANCELED: NodeError = Object.assign(new Error('canceled'), { errno: -ECANCELED });

type Done = (error?: NodeError | null) => void;

/** What is written goes to the socket at once, and is answered as soon as that has taken it, not a turn of the loop later. */
function installWrite(proto: Record<string, Method>, isOurs: (value: unknown) => value is NetSocket): void {
  const before = proto.doWrite;
  proto.doWrite = function (request: unknown, data: unknown): unknown {
    const { stream } = this;
    const handle = this._handle;
    const symbols = Object.getOwnPropertySymbols(this);
    const current = symbols.find(({ description }) => description === 'kCurrentWriteRequest');
    const closing = symbols.find(({ description }) => description === 'kPendingClose');
    if (!isOurs(stream) || current === undefined || closing === undefined || this[closing] || !handle)
      return Reflect.apply(before, this, [request, data]);
    const buffers = data as Uint8Array[];
    let left = buffers.length;
    const done: Done = (error) => {
      if (left === 0 || (!error && --left > 0)) return;
      left = 0;
      proto.finishWrite.call(this, handle, error ? (error.errno ?? -EPIPE) : 0);
    };
    if (stream.writableEnded) {
      // A farewell after the end: there is nobody to hear of it.
      process.nextTick(done, CANCELED);
      this[current] = request;
      return 0;
    }
    stream.cork();
    for (const each of buffers) stream.write(each, done);
    stream.uncork();
    this[current] = request;
    return 0;
  };
}

/** The class is internal: an instance has it. */
function wrapperPrototype(): Record<string, Method> {
  const secured = new tls.TLSSocket(new Duplex() as never, {});
  const { _parentWrap } = (secured as unknown as { _handle: { _parentWrap: object } })._handle;
  secured.destroy();
  return Object.getPrototypeOf(_parentWrap) as Record<string, Method>;
}
