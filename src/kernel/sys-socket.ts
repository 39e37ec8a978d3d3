// Syscalls that make and connect sockets (net/socket.c): the descriptor's side of each. What they mean is in socket/.

import type { File } from '../core/file.js';
import type { ProcessMemory } from '../memory/process-memory.js';
import { cutOption, optionSize } from '../socket/option-values.js';
import type { OptionResult, OptionValue } from '../socket/proto-ops.js';
import { SOCKADDR_IN_SIZE, type SockAddr } from '../socket/sock-addr.js';
import { Socket, SS_CONNECTED } from '../socket/socket.js';
import { createSocketFile, socketOf } from '../socket/socket-file.js';
import { getSolSocket, setSolSocket } from '../socket/sol-socket.js';
import { EAFNOSUPPORT, EBADF, ECONNABORTED, EFAULT, EINVAL, ENOTSOCK } from '../uapi/errno.js';
import { O_NONBLOCK } from '../uapi/fcntl.js';
import { AF_INET, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_TYPE_MASK, SOL_SOCKET } from '../uapi/socket.js';
import type { FdTable } from './fd-table.js';
import type { Kernel } from './kernel.js';
import type { Process } from './process.js';

const SOCKET_FLAGS = SOCK_NONBLOCK | SOCK_CLOEXEC;

/** sizeof(struct sockaddr_storage) */
const SOCKADDR_STORAGE_SIZE = 128;

/** move_addr_to_kernel: whether an address may be so long. */
export function addressFits(length: number): boolean {
  return length >= 0 && length <= SOCKADDR_STORAGE_SIZE;
}

/** move_addr_to_kernel: whether there is an address to read at all. */
export function addressReadable(address: SockAddr): boolean {
  return typeof address === 'object' && address !== null;
}

export class SocketCalls {
  readonly #kernel: Kernel;
  readonly #files: FdTable;
  readonly #uid: number;
  readonly #mm: ProcessMemory;

  constructor(process: Process) {
    this.#kernel = process.kernel;
    this.#files = process.files;
    this.#uid = process.uid;
    this.#mm = process.mm;
  }

  /**
   * A new socket. `family` AF_INET; `type` SOCK_STREAM or SOCK_DGRAM, with SOCK_NONBLOCK and SOCK_CLOEXEC; `protocol` 0 or
   * the type's own. A descriptor, -EAFNOSUPPORT, -ESOCKTNOSUPPORT, -EPROTONOSUPPORT, -EINVAL or -EMFILE.
   */
  readonly socket = (family: number, type: number, protocol = 0): number => {
    this.#kernel.host.refresh();
    const flags = type & ~SOCK_TYPE_MASK;
    if ((flags & ~SOCKET_FLAGS) !== 0) return -EINVAL;
    if (family !== AF_INET) return -EAFNOSUPPORT;
    const socket = this.#kernel.inet.create(type & SOCK_TYPE_MASK, protocol, this.#uid);
    if (typeof socket === 'number') return socket;
    const fd = this.#files.reserveNew((flags & SOCK_CLOEXEC) !== 0);
    if (fd < 0) {
      socket.ops.release(socket);
      return fd;
    }
    this.#files.install(fd, createSocketFile(socket, flags & O_NONBLOCK));
    return fd;
  };

  /** Gives the socket a local address; port 0 picks a free one. 0, -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -EINVAL … */
  readonly bind = (fd: number, address: SockAddr, length = SOCKADDR_IN_SIZE): number => {
    this.#kernel.host.refresh();
    const socket = this.#find(fd);
    if (typeof socket === 'number') return socket;
    if (!addressFits(length)) return -EINVAL;
    if (!addressReadable(address)) return -EFAULT;
    return socket.ops.bind(socket, address, length);
  };

  /** Accepts connections from now on; `backlog` + 1 of them may wait. 0, -EADDRINUSE, -EINVAL, -EOPNOTSUPP. */
  readonly listen = (fd: number, backlog: number): number => {
    this.#kernel.host.refresh();
    const socket = this.#find(fd);
    return typeof socket === 'number' ? socket : socket.ops.listen(socket, backlog);
  };

  /** accept4 without flags. */
  readonly accept = (fd: number, address: SockAddr | null = null): number => this.accept4(fd, address, 0);

  /**
   * Takes the oldest waiting connection; its peer's address goes to `address`. `flags`: SOCK_NONBLOCK, SOCK_CLOEXEC.
   * A descriptor, -EAGAIN when none waits, or -errno.
   */
  readonly accept4 = (fd: number, address: SockAddr | null = null, flags = 0): number => {
    this.#kernel.host.refresh();
    const file = this.#files.get(fd);
    if (file === null) return -EBADF;
    if ((flags & ~SOCKET_FLAGS) !== 0) return -EINVAL;
    // The number is taken before anything is asked of the socket: a full table hides every other error.
    const newFd = this.#files.reserveNew((flags & SOCK_CLOEXEC) !== 0);
    if (newFd < 0) return newFd;
    const accepted = acceptFile(file, address, flags);
    if (typeof accepted === 'number') {
      this.#files.unreserve(newFd);
      return accepted;
    }
    this.#files.install(newFd, accepted);
    return newFd;
  };

