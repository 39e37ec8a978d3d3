// A process's descriptors (struct fdtable): number to open file. The lowest free number is always the next one, numbers can
// be reserved before there is a file for them, and the limit is the process's RLIMIT_NOFILE.

import type { File, FileCount } from '../core/file.js';
import { EMFILE, ENETDOWN, ENFILE } from '../uapi/errno.js';

const WORD = 32;

/** All open files of the stack, and how many there may be (fs.file-max). */
export interface OpenFiles extends FileCount {
  readonly full: boolean;
  /** The stack was closed. */
  closed: boolean;
}

export class FdTable {
  /** RLIMIT_NOFILE: numbers from here on are not given out. */
  limit: number;
  readonly #files: (File | null)[] = [];
  #open = new Int32Array(4);
  #closeOnExec = new Int32Array(4);
  /** No number below is free. */
  #lowest = 0;

  readonly #openFiles: OpenFiles;
  /** Whoever may exceed fs.file-max (CAP_SYS_ADMIN). */
  readonly #privileged: boolean;

  constructor(limit: number, openFiles: OpenFiles, privileged: boolean) {
    this.limit = limit;
    this.#openFiles = openFiles;
    this.#privileged = privileged;
  }

  /** alloc_empty_file: -ENFILE when the stack has as many files open as it may; -ENETDOWN when it was closed. */
  get fileError(): number {
    if (this.#openFiles.closed) return -ENETDOWN;
    return this.#openFiles.full && !this.#privileged ? -ENFILE : 0;
  }

  /** Reserves a number for a file that is to be made: -EMFILE, and then -ENFILE. */
  reserveNew(closeOnExec: boolean): number {
    const fd = this.reserve(closeOnExec);
    if (fd < 0 || this.fileError === 0) return fd;
    this.unreserve(fd);
    return this.fileError;
  }

  /** fget without the reference: the open file, or null (EBADF). */
  get(fd: number): File | null {
    return fd >= 0 && fd < this.#files.length ? (this.#files[fd] ?? null) : null;
  }

  /** get_unused_fd: reserves the lowest free number from `from` on, or -EMFILE. */
  reserve(closeOnExec: boolean, from = 0): number {
    const fd = this.#nextZero(from > this.#lowest ? from : this.#lowest);
    if (fd >= this.limit) return -EMFILE;
    if (from <= this.#lowest) this.#lowest = fd + 1;
    this.#take(fd, closeOnExec);
    return fd;
  }

  /** put_unused_fd: gives a reserved number back. */
  unreserve(fd: number): void {
    this.#open[fd >> 5] &= ~(1 << (fd & 31));
    this.#closeOnExec[fd >> 5] &= ~(1 << (fd & 31));
    if (fd < this.#lowest) this.#lowest = fd;
  }

  /** fd_install: the reserved number now stands for `file`, whose reference the table takes over. */
  install(fd: number, file: File): void {
    if (file.counted === null) {
      file.counted = this.#openFiles;
      this.#openFiles.open++;
    }
    this.#files[fd] = file;
  }

  /** Reserves and installs: the number, or -EMFILE (the reference stays the caller's). */
  open(file: File, closeOnExec: boolean): number {
    const fd = this.reserve(closeOnExec);
    if (fd >= 0) this.install(fd, file);
    return fd;
  }

  /** Frees the number; the file is the caller's to put. Null: not open. */
  remove(fd: number): File | null {
    const file = this.get(fd);
    if (file === null) return null;
    this.#files[fd] = null;
    this.unreserve(fd);
    return file;
  }

  /** dup2's half: `fd` stands for `file` from now on. What it stood for is returned, for the caller to put. */
  replace(fd: number, file: File, closeOnExec: boolean): File | null {
    const old = this.get(fd);
    this.#take(fd, closeOnExec);
    this.install(fd, file);
    return old;
  }

  /** Whether a number is reserved and has no file yet. */
  reserved(fd: number): boolean {
    return fd < this.#open.length * WORD && this.#isOpen(fd) && this.get(fd) === null;
  }

  closeOnExec(fd: number): boolean {
    return (this.#closeOnExec[fd >> 5] & (1 << (fd & 31))) !== 0;
  }

  setCloseOnExec(fd: number, on: boolean): void {
    if (on) this.#closeOnExec[fd >> 5] |= 1 << (fd & 31);
    else this.#closeOnExec[fd >> 5] &= ~(1 << (fd & 31));
  }

  /** The open numbers, ascending. */
  *numbers(): IterableIterator<number> {
    for (let fd = 0; fd < this.#files.length; fd++) if (this.get(fd) !== null) yield fd;
  }

  #isOpen(fd: number): boolean {
    return (this.#open[fd >> 5] & (1 << (fd & 31))) !== 0;
  }

  #take(fd: number, closeOnExec: boolean): void {
    if (fd >= this.#open.length * WORD) this.#grow(fd);
    // A plain array with holes would become a dictionary: descriptors are looked up on every call.
    while (this.#files.length <= fd) this.#files.push(null);
    this.#open[fd >> 5] |= 1 << (fd & 31);
    this.setCloseOnExec(fd, closeOnExec);
  }

  #grow(fd: number): void {
    const words = Math.max(this.#open.length * 2, (fd >> 5) + 1);
    const open = new Int32Array(words);
    const closeOnExec = new Int32Array(words);
    open.set(this.#open);
    closeOnExec.set(this.#closeOnExec);
    this.#open = open;
    this.#closeOnExec = closeOnExec;
  }

  /** find_next_zero_bit */
  #nextZero(from: number): number {
    const open = this.#open;
    for (let word = from >> 5; word < open.length; word++) {
      const busy = word === from >> 5 ? open[word] | ((1 << (from & 31)) - 1) : open[word];
      if (busy !== -1) return word * WORD + 31 - Math.clz32(~busy & (busy + 1));
    }
    return Math.max(from, open.length * WORD);
  }
}
