// Writes captures in the pcapng format (draft-ietf-opsawg-pcapng), which tshark and Wireshark read: one section, its
// interfaces, a block for each frame with its direction and its time in microseconds.

import { closeSync, openSync, writeSync } from 'node:fs';
import type { Writable } from 'node:stream';

const BLOCK_SECTION = 0x0a0d0d0a;
const BLOCK_INTERFACE = 1;
const BLOCK_INTERFACE_STATISTICS = 5;
const BLOCK_ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const LINKTYPE_ETHERNET = 1;

const OPT_END = 0;
const OPT_COMMENT = 1;
const OPT_SHB_USERAPPL = 4;
const OPT_IF_NAME = 2;
const OPT_IF_TSRESOL = 9;
const OPT_EPB_FLAGS = 2;
const OPT_ISB_IFRECV = 4;
const OPT_ISB_IFDROP = 5;

export const INBOUND = 1;
export const OUTBOUND = 2;

/** Unless asked otherwise frames are not cut: this is tcpdump's own default, and more than any frame here. */
export const SNAPLEN = 262144;
const BUFFER = 1 << 18;
/** An enhanced packet block around its data: header, flags option, end of options, trailing length. */
const PACKET_HEADER = 28;
const PACKET_TRAILER = 16;
/** The longest comment, in characters. */
const COMMENT = 1000;
const NO_BYTES: Uint8Array = new Uint8Array(0);
/** An interface statistics block with its two counters. */
const STATISTICS = 64;

/** Where a capture goes: a path (made or overwritten), a descriptor that stays open, or a stream. */
export type PcapngTarget = string | number | Writable;

export class PcapngWriter {
  /** Why recording stopped before `close`; null as long as all is well. */
  error: Error | null = null;
  /** Told that, once, when it happens. */
  onError: ((error: Error) => void) | null = null;
  /** Frames recorded. */
  frames = 0;
  /** Where a reserved frame's bytes go. */
  readonly bytes = new Uint8Array(BUFFER);
  readonly view = new DataView(this.bytes.buffer);

  readonly #stream: Writable | null;
  readonly #fd: number;
  readonly #ownsFd: boolean;
  readonly #name: string;
  readonly #snaplen: number;
  #used = 0;
  /** The frame being written: where it begins, how long it is, which way it went, and what is said of it. */
  #at = 0;
  #length = 0;
  #direction = INBOUND;
  #comment = NO_BYTES;
  #closed = false;

