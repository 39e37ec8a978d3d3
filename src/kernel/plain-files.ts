// Files that cannot be polled: the null device that every process has on 0, 1 and 2, and regular files held in memory, so
// that a program meets EPERM from epoll_ctl where it would on Linux.

import { File, type FileOperations } from '../core/file.js';
import { EBADF, ENOTTY } from '../uapi/errno.js';
import { O_RDONLY, O_RDWR } from '../uapi/fcntl.js';

export const nullOperations: FileOperations = {
  kind: 'null',
  poll: null,
  read: () => 0,
  write: (_file, _buffer, count) => count,
  ioctl: () => -ENOTTY,
  release: () => {},
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

/** The few paths there are: `/dev/null`, and what `add` put there. Read only. */
export class PathTable {
  readonly #contents = new Map<string, Uint8Array>();

  constructor() {
    this.add('/etc/passwd', new TextEncoder().encode('root:x:0:0:root:/root:/bin/sh\n'));
  }

  add(path: string, bytes: Uint8Array): void {
    this.#contents.set(path, bytes);
  }

  /** A new open file, or null if there is nothing by that name. */
  open(path: string): File | null {
    if (path === '/dev/null') return new File(nullOperations, null, O_RDWR);
    const bytes = this.#contents.get(path);
    return bytes === undefined ? null : new File(regularOperations, { bytes, position: 0 }, O_RDONLY);
  }
}
