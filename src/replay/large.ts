// What is large stands in the journal by itself: copied once on its way to the file, and read only when a replay comes to it. What a
// program sends again and again stands there once.

import type { ByteReader, ByteWriter } from './bytes.js';
import { LARGE } from './format.js';

/** So much is kept to be compared with. */
const KEPT = 1 << 22;
/** A place that has held something else so often is not one of those that are sent again and again. */
const CHANGES = 3;

/** Writes bytes down, and says at which byte of the journal. */
export type Put = (bytes: Uint8Array) => number;
/** So many bytes of the journal. @throws RangeError beyond its end */
export type Get = (at: number, length: number) => Uint8Array;

/** A place from which a program has sent. */
interface Place {
  /** What it held, and the byte of the journal at which that stands. Null: nobody has compared yet. */
  copy: Uint8Array | null;
  at: number;
  changes: number;
}

/** Puts what is large beside the record that tells of it. */
export class LargeWriter {
  readonly #put: Put;
  #places = new WeakMap<ArrayBufferLike, Map<number, Place>>();
  #kept = 0;

  constructor(put: Put) {
    this.#put = put;
  }

  /** `again`: whoever has sent this may do so again. */
  write(to: ByteWriter, bytes: Uint8Array, again = false): void {
    to.unsigned(bytes.length);
    if (bytes.length < LARGE) to.raw(bytes);
    else to.unsigned(again ? this.#sent(bytes) : this.#put(bytes));
  }

  #sent(bytes: Uint8Array): number {
    const place = this.#placeOf(bytes);
    if (place === null) return this.#put(bytes);
    const { copy } = place;
    if (copy !== null && copy.length >= bytes.length) {
      if (Buffer.compare(copy.subarray(0, bytes.length), bytes) === 0) return place.at;
      place.changes++;
    }
    place.at = this.#put(bytes);
    place.copy = place.changes < CHANGES ? this.#keep(bytes) : null;
    return place.at;
  }

  /** Null: nothing has been sent from there, until now. */
  #placeOf({ buffer, byteOffset }: Uint8Array): Place | null {
    let places = this.#places.get(buffer);
    if (places === undefined) {
      places = new Map();
      this.#places.set(buffer, places);
    }
    const place = places.get(byteOffset) ?? null;
    if (place === null) places.set(byteOffset, { copy: null, at: 0, changes: 0 });
    return place;
  }

  #keep(bytes: Uint8Array): Uint8Array {
    this.#kept += bytes.length;
    if (this.#kept > KEPT) {
      this.#kept = bytes.length;
      this.#places = new WeakMap();
    }
    return new Uint8Array(bytes);
  }
}

/** Finds it again. */
export class LargeReader {
  readonly #get: Get;

  constructor(get: Get) {
    this.#get = get;
  }

  read(from: ByteReader): Uint8Array {
    const length = from.unsigned();
    return length < LARGE ? from.take(length) : this.#get(from.unsigned(), length);
  }
}
