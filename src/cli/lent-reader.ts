// Reading as fast as it goes, for programs that do not want to keep what they read: lent where it came in large pieces
// (TCP_ZEROCOPY_RECEIVE), copied where it did not.

import { IPPROTO_TCP, type Syscalls, TCP_ZEROCOPY_RECEIVE, type TcpZerocopyReceive } from '../index.js';

/** What comes in one piece is lent whole: whoever wants to have it in less reads. */
const LARGEST_PIECE = 68 << 10;

export class LentReader {
  readonly #sys: Syscalls;
  readonly #block: Uint8Array;
  readonly #lent: { readonly value: TcpZerocopyReceive } | null;

  /** @param block What may be read at once, and where what is not lent goes. */
  constructor(sys: Syscalls, block: Uint8Array) {
    this.#sys = sys;
    this.#block = block;
    this.#lent = block.length < LARGEST_PIECE ? null : { value: { length: 0, iov: [] } };
  }

  /**
   * How many bytes were taken from the head of the stream, which are to be had until the next call; 0 at its end; -errno, as of recv(2).
   */
  read(fd: number): number {
    const lent = this.#lent;
    let count = this.#block.length;
    if (lent !== null) {
      const { value } = lent;
      value.length = count;
      if (this.#sys.getsockopt(fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, lent) === 0) {
        // An error is told once: recv would take what follows a reset for the end.
        if ((value.err as number) < 0) return value.err as number;
        if (value.length > 0) return value.length;
        // What is too small to be lent, without the large pieces behind it.
        if ((value.recv_skip_hint as number) > 0) count = value.recv_skip_hint as number;
      }
    }
    return this.#sys.recv(fd, this.#block, count, 0);
  }

  /** Gives back what is lent. */
  close(): void {
    for (const part of this.#lent?.value.iov ?? []) this.#sys.munmap(part);
  }
}
