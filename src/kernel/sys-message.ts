// Syscalls that move data through sockets: send, recv and their long forms (net/socket.c). None sleeps here; -EAGAIN says
// where a blocking call would.

import type { File } from '../core/file.js';
import type { ControlMessage } from '../socket/control-message.js';
import { type MessageInfo, plainInfo } from '../socket/proto-ops.js';
import type { SockAddr } from '../socket/sock-addr.js';
import type { Socket } from '../socket/socket.js';
import { socketFileOperations } from '../socket/socket-file.js';
import { EBADF, EFAULT, ENOTSOCK, EPIPE } from '../uapi/errno.js';
import { O_NONBLOCK } from '../uapi/fcntl.js';
import { MSG_DONTWAIT, MSG_NOSIGNAL, SOCK_STREAM } from '../uapi/socket.js';
import type { FdTable } from './fd-table.js';
import type { Process } from './process.js';
import { accessOk, wholeOf } from './sys-file.js';

/** struct msghdr: buffers to be filled or sent one after another, a peer, and what recvmsg has to say besides. */
export interface MessageHeader {
  /** sendmsg: where to (null: the connected peer). recvmsg: filled with where from, if the protocol tells. */
  msg_name?: SockAddr | null;
  /** The buffers, in order: sent whole, or filled one after another. */
  msg_iov: readonly Uint8Array[];
  /**
   * sendmsg: options for this one message. recvmsg: filled with what there is to tell; left out, there is room for nothing,
   * and MSG_CTRUNC says that there would have been something.
   */
  msg_control?: ControlMessage[];
  /** recvmsg: the room for control messages as a C program counts it, in bytes; unbounded unless given. */
  msg_controllen?: number;
  /** Set by recvmsg: MSG_TRUNC, MSG_CTRUNC, MSG_OOB, MSG_ERRQUEUE … */
  msg_flags?: number;
}

export class MessageCalls {
  readonly #process: Process;
  readonly #files: FdTable;

  constructor(process: Process) {
    this.#process = process;
    this.#files = process.files;
  }

  /** Bytes taken (may be fewer than `count`), -EAGAIN, -EPIPE with SIGPIPE unless MSG_NOSIGNAL, or another -errno. */
  readonly send = (fd: number, buffer: Uint8Array, count: number = wholeOf(buffer), flags = 0): number =>
    this.sendto(fd, buffer, count, flags, null);

  /** Bytes received, 0 at the end of the stream, -EAGAIN, or another -errno. `flags`: MSG_PEEK, MSG_OOB, MSG_TRUNC … */
  readonly recv = (fd: number, buffer: Uint8Array, count: number = wholeOf(buffer), flags = 0): number => {
    const file = this.#find(fd);
    if (typeof file === 'number') return file;
    if (!accessOk(buffer, count)) return -EFAULT;
    const socket = file.private_ as Socket;
    return socket.ops.recv(socket, buffer, count, waitFlags(file, flags), null);
  };

