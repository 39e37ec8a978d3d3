// Asleep until a handshake of ours is over (inet_wait_for_connect): in connect, and in a send that begins with one.

import { handshaking, type InetStreamOps } from '../socket/inet-stream.js';
import type { Socket } from '../socket/socket.js';
import type { TcpSock } from '../tcp/sock.js';
import { EINTR, EPIPE } from '../uapi/errno.js';
import type { Kernel } from './kernel.js';
import { Sleep, socketTimeout, wokenWakeFunction } from './sleep.js';

/**
 * Called and left with the sock locked. -EINTR if a signal ended the wait, -EPIPE if somebody dissolved the connection, else 0,
 * be the handshake over or SO_SNDTIMEO.
 */
export async function waitForConnect(
  kernel: Kernel,
  ops: InetStreamOps,
  socket: Socket,
  sk: TcpSock,
  signal: AbortSignal | undefined,
): Promise<number> {
  const sleep = new Sleep(kernel, socketTimeout(sk.sndTimeoMs), signal, wokenWakeFunction);
  const { disconnects } = sk;
  while (handshaking(sk) && !sleep.over) {
    sleep.prepare(socket.wq);
    ops.tcp.release(sk);
    await sleep.wait();
    kernel.host.refresh();
    ops.tcp.lock(sk);
  }
  sleep.finish();
  if (sleep.interrupted && handshaking(sk)) return -EINTR;
  return sk.disconnects === disconnects ? 0 : -EPIPE;
}
