// Writes a journal to its file, in pieces: what a process that dies has recorded by then is there, but for the last moment.

import { closeSync, openSync, writeSync } from 'node:fs';
import type { ByteWriter } from './bytes.js';
import { ByteWriter as Pieces } from './bytes.js';
import { FINISH, FORMAT, HEADER, type JournalHeader, MAGIC } from './format.js';

const PIECE = 1 << 16;
/** What is buffered is written at latest after so long. */
const FLUSH_MS = 200;

export class JournalWriter {
  /** Why writing ended before `finish`; null as long as all is well. */
  error: Error | null = null;
  /** Bytes so far, those in the buffer included. */
  size = 0;
  readonly path: string;
  readonly #fd: number;
  readonly #pieces = new Pieces();
  #timer: NodeJS.Timeout | null = null;
  #open = true;
  /** Nothing comes later any more. */
  #exiting = false;
  readonly #atExit = (): void => {
    this.#exiting = true;
    this.flush();
  };

  /** @throws Error where the file cannot be made: what, why, and which */
  constructor(path: string, header: JournalHeader) {
    this.path = path;
    try {
      // Keys and data are in it: nobody else's to read.
      this.#fd = openSync(path, 'w', 0o600);
    } catch (error) {
      throw new Error(
        `Cannot record to ${path}: ${(error as Error).message}. Choose a path in a directory that exists and is writable.`,
        { cause: error },
      );
    }
    process.on('exit', this.#atExit);
    this.#pieces.raw(MAGIC);
    this.#pieces.byte(FORMAT);
    const text = new Pieces();
    text.raw(new TextEncoder().encode(JSON.stringify(header)));
    this.record(HEADER, text);
    this.flush();
  }

  record(type: number, body: ByteWriter | null): void {
    if (!this.#open) return;
    const before = this.#pieces.length;
    this.#pieces.byte(type);
    if (body === null) this.#pieces.byte(0);
    else this.#pieces.block(body.written);
    this.size += this.#pieces.length - before;
    if (this.#exiting || this.#pieces.length >= PIECE) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), FLUSH_MS).unref();
  }

  /** Hands over what is buffered. A failure ends the journal and is kept in `error`. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const { written } = this.#pieces;
    try {
      for (let done = 0; done < written.length && this.#open; )
        done += writeSync(this.#fd, written, done, written.length - done);
    } catch (cause) {
      const message = `The journal stopped after ${this.size} bytes: ${this.path} cannot be written (${(cause as Error).message}).`;
      this.error ??= new Error(message, { cause });
      this.#close();
    }
    this.#pieces.clear();
  }

  /** The last record, and the end of the file. */
  finish(how: number): void {
    if (!this.#open) return;
    const body = new Pieces();
    body.byte(how);
    this.record(FINISH, body);
    this.flush();
    this.#close();
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    process.off('exit', this.#atExit);
    closeSync(this.#fd);
  }
}
