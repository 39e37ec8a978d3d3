// What was sent and is not acknowledged (tcp_rtx_queue), as rows of numbers in one ring: no object per segment. A row is a
// segment as it was handed to the NIC, up to 64 KiB; it is split when only part of it was acknowledged or selected.

/** Row layout. */
export const RTX_SEQ = 0;
export const RTX_END = 1;
export const RTX_FLAGS = 2;
export const RTX_SENT_US = 3;
const ROW = 4;
const FIRST_ROWS = 4;

export const RTX_SACKED = 1;
export const RTX_LOST = 2;
/** A retransmission of it is in the network. */
export const RTX_RETRANS = 4;
export const RTX_EVER_RETRANS = 8;
/** It ends in a FIN; it is the SYN; its last segment is pushed. */
export const RTX_FIN = 16;
export const RTX_SYN = 32;
export const RTX_PSH = 64;
/** It went out as one packet, whatever its length. */
export const RTX_PROBE = 128;

const EMPTY = new Int32Array(0);

export class RtxQueue {
  rows = EMPTY;
  count = 0;
  #head = 0;
  #mask = -1;

  /** Word index of row `i` counted from the oldest. */
  at(i: number): number {
    return ((this.#head + i) & this.#mask) * ROW;
  }

  push(seq: number, end: number, flags: number, sentUs: number): void {
    if (this.count > this.#mask) this.#grow();
    const at = this.at(this.count++);
    const rows = this.rows;
    rows[at + RTX_SEQ] = seq;
    rows[at + RTX_END] = end;
    rows[at + RTX_FLAGS] = flags;
    rows[at + RTX_SENT_US] = sentUs;
  }

  shift(): void {
    this.#head = (this.#head + 1) & this.#mask;
    this.count--;
  }

  /** Splits row `i` at sequence `seq`: the first part keeps its place, the second comes right after it, both alike. */
  split(i: number, seq: number): void {
    if (this.count > this.#mask) this.#grow();
    for (let j = this.count; j > i + 1; j--) this.#copy(j - 1, j);
    this.#copy(i, i + 1);
    this.count++;
    const first = this.at(i);
    const second = this.at(i + 1);
    this.rows[first + RTX_END] = seq;
    this.rows[first + RTX_FLAGS] &= ~(RTX_FIN | RTX_PSH | RTX_PROBE);
    this.rows[second + RTX_FLAGS] &= ~RTX_PROBE;
    this.rows[second + RTX_SEQ] = seq;
  }

  clear(): void {
    this.rows = EMPTY;
    this.count = 0;
    this.#head = 0;
    this.#mask = -1;
  }

  #copy(from: number, to: number): void {
    const source = this.at(from);
    this.rows.copyWithin(this.at(to), source, source + ROW);
  }

  #grow(): void {
    const capacity = this.#mask + 1;
    const larger = new Int32Array((capacity === 0 ? FIRST_ROWS : capacity * 2) * ROW);
    for (let i = 0; i < this.count; i++) {
      const at = this.at(i);
      for (let word = 0; word < ROW; word++) larger[i * ROW + word] = this.rows[at + word];
    }
    this.rows = larger;
    this.#head = 0;
    this.#mask = larger.length / ROW - 1;
  }
}
