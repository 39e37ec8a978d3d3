// Numbers, strings and bytes one after another: what a journal's records are made of. Whole numbers take as many bytes as they need.

// Not { crc32 }: where there is none, this would fail before tapstack/register has said that Node.js is too old.
import zlib from 'node:zlib';

const utf8 = new TextEncoder();
const text = new TextDecoder();

/** Bytes to be written, in a buffer that grows. */
export class ByteWriter {
  bytes = new Uint8Array(4096);
  #view = new DataView(this.bytes.buffer);
  length = 0;

  clear(): this {
    this.length = 0;
    return this;
  }

  /** What was written; gone with the next `clear`. */
  get written(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  byte(value: number): void {
    this.#room(1);
    this.bytes[this.length++] = value;
  }

  /** A whole number of at least 0. */
  unsigned(value: number): void {
    this.#room(10);
    let left = value;
    while (left >= 0x80) {
      this.bytes[this.length++] = (left % 0x80) | 0x80;
      left = Math.floor(left / 0x80);
    }
    this.bytes[this.length++] = left;
  }

  /** A whole number: those near 0 are short, whichever side of it they are on. */
  signed(value: number): void {
    this.unsigned(value < 0 ? -value * 2 - 1 : value * 2);
  }

  int32(value: number): void {
    this.#room(4);
    this.#view.setInt32(this.length, value, true);
    this.length += 4;
  }

  double(value: number): void {
    this.#room(8);
    this.#view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  string(value: string): void {
    this.block(utf8.encode(value));
  }

  /** Bytes, and how many there are. */
  block(value: Uint8Array): void {
    this.unsigned(value.length);
    this.raw(value);
  }

  raw(value: Uint8Array): void {
    this.#room(value.length);
    this.bytes.set(value, this.length);
    this.length += value.length;
  }

  #room(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + more));
    larger.set(this.bytes);
    this.bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/** Reads what a ByteWriter wrote. @throws RangeError beyond the end */
export class ByteReader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  byte(): number {
    this.#need(1);
    return this.bytes[this.at++];
  }

  unsigned(): number {
    let value = 0;
    for (let weight = 1; weight < 2 ** 56; weight *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * weight;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a number is too long');
  }

  signed(): number {
    const value = this.unsigned();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  int32(): number {
    this.#need(4);
    this.at += 4;
    return this.#view.getInt32(this.at - 4, true);
  }

  double(): number {
    this.#need(8);
    this.at += 8;
    return this.#view.getFloat64(this.at - 8, true);
  }

  string(): string {
    return text.decode(this.block());
  }

  /** A view of the bytes, not a copy. */
  block(): Uint8Array {
    return this.take(this.unsigned());
  }

  /** So many bytes: a view, not a copy. */
  take(length: number): Uint8Array {
    this.#need(length);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  #need(count: number): void {
    if (count > this.left) throw new RangeError('it ends too early');
  }
}

/** A digest of the bytes, as an int32. `before`: the digest of those that come before them. */
export function digest(bytes: Uint8Array, before = 0): number {
  return zlib.crc32(bytes, before >>> 0) | 0;
}
