// The control connection of an iperf3 test: small messages both ways, read when they are complete and written as room is.

import { EAGAIN, EPOLLIN, EPOLLOUT, MSG_NOSIGNAL } from '../index.js';
import type { ReadyLoop, Watched } from './ready-loop.js';

const CHUNK = 64 * 1024;

export class ControlConnection implements Watched {
  fd: number;
  /** Bytes that may lie here unread: a peer that sends more is cut off. */
  limit: number;
  /** What arrived and nobody has taken yet. */
  received = new Uint8Array(0);
  /** The peer has closed its half, or the connection failed with this errno (> 0). */
  ended = false;
  errno = 0;
  /** Told when something has arrived or the connection has ended. */
  onInput: () => void = () => {};
  readonly #loop: ReadyLoop;
  #unsent: Uint8Array[] = [];
  #closeWhenSent = false;

  constructor(loop: ReadyLoop, fd: number, limit: number) {
    this.#loop = loop;
    this.fd = fd;
    this.limit = limit;
    loop.watch(this, EPOLLIN);
  }

  ready(events: number): void {
    if ((events & EPOLLOUT) !== 0) this.#flush();
    // Anything else than room to write is for a read to find out: data, the end, or an error.
    if (this.fd >= 0 && (events & ~EPOLLOUT) !== 0) this.#read();
  }

  /** One byte, signed; null: not there yet. */
  takeState(): number | null {
    return this.received.length < 1 ? null : (this.take(1)[0] << 24) >> 24;
  }

  /** JSON behind its length; null: not complete yet. Undefined: it is none, or longer than `most`. */
  takeJson(most: number): string | null | undefined {
    if (this.received.length < 4) return null;
    const { buffer, byteOffset } = this.received;
    const length = new DataView(buffer, byteOffset).getUint32(0);
    if (length === 0 || length > most) return undefined;
    if (this.received.length < 4 + length) return null;
    this.take(4);
    return new TextDecoder().decode(this.take(length));
  }

  take(length: number): Uint8Array {
    const taken = this.received.subarray(0, length);
    this.received = this.received.subarray(length);
    return taken;
  }

  sendState(state: number): void {
    this.send(Uint8Array.of(state));
  }

  sendJson(text: string): void {
    const body = new TextEncoder().encode(text);
    this.send(uint32(body.length));
    this.send(body);
  }

  send(bytes: Uint8Array): void {
    if (this.fd < 0) return;
    this.#unsent.push(bytes);
    this.#flush();
  }

  /** Closes once everything is sent. */
  finish(): void {
    this.#closeWhenSent = true;
    this.#flush();
  }

  close(): void {
    if (this.fd < 0) return;
    this.#loop.sys.close(this.fd);
    this.fd = -1;
  }

  /** Hands the descriptor to another owner. */
  release(): number {
    const { fd } = this;
    this.#loop.forget(this);
    this.fd = -1;
    return fd;
  }

  #flush(): void {
    const { sys } = this.#loop;
    while (this.#unsent.length > 0 && this.fd >= 0) {
      const [first] = this.#unsent;
      const sent = sys.send(this.fd, first, first.length, MSG_NOSIGNAL);
      if (sent === -EAGAIN) break;
      if (sent < 0) this.#end(-sent);
      else if (sent < first.length) this.#unsent[0] = first.subarray(sent);
      else this.#unsent.shift();
    }
    if (this.fd < 0) return;
    if (this.#unsent.length === 0 && this.#closeWhenSent) this.close();
    else this.#loop.change(this, this.#unsent.length > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
  }

  #read(): void {
    const buffer = new Uint8Array(Math.min(CHUNK, Math.max(0, this.limit - this.received.length)));
    const count = this.#loop.sys.read(this.fd, buffer);
    if (count === -EAGAIN) return;
    if (count <= 0) {
      // The end, or more than anybody has to say (no room to read into).
      this.#end(Math.max(0, -count));
      return;
    }
    this.received = joined(this.received, buffer.subarray(0, count));
    this.onInput();
  }

  #end(errno: number): void {
    if (!this.ended) {
      this.ended = true;
      this.errno = errno;
      this.onInput();
    }
    this.close();
  }
}

/** Four bytes, most significant first. */
export function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function joined(first: Uint8Array<ArrayBuffer>, second: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (first.length === 0) return second;
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}