  /** send to an address; a connected stream ignores it. */
  readonly sendto = (
    fd: number,
    buffer: Uint8Array,
    count: number,
    flags = 0,
    to: SockAddr | null = null,
  ): number => {
    const file = this.#find(fd);
    if (typeof file === 'number') return file;
    if (!accessOk(buffer, count) || !nameReadable(to)) return -EFAULT;
    const socket = file.private_ as Socket;
    return sendSignals(this.#process, socket, flags, socket.ops.send(socket, buffer, count, flags, to));
  };

  /** recv that also tells the sender's address; a stream leaves `from` alone. */
  readonly recvfrom = (
    fd: number,
    buffer: Uint8Array,
    count: number,
    flags = 0,
    from: SockAddr | null = null,
  ): number => {
    const file = this.#find(fd);
    if (typeof file === 'number') return file;
    if (!accessOk(buffer, count) || !nameReadable(from)) return -EFAULT;
    const socket = file.private_ as Socket;
    const info = plainInfo(from);
    return socket.ops.recv(socket, buffer, count, waitFlags(file, flags), info);
  };

  /** send from several buffers. */
  readonly sendmsg = (fd: number, message: MessageHeader, flags = 0): number => {
    const file = this.#find(fd);
    if (typeof file === 'number') return file;
    if (!messageReadable(message)) return -EFAULT;
    const socket = file.private_ as Socket;
    const data = gather(message.msg_iov);
    const control = message.msg_control ?? null;
    const result = socket.ops.send(socket, data, data.length, flags, message.msg_name ?? null, control);
    return sendSignals(this.#process, socket, flags, result);
  };

  /** recv into several buffers; `message.msg_flags` tells what else there is to know. */
  readonly recvmsg = (fd: number, message: MessageHeader, flags = 0): number => {
    const file = this.#find(fd);
    if (typeof file === 'number') return file;
    if (!messageReadable(message)) return -EFAULT;
    return receiveMessage(file.private_ as Socket, message, waitFlags(file, flags));
  };

  /** The socket's file: the call begins (`Host.refresh`). -EBADF or -ENOTSOCK where there is none. */
  #find(fd: number): File | number {
    this.#process.kernel.host.refresh();
    const file = this.#files.get(fd);
    if (file === null) return -EBADF;
    return file.ops === socketFileOperations ? file : -ENOTSOCK;
  }
}

/** Whether the address of a message is one, or none. */
export function nameReadable(name: SockAddr | null): boolean {
  return name === null || typeof name === 'object';
}

/** copy_msghdr_from_user: whether the header and all that it refers to is there. */
export function messageReadable(message: MessageHeader): boolean {
  if (typeof message !== 'object' || message === null || !Array.isArray(message.msg_iov)) return false;
  const { msg_name = null, msg_control = [] } = message;
  if (!nameReadable(msg_name) || !Array.isArray(msg_control)) return false;
  for (const buffer of message.msg_iov) if (!(buffer instanceof Uint8Array)) return false;
  for (const each of msg_control) if (typeof each !== 'object' || each === null) return false;
  return true;
}

/** sock_recvmsg: a nonblocking file is MSG_DONTWAIT on every call, which a datagram socket that is shut down tells apart. */
export function waitFlags(file: File, flags: number): number {
  return (file.flags & O_NONBLOCK) !== 0 ? flags | MSG_DONTWAIT : flags;
}

/** sk_stream_error: an EPIPE, even one that was a pending error, raises SIGPIPE. */
export function sendSignals(process: Process, socket: Socket, flags: number, result: number): number {
  if (result === -EPIPE && (flags & MSG_NOSIGNAL) === 0 && socket.type === SOCK_STREAM)
    process.raiseSigpipe();
  return result;
}

/** ____sys_recvmsg, not sleeping. */
export function receiveMessage(socket: Socket, message: MessageHeader, flags: number): number {
  const { msg_iov } = message;
  const info = messageInfo(message);
  const whole = msg_iov.length === 1 ? msg_iov[0] : new Uint8Array(totalLength(msg_iov));
  const result = socket.ops.recv(socket, whole, whole.length, flags, info);
  message.msg_flags = info.flags;
  if (result > 0 && msg_iov.length > 1) scatter(whole.subarray(0, result), msg_iov);
  return result;
}

/** What the protocol is to fill in of a message's header. */
export function messageInfo(message: MessageHeader): MessageInfo {
  const control = message.msg_control ?? null;
  if (control !== null) control.length = 0;
  const room = control === null ? 0 : (message.msg_controllen ?? Infinity);
  return { name: message.msg_name ?? null, flags: 0, control, controlRoom: room };
}

export function gather(buffers: readonly Uint8Array[]): Uint8Array {
  if (buffers.length === 1) return buffers[0];
  const whole = new Uint8Array(totalLength(buffers));
  let at = 0;
  for (const buffer of buffers) {
    whole.set(buffer, at);
    at += buffer.length;
  }
  return whole;
}

export function scatter(data: Uint8Array, buffers: readonly Uint8Array[]): void {
  let at = 0;
  for (const buffer of buffers) {
    const part = data.subarray(at, at + buffer.length);
    buffer.set(part);
    at += part.length;
    if (at >= data.length) return;
  }
}

function totalLength(buffers: readonly Uint8Array[]): number {
  let length = 0;
  for (const buffer of buffers) length += buffer.length;
  return length;
}
