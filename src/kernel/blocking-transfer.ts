// Receiving and sending on an open socket, sleeping where its mode and the flags let it: what recv, read, send and write
// have in common once the descriptor is looked up.

import type { File } from '../core/file.js';
import type { ControlMessage } from '../socket/control-message.js';
import { sendsFastOpen } from '../socket/inet-stream.js';
import type { MessageInfo } from '../socket/proto-ops.js';
import type { SockAddr } from '../socket/sock-addr.js';
import type { Socket } from '../socket/socket.js';
import type { TcpSock } from '../tcp/sock.js';
import { O_NONBLOCK } from '../uapi/fcntl.js';
import { MSG_DONTWAIT, MSG_ERRQUEUE, SOCK_STREAM } from '../uapi/socket.js';
import { receiveDatagram } from './blocking-datagram.js';
import { sendFastOpen } from './blocking-fastopen.js';
import { receiveStream, sendStream } from './blocking-stream.js';
import type { Process } from './process.js';
import { sendSignals } from './sys-message.js';

/** Whether a call must not sleep: the file's mode, or the call's own wish. */
export function nonblocking(file: File, flags: number): boolean {
  return (file.flags & O_NONBLOCK) !== 0 || (flags & MSG_DONTWAIT) !== 0;
}

/** `info`: filled with what the protocol tells beside the bytes. */
export async function receiveOn(
  process: Process,
  file: File,
  buffer: Uint8Array,
  count: number,
  flags: number,
  info: MessageInfo | null,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { kernel } = process;
  const socket = file.private_ as Socket;
  // What is in the error queue is there or it is not: that never sleeps.
  if (nonblocking(file, flags) || (flags & MSG_ERRQUEUE) !== 0)
    return socket.ops.recv(socket, buffer, count, flags | MSG_DONTWAIT, info);
  if (socket.type === SOCK_STREAM) return receiveStream(kernel, file, buffer, count, flags, info, signal);
  return receiveDatagram(kernel, file, () => socket.ops.recv(socket, buffer, count, flags, info), signal);
}

export async function sendOn(
  process: Process,
  file: File,
  buffer: Uint8Array,
  count: number,
  flags: number,
  to: SockAddr | null,
  control: readonly ControlMessage[] | null,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { kernel } = process;
  const socket = file.private_ as Socket;
  const sleeps = socket.type === SOCK_STREAM && !nonblocking(file, flags);
  let result: number;
  if (!sleeps) result = socket.ops.send(socket, buffer, count, flags, to, control);
  else if (sendsFastOpen(socket.sk as TcpSock, flags))
    result = await kernel.resumes(sendFastOpen(kernel, file, buffer, count, flags, to, control, signal));
  else result = await kernel.resumes(sendStream(kernel, file, buffer, count, flags, control, signal));
  return sendSignals(process, socket, flags, result);
}
