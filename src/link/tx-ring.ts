// The transmit ring between stack and NIC. A frame is a header written into the slot's own header area and up to three
// pieces of payload by reference; `commit` publishes it. The NIC consumes on its own: there is no doorbell per frame on a TAP.

import type { PacketMemory } from '../memory/packet-memory.js';
import { CTRL_TX_HEAD, CTRL_TX_TAIL, CTRL_WORDS } from '../memory/ring-control.js';

/** Words of one descriptor, and where what stands. */
export const TX_WORDS = 12;
export const TX_HEADER_OFFSET = 0;
export const TX_HEADER_LENGTH = 1;
export const TX_PIECE = 2;
export const TX_PIECES = 3;
export const TX_CSUM_START = 8;
export const TX_CSUM_OFFSET = 9;
export const TX_GSO_SIZE = 10;
export const TX_FLAGS = 11;

export const TX_IPV4_CSUM = 1;
export const TX_GSO_TCP4 = 2;
/** With TX_GSO_TCP4: CWR stays with the first segment; CWR is part of a number that all of them bear (Accurate ECN). */
export const TX_ECN = 4;
export const TX_ACCECN = 8;

/** Bytes before a header that belong to the NIC (virtio header), and the whole header area of a slot. */
export const TX_HEADROOM = 16;
export const TX_SLOT = 256;
/** Offset of the Ethernet header in a slot: 2 mod 4, so that the IP header is word aligned. */
export const TX_FRAME_AT = 18;

/** Wants to hear of each committed frame at once (a link without a NIC that polls the ring). */
export interface Doorbell {
  ring(): void;
}

export class TxRing {
  readonly memory: PacketMemory;
  readonly slots: number;
  /** Word index of the control block. */
  readonly ctrl: number;
  /** Byte offset of the descriptors and of the header areas. */
  readonly descriptors: number;
  readonly headers: number;
  /** May be replaced by one that calls it (a capture). */
  doorbell: Doorbell | null;

  readonly #words: Int32Array;
  readonly #mask: number;
  #at = 0;
  #pieces = 0;

  /** @param slots How many frames it holds; a power of two. */
  constructor(memory: PacketMemory, slots: number, doorbell: Doorbell | null = null) {
    this.memory = memory;
    this.slots = slots;
    this.doorbell = doorbell;
    this.#words = memory.words;
    this.#mask = slots - 1;
    this.ctrl = memory.region(CTRL_WORDS * 4) >> 2;
    this.descriptors = memory.region(slots * TX_WORDS * 4);
    this.headers = memory.region(slots * TX_SLOT);
    memory.watchRing(this.ctrl);
  }

  /** Frames committed and not yet sent. */
  get pending(): number {
    return (this.#words[this.ctrl + CTRL_TX_HEAD] - this.#words[this.ctrl + CTRL_TX_TAIL]) | 0;
  }

  /** Frames committed so far (wrapping int32): a mark for `passed`. */
  get mark(): number {
    return this.#words[this.ctrl + CTRL_TX_HEAD];
  }

  /** The NIC has taken everything that was committed when `mark` was. */
  passed(mark: number): boolean {
    return ((this.#words[this.ctrl + CTRL_TX_TAIL] - mark) | 0) >= 0;
  }

  /** Starts a frame: the byte offset of its Ethernet header in packet memory, or -1 when the ring is full. */
  claim(): number {
    const head = this.#words[this.ctrl + CTRL_TX_HEAD];
    if (((head - this.#words[this.ctrl + CTRL_TX_TAIL]) | 0) >= this.slots) return -1;
    const slot = head & this.#mask;
    this.#at = ((this.descriptors >> 2) + slot * TX_WORDS) | 0;
    this.#pieces = 0;
    return (this.headers + slot * TX_SLOT + TX_FRAME_AT) | 0;
  }

  /** Adds a piece of payload that lies in packet memory and stays as it is until the NIC has passed. At most three. */
  piece(offset: number, length: number): void {
    const at = this.#at + TX_PIECE + this.#pieces * 2;
    this.#words[at] = offset;
    this.#words[at + 1] = length;
    this.#pieces++;
  }

  /** Publishes the claimed frame. `csumStart` counts from the Ethernet header, `csumOffset` from there; 0: no L4 checksum. */
  commit(
    frame: number,
    headerLength: number,
    csumStart: number,
    csumOffset: number,
    gsoSize: number,
    flags: number,
  ): void {
    const words = this.#words;
    const at = this.#at;
    words[at + TX_HEADER_OFFSET] = frame;
    words[at + TX_HEADER_LENGTH] = headerLength;
    for (let i = this.#pieces; i < TX_PIECES; i++) words[at + TX_PIECE + i * 2 + 1] = 0;
    words[at + TX_CSUM_START] = csumStart;
    words[at + TX_CSUM_OFFSET] = csumOffset;
    words[at + TX_GSO_SIZE] = gsoSize;
    words[at + TX_FLAGS] = flags;
    words[this.ctrl + CTRL_TX_HEAD] = (words[this.ctrl + CTRL_TX_HEAD] + 1) | 0;
    if (this.doorbell !== null) this.doorbell.ring();
  }

  /** Word index of the descriptor that the last `claim` gave out. */
  get claimed(): number {
    return this.#at;
  }

  /** Word index of the oldest frame's descriptor, for links that consume the ring in JavaScript; -1 when it is empty. */
  front(): number {
    return this.pending === 0 ? -1 : this.#descriptor(this.#words[this.ctrl + CTRL_TX_TAIL]);
  }

  /** Word index of the descriptor committed last, for those who look on from the doorbell. */
  back(): number {
    return this.#descriptor(this.#words[this.ctrl + CTRL_TX_HEAD] - 1);
  }

  /** Consumes the oldest frame. */
  shift(): void {
    this.#words[this.ctrl + CTRL_TX_TAIL] = (this.#words[this.ctrl + CTRL_TX_TAIL] + 1) | 0;
  }

  #descriptor(count: number): number {
    return ((this.descriptors >> 2) + (count & this.#mask) * TX_WORDS) | 0;
  }
}
