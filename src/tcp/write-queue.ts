// The segments of a sock's send queue (tcp_rtx_queue and sk_write_queue), as rows of numbers in one ring: no object per segment.
// The first `sent` rows are in the network, the others wait. A row is what sendmsg filled or output handed to the NIC, up to
// 64 KiB; it is split where only part of it is sent, acknowledged or selected. The bytes themselves stand in `sndQueue`.

/** Row layout. */
export const ROW_SEQ = 0;
export const ROW_END = 1;
export const ROW_FLAGS = 2;
/** When it was last sent, microseconds. */
export const ROW_SENT_US = 3;
/** What rate.ts remembers of the moment it was sent. */
export const ROW_FIRST_US = 4;
export const ROW_DELIVERED_US = 5;
export const ROW_DELIVERED = 6;
/** Counts up with each sending, because one batch sees one moment. */
export const ROW_ORDER = 7;
const ROW_SHIFT = 3;
const ROW = 1 << ROW_SHIFT;
const FIRST_ROWS = 4;
/** More than a connection has under way that is not bulk. */
const KEPT_ROWS = 16;

export const TCPCB_SACKED_ACKED = 0x01;
/** A retransmission of it is in the network. */
export const TCPCB_SACKED_RETRANS = 0x02;
export const TCPCB_LOST = 0x04;
export const TCPCB_EVER_RETRANS = 0x80;
export const TCPCB_RETRANS = TCPCB_SACKED_RETRANS | TCPCB_EVER_RETRANS;
/** It ends in a FIN; it is the SYN; its last segment is pushed; nothing may be appended to it (MSG_EOR). */
export const ROW_FIN = 0x100;
export const ROW_SYN = 0x200;
export const ROW_PSH = 0x400;
export const ROW_EOR = 0x800;
/** Its rate words are filled; the application limited the rate when it was sent. */
export const ROW_RATED = 0x1000;
export const ROW_LIMITED = 0x2000;
/** Above: the payload of the segments that it was sent as, or is cut to since (tcp_skb_mss). What waits has none yet. */
export const ROW_SIZE_SHIFT = 16;
const NOT_SIZE = (1 << ROW_SIZE_SHIFT) - 1;

const EMPTY = new Int32Array(0);
/** What stays with the last part when a row is split. */
const TAIL_FLAGS = ROW_FIN | ROW_PSH | ROW_EOR;

export class WriteQueue {
  rows = EMPTY;
  count = 0;
  /** Rows in the network; the rest is unsent. */
  sent = 0;
  #head = 0;
  #mask = -1;
  #order = 0;

  /** Word index of row `i` counted from the oldest. */
  at(i: number): number {
    return ((this.#head + i) & this.#mask) << ROW_SHIFT;
  }

  /** Index of the first row in the network that ends after `seq`; `sent` if there is none. */
  find(seq: number): number {
    let low = 0;
    let high = this.sent;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (((this.rows[this.at(middle) + ROW_END] - seq) | 0) > 0) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Appends an unsent row. */
  push(seq: number, end: number, flags: number): void {
    if (this.count > this.#mask) this.#grow();
    const at = this.at(this.count++);
    const rows = this.rows;
    rows[at + ROW_SEQ] = seq;
    rows[at + ROW_END] = end;
    rows[at + ROW_FLAGS] = flags;
  }

  /** Counts the first row that waits as sent at `nowUs`; returns its word index. */
  sentFirst(nowUs: number): number {
    const at = this.at(this.sent++);
    this.stamp(at, nowUs);
    return at;
  }

  /** The row at word index `at` leaves at `nowUs`, for the first time or again. */
  stamp(at: number, nowUs: number): void {
    this.rows[at + ROW_SENT_US] = nowUs;
    this.#order = (this.#order + 1) | 0;
    this.rows[at + ROW_ORDER] = this.#order;
  }

  /** Row `i` counts as segments of `size` bytes. */
  resize(i: number, size: number): void {
    const at = this.at(i) + ROW_FLAGS;
    this.rows[at] = (this.rows[at] & NOT_SIZE) | (size << ROW_SIZE_SHIFT);
  }

  /** The oldest row, which was sent, is done with. */
  shift(): void {
    this.#head = (this.#head + 1) & this.#mask;
    this.count--;
    this.sent--;
  }

  /** Splits row `i` at sequence `seq`: the first part keeps its place, the second comes right after it, both alike. */
  split(i: number, seq: number): void {
    if (this.count > this.#mask) this.#grow();
    // Whichever side is shorter makes room.
    if (i < this.count >> 1) {
      this.#head = (this.#head - 1) & this.#mask;
      for (let j = 0; j <= i; j++) this.#copy(j + 1, j);
    } else {
      for (let j = this.count; j > i; j--) this.#copy(j - 1, j);
    }
    this.count++;
    if (i < this.sent) this.sent++;
    const first = this.at(i);
    const second = this.at(i + 1);
    this.rows[first + ROW_END] = seq;
    this.rows[first + ROW_FLAGS] &= ~TAIL_FLAGS;
    this.rows[second + ROW_SEQ] = seq;
  }

  /** Row `i` takes in the one after it, which must be as far on its way as itself. */
  merge(i: number): void {
    const at = this.at(i);
    const next = this.at(i + 1);
    this.rows[at + ROW_END] = this.rows[next + ROW_END];
    this.rows[at + ROW_FLAGS] |= this.rows[next + ROW_FLAGS] & (TAIL_FLAGS | TCPCB_EVER_RETRANS);
    if (i < this.count >> 1) {
      for (let j = i + 1; j > 0; j--) this.#copy(j - 1, j);
      this.#head = (this.#head + 1) & this.#mask;
    } else {
      for (let j = i + 1; j < this.count - 1; j++) this.#copy(j + 1, j);
    }
    this.count--;
    if (i + 1 < this.sent) this.sent--;
  }

  /** Whoever gets it next has few rows to queue: room for these is kept, because to make it takes longer than to fill it. */
  clear(): void {
    this.count = 0;
    this.sent = 0;
    this.#head = 0;
    if (this.rows.length <= KEPT_ROWS * ROW) return;
    this.rows = EMPTY;
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

/** The segments of a sock that has none yet. Frozen: `sk.ownTx` makes one to be written to. */
export const NO_SEGMENTS = new WriteQueue();
Object.freeze(NO_SEGMENTS);