  /**
   * @param interfaces The name of the interface, or of each, by which `reserve` tells them apart.
   * @param snaplen How many bytes are kept of a frame.
   * @throws if the file cannot be made: what, why, and which path.
   */
  constructor(target: PcapngTarget, interfaces: string | readonly string[], snaplen = SNAPLEN) {
    if (target === null || target === undefined)
      throw new TypeError('a capture goes to a path, a descriptor or a stream');
    this.#stream = typeof target === 'object' ? target : null;
    this.#ownsFd = typeof target === 'string';
    this.#fd = typeof target === 'string' ? open(target) : typeof target === 'number' ? target : -1;
    this.#name = typeof target === 'string' ? target : 'the capture';
    this.#snaplen = snaplen;
    this.#stream?.on('error', (error) => this.#fail(error));
    this.#block(
      BLOCK_SECTION,
      [...u32(BYTE_ORDER_MAGIC), 1, 0, 0, 0, ...u32(-1), ...u32(-1)],
      [[OPT_SHB_USERAPPL, new TextEncoder().encode('tapstack')]],
    );
    for (const name of typeof interfaces === 'string' ? [interfaces] : interfaces) {
      this.#block(
        BLOCK_INTERFACE,
        [LINKTYPE_ETHERNET, 0, 0, 0, ...u32(snaplen)],
        [
          [OPT_IF_NAME, new TextEncoder().encode(name)],
          [OPT_IF_TSRESOL, Uint8Array.of(6)],
        ],
      );
    }
  }

  /** Bytes that wait to be written. */
  get buffered(): number {
    return this.#used;
  }

  /**
   * Begins a frame of `length` bytes: the offset in `bytes` at which the caller now puts them, before it calls `commit`. `time` is
   * Unix time in microseconds, `direction` INBOUND or OUTBOUND, `comment` what readers are shown beside it. -1 if nothing is recorded
   * any more.
   */
  reserve(length: number, time: number, direction: number, interface_ = 0, comment = ''): number {
    if (this.error !== null || this.#closed) return -1;
    this.#comment = comment === '' ? NO_BYTES : new TextEncoder().encode(comment.slice(0, COMMENT));
    const total = PACKET_HEADER + ((length + 3) & ~3) + PACKET_TRAILER + commentLength(this.#comment);
    if (this.#used + total > BUFFER) this.flush();
    const view = this.view;
    const at = this.#used;
    this.#at = at;
    this.#length = length;
    view.setUint32(at, BLOCK_ENHANCED_PACKET, true);
    view.setUint32(at + 8, interface_, true);
    view.setUint32(at + 12, Math.floor(time / 0x100000000), true);
    view.setUint32(at + 16, time % 0x100000000, true);
    view.setUint32(at + 24, length, true);
    this.#direction = direction;
    return at + PACKET_HEADER;
  }

  /** The frame's bytes are there: what is more than the snaplen is cut off. */
  commit(): void {
    const view = this.view;
    const at = this.#at;
    const kept = Math.min(this.#length, this.#snaplen);
    const behind = at + PACKET_HEADER + ((kept + 3) & ~3);
    for (let pad = at + PACKET_HEADER + kept; pad < behind; pad++) this.bytes[pad] = 0;
    const end = behind + this.#commentAt(behind);
    const total = end + PACKET_TRAILER - at;
    view.setUint32(at + 4, total, true);
    view.setUint32(at + 20, kept, true);
    view.setUint16(end, OPT_EPB_FLAGS, true);
    view.setUint16(end + 2, 4, true);
    view.setUint32(end + 4, this.#direction, true);
    view.setUint32(end + 8, OPT_END, true);
    view.setUint32(end + 12, total, true);
    this.#used = at + total;
    this.frames++;
  }

  /** The option that says what is to be said of the packet: how long it is. */
  #commentAt(at: number): number {
    const comment = this.#comment;
    const length = commentLength(comment);
    if (length === 0) return 0;
    this.bytes.fill(0, at, at + length);
    this.view.setUint16(at, OPT_COMMENT, true);
    this.view.setUint16(at + 2, comment.length, true);
    this.bytes.set(comment, at + 4);
    return length;
  }

  /** Records a frame given as bytes; `comment` is shown beside it. */
  write(frame: Uint8Array, time: number, direction: number, interface_ = 0, comment = ''): void {
    const at = this.reserve(frame.length, time, direction, interface_, comment);
    if (at < 0) return;
    this.bytes.set(frame, at);
    this.commit();
  }

  /** How many frames came by at an interface, and how many of them were not recorded. */
  statistics(interface_: number, time: number, received: number, dropped: number): void {
    if (this.error !== null || this.#closed) return;
    if (this.#used + STATISTICS > BUFFER) this.flush();
    this.#block(
      BLOCK_INTERFACE_STATISTICS,
      [...u32(interface_), ...u32(Math.floor(time / 0x100000000)), ...u32(time % 0x100000000)],
      [
        [OPT_ISB_IFRECV, Uint8Array.from([...u32(received), ...u32(0)])],
        [OPT_ISB_IFDROP, Uint8Array.from([...u32(dropped), ...u32(0)])],
      ],
    );
  }

  /** Hands what is buffered to the file or stream. A failure ends the recording and is kept in `error`. */
  flush(): void {
    const used = this.#used;
    this.#used = 0;
    if (used === 0 || this.error !== null) return;
    if (this.#stream !== null) {
      this.#stream.write(this.bytes.slice(0, used));
      return;
    }
    try {
      for (let done = 0; done < used; ) done += writeSync(this.#fd, this.bytes, done, used - done);
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** Writes what is left, and closes a file it opened itself; a stream is ended. */
  close(): void {
    if (this.#closed) return;
    this.flush();
    this.#closed = true;
    if (this.#ownsFd) closeSync(this.#fd);
    this.#stream?.end();
  }

  #fail(cause: Error): void {
    if (this.error !== null) return;
    this.error = new Error(
      `The capture stopped after ${this.frames} frames: ${this.#name} cannot be written (${cause.message}).`,
      { cause },
    );
    this.onError?.(this.error);
  }

  #block(type: number, body: readonly number[], options: readonly (readonly [number, Uint8Array])[]): void {
    const tail = options.flatMap(([code, value]) => [
      code,
      0,
      value.length,
      0,
      ...value,
      ...new Uint8Array(-value.length & 3),
    ]);
    const total = 12 + body.length + tail.length + 4;
    this.bytes.set(
      [...u32(type), ...u32(total), ...body, ...tail, ...u32(OPT_END), ...u32(total)],
      this.#used,
    );
    this.#used += total;
  }
}

function commentLength(comment: Uint8Array): number {
  return comment.length === 0 ? 0 : 4 + ((comment.length + 3) & ~3);
}

function u32(value: number): number[] {
  return [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];
}

function open(path: string): number {
  try {
    return openSync(path, 'w');
  } catch (error) {
    throw new Error(
      `Cannot capture to ${path}: ${(error as Error).message}. Choose a path in a directory that exists and is writable.`,
      { cause: error },
    );
  }
}
