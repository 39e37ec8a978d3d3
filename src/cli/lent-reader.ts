// Reading as fast as it goes, for programs that do not want to keep what they read: lent where it came in large pieces
// (TCP_ZEROCOPY_RECEIVE), copied where it did not.

import { IPPROTO_TCP, type Syscalls, TCP_ZEROCOPY_RECEIVE, type TcpZerocopyReceive } from '../index.js';

/** What comes in one piece is lent whole: whoever wants to have it in less reads. */
const LARGEST_PIECE = 68 << 10;
/** What is smaller than a page is never lent. Room for more would have that copied, too, which could be. */
const PAGE_SIZE = 4096;

export class LentReader {
  readonly #sys: Syscalls;
  readonly #block: Uint8Array;
  readonly #lent: { readonly value: TcpZerocopyReceive } | null;

  /** @param block What may be read at once, and where what is not lent goes. */
  constructor(sys: Syscalls, block: Uint8Array) {
    this.#sys = sys;
    this.#block = block;
    this.#lent = block.length < LARGEST_PIECE ? null : { value: { length: 0, iov: [], copybuf: block } };
  }

  /**
   * How many bytes were taken from the head of the stream, which are to be had until the next call; 0 at its end; -errno, as of recv(2).
   */
  read(fd: number): number {
    const lent = this.#lent;
    if (lent !== null) {
      const { value } = lent;
      value.length = this.#block.length;
      value.copybuf_len = PAGE_SIZE;
      const result = this.#sys.getsockopt(fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, lent);
      if (result === 0) {
        // It is told once: recv would take what follows a reset for the end.
        if ((value.err as number) < 0) return value.err as number;
        const taken = value.length + value.copybuf_len;
        if (taken > 0) return taken;
      }
    }
    // Nothing there, an urgent byte, the end.
    return this.#sys.recv(fd, this.#block, this.#block.length, 0);
  }

  /** Gives back what is lent. */
  close(): void {
    for (const part of this.#lent?.value.iov ?? []) this.#sys.munmap(part);
  }
}
