// Reads a journal, record by record, and says what is wrong with one that cannot be read.

import { ByteReader } from './bytes.js';
import { DATA, FINISH, FORMAT, HEADER, isRecord, type JournalHeader, MAGIC } from './format.js';
import { JournalError, type JournalFile, openJournal } from './journal-file.js';
import { originHere } from './origin.js';

/** One record. `at`: the byte of the file at which it begins. */
export interface JournalRecord {
  readonly type: number;
  readonly body: ByteReader;
  readonly at: number;
}

/** So much is read at once. */
const WINDOW = 1 << 20;
/** The letter of a record, and the longest length. */
const PREFIX = 1 + 8;

export class JournalReader {
  readonly path: string;
  readonly header: JournalHeader;
  /** It ends without a last record, or in the middle of one: its process was killed, or the file was cut. */
  cutOff = false;
  /** How it ended (FINISH_*), once the last record was read. */
  finish = 0;
  readonly #file: JournalFile;
  /** What was read last of it, and from where. Never written to again: records are views of it. */
  #window: Uint8Array = new Uint8Array(0);
  #windowAt = 0;
  /** Where the next record begins. */
  #at = 0;
  #peeked: JournalRecord | null = null;
  #closed = false;

  /** @throws JournalError */
  constructor(path: string) {
    this.path = path;
    this.#file = openJournal(path);
    try {
      this.header = this.#begin();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Nothing more will be read: to whoever asks, it has ended. */
  close(): void {
    if (!this.#closed) this.#file.close();
    this.#closed = true;
    this.#peeked = null;
  }

  #begin(): JournalHeader {
    const { path } = this;
    const magic = this.#bytes(0, Math.min(MAGIC.length, this.#file.size));
    if (!MAGIC.every((byte, at) => magic[at] === byte))
      throw new JournalError(
        'NO_JOURNAL',
        `${path} is no journal of tapstack. \`recordSession\` or \`tapstack echo --record\` makes one.`,
      );
    this.#at = MAGIC.length + 1;
    if (this.#at <= this.#file.size) {
      const format = this.#bytes(MAGIC.length, 1)[0];
      if (format !== FORMAT) throw this.#otherFormat(format);
    }
    const record = this.next();
    if (record === null || record.type !== HEADER)
      throw new JournalError('DAMAGED', `${path} ends before it says what was recorded.`);
    return this.#header(record);
  }

  #header({ body, at }: JournalRecord): JournalHeader {
    let header: unknown;
    try {
      header = JSON.parse(new TextDecoder().decode(body.bytes));
    } catch (cause) {
      throw this.damaged(at, cause);
    }
    if (!isHeader(header)) throw this.damaged(at, new Error('what it says of the stack makes no sense'));
    return header;
  }

  /** Who recorded it stands in the first record in every format. */
  #otherFormat(format: number): JournalError {
    const head = new TextDecoder().decode(this.#bytes(this.#at, Math.min(4096, this.#file.size - this.#at)));
    const recordedBy = /"version":"([\w.+-]+)"/.exec(head)?.[1];
    return new JournalError(
      'OTHER_FORMAT',
      `${this.path} is a journal of format ${format}${recordedBy === undefined ? '' : `, recorded by tapstack ${recordedBy}`}; ` +
        `tapstack ${originHere().version} reads format ${FORMAT}. Replay it with the version that recorded it.`,
    );
  }

  /** The next record, which stays the next; null at the end. */
  peek(): JournalRecord | null {
    this.#peeked ??= this.#read();
    return this.#peeked;
  }

  next(): JournalRecord | null {
    const record = this.peek();
    this.#peeked = null;
    return record;
  }

  #read(): JournalRecord | null {
    if (this.finish !== 0 || this.#closed) return null;
    for (;;) {
      const at = this.#at;
      const left = this.#file.size - at;
      if (left <= 0) return this.#cut();
      const prefix = new ByteReader(this.#bytes(at, Math.min(PREFIX, left)));
      const type = prefix.byte();
      if (!isRecord(type)) throw this.damaged(at);
      const length = lengthIn(prefix);
      // What a killed process had begun to write.
      if (length === null || length > left - prefix.at) return this.#cut();
      this.#at = at + prefix.at + length;
      if (type === DATA) continue;
      const body = new ByteReader(this.#bytes(at + prefix.at, length));
      if (type === FINISH && length === 0) throw this.damaged(at);
      if (type === FINISH) this.finish = body.byte();
      return { type, body, at };
    }
  }

  #cut(): null {
    this.cutOff = true;
    this.#at = this.#file.size;
    return null;
  }

  /** What a record refers to (DATA). @throws RangeError beyond the end */
  data(at: number, length: number): Uint8Array {
    if (at + length > this.#file.size) throw new RangeError('it refers to what is beyond its end');
    const from = at - this.#windowAt;
    if (from >= 0 && from + length <= this.#window.length) return this.#window.subarray(from, from + length);
    return this.#file.read(at, length);
  }

  /** Bytes that come next, or nearly so; they are there. */
  #bytes(at: number, length: number): Uint8Array {
    let from = at - this.#windowAt;
    if (from < 0 || from + length > this.#window.length) {
      this.#window = this.#file.read(at, Math.min(Math.max(WINDOW, length), this.#file.size - at));
      this.#windowAt = at;
      from = 0;
    }
    return this.#window.subarray(from, from + length);
  }

  damaged(at: number, cause?: unknown): JournalError {
    const why = cause instanceof Error ? ` (${cause.message})` : '';
    return new JournalError(
      'DAMAGED',
      `${this.path} is damaged: there is no record at byte ${at}${why}.`,
      cause,
    );
  }
}

/** Whether a stack can be made of it; what is wrong with single options the stack itself says. */
function isHeader(value: unknown): value is JournalHeader {
  if (typeof value !== 'object' || value === null) return false;
  const { version, build, node, endianness, epoch, recent, memory, links } = value as Partial<JournalHeader>;
  return (
    [version, build, node, endianness].every((each) => typeof each === 'string') &&
    [epoch, recent, memory].every((each) => typeof each === 'number') &&
    Array.isArray(links) &&
    links.every((link) => typeof link?.name === 'string' && Array.isArray(link.mac))
  );
}

function lengthIn(prefix: ByteReader): number | null {
  try {
    return prefix.unsigned();
  } catch {
    return null;
  }
}
