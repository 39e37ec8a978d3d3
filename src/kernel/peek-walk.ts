// How far a recv with MSG_PEEK has got that sleeps (peek_seq, peek_offset and urg_hole of tcp_recvmsg_locked): it goes on where it was,
// unless somebody else has read meanwhile.

import type { SockExtras } from '../core/sock-extras.js';
import type { TcpSock } from '../tcp/sock.js';

export class PeekWalk {
  /** The byte it looks at next. */
  seq: number;
  readonly #sk: TcpSock;
  readonly #extras: SockExtras;
  readonly #offset: number;
  /** Urgent bytes that were stepped over. */
  #hole = 0;

  constructor(sk: TcpSock) {
    this.#sk = sk;
    this.#extras = sk.ownExtras();
    this.#offset = Math.max(this.#extras.peekOff, 0);
    this.seq = (sk.copiedSeq + this.#offset) | 0;
  }

  /** Before each step of receiving, */
  begin(): void {
    this.#extras.peekSeq = this.seq;
    this.#extras.peekGoesOn = true;
  }

  /** and after it, with what it returned. */
  end(result: number): void {
    const { peekSeq } = this.#extras;
    this.#extras.peekGoesOn = false;
    this.#hole += (peekSeq - this.seq - Math.max(result, 0)) | 0;
    this.seq = peekSeq;
  }

  /** After a sleep, with `copied` bytes in hand. */
  woken(copied: number): void {
    const { copiedSeq } = this.#sk;
    if (((this.seq - this.#offset - copied - this.#hole) | 0) !== copiedSeq)
      this.seq = (copiedSeq + this.#offset) | 0;
  }
}
