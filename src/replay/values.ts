// Arguments and results of calls as bytes. What a program hangs to a registration is its own business and only gets a number;
// what it sends is written down whole, and of what it wants filled only how large it is.

import { type ByteReader, type ByteWriter, digest } from './bytes.js';
import { type Get, LargeReader, LargeWriter, type Put } from './large.js';

const UNDEFINED = 0;
const NULL = 1;
const FALSE = 2;
const TRUE = 3;
const INTEGER = 4;
const DOUBLE = 5;
const STRING = 6;
const BYTES = 7;
const ROOM = 8;
const MAPPED = 9;
const ARRAY = 10;
const OBJECT = 11;
const SET = 12;
const BIGINT = 13;
const SIGNAL = 14;
const OPAQUE = 15;
const DIGEST = 16;
/** The argument of this number once more. */
const SAME = 17;

/** Objects deeper than this are the program's own. */
const DEPTH = 6;

/** How a buffer is written: its bytes, only its length because it is to be filled, or a digest. */
export type How = 'data' | 'room' | 'digest';

/** Gives out numbers for objects that cannot be written down, and knows them again. */
export class Names {
  readonly #numbers = new WeakMap<object, number>();
  readonly #objects = new Map<number, object>();
  #next = 1;

  /** `made`: whether it has never been seen. */
  numberOf(object: object, made?: (number: number) => void): number {
    const known = this.#numbers.get(object);
    if (known !== undefined) return known;
    const number = this.#next++;
    this.#numbers.set(object, number);
    made?.(number);
    return number;
  }

  /** The object of this number, which `make` makes if it is new here. */
  objectOf<T extends object>(number: number, make: () => T): T {
    const known = this.#objects.get(number);
    if (known !== undefined) return known as T;
    const object = make();
    this.#objects.set(number, object);
    this.#numbers.set(object, number);
    return object;
  }
}

/** A signal that has not been seen before comes with its number. */
export type OnSignal = (signal: AbortSignal, number: number) => void;

export class Values {
  /** Where what is large goes, or comes from. */
  readonly writer: LargeWriter;
  readonly reader: LargeReader;
  /** Where views may show packet memory itself. */
  memory: ArrayBuffer | null = null;
  readonly opaques = new Names();
  readonly signals = new Names();
  readonly #controllers = new Map<number, AbortController>();
  onSignal: OnSignal = () => {};
  /** In a replay: views of packet memory that the stack has given out. It knows them by themselves and not by what they show. */
  views: Map<string, Uint8Array> | null = null;

  /** For a recorder `put`, which writes bytes down and says where; for a replay `get`, which finds them there. */
  constructor(put: Put = nowhere, get: Get = nowhere) {
    this.writer = new LargeWriter(put);
    this.reader = new LargeReader(get);
  }

  write(to: ByteWriter, value: unknown, how: How = 'data', depth = 0): void {
    if (value === undefined) to.byte(UNDEFINED);
    else if (value === null) to.byte(NULL);
    else if (typeof value === 'boolean') to.byte(value ? TRUE : FALSE);
    else if (typeof value === 'number') writeNumber(to, value);
    else if (typeof value === 'string') {
      to.byte(STRING);
      to.string(value);
    } else if (typeof value === 'bigint') {
      to.byte(BIGINT);
      to.string(value.toString());
    } else if (value instanceof Uint8Array) this.bytes(to, value, how);
    else if (value instanceof AbortSignal) {
      to.byte(SIGNAL);
      to.unsigned(this.signals.numberOf(value, (number) => this.onSignal(value, number)));
      to.byte(value.aborted ? 1 : 0);
    } else if (typeof value !== 'object' || depth > DEPTH) this.opaque(to, value);
    else this.#structure(to, value, how, depth);
  }

