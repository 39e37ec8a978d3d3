// recv and send that sleep, in all their forms: the descriptor's side. What they wait for is in blocking-stream.ts and
// blocking-datagram.ts.

import type { File } from '../core/file.js';
import type { SockAddr } from '../socket/sock-addr.js';
import type { Socket } from '../socket/socket.js';
import { socketFileOperations } from '../socket/socket-file.js';
import { EBADF, EFAULT, ENOTSOCK } from '../uapi/errno.js';
import { MSG_DONTWAIT, MSG_OOB, SOCK_STREAM } from '../uapi/socket.js';
import { receiveDatagram } from './blocking-datagram.js';
import { nonblocking, receiveOn, sendOn } from './blocking-transfer.js';
import type { Process } from './process.js';
import type { SleepOptions } from './sleep.js';
import { accessOk } from './sys-file.js';
import { gather, type MessageHeader, receiveMessage, scatter } from './sys-message.js';

export class BlockingMessages {
  readonly #process: Process;

  constructor(process: Process) {
    this.#process = process;
  }

  readonly recv = (
    fd: number,
    buffer: Uint8Array,
    count: number = buffer.length,
    flags = 0,
    options?: SleepOptions,
  ): Promise<number> => this.recvfrom(fd, buffer, count, flags, null, options);

  /** Waits until SO_RCVLOWAT bytes (MSG_WAITALL: all) are there, at most SO_RCVTIMEO (-EAGAIN if nothing came). */
  readonly recvfrom = async (
    fd: number,
    buffer: Uint8Array,
    count: number,
    flags: number,
    from: SockAddr | null,
    options?: SleepOptions,
  ): Promise<number> => {
    const file = this.#find(fd);
    if (typeof file === 'number') return file;
    if (!accessOk(buffer, count)) return -EFAULT;
    return receiveOn(this.#process, file, buffer, count, flags, from, options?.signal);
  };

  readonly send = (
    fd: number,
    buffer: Uint8Array,
    count: number = buffer.length,
    flags = 0,
    options?: SleepOptions,
  ): Promise<number> => this.sendto(fd, buffer, count, flags, null, options);

  /** Waits until all bytes are queued, at most SO_SNDTIMEO; what was queued by then is the result. */
  readonly sendto = async (
    fd: number,
    buffer: Uint8Array,
    count: number,
    flags: number,
    to: SockAddr | null,
    options?: SleepOptions,
  ): Promise<number> => {
    const file = this.#find(fd);
    if (typeof file === 'number') return file;
    if (!accessOk(buffer, count)) return -EFAULT;
    return sendOn(this.#process, file, buffer, count, flags, to, options?.signal);
  };

  readonly sendmsg = (
    fd: number,
    message: MessageHeader,
    flags = 0,
    options?: SleepOptions,
  ): Promise<number> => {
    const data = gather(message.msg_iov);
    return this.sendto(fd, data, data.length, flags, message.msg_name ?? null, options);
  };

  readonly recvmsg = async (
    fd: number,
    message: MessageHeader,
    flags = 0,
    options?: SleepOptions,
  ): Promise<number> => {
    const file = this.#find(fd);
    if (typeof file === 'number') return file;
    const socket = file.private_ as Socket;
    // Out-of-band data is there or it is not: that never sleeps.
    if (nonblocking(file, flags) || (flags & MSG_OOB) !== 0)
      return receiveMessage(socket, message, flags | MSG_DONTWAIT);
    if (socket.type !== SOCK_STREAM) {
      const receive = (): number => receiveMessage(socket, message, flags);
      return receiveDatagram(this.#process.kernel, file, receive, options?.signal);
    }
    // A stream has no bounds between messages: it waits as recv does, for all the buffers together.
    const whole = new Uint8Array(message.msg_iov.reduce((sum, buffer) => sum + buffer.length, 0));
    message.msg_flags = 0;
    const result = await receiveOn(this.#process, file, whole, whole.length, flags, null, options?.signal);
    if (result > 0) scatter(whole.subarray(0, result), message.msg_iov);
    return result;
  };

  #find(fd: number): File | number {
    this.#process.kernel.host.refresh();
    const file = this.#process.files.get(fd);
    if (file === null) return -EBADF;
    return file.ops === socketFileOperations ? file : -ENOTSOCK;
  }
}
