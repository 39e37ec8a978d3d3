// A send that begins by connecting and may sleep (tcp_sendmsg_fastopen): its first bytes ride on the SYN if they may, and it waits
// for the handshake before it goes on with the rest.

import type { File } from '../core/file.js';
import type { ControlMessage } from '../socket/control-message.js';
import { handshaking, type InetStreamOps } from '../socket/inet-stream.js';
import { SOCKADDR_IN_SIZE, type SockAddr } from '../socket/sock-addr.js';
import type { Socket } from '../socket/socket.js';
import type { TcpSock } from '../tcp/sock.js';
import { EALREADY, EINPROGRESS } from '../uapi/errno.js';
import { MSG_FASTOPEN } from '../uapi/socket.js';
import { sendStream } from './blocking-stream.js';
import type { Kernel } from './kernel.js';
import { waitForConnect } from './wait-for-connect.js';

export async function sendFastOpen(
  kernel: Kernel,
  file: File,
  buffer: Uint8Array,
  count: number,
  flags: number,
  to: SockAddr | null,
  control: readonly ControlMessage[] | null,
  signal: AbortSignal | undefined,
): Promise<number> {
  const socket = file.private_ as Socket;
  const ops = socket.ops as InetStreamOps;
  const sk = socket.sk as TcpSock;
  ops.tcp.lock(sk);
  file.get();
  const error = ops.fastOpenBegin(sk, buffer, count, to);
  const result =
    error < 0 ? error : await kernel.resumes(connectAndWait(kernel, ops, socket, sk, to, signal));
  const taken = error < 0 ? 0 : ops.tcp.fastOpenDone(sk, flags);
  ops.tcp.release(sk);
  try {
    // SO_SNDTIMEO is over, but what the SYN took is on its way.
    if (result === -EINPROGRESS && taken > 0) return taken;
    if (result < 0) return result;
    const more = flags & ~MSG_FASTOPEN;
    const rest = await kernel.resumes(
      sendStream(kernel, file, buffer.subarray(taken), count - taken, more, control, signal),
    );
    return rest < 0 ? taken || rest : taken + rest;
  } finally {
    file.put();
  }
}

async function connectAndWait(
  kernel: Kernel,
  ops: InetStreamOps,
  socket: Socket,
  sk: TcpSock,
  to: SockAddr | null,
  signal: AbortSignal | undefined,
): Promise<number> {
  const result = ops.connectStart(socket, to, SOCKADDR_IN_SIZE, true);
  if (result !== -EINPROGRESS && result !== -EALREADY) return result;
  if (handshaking(sk)) {
    const ended = await kernel.resumes(waitForConnect(kernel, ops, socket, sk, signal));
    if (ended < 0) return ended;
  }
  return handshaking(sk) ? result : ops.connectDone(socket);
}
