// Echo (RFC 862): what comes in goes out again. While the answer cannot be written nothing more is read, so that a peer which
// only sends is slowed down by its own window.

import { EAGAIN, EPOLLIN, EPOLLOUT, SHUT_WR } from '../index.js';
import { Connection } from './connection.js';

/** Shared: its contents never outlive one call of `ready`. */
const buffer = new Uint8Array(1 << 16);
const NOTHING = new Uint8Array(0);

export class EchoConnection extends Connection {
  /** What was read and could not be written yet. */
  #pending: Uint8Array = NOTHING;

  ready(exhaust: boolean): void {
    do {
      if (this.#pending.length > 0) this.#write(this.#pending, this.#pending.length);
      if (this.ended !== null || this.wants === EPOLLOUT) return;
      const count = this.sys.read(this.fd, buffer);
      if (count === -EAGAIN) return;
      if (count <= 0) {
        this.#finish(count);
        return;
      }
      this.bytesIn += count;
      this.#write(buffer, count);
    } while (exhaust && this.ended === null && this.wants === EPOLLIN);
  }

  summary(): string {
    return `${this.bytesIn} bytes in, ${this.bytesOut} bytes out`;
  }

  /** Writes as much as goes; the rest is kept, and the connection wants output until it is gone. */
  #write(bytes: Uint8Array, count: number): void {
    const written = this.sys.write(this.fd, bytes, count);
    if (written < 0 && written !== -EAGAIN) {
      this.fail('write', written);
      return;
    }
    const done = Math.max(0, written);
    this.bytesOut += done;
    if (done === count) this.#pending = NOTHING;
    else this.#pending = bytes === buffer ? bytes.slice(done, count) : bytes.subarray(done, count);
    this.wants = done === count ? EPOLLIN : EPOLLOUT;
  }

  /** The peer has said all it will, and has had all of it back: our half ends too. */
  #finish(result: number): void {
    if (result < 0) {
      this.fail('read', result);
      return;
    }
    this.sys.shutdown(this.fd, SHUT_WR);
    this.ended = 'closed by the peer';
  }
}
