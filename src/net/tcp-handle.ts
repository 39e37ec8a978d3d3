// A TCP handle with the shape of Node's TCP wrap, on the syscalls of a stack. Sockets and servers stand on it; programs that
// reach for `_handle` find what they know. Results are 0 or -errno, and completions come from the reactor, never from a call.

import type { TcpSock } from '../tcp/sock.js';
import {
  EAFNOSUPPORT,
  EAGAIN,
  EBADF,
  ECONNREFUSED,
  EINPROGRESS,
  EINVAL,
  ENETDOWN,
  ENOTCONN,
} from '../uapi/errno.js';
import { EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP } from '../uapi/poll.js';
import {
  AF_INET,
  MSG_MORE,
  MSG_NOSIGNAL,
  MSG_SPLICE_PAGES,
  SHUT_WR,
  SO_ERROR,
  SO_LINGER,
  SOCK_NONBLOCK,
  SOL_SOCKET,
} from '../uapi/socket.js';
import { HandleBase } from './handle-base.js';
import type { Reachable } from './reactor.js';
import type { ConnectRequest, ShutdownRequest, WriteRequest } from './requests.js';
import { putBytes, putString, scratchBuffer } from './scratch.js';
import { READ_SIZE, takePart } from './slab.js';
import { WriteQueue } from './write-queue.js';

/** End of the stream, where a read result would be (UV_EOF). */
export const EOF = -4095;

const READING = EPOLLIN | EPOLLRDHUP | EPOLLET;
/** What lies in memory that the program mapped (sys.mmap) is sent from there. */
const SEND = MSG_NOSIGNAL | MSG_SPLICE_PAGES;
const ENDS = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

export class TcpHandle extends HandleBase {
  reading = false;
  bytesRead = 0;
  bytesWritten = 0;
  onread: (nread: number, data: Buffer | undefined) => void = ignore;
  onconnection: (status: number, client: TcpHandle | undefined) => void = ignore;
  /** The stack was closed. Unless its owner has a say, the handle is. */
  onstackclosed: (() => void) | null = null;

  #listening = false;
  /** It listens where nobody can come from any more. */
  #stranded = false;
  /** There may be something to read: the edge has been seen, and the queue's end has not. */
  #readable = false;
  /** The stream is over or broken: what is to be read ends with that. */
  #ending = false;
  /** Reads outside every callback of Node's. */
  #unscoped = false;
  /** Is about to. */
  #unscoping = false;
  #userBuffer: Uint8Array | null = null;
  #connect: ConnectRequest | null = null;
  #delayedError = 0;
  #writes: WriteQueue | null = null;
  #shutdown: ShutdownRequest | null = null;

