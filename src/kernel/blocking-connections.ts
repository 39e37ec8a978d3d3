// accept and connect that sleep. An accept keeps the descriptor it will return while it sleeps, and waits in line; a connect
// that is interrupted goes on by itself.

import type { File } from '../core/file.js';
import { handshaking, InetStreamOps } from '../socket/inet-stream.js';
import { SOCKADDR_IN_SIZE, type SockAddr } from '../socket/sock-addr.js';
import type { Socket } from '../socket/socket.js';
import { socketOf } from '../socket/socket-file.js';
import type { TcpSock } from '../tcp/sock.js';
import { EAGAIN, EALREADY, EBADF, EFAULT, EINPROGRESS, EINTR, EINVAL, ENOTSOCK } from '../uapi/errno.js';
import { O_NONBLOCK } from '../uapi/fcntl.js';
import { SOCK_CLOEXEC, SOCK_NONBLOCK } from '../uapi/socket.js';
import type { Process } from './process.js';
import type { SleepOptions } from './sleep.js';
import { Sleep, socketTimeout } from './sleep.js';
import { acceptFile, addressFits, addressReadable } from './sys-socket.js';
import { waitForConnect } from './wait-for-connect.js';

export class BlockingConnections {
  readonly #process: Process;

  constructor(process: Process) {
    this.#process = process;
  }

  readonly accept = (fd: number, address: SockAddr | null = null, options?: SleepOptions): Promise<number> =>
    this.accept4(fd, address, 0, options);

  /** Waits for a connection, at most SO_RCVTIMEO (-EAGAIN); -EINVAL when the listener is shut down meanwhile. */
  readonly accept4 = async (
    fd: number,
    address: SockAddr | null = null,
    flags = 0,
    options?: SleepOptions,
  ): Promise<number> => {
    const { files, kernel } = this.#process;
    kernel.host.refresh();
    const file = files.get(fd);
    if (file === null) return -EBADF;
    if ((flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) !== 0) return -EINVAL;
    const newFd = files.reserveNew((flags & SOCK_CLOEXEC) !== 0);
    if (newFd < 0) return newFd;
    file.get();
    let accepted = acceptFile(file, address, flags);
    if (accepted === -EAGAIN && (file.flags & O_NONBLOCK) === 0) {
      accepted = await kernel.resumes(this.#sleepInAccept(file, address, flags, options));
    }
    file.put();
    if (typeof accepted === 'number') {
      files.unreserve(newFd);
      return accepted;
    }
    if (!kernel.processes.has(this.#process)) {
      // Nobody is left who could close it.
      accepted.put();
      return -EINTR;
    }
    files.install(newFd, accepted);
    return newFd;
  };

  /** inet_csk_wait_for_connect: one connection wakes one of those who wait, the first of them. */
  async #sleepInAccept(
    file: File,
    address: SockAddr | null,
    flags: number,
    options: SleepOptions | undefined,
  ): Promise<File | number> {
    const { kernel } = this.#process;
    const socket = file.private_ as Socket;
    const sleep = new Sleep(kernel, socketTimeout(socket.sk.rcvTimeoMs), options?.signal);
    for (;;) {
      sleep.prepareExclusive(socket.wq);
      let accepted = acceptFile(file, address, flags);
      if (accepted === -EAGAIN && !sleep.over) {
        await sleep.wait();
        kernel.host.refresh();
        continue;
      }
      if (accepted === -EAGAIN && sleep.interrupted) accepted = -EINTR;
      sleep.finish();
      return accepted;
    }
  }

  /** Waits for the handshake, at most SO_SNDTIMEO (-EINPROGRESS). Time-outs and signals leave the attempt going on. */
  readonly connect = async (
    fd: number,
    address: SockAddr,
    length = SOCKADDR_IN_SIZE,
    options?: SleepOptions,
  ): Promise<number> => {
    const { files, kernel } = this.#process;
    kernel.host.refresh();
    const file = files.get(fd);
    if (file === null) return -EBADF;
    if (!addressFits(length)) return -EINVAL;
    if (!addressReadable(address)) return -EFAULT;
    const socket = socketOf(file);
    if (socket === null) return -ENOTSOCK;
    const { ops } = socket;
    if (!(ops instanceof InetStreamOps)) return ops.connect(socket, address, length);
    const sk = socket.sk as TcpSock;
    ops.tcp.lock(sk);
    let result = ops.connectStart(socket, address, length);
    if (result === -EINPROGRESS || result === -EALREADY) {
      file.get();
      const sleeps = handshaking(sk) && (file.flags & O_NONBLOCK) === 0;
      const ended = sleeps
        ? await kernel.resumes(waitForConnect(kernel, ops, socket, sk, options?.signal))
        : 0;
      if (ended < 0) result = ended;
      else if (!handshaking(sk)) result = ops.connectDone(socket);
      ops.tcp.release(sk);
      file.put();
      return result;
    }
    ops.tcp.release(sk);
    return result;
  };
}