  #structure(to: ByteWriter, value: object, how: How, depth: number): void {
    if (Array.isArray(value) || value instanceof Set) {
      const items = [...value];
      to.byte(Array.isArray(value) ? ARRAY : SET);
      to.unsigned(items.length);
      for (const item of items) this.write(to, item, how, depth + 1);
      return;
    }
    const entries = Object.entries(value);
    to.byte(OBJECT);
    to.unsigned(entries.length);
    for (const [key, item] of entries) {
      to.string(key);
      this.write(to, item, how, depth + 1);
    }
  }

  /** What a program has hung to a registration: a number or string, or else its own and known by a number. */
  token(to: ByteWriter, value: unknown): void {
    if (typeof value === 'object' && value !== null) this.opaque(to, value);
    else this.write(to, value);
  }

  /** An object that is another argument, too: what a call does to one of them it does to both. */
  same(to: ByteWriter, first: number): void {
    to.byte(SAME);
    to.unsigned(first);
  }

  opaque(to: ByteWriter, value: unknown): void {
    to.byte(OPAQUE);
    to.unsigned(typeof value === 'object' && value !== null ? this.opaques.numberOf(value) : 0);
  }

  /** `count`: so many of them are data; the rest is only there. */
  bytes(to: ByteWriter, value: Uint8Array, how: How, count = value.length): void {
    const shows = value.buffer === this.memory;
    if (shows) this.views?.set(`${value.byteOffset} ${value.length}`, value);
    if (how === 'digest') {
      to.byte(DIGEST);
      to.unsigned(value.length);
      to.int32(digest(value));
      return;
    }
    to.byte(shows ? MAPPED : how === 'room' ? ROOM : BYTES);
    if (shows) to.unsigned(value.byteOffset);
    to.unsigned(value.length);
    if (how === 'data') this.writer.write(to, value.subarray(0, count), true);
    else if (shows) to.unsigned(0);
  }

  /** `args`: of the same call, so far. */
  read(from: ByteReader, args: readonly unknown[] = []): unknown {
    const tag = from.byte();
    switch (tag) {
      case UNDEFINED:
        return undefined;
      case NULL:
        return null;
      case FALSE:
        return false;
      case TRUE:
        return true;
      case INTEGER:
        return from.signed();
      case DOUBLE:
        return from.double();
      case STRING:
        return from.string();
      case BIGINT:
        return BigInt(from.string());
      case BYTES:
        return filled(new Uint8Array(from.unsigned()), this.reader.read(from));
      case ROOM:
        return new Uint8Array(from.unsigned());
      case MAPPED:
        return this.#mapped(from);
      case DIGEST:
        return { bytes: from.unsigned(), hash: (from.int32() >>> 0).toString(16) };
      case ARRAY:
        return Array.from({ length: from.unsigned() }, () => this.read(from));
      case SET:
        return new Set(Array.from({ length: from.unsigned() }, () => this.read(from)));
      case OBJECT:
        return Object.fromEntries(
          Array.from({ length: from.unsigned() }, () => [from.string(), this.read(from)]),
        );
      case SIGNAL:
        return this.#signal(from.unsigned(), from.byte() === 1);
      case SAME:
        return args[from.unsigned()];
      case OPAQUE:
        return this.opaques.objectOf(from.unsigned(), () => ({}));
      default:
        throw new RangeError(`there is no kind of value ${tag}`);
    }
  }

  #mapped(from: ByteReader): Uint8Array {
    const offset = from.unsigned();
    const length = from.unsigned();
    const data = this.reader.read(from);
    const known = this.views?.get(`${offset} ${length}`);
    return filled(
      known ?? new Uint8Array(this.memory ?? new ArrayBuffer(offset + length), offset, length),
      data,
    );
  }

  #signal(number: number, aborted: boolean): AbortSignal {
    const signal = this.signals.objectOf(number, () => {
      const controller = new AbortController();
      this.#controllers.set(number, controller);
      return controller.signal;
    });
    if (aborted) this.abort(number);
    return signal;
  }

  abort(number: number): void {
    this.#controllers.get(number)?.abort();
  }
}

function nowhere(): never {
  throw new Error('a recorder reads nothing, and a replay writes nothing');
}

function writeNumber(to: ByteWriter, value: number): void {
  if (Number.isSafeInteger(value) && Math.abs(value) < 2 ** 51 && !Object.is(value, -0)) {
    to.byte(INTEGER);
    to.signed(value);
  } else {
    to.byte(DOUBLE);
    to.double(value);
  }
}

function filled(bytes: Uint8Array, data: Uint8Array): Uint8Array {
  bytes.set(data);
  return bytes;
}