  protected override get active(): boolean {
    return (
      this.onClose !== null ||
      this.#connect !== null ||
      this.#shutdown !== null ||
      this.writeQueueSize > 0 ||
      (this.refd && (this.reading || this.#listening))
    );
  }

  protected override stop(): void {
    this.reading = false;
    this.#listening = false;
  }

  /** Its connection is the stack's, and not one of Node's own. */
  get onStack(): boolean {
    return true;
  }

  get writeQueueSize(): number {
    return this.#writes === null ? 0 : this.#writes.size;
  }

  listen(backlog: number): number {
    const error = this.socket() || this.reactor.sys.listen(this.fd, backlog);
    if (error < 0) return error;
    this.#listening = true;
    this.watch(EPOLLIN);
    this.account();
    return 0;
  }

  connect(request: ConnectRequest, address: string, port: number): number {
    const error = this.socket();
    if (error < 0) return error;
    const result = this.reactor.sys.connect(this.fd, { family: AF_INET, address, port });
    if (result === -ECONNREFUSED) this.#delayedError = result;
    else if (result < 0 && result !== -EINPROGRESS) return result;
    this.#connect = request;
    if (this.#delayedError !== 0) this.feed();
    else this.watch(READING | EPOLLOUT);
    this.account();
    return 0;
  }

  connect6(_request: ConnectRequest, _address: string, _port: number): number {
    return -EAFNOSUPPORT;
  }

  readStart(): number {
    if (this.fd < 0) return this.closing ? -EINVAL : -ENOTCONN;
    this.reading = true;
    this.watch(this.interest | READING);
    if (this.#readable) this.feed();
    this.account();
    return 0;
  }

  readStop(): number {
    this.reading = false;
    this.account();
    return 0;
  }

  /** What is read goes to this memory from now on, and `onread` gets no data. */
  useUserBuffer(buffer: Uint8Array): void {
    this.#userBuffer = buffer;
  }

  /** C++ of Node's takes what is read: it is to be called as libuv calls it, where that can be. */
  readUnscoped(): void {
    this.#unscoped = this.reactor.unscopes;
  }

  writeBuffer(request: WriteRequest, data: Uint8Array): number {
    const sent = this.#send(data, data.length, 0);
    if (sent < 0) return sent;
    this.#taken(request, data.length);
    if (sent < data.length) this.#queue(request, data.subarray(sent), true);
    return 0;
  }

  writeString(request: WriteRequest, text: string, encoding: BufferEncoding): number {
    const length = putString(text, encoding, 0);
    if (length < 0) return this.writeBuffer(request, Buffer.from(text, encoding));
    return this.#sendScratch(request, length);
  }

  /** `chunks`: buffers, or each followed by its encoding. */
  writev(request: WriteRequest, chunks: readonly unknown[], allBuffers: boolean): number {
    const step = allBuffers ? 1 : 2;
    let length = 0;
    for (let at = 0; at < chunks.length; at += step) {
      const chunk = chunks[at];
      const put =
        typeof chunk === 'string'
          ? putString(chunk, chunks[at + 1] as BufferEncoding, length)
          : putBytes(chunk as Uint8Array, length);
      if (put < 0) return this.#writeMany(request, chunks, step);
      length += put;
    }
    return this.#sendScratch(request, length);
  }

  #sendScratch(request: WriteRequest, length: number): number {
    const scratch = scratchBuffer();
    const sent = this.#send(scratch, length, 0);
    if (sent < 0) return sent;
    this.#taken(request, length);
    if (sent < length) this.#queue(request, Uint8Array.prototype.slice.call(scratch, sent, length), true);
    return 0;
  }

  #writeMany(request: WriteRequest, chunks: readonly unknown[], step: number): number {
    let full = false;
    let total = 0;
    for (let at = 0; at < chunks.length; at += step) {
      const chunk = chunks[at];
      const data =
        typeof chunk === 'string'
          ? Buffer.from(chunk, chunks[at + 1] as BufferEncoding)
          : (chunk as Uint8Array);
      const last = at + step >= chunks.length;
      const sent: number = full ? 0 : this.#send(data, data.length, last ? 0 : MSG_MORE);
      if (sent < 0) return sent;
      full ||= sent < data.length;
      total += data.length;
      if (full) this.#queue(request, data.subarray(sent), last);
    }
    this.#taken(request, total);
    return 0;
  }

  /** Bytes taken now: 0 behind others that wait, or when there is no room. */
  #send(data: Uint8Array, length: number, flags: number): number {
    if (this.fd < 0) return -EBADF;
    if (this.#writes !== null && !this.#writes.empty) return 0;
    const sent = this.reactor.sys.send(this.fd, data, length, SEND | flags);
    return sent === -EAGAIN ? 0 : sent;
  }

  #taken(request: WriteRequest, length: number): void {
    request.bytes = length;
    this.bytesWritten += length;
  }

  #queue(request: WriteRequest, data: Uint8Array, last: boolean): void {
    request.async = true;
    this.#writes ??= new WriteQueue();
    this.#writes.push(data, request, last);
    this.watch(this.interest | EPOLLOUT | EPOLLET);
    this.account();
  }

  shutdown(request: ShutdownRequest): number {
    if (this.fd < 0) return -ENOTCONN;
    this.#shutdown = request;
    if (this.writeQueueSize === 0) this.feed();
    this.account();
    return 0;
  }

  close(callback?: () => void): void {
    if (this.closing) return;
    this.onClose = callback ?? null;
    this.end();
  }

