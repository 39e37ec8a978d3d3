// Syscalls on any open file: read, write, close, dup, fcntl, ioctl (fs/read_write.c, fs/file.c, fs/fcntl.c).

import type { File } from '../core/file.js';
import { socketOf } from '../socket/socket-file.js';
import { EBADF, EBUSY, EFAULT, EINVAL, EMFILE, ENOENT, EPIPE } from '../uapi/errno.js';
import {
  F_DUPFD,
  F_DUPFD_CLOEXEC,
  F_GETFD,
  F_GETFL,
  F_SETFD,
  F_SETFL,
  FD_CLOEXEC,
  O_CLOEXEC,
  O_NONBLOCK,
  O_RDONLY,
  O_WRONLY,
} from '../uapi/fcntl.js';
import { FIONBIO, SOCK_DGRAM } from '../uapi/socket.js';
import type { FdTable } from './fd-table.js';
import type { Process } from './process.js';

/** The bits of a file's flags that say how it may be used. */
export const O_ACCMODE = 3;

/** access_ok: whether `count` bytes, a whole number of them, are in the buffer. */
export function accessOk(buffer: Uint8Array, count: number): boolean {
  return (
    count === 0 ||
    (buffer instanceof Uint8Array && count > 0 && count <= buffer.length && (count | 0) === count)
  );
}

/** All of the buffer, where a call does not say how much of it; of what is no buffer more than there is (EFAULT). */
export function wholeOf(buffer: Uint8Array): number {
  return buffer instanceof Uint8Array ? buffer.length : -1;
}

/** Writing where nobody reads any more raises SIGPIPE, except to a datagram socket. */
export function writeSignals(process: Process, file: File, result: number): number {
  if (result === -EPIPE && socketOf(file)?.type !== SOCK_DGRAM) process.raiseSigpipe();
  return result;
}

export class FileCalls {
  readonly #process: Process;
  readonly #files: FdTable;

  constructor(process: Process) {
    this.#process = process;
    this.#files = process.files;
  }

  /** Opens one of the few paths there are: a descriptor, -ENOENT or -EMFILE. `flags`: O_RDONLY … O_RDWR, O_CLOEXEC. */
  readonly open = (path: string, flags = 0): number => {
    if (typeof path !== 'string') return -EFAULT;
    const fd = this.#files.reserveNew((flags & O_CLOEXEC) !== 0);
    if (fd < 0) return fd;
    const file = this.#process.kernel.paths.open(path, flags & (O_ACCMODE | O_NONBLOCK));
    if (file === null) {
      this.#files.unreserve(fd);
      return -ENOENT;
    }
    this.#files.install(fd, file);
    return fd;
  };

  /** Bytes read, 0 at the end, -EAGAIN where a blocking read would sleep, or another -errno. */
  readonly read = (fd: number, buffer: Uint8Array, count: number = wholeOf(buffer)): number => {
    const { host } = this.#process.kernel;
    host.refresh();
    const file = this.#files.get(fd);
    if (file === null || (file.flags & O_ACCMODE) === O_WRONLY) return -EBADF;
    if (!accessOk(buffer, count)) return -EFAULT;
    return file.ops.read(file, buffer, count);
  };

  /** Bytes written (may be fewer than `count`), -EAGAIN where a blocking write would sleep, -EPIPE with SIGPIPE … */
  readonly write = (fd: number, buffer: Uint8Array, count: number = wholeOf(buffer)): number => {
    const { host } = this.#process.kernel;
    host.refresh();
    const file = this.#files.get(fd);
    if (file === null || (file.flags & O_ACCMODE) === O_RDONLY) return -EBADF;
    if (!accessOk(buffer, count)) return -EFAULT;
    const result = file.ops.write(file, buffer, count);
    return result === -EPIPE ? writeSignals(this.#process, file, result) : result;
  };

  /** Closes a descriptor; the last one of a file ends it. Never waits: SO_LINGER does in `blocking.close`. 0 or -EBADF. */
  readonly close = (fd: number): number => {
    this.#process.kernel.host.refresh();
    const file = this.#files.remove(fd);
    if (file === null) return -EBADF;
    file.put();
    return 0;
  };

  /** A second descriptor for the same open file, the lowest free one: its number, -EBADF or -EMFILE. */
  readonly dup = (fd: number): number => this.#dupFrom(fd, 0, false);

  /** Makes `newfd` another name of `fd`, closing what it was: `newfd`, or -EBADF. */
  readonly dup2 = (fd: number, newfd: number): number => {
    if (fd === newfd) return this.#files.get(fd) === null ? -EBADF : newfd;
    return this.#dupOver(fd, newfd, false);
  };

  /** dup2 with O_CLOEXEC, and -EINVAL for two equal numbers. */
  readonly dup3 = (fd: number, newfd: number, flags: number): number => {
    if ((flags & ~O_CLOEXEC) !== 0 || fd === newfd) return -EINVAL;
    return this.#dupOver(fd, newfd, (flags & O_CLOEXEC) !== 0);
  };

  /** F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL (of which O_NONBLOCK can be changed). */
  readonly fcntl = (fd: number, command: number, argument = 0): number => {
    const file = this.#files.get(fd);
    if (file === null) return -EBADF;
    switch (command) {
      case F_DUPFD:
      case F_DUPFD_CLOEXEC:
        if (!(argument >= 0 && argument < this.#files.limit)) return -EINVAL;
        return this.#dupFrom(fd, argument | 0, command === F_DUPFD_CLOEXEC);
      case F_GETFD:
        return this.#files.closeOnExec(fd) ? FD_CLOEXEC : 0;
      case F_SETFD:
        this.#files.setCloseOnExec(fd, (argument & FD_CLOEXEC) !== 0);
        return 0;
      case F_GETFL:
        return file.flags;
      case F_SETFL:
        file.flags = (file.flags & ~O_NONBLOCK) | (argument & O_NONBLOCK);
        return 0;
      default:
        return -EINVAL;
    }
  };

  /** FIONBIO takes its argument from `out.value`; SIOCINQ, SIOCOUTQ, SIOCATMARK … leave theirs there. 0 or -errno. */
  readonly ioctl = (fd: number, request: number, out: { value: number } = { value: 0 }): number => {
    this.#process.kernel.host.refresh();
    const file = this.#files.get(fd);
    if (file === null) return -EBADF;
    if (typeof out !== 'object' || out === null) return -EFAULT;
    if (request === FIONBIO) {
      if (out.value !== 0) file.flags |= O_NONBLOCK;
      else file.flags &= ~O_NONBLOCK;
      return 0;
    }
    return file.ops.ioctl(file, request, out);
  };

  #dupFrom(fd: number, from: number, closeOnExec: boolean): number {
    const file = this.#files.get(fd);
    if (file === null) return -EBADF;
    const copy = this.#files.reserve(closeOnExec, from);
    if (copy < 0) return -EMFILE;
    this.#files.install(copy, file.get());
    return copy;
  }

  #dupOver(fd: number, newfd: number, closeOnExec: boolean): number {
    this.#process.kernel.host.refresh();
    if (!(Number.isInteger(newfd) && newfd >= 0 && newfd < this.#files.limit)) return -EBADF;
    const file = this.#files.get(fd);
    if (file === null) return -EBADF;
    // A number that accept has reserved while it sleeps belongs to nobody yet, and cannot be taken (EBUSY in do_dup2).
    if (this.#files.reserved(newfd)) return -EBUSY;
    this.#files.replace(newfd, file.get(), closeOnExec)?.put();
    return newfd;
  }
}
