// The file of a journal, read where somebody wants it, and not whole: journals are larger than memory.

import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';

/** A journal that cannot be replayed. */
export class JournalError extends Error {
  /** `JournalError` */
  override readonly name = 'JournalError';
  /**
   * UNREADABLE: the file cannot be read. NO_JOURNAL: it is none. OTHER_FORMAT: of another version of tapstack. DAMAGED: a record is
   * missing or broken. INCOMPLETE: the program had a congestion control of its own, which has to be given.
   */
  readonly code: 'UNREADABLE' | 'NO_JOURNAL' | 'OTHER_FORMAT' | 'DAMAGED' | 'INCOMPLETE';

  constructor(code: JournalError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

export interface JournalFile {
  readonly size: number;
  /** So many bytes from `at` on; they are there. */
  read(at: number, length: number): Uint8Array;
  close(): void;
}

/** @throws JournalError */
export function openJournal(path: string): JournalFile {
  return told(path, () => {
    const fd = openSync(path, 'r');
    try {
      const stat = fstatSync(fd);
      if (stat.isFile()) return onDisk(path, fd, stat.size);
      // A pipe can be read but once.
      const bytes = readFileSync(fd);
      closeSync(fd);
      return { size: bytes.length, read: (at, length) => bytes.subarray(at, at + length), close: () => {} };
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  });
}

function onDisk(path: string, fd: number, size: number): JournalFile {
  return {
    size,
    read: (at, length) =>
      told(path, () => {
        const bytes = new Uint8Array(length);
        for (let done = 0; done < length; ) {
          const count = readSync(fd, bytes, done, length - done, at + done);
          if (count === 0) throw new Error('it has become shorter');
          done += count;
        }
        return bytes;
      }),
    close: () => closeSync(fd),
  };
}

function told<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new JournalError(
      'UNREADABLE',
      `Cannot read the journal ${path}: ${(cause as Error).message}.`,
      cause,
    );
  }
}
