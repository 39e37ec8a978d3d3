// Reads a journal, record by record, and says what is wrong with one that cannot be read.

import { readFileSync } from 'node:fs';
import { ByteReader } from './bytes.js';
import { FINISH, FORMAT, HEADER, isRecord, type JournalHeader, MAGIC } from './format.js';
import { originHere } from './origin.js';

/** A file that is no journal, or none that this version can read. `code` says which. */
export class JournalError extends Error {
  override readonly name = 'JournalError';
  readonly code: 'UNREADABLE' | 'NO_JOURNAL' | 'OTHER_FORMAT' | 'DAMAGED' | 'INCOMPLETE';

  constructor(code: JournalError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** One record. `at`: the byte of the file at which it begins. */
export interface JournalRecord {
  readonly type: number;
  readonly body: ByteReader;
  readonly at: number;
}

export class JournalReader {
  readonly path: string;
  readonly header: JournalHeader;
  /** It ends without a last record, or in the middle of one: its process was killed, or the file was cut. */
  cutOff = false;
  /** How it ended (FINISH_*), once the last record was read. */
  finish = 0;
  readonly #bytes: ByteReader;
  #peeked: JournalRecord | null = null;

  /** @throws JournalError */
  constructor(path: string) {
    this.path = path;
    this.#bytes = new ByteReader(read(path));
    const { bytes } = this.#bytes;
    if (!MAGIC.every((byte, at) => bytes[at] === byte))
      throw new JournalError(
        'NO_JOURNAL',
        `${path} is no journal of tapstack. \`recordSession\` or \`tapstack echo --record\` makes one.`,
      );
    this.#bytes.at = MAGIC.length;
    const format = bytes[MAGIC.length] ?? 0;
    this.#bytes.at++;
    if (format !== FORMAT && this.#bytes.left > 0) throw this.#otherFormat(format);
    const record = this.next();
    if (record === null || record.type !== HEADER)
      throw new JournalError('DAMAGED', `${path} ends before it says what was recorded.`);
    this.header = this.#header(record);
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
    const head = new TextDecoder().decode(this.#bytes.bytes.subarray(this.#bytes.at, this.#bytes.at + 4096));
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
    const bytes = this.#bytes;
    const { at } = bytes;
    if (this.finish !== 0) return null;
    if (bytes.left === 0) {
      this.cutOff = true;
      return null;
    }
    const type = bytes.byte();
    if (!isRecord(type)) throw this.damaged(at);
    try {
      const body = new ByteReader(bytes.block());
      if (type === FINISH) this.finish = body.byte();
      return { type, body, at };
    } catch {
      // What a killed process had begun to write.
      this.cutOff = true;
      bytes.at = bytes.bytes.length;
      return null;
    }
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

function read(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new JournalError(
      'UNREADABLE',
      `Cannot read the journal ${path}: ${(cause as Error).message}.`,
      cause,
    );
  }
}