  /**
   * Starts to connect, or asks how that went. -EINPROGRESS the first time, whatever the socket's mode, because this call never
   * sleeps; then 0, -EALREADY, -ECONNREFUSED … AF_UNSPEC dissolves the connection.
   */
  readonly connect = (fd: number, address: SockAddr, length = SOCKADDR_IN_SIZE): number => {
    this.#kernel.host.refresh();
    const file = this.#files.get(fd);
    if (file === null) return -EBADF;
    if (!addressFits(length)) return -EINVAL;
    if (!addressReadable(address)) return -EFAULT;
    const socket = socketOf(file);
    return socket === null ? -ENOTSOCK : socket.ops.connect(socket, address, length);
  };

  /** `how`: SHUT_RD, SHUT_WR or SHUT_RDWR. 0, -ENOTCONN, -EINVAL. */
  readonly shutdown = (fd: number, how: number): number => {
    this.#kernel.host.refresh();
    const socket = this.#find(fd);
    return typeof socket === 'number' ? socket : socket.ops.shutdown(socket, how);
  };

  /** The socket's own address, into `address`. */
  readonly getsockname = (fd: number, address: SockAddr): number => this.#getname(fd, address, 0);

  /** The peer's, or -ENOTCONN. */
  readonly getpeername = (fd: number, address: SockAddr): number => this.#getname(fd, address, 1);

  /**
   * `value`: a number; `{l_onoff, l_linger}` for SO_LINGER; `{tv_sec, tv_usec}` for time-outs; a name for TCP_CONGESTION.
   * `length`: what a C program would pass as optlen, for those who want to see it refused. 0, -EINVAL, -ENOPROTOOPT …
   */
  readonly setsockopt = (
    fd: number,
    level: number,
    name: number,
    value: OptionValue,
    length = optionSize(value),
  ): number => {
    this.#kernel.host.refresh();
    const socket = this.#find(fd);
    if (typeof socket === 'number') return socket;
    if (value === undefined || value === null) return -EFAULT;
    if (length < 0) return -EINVAL;
    if (level === SOL_SOCKET) return setSolSocket(socket, name, value, length);
    return socket.ops.setsockopt(socket, level, name, value, length);
  };

  /**
   * The answer goes to `out.value`; for TCP_ZEROCOPY_RECEIVE into the object that stands there. 0, -ENOPROTOOPT, -EOPNOTSUPP … SO_ERROR
   * takes the error away. `length`: the room a C
   * program would offer, for those who want to see what it cuts off; negative: -EINVAL.
   */
  readonly getsockopt = (
    fd: number,
    level: number,
    name: number,
    out: OptionResult,
    length?: number,
  ): number => {
    this.#kernel.host.refresh();
    const socket = this.#find(fd);
    if (typeof socket === 'number') return socket;
    if (typeof out !== 'object' || out === null) return -EFAULT;
    if (length !== undefined && length < 0) return -EINVAL;
    const result =
      level === SOL_SOCKET
        ? getSolSocket(socket, name, out)
        : socket.ops.getsockopt(socket, level, name, out, this.#mm);
    return result === 0 && length !== undefined ? cutOption(level, name, out, length) : result;
  };

  #getname(fd: number, address: SockAddr, peer: number): number {
    const socket = this.#find(fd);
    if (typeof socket === 'number') return socket;
    if (!addressReadable(address)) return -EFAULT;
    return socket.ops.getname(socket, address, peer);
  }

  /** sockfd_lookup */
  #find(fd: number): Socket | number {
    const file = this.#files.get(fd);
    return file === null ? -EBADF : (socketOf(file) ?? -ENOTSOCK);
  }
}

/** do_accept without sleeping: the new connection's file, or -errno. */
export function acceptFile(file: File, address: SockAddr | null, flags: number): File | number {
  const socket = socketOf(file);
  if (socket === null) return -ENOTSOCK;
  const sk = socket.ops.accept(socket);
  if (typeof sk === 'number') return sk;
  const accepted = new Socket(socket.ops, sk);
  accepted.state = SS_CONNECTED;
  if (address !== null) {
    // An unusable address is noticed only now, and costs the connection.
    const error = addressReadable(address) ? accepted.ops.getname(accepted, address, 2) : -EFAULT;
    if (error < 0) {
      accepted.ops.release(accepted);
      return error === -EFAULT ? error : -ECONNABORTED;
    }
  }
  return createSocketFile(accepted, flags & O_NONBLOCK);
}
