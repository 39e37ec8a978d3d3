// recv and send that sleep, in all their forms: the descriptor's side. What they wait for is in blocking-stream.ts and
// blocking-datagram.ts.

import type { File } from '../core/file.js';
import { plainInfo } from '../socket/proto-ops.js';
import type { SockAddr } from '../socket/sock-addr.js';
import type { Socket } from '../socket/socket.js';
import { socketFileOperations } from '../socket/socket-file.js';
import { EBADF, EFAULT, ENOTSOCK } from '../uapi/errno.js';
import { MSG_DONTWAIT, MSG_ERRQUEUE, MSG_OOB, SOCK_STREAM } from '../uapi/socket.js';
import { receiveDatagram } from './blocking-datagram.js';
import { nonblocking, receiveOn, sendOn } from './blocking-transfer.js';
import type { Process } from './process.js';
import type { SleepOptions } from './sleep.js';
import { accessOk, wholeOf } from './sys-file.js';
import {
  gather,
  type MessageHeader,
  messageInfo,
  messageReadable,
  nameReadable,
  receiveMessage,
  scatter,
} from './sys-message.js';

export class BlockingMessages {
  readonly #process: Process;

  constructor(process: Process) {
    this.#process = process;
  }

  readonly recv = (
    fd: number,
    buffer: Uint8Array,
    count: number = wholeOf(buffer),
    flags = 0,
    options?: SleepOptions,
  ): Promise<number> => this.recvfrom(fd, buffer, count, flags, null, options);

  /** Waits until SO_RCVLOWAT bytes (MSG_WAITALL: all) are there, at most SO_RCVTIMEO (-EAGAIN if nothing came). */
  readonly recvfrom = async (
    fd: number,
    buffer: Uint8Array,
    count: number,
    flags = 0,
    from: SockAddr | null = null,
    options?: SleepOptions,
  ): Promise<number> => {
    const file = this.#find(fd);
    if (typeof file === 'number') return file;
    if (!accessOk(buffer, count) || !nameReadable(from)) return -EFAULT;
    return receiveOn(this.#process, file, buffer, count, flags, plainInfo(from), options?.signal);
  };

  readonly send = (
    fd: number,
    buffer: Uint8Array,
    count: number = wholeOf(buffer),
    flags = 0,
    options?: SleepOptions,
  ): Promise<number> => this.sendto(fd, buffer, count, flags, null, options);

  /** Waits until all bytes are queued, at most SO_SNDTIMEO; what was queued by then is the result. */
  readonly sendto = async (
    fd: number,
    buffer: Uint8Array,
    count: number,
    flags = 0,
    to: SockAddr | null = null,
    options?: SleepOptions,
  ): Promise<number> => {
    const file = this.#find(fd);
    if (typeof file === 'number') return file;
    if (!accessOk(buffer, count) || !nameReadable(to)) return -EFAULT;
    return sendOn(this.#process, file, buffer, count, flags, to, null, options?.signal);
  };

  readonly sendmsg = async (
    fd: number,
    message: MessageHeader,
    flags = 0,
    options?: SleepOptions,
  ): Promise<number> => {
    const file = this.#find(fd);
    if (typeof file === 'number') return file;
    if (!messageReadable(message)) return -EFAULT;
    const data = gather(message.msg_iov);
    const control = message.msg_control ?? null;
    const to = message.msg_name ?? null;
    return sendOn(this.#process, file, data, data.length, flags, to, control, options?.signal);
  };

  readonly recvmsg = async (
    fd: number,
    message: MessageHeader,
    flags = 0,
    options?: SleepOptions,
  ): Promise<number> => {
    const file = this.#find(fd);
    if (typeof file === 'number') return file;
    if (!messageReadable(message)) return -EFAULT;
    const socket = file.private_ as Socket;
    // Out-of-band data is there or it is not, as are entries of the error queue: that never sleeps.
    if (nonblocking(file, flags) || (flags & (MSG_OOB | MSG_ERRQUEUE)) !== 0)
      return receiveMessage(socket, message, flags | MSG_DONTWAIT);
    if (socket.type !== SOCK_STREAM) {
      const receive = (): number => receiveMessage(socket, message, flags);
      return receiveDatagram(this.#process.kernel, file, receive, options?.signal);
    }
    // A stream has no bounds between messages: it waits as recv does, for all the buffers together.
    const whole = new Uint8Array(message.msg_iov.reduce((sum, buffer) => sum + buffer.length, 0));
    const info = messageInfo(message);
    const result = await receiveOn(this.#process, file, whole, whole.length, flags, info, options?.signal);
    message.msg_flags = info.flags;
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
