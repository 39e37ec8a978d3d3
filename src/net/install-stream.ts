// Node's http2 and tls put a stream that has no native handle behind a socket of their own (JSStreamSocket). What is asked of that
// one is for ours to answer: the addresses above all.

import type { EventEmitter } from 'node:events';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { ECANCELED, EPIPE } from '../uapi/errno.js';
import type { Net } from './create-net.js';
import type { NodeError } from './errors.js';
import { type IsOurs, installRead, type Method, type Wrapper } from './install-read.js';
import { WriteRequest } from './requests.js';
import type { NetSocket } from './socket.js';
import { kLastQueueSize, kTaker } from './symbols.js';
import { TcpHandle } from './tcp-handle.js';
import { whenUnwound } from './unscoped.js';

const ASKED = ['_getpeername', '_getsockname', 'setNoDelay', 'setKeepAlive', 'ref', 'unref'] as const;

export function installStream(net: Net): void {
  const proto = wrapperPrototype();
  const isOurs: IsOurs = (value: unknown): value is NetSocket =>
    Object.prototype.isPrototypeOf.call(net.Socket.prototype, value as never);
  installRead(proto, isOurs);
  installWrite(proto, isOurs);
  installConnecting(proto, isOurs);
  installServer(proto, isOurs);
  for (const name of ASKED) {
    const before = proto[name];
    proto[name] = function (...args: unknown[]): unknown {
      if (!isOurs(this.stream)) return Reflect.apply(before, this, args);
      const answer = Reflect.apply(this.stream[name] as () => unknown, this.stream, args);
      return answer === this.stream ? this : answer;
    };
  }
}

/** As long as the socket is connecting, so is what stands over it: http2 waits for the connection, as it does upon a native handle. */
function installConnecting(proto: object, isOurs: IsOurs): void {
  const followed = new WeakSet<object>();
  Object.defineProperty(proto, 'connecting', {
    configurable: true,
    get(this: Wrapper & EventEmitter): boolean {
      const { stream } = this;
      if (!isOurs(stream) || !stream.connecting) return false;
      if (!followed.has(this)) {
        followed.add(this);
        stream.once('connect', () => this.emit('connect'));
      }
      return true;
    },
    // Socket's constructor and connect() say what they know.
    set() {},
  });
}

/** Whose connection it is. The one that the server counts is the socket below, whose end it hears of from that. */
function installServer(proto: Record<string, Method>, isOurs: IsOurs): void {
  let ending: unknown = null;
  for (const name of ['server', '_server'] as const) {
    Object.defineProperty(proto, name, {
      configurable: true,
      get(this: Wrapper): unknown {
        return this !== ending && isOurs(this.stream) ? this.stream[name] : null;
      },
      // Socket's constructor says that there is none.
      set() {},
    });
  }
  const destroy = proto._destroy;
  proto._destroy = function (...args: unknown[]): unknown {
    const before = ending;
    ending = this;
    try {
      return Reflect.apply(destroy, this, args);
    } finally {
      ending = before;
    }
  };
}

/**
 * What is written goes to the socket's handle at once, as it goes to a native one: what cannot be sent is for the writer to know,
 * who may not care for a farewell that nobody takes, and no error of the socket's. What is sent then is done when the call returns
 * for http2, and after that for tls, which cannot hear of it inside of its own call; as upon a native handle.
 */
function installWrite(proto: Record<string, Method>, isOurs: IsOurs): void {
  const before = proto.doWrite;
  proto.doWrite = function (request: unknown, data: unknown): unknown {
    const { stream } = this;
    const handle = this._handle;
    const symbols = Object.getOwnPropertySymbols(this);
    const current = symbols.find(({ description }) => description === 'kCurrentWriteRequest');
    const closing = symbols.find(({ description }) => description === 'kPendingClose');
    if (!isOurs(stream) || current === undefined || closing === undefined || this[closing] || !handle)
      return Reflect.apply(before, this, [request, data]);
    const done = (status: number): void => void proto.finishWrite.call(this, handle, status);
    const status = writeThrough(stream, data as Uint8Array[], done);
    if (status < 0) return status;
    this[current] = request;
    if (status === SENT) {
      if (stream[kTaker]?.session) done(0);
      else whenUnwound(() => done(0));
    }
    return 0;
  };
}

type Done = (status: number) => void;

const SENT = 1;

/** SENT; 0, and `done` is called later; or -errno. */
function writeThrough(stream: NetSocket, buffers: Uint8Array[], done: Done): number {
  const handle = stream._handle;
  if (stream.writableEnded || (handle === null && !stream.connecting)) {
    // A farewell after the end: there is nobody to hear of it.
    whenUnwound(() => done(-ECANCELED));
    return 0;
  }
  const waiting = (stream as unknown as { writableBuffer: unknown[] }).writableBuffer.length > 0;
  if (stream.connecting || waiting || !(handle instanceof TcpHandle))
    return writeBehind(stream, buffers, done);
  const writing = new WriteRequest();
  writing.handle = handle;
  writing.oncomplete = (status) => {
    if (status === 0) stream._unrefTimer();
    stream[kLastQueueSize] = 0;
    done(status);
  };
  stream._unrefTimer();
  const status = handle.writev(writing, buffers, true);
  if (status !== 0) return status;
  stream._bytesDispatched += writing.bytes;
  if (!writing.async) return SENT;
  stream[kLastQueueSize] = writing.bytes;
  return 0;
}

/** After what the socket has still to send, or once it is connected. */
function writeBehind(stream: NetSocket, buffers: Uint8Array[], done: Done): number {
  let left = buffers.length;
  const written = (error?: NodeError | null): void => {
    if (left === 0 || (!error && --left > 0)) return;
    left = 0;
    done(error ? (error.errno ?? -EPIPE) : 0);
  };
  stream.cork();
  for (const each of buffers) stream.write(each, written);
  stream.uncork();
  return 0;
}

/** The class is internal: an instance has it. */
function wrapperPrototype(): Record<string, Method> {
  const secured = new tls.TLSSocket(new Duplex() as never, {});
  const { _parentWrap } = (secured as unknown as { _handle: { _parentWrap: object } })._handle;
  secured.destroy();
  return Object.getPrototypeOf(_parentWrap) as Record<string, Method>;
}
