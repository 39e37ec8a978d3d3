// What a socket of ours receives for tls or http2 goes to them from the handle, and not through the socket, as it does upon a native
// handle: listeners and an encoding that a program had on the socket before (STARTTLS) are no concern of theirs, and hear nothing.

import { setImmediate } from 'node:timers';
import type { NetSocket } from './socket.js';
import { tryReadStart } from './socket-read.js';
import { kTaker, type Taker } from './symbols.js';
import { TcpHandle } from './tcp-handle.js';

/** The handle below a JSStreamSocket. */
interface StreamHandle {
  readBuffer(data: Uint8Array): void;
  emitEOF(): void;
  hasRef?: () => boolean;
}

/** A JSStreamSocket. */
export interface Wrapper {
  stream?: unknown;
  _handle?: unknown;
  [key: symbol]: unknown;
}

export type Method = (this: Wrapper, ...args: unknown[]) => unknown;
export type IsOurs = (value: unknown) => value is NetSocket;

/**
 * Sockets that are about to be read again. http2 stops to read while it writes, and what it has still to write when that is done it
 * writes in an immediate of its own. Upon a native handle that comes before anything is read; so it must here.
 */
const resuming = new WeakSet<NetSocket>();

function resume(stream: NetSocket): void {
  if (resuming.delete(stream)) begin(stream);
}

export function installRead(proto: Record<string, Method>, isOurs: IsOurs): void {
  const { readStart, readStop } = proto;
  proto.readStart = function (): unknown {
    const { stream } = this;
    if (!isOurs(stream)) return Reflect.apply(readStart, this, []);
    if (stream[kTaker] === null) {
      // The first time is in its constructor, which has just begun to listen.
      takeOver(this, stream);
      begin(stream);
    } else if (!resuming.has(stream)) {
      resuming.add(stream);
      setImmediate(() => setImmediate(resume, stream));
    }
    return 0;
  };
  proto.readStop = function (): unknown {
    const { stream } = this;
    if (!isOurs(stream)) return Reflect.apply(readStop, this, []);
    resuming.delete(stream);
    const handle = stream._handle;
    if (handle === null || stream.connecting) return 0;
    handle.reading = false;
    return handle.readStop();
  };
}

function takeOver(wrapper: Wrapper, stream: NetSocket): void {
  for (const event of ['data', 'end']) {
    const added = stream.listeners(event).at(-1);
    if (added !== undefined) stream.removeListener(event, added as () => void);
  }
  const handle = (): StreamHandle | null => wrapper._handle as StreamHandle | null;
  const taker: Taker = {
    session: isBound(stream),
    data: (data) => handle()?.readBuffer(data),
    end: () => handle()?.emitEOF(),
  };
  stream[kTaker] = taker;
  const below = handle();
  if (below !== null) below.hasRef = () => stream._handle?.hasRef() === true;
  unscope(stream);
  if (stream.connecting || stream._handle === null) stream.once('connect', () => begin(stream));
  // What has come already; nobody is there to take it before the constructors are done.
  if (stream.readableLength > 0) process.nextTick(takeWaiting, stream, taker);
}

/** What takes what a socket receives is an HTTP/2 session, which has put its name on the socket; or else TLS. */
function isBound(stream: NetSocket): boolean {
  const symbol = Object.getOwnPropertySymbols(stream).find(
    ({ description }) => description === 'kBoundSession',
  );
  // Node 20 does not export the symbol to itself, so that the name is 'undefined'.
  return (stream as unknown as Record<string | symbol, unknown>)[symbol ?? 'undefined'] !== undefined;
}

/** As libuv calls C++, so is C++ called. */
function unscope(stream: NetSocket): void {
  if (stream._handle instanceof TcpHandle) stream._handle.readUnscoped();
}

function begin(stream: NetSocket): void {
  unscope(stream);
  if (stream._handle !== null && !stream.connecting && !stream._handle.reading) tryReadStart(stream);
}

function takeWaiting(stream: NetSocket, taker: Taker): void {
  for (let data: unknown = stream.read(); data !== null; data = stream.read())
    taker.data(
      typeof data === 'string' ? Buffer.from(data, stream.readableEncoding ?? 'utf8') : (data as Buffer),
    );
}
