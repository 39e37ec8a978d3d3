// Writes a journal to its file, in pieces and beside the program: what a process that dies has recorded by then is there, but for the
// last moment.

import { closeSync, fchmodSync, fstatSync, openSync, write, writeSync } from 'node:fs';
import type { ByteWriter } from './bytes.js';
import { ByteWriter as Pieces } from './bytes.js';
import { DATA, FINISH, FORMAT, HEADER, type JournalHeader, MAGIC } from './format.js';

/** So much is handed to the file at once. */
const PIECE = 1 << 18;
/** What is begun is written at latest after so long. */
const FLUSH_MS = 200;
/** So much may wait for a disk that does not keep up; then the program does. */
const WAITING = 1 << 24;

/** Journals that are being written: a process may have many, but not so many listeners. */
const writers = new Set<JournalWriter>();

function atExit(): void {
  for (const writer of writers) writer.exit();
}

/** Bytes that belong at a place of the file. */
interface Piece {
  readonly bytes: Uint8Array;
  length: number;
  readonly position: number;
}

export class JournalWriter {
  /** Why writing ended before `finish`; null as long as all is well. */
  error: Error | null = null;
  /** Bytes so far, those that are not written yet included. */
  size = 0;
  readonly path: string;
  readonly #fd: number;
  /** A pipe and its like take bytes one after another, and no positions. */
  readonly #placed: boolean;
  readonly #prefix = new Pieces();
  #filling: Piece = { bytes: new Uint8Array(PIECE), length: 0, position: 0 };
  /** Full ones, the oldest first; while `#writing`, that one is with the file system. */
  readonly #waiting: Piece[] = [];
  #writing = false;
  readonly #spare: Uint8Array[] = [];
  #timer: NodeJS.Timeout | null = null;
  #open = true;
  /** Nothing comes later any more. */
  #exiting = false;
  #released: () => void = () => {};
  /** The file will not change any more. */
  readonly closed = new Promise<void>((resolve) => {
    this.#released = resolve;
  });
  /** @throws Error where the file cannot be made: what, why, and which */
  constructor(path: string, header: JournalHeader) {
    this.path = path;
    try {
      this.#fd = openSync(path, 'w', 0o600);
      this.#placed = fstatSync(this.#fd).isFile();
      // Keys and data are in it: nobody else's to read, also where there was a file before.
      if (this.#placed) fchmodSync(this.#fd, 0o600);
    } catch (error) {
      throw new Error(
        `Cannot record to ${path}: ${(error as Error).message}. Choose a path in a directory that exists and is writable.`,
        { cause: error },
      );
    }
    if (writers.size === 0) process.on('exit', atExit);
    writers.add(this);
    this.#add(MAGIC);
    this.#add(Uint8Array.of(FORMAT));
    const text = new Pieces();
    text.raw(new TextEncoder().encode(JSON.stringify(header)));
    this.record(HEADER, text);
    this.flush();
  }

  record(type: number, body: ByteWriter | null): void {
    this.#record(type, body === null ? NOTHING : body.written);
  }

  /** Writes down what is large, by itself: the byte of the file at which it stands, for whoever tells of it. */
  data(bytes: Uint8Array): number {
    this.#record(DATA, bytes);
    return this.size - bytes.length;
  }

  #record(type: number, body: Uint8Array): void {
    if (!this.#open) return;
    const prefix = this.#prefix.clear();
    prefix.byte(type);
    prefix.unsigned(body.length);
    this.#add(prefix.written);
    this.#add(body);
    if (this.#exiting) this.flush();
    else this.#timer ??= setTimeout(() => this.#handOver(), FLUSH_MS).unref();
  }

  #add(bytes: Uint8Array): void {
    this.size += bytes.length;
    // Handing over a full piece may end the journal.
    for (let done = 0; done < bytes.length && this.#open; ) {
      const { bytes: room, length } = this.#filling;
      const count = Math.min(bytes.length - done, room.length - length);
      // Most of what comes is a few bytes, for which a view costs more than they do.
      if (count < 16) for (let at = 0; at < count; at++) room[length + at] = bytes[done + at];
      else room.set(count === bytes.length ? bytes : bytes.subarray(done, done + count), length);
      this.#filling.length += count;
      done += count;
      if (this.#filling.length === room.length) this.#handOver();
    }
  }

  /** What has been filled so far goes to the file, when what came before is there. */
  #handOver(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const { length, position } = this.#filling;
    if (length === 0 || !this.#open) return;
    this.#waiting.push(this.#filling);
    const bytes = this.#spare.pop() ?? new Uint8Array(PIECE);
    this.#filling = { bytes, length: 0, position: position + length };
    if (!this.#placed || this.#waiting.length * PIECE > WAITING) this.flush();
    else if (!this.#writing) this.#next();
  }

  /** One after another, so that a process that is killed leaves the beginning of the journal and no holes. */
  #next(): void {
    if (this.#waiting.length > 0) this.#write(this.#waiting[0], 0);
  }

  #write(piece: Piece, done: number): void {
    this.#writing = true;
    const { bytes, length, position } = piece;
    write(this.#fd, bytes, done, length - done, position + done, (cause, count) => {
      this.#writing = false;
      if (!this.#open) return this.#release();
      if (cause !== null) return this.#fail(cause);
      // Unless `flush` has written it meanwhile, the same bytes to the same place.
      if (piece === this.#waiting[0]) {
        if (done + count < length) return this.#write(piece, done + count);
        this.#waiting.shift();
      }
      this.#spared(piece);
      this.#next();
    });
  }

  /** The process ends: from now on everything is written at once. */
  exit(): void {
    this.#exiting = true;
    this.flush();
  }

  /** Hands over everything, at once. A failure ends the journal and is kept in `error`. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const inFlight = this.#writing ? this.#waiting[0] : undefined;
    const pieces = [...this.#waiting.splice(0), this.#filling];
    const { length, position } = this.#filling;
    const bytes = this.#spare.pop() ?? new Uint8Array(PIECE);
    this.#filling = { bytes, length: 0, position: position + length };
    try {
      for (const piece of this.#open ? pieces : []) {
        for (let done = 0; done < piece.length; ) {
          const at = this.#placed ? piece.position + done : null;
          done += writeSync(this.#fd, piece.bytes, done, piece.length - done, at);
        }
        if (piece !== inFlight) this.#spared(piece);
      }
    } catch (cause) {
      this.#fail(cause as Error);
    }
  }

  /** The last record, and the end of the file. */
  finish(how: number): void {
    if (!this.#open) return;
    this.#record(FINISH, Uint8Array.of(how));
    this.flush();
    this.#close();
  }

  #spared({ bytes }: Piece): void {
    if (this.#spare.length < WAITING / PIECE) this.#spare.push(bytes);
  }

  #fail(cause: Error): void {
    const message = `The journal stopped after ${this.size} bytes: ${this.path} cannot be written (${cause.message}).`;
    this.error ??= new Error(message, { cause });
    this.#close();
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    writers.delete(this);
    if (writers.size === 0) process.off('exit', atExit);
    if (!this.#writing) this.#release();
  }

  #release(): void {
    closeSync(this.#fd);
    this.#released();
  }
}

const NOTHING = new Uint8Array(0);
