// Writes captures in the pcapng format (draft-ietf-opsawg-pcapng), which tshark and Wireshark read: one section, one
// interface, a block for each frame with its direction and its time in microseconds.

import { closeSync, openSync, writeSync } from 'node:fs';
import type { Writable } from 'node:stream';

const BLOCK_SECTION = 0x0a0d0d0a;
const BLOCK_INTERFACE = 1;
const BLOCK_ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const LINKTYPE_ETHERNET = 1;

const OPT_END = 0;
const OPT_SHB_USERAPPL = 4;
const OPT_IF_NAME = 2;
const OPT_IF_TSRESOL = 9;
const OPT_EPB_FLAGS = 2;

export const INBOUND = 1;
export const OUTBOUND = 2;

/** Frames are never cut: this is tcpdump's own default, and more than any frame here. */
const SNAPLEN = 262144;
const BUFFER = 1 << 18;
/** An enhanced packet block around its data: header, flags option, end of options, trailing length. */
const PACKET_HEADER = 28;
const PACKET_TRAILER = 16;

/** Where a capture goes: a path (made or overwritten), a descriptor that stays open, or a stream. */
export type PcapngTarget = string | number | Writable;

export class PcapngWriter {
  /** Why recording stopped before `close`; null as long as all is well. */
  error: Error | null = null;
  /** Frames recorded. */
  frames = 0;
  /** Where a reserved frame's bytes go. */
  readonly bytes = new Uint8Array(BUFFER);
  readonly view = new DataView(this.bytes.buffer);

  readonly #stream: Writable | null;
  readonly #fd: number;
  readonly #ownsFd: boolean;
  readonly #name: string;
  #used = 0;
  #closed = false;

  /** @throws if the file cannot be made: what, why, and which path. */
  constructor(target: PcapngTarget, interfaceName: string) {
    this.#stream = typeof target === 'object' ? target : null;
    this.#ownsFd = typeof target === 'string';
    this.#fd = typeof target === 'string' ? open(target) : typeof target === 'number' ? target : -1;
    this.#name = typeof target === 'string' ? target : 'the capture';
    this.#stream?.on('error', (error) => this.#fail(error));
    this.#block(
      BLOCK_SECTION,
      [...u32(BYTE_ORDER_MAGIC), 1, 0, 0, 0, ...u32(-1), ...u32(-1)],
      [[OPT_SHB_USERAPPL, new TextEncoder().encode('tapstack')]],
    );
    this.#block(
      BLOCK_INTERFACE,
      [LINKTYPE_ETHERNET, 0, 0, 0, ...u32(SNAPLEN)],
      [
        [OPT_IF_NAME, new TextEncoder().encode(interfaceName)],
        [OPT_IF_TSRESOL, Uint8Array.of(6)],
      ],
    );
  }

  /** Bytes that wait to be written. */
  get buffered(): number {
    return this.#used;
  }

  /**
   * Begins a frame of `length` bytes: the offset in `bytes` at which the caller now puts them. `time` is Unix time in
   * microseconds, `direction` INBOUND or OUTBOUND. -1 if nothing is recorded any more.
   */
  reserve(length: number, time: number, direction: number): number {
    if (this.error !== null || this.#closed) return -1;
    const padded = (length + 3) & ~3;
    const total = PACKET_HEADER + padded + PACKET_TRAILER;
    if (this.#used + total > BUFFER) this.flush();
    const view = this.view;
    const at = this.#used;
    view.setUint32(at, BLOCK_ENHANCED_PACKET, true);
    view.setUint32(at + 4, total, true);
    view.setUint32(at + 8, 0, true);
    view.setUint32(at + 12, Math.floor(time / 0x100000000), true);
    view.setUint32(at + 16, time % 0x100000000, true);
    view.setUint32(at + 20, length, true);
    view.setUint32(at + 24, length, true);
    const end = at + PACKET_HEADER + padded;
    view.setUint32(end - 4, 0, true);
    view.setUint16(end, OPT_EPB_FLAGS, true);
    view.setUint16(end + 2, 4, true);
    view.setUint32(end + 4, direction, true);
    view.setUint32(end + 8, OPT_END, true);
    view.setUint32(end + 12, total, true);
    this.#used = at + total;
    this.frames++;
    return at + PACKET_HEADER;
  }

  /** Records a frame given as bytes. */
  write(frame: Uint8Array, time: number, direction: number): void {
    const at = this.reserve(frame.length, time, direction);
    if (at >= 0) this.bytes.set(frame, at);
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
    this.error ??= new Error(
      `The capture stopped after ${this.frames} frames: ${this.#name} cannot be written (${cause.message}).`,
      { cause },
    );
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