  /** Ends with an RST. -EINVAL if the end was announced already. */
  reset(callback?: () => void): number {
    if (this.#shutdown !== null) return -EINVAL;
    if (this.closing) return 0;
    if (this.fd >= 0) {
      this.reactor.sys.setsockopt(this.fd, SOL_SOCKET, SO_LINGER, { l_onoff: 1, l_linger: 0 });
    }
    this.onClose = callback ?? null;
    this.end();
    return 0;
  }

  protected override events(events: number): boolean {
    if (this.#listening) return this.#accept();
    if ((events & (EPOLLIN | ENDS)) !== 0) this.#readable = true;
    if ((events & ENDS) !== 0) this.#ending = true;
    if (this.#connect !== null) {
      if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) !== 0) this.#connected();
      return false;
    }
    const more = this.#readable && this.reading && this.#pull();
    if (this.#writes !== null && !this.#writes.empty && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) !== 0)
      this.#flush();
    return more && !this.closing;
  }

  protected override continue(): void {
    if (this.#stranded) this.onconnection(-ENETDOWN, undefined);
    if (this.#connect !== null) {
      if (this.#delayedError !== 0) this.#connected();
      return;
    }
    if (this.#shutdown !== null && this.writeQueueSize === 0) this.#shutdownNow(this.#shutdown);
    if (this.#readable && this.reading && this.#pull()) this.feed();
  }

  override onLinkDown(left: Reachable): void {
    this.#stranded = this.#listening && !left((this.sk as TcpSock).laddr);
    if (this.#stranded) this.feed();
  }

  protected override stackClosed(): void {
    const connect = this.#connect;
    this.#connect = null;
    connect?.oncomplete(this.reactor.canceled, this, connect, false, false);
    if (!this.closing) (this.onstackclosed ?? this.close).call(this);
  }

  protected override cancel(): void {
    const status = this.reactor.canceled;
    const connect = this.#connect;
    this.#connect = null;
    connect?.oncomplete(status, this, connect, false, false);
    while (this.#writes !== null && !this.#writes.empty) this.#writes.drop().oncomplete(status);
    const shutdown = this.#shutdown;
    this.#shutdown = null;
    shutdown?.oncomplete(status);
    const onClose = this.onClose;
    this.onClose = null;
    this.account();
    onClose?.call(this);
  }

  /** One connection; each is a callback of its own. True: there may be another. */
  #accept(): boolean {
    const fd = this.reactor.sys.accept4(this.fd, null, SOCK_NONBLOCK);
    if (fd === -EAGAIN) return false;
    if (fd < 0) {
      this.onconnection(fd, undefined);
      return false;
    }
    const client = new TcpHandle(this.reactor);
    client.adopt(fd);
    this.onconnection(0, client);
    return this.#listening;
  }

  #connected(): void {
    const request = this.#connect as ConnectRequest;
    const out = { value: 0 };
    if (this.#delayedError === 0) this.reactor.sys.getsockopt(this.fd, SOL_SOCKET, SO_ERROR, out);
    const status = this.#delayedError || -out.value;
    this.#delayedError = 0;
    this.#connect = null;
    this.account();
    request.oncomplete(status, this, request, true, true);
  }

  #shutdownNow(request: ShutdownRequest): void {
    this.#shutdown = null;
    this.account();
    request.oncomplete(this.reactor.sys.shutdown(this.fd, SHUT_WR));
  }

  /** One read, or a place among those who wait for theirs. True: there may be more, and more is wanted. */
  #pull(): boolean {
    if (!this.#unscoped) return this.#read();
    if (!this.#unscoping) {
      this.#unscoping = true;
      this.reactor.unscope(this);
    }
    return false;
  }

  onUnscoped(): boolean {
    this.#unscoping = !this.closing && this.#readable && this.reading && this.#read();
    return this.#unscoping;
  }

  /** One read. True: there may be more, and more is wanted. */
  #read(): boolean {
    const sk = this.sk as TcpSock;
    const available = sk.rcvQueue.length;
    if (available === 0 && !this.#ending) {
      this.#readable = false;
      return false;
    }
    const own = this.#userBuffer;
    // What may be the end alone needs no memory of its own.
    const into = available === 0 ? scratchBuffer() : (own ?? takePart(Math.min(available, READ_SIZE)));
    const count = this.reactor.sys.read(this.fd, into, into.length);
    if (count <= 0) {
      this.#readable = false;
      if (count !== -EAGAIN) this.#readEnd(count);
      return false;
    }
    this.bytesRead += count;
    if (own !== null) this.onread(count, undefined);
    else this.onread(count, (count < into.length ? into.subarray(0, count) : into) as Buffer);
    if (!this.reading) return false;
    this.#readable = this.#ending || sk.rcvQueue.length > 0;
    return this.#readable;
  }

  /** The end of the stream, or an error: nothing will be read any more. */
  #readEnd(result: number): void {
    this.reading = false;
    this.account();
    this.onread(result === 0 ? EOF : result, undefined);
  }

  #flush(): void {
    const writes = this.#writes as WriteQueue;
    while (!this.closing && !writes.empty) {
      const piece = writes.first;
      const sent = this.reactor.sys.send(this.fd, piece.data, piece.data.length, SEND);
      if (sent === -EAGAIN) return;
      if (sent < 0) {
        const request = writes.drop();
        this.account();
        request.oncomplete(sent);
        continue;
      }
      const whole = sent === piece.data.length;
      writes.advance(sent);
      if (!whole || !piece.last) continue;
      this.account();
      piece.request.oncomplete(0);
    }
    if (this.#shutdown !== null && !this.closing) this.feed();
  }
}

function ignore(): void {}
