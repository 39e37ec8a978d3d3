// Files that cannot be polled: the null device that every process has on 0, 1 and 2, and a few regular files held in memory,
// so that a program meets EPERM from epoll_ctl where it would on Linux.

import { File, type FileOperations } from '../core/file.js';
import { EBADF, EISDIR, ENOTTY } from '../uapi/errno.js';

export const nullOperations: FileOperations = {
  kind: 'null',
  poll: null,
  read: () => 0,
  write: (_file, _buffer, count) => count,
  ioctl: () => -ENOTTY,
  release: () => {},
};

export const zeroOperations: FileOperations = {
  ...nullOperations,
  kind: 'zero',
  read(_file: File, buffer: Uint8Array, count: number): number {
    buffer.fill(0, 0, count);
    return count;
  },
};

export const directoryOperations: FileOperations = {
  ...nullOperations,
  kind: 'directory',
  read: () => -EISDIR,
  write: () => -EBADF,
};

/** A regular file opened for reading: its bytes, and how far they have been read. */
interface OpenContents {
  readonly bytes: Uint8Array;
  position: number;
}

export const regularOperations: FileOperations = {
  kind: 'regular',
  poll: null,
  read(file: File, buffer: Uint8Array, count: number): number {
    const contents = file.private_ as OpenContents;
    const part = contents.bytes.subarray(contents.position, contents.position + count);
    buffer.set(part);
    contents.position += part.length;
    return part.length;
  },
  write: () => -EBADF,
  ioctl: () => -ENOTTY,
  release: () => {},
};

const DEVICES = ['/dev/null', '/dev/zero'];

/** The few paths there are: devices, directories on the way to them, and what `add` put there. */
export class PathTable {
  readonly #contents = new Map<string, Uint8Array>();

  constructor() {
    this.add('/etc/passwd', new TextEncoder().encode('root:x:0:0:root:/root:/bin/sh\n'));
  }

  add(path: string, bytes: Uint8Array): void {
    this.#contents.set(path, bytes);
  }

  /** A new open file, or null if there is nothing by that name. `flags`: how it may be used, and O_NONBLOCK. */
  open(path: string, flags: number): File | null {
    if (path === '/dev/null') return new File(nullOperations, null, flags);
    if (path === '/dev/zero') return new File(zeroOperations, null, flags);
    const bytes = this.#contents.get(path);
    if (bytes !== undefined) return new File(regularOperations, { bytes, position: 0 }, flags);
    return this.#isDirectory(path) ? new File(directoryOperations, null, flags) : null;
  }

  #isDirectory(path: string): boolean {
    if (path === '') return false;
    const prefix = path.endsWith('/') ? path : `${path}/`;
    return [...DEVICES, ...this.#contents.keys()].some((known) => known.startsWith(prefix));
  }
}
