// Waiting in recv and send of a stream (tcp_recvmsg_locked, sk_wait_data; tcp_sendmsg_locked, sk_stream_wait_memory): how much
// must be there before the call returns, and what ends it early. Errors met after some bytes were moved stay for the next call.

import type { File } from '../core/file.js';
import { RCV_SHUTDOWN, SEND_SHUTDOWN } from '../core/sock.js';
import { MSG_GOES_ON, WRITE_FIRST, WRITE_LATER, WRITE_WHOLE } from '../core/sock-extras.js';
import type { ControlMessage } from '../socket/control-message.js';
import { handshaking } from '../socket/inet-stream.js';
import type { MessageInfo } from '../socket/proto-ops.js';
import type { Socket } from '../socket/socket.js';
import { passiveFastOpen } from '../tcp/poll.js';
import type { TcpSock } from '../tcp/sock.js';
import { markGivenUp } from '../tcp/tx-marks.js';
import { EAGAIN, EINTR, EPIPE } from '../uapi/errno.js';
import { MSG_OOB, MSG_PEEK, MSG_WAITALL } from '../uapi/socket.js';
import { TCP_CLOSE } from '../uapi/tcp.js';
import type { Kernel } from './kernel.js';
import { PeekWalk } from './peek-walk.js';
import { Sleep, socketTimeout, wokenWakeFunction } from './sleep.js';

export async function receiveStream(
  kernel: Kernel,
  file: File,
  buffer: Uint8Array,
  count: number,
  flags: number,
  info: MessageInfo | null,
  signal: AbortSignal | undefined,
): Promise<number> {
  const socket = file.private_ as Socket;
  const sk = socket.sk as TcpSock;
  const walk = (flags & MSG_PEEK) !== 0 && (flags & MSG_OOB) === 0 ? new PeekWalk(sk) : null;
  const target = (flags & MSG_WAITALL) !== 0 ? count : Math.min(sk.rcvlowat, count);
  walk?.begin();
  let copied = socket.ops.recv(socket, buffer, count, flags, info);
  walk?.end(copied);
  if ((flags & MSG_OOB) !== 0 || receivedEnough(sk, copied, target, walk)) return copied;

  const sleep = new Sleep(kernel, socketTimeout(sk.rcvTimeoMs), signal, wokenWakeFunction);
  const { disconnects } = sk;
  copied = Math.max(copied, 0);
  file.get();
  for (;;) {
    sleep.prepare(socket.wq);
    // With bytes in hand an error, or the end, is for the next call to find.
    if (copied > 0 && nothingLeft(sk, walk) && receiveOver(sk)) break;
    // An urgent byte came to stand right where the call has got to: it ends here.
    if (copied > 0 && atMark(sk, positionOf(sk, walk))) break;
    const rest = copied === 0 ? buffer : buffer.subarray(copied);
    walk?.begin();
    const result = socket.ops.recv(socket, rest, count - copied, flags, info);
    walk?.end(result);
    if (result !== -EAGAIN) {
      copied = result <= 0 ? copied || result : copied + result;
      if (result <= 0 || receivedEnough(sk, copied, target, walk)) break;
      // The end may have come with these very bytes.
      if (nothingLeft(sk, walk) && receiveOver(sk)) break;
    }
    if (sleep.over) {
      if (copied === 0) copied = sleep.timedOut ? -EAGAIN : -EINTR;
      break;
    }
    await sleep.wait();
    kernel.host.refresh();
    if (sk.disconnects !== disconnects) {
      copied = copied || -EPIPE;
      break;
    }
    walk?.woken(copied);
    // The kernel's loop runs while bytes are wanted: for none it sleeps once, and whatever woke it, that was it.
    if (count === 0) break;
  }
  sleep.finish();
  file.put();
  return copied;
}

/** Whether a step of receiving ends the call: an end or an error, all that was wanted, or the urgent mark was reached. */
function receivedEnough(sk: TcpSock, copied: number, target: number, walk: PeekWalk | null): boolean {
  if (copied <= 0) return copied !== -EAGAIN;
  return copied >= target || atMark(sk, positionOf(sk, walk));
}

function positionOf(sk: TcpSock, walk: PeekWalk | null): number {
  return walk === null ? sk.copiedSeq : walk.seq;
}

function nothingLeft(sk: TcpSock, walk: PeekWalk | null): boolean {
  return walk === null ? sk.rcvQueue.length === 0 : ((walk.seq - sk.copiedSeq) | 0) >= sk.rcvQueue.length;
}

function atMark(sk: TcpSock, seq: number): boolean {
  return sk.rx.urgData !== 0 && sk.rx.urgSeq === seq;
}

function receiveOver(sk: TcpSock): boolean {
  return sk.err !== 0 || sk.state === TCP_CLOSE || (sk.shutdown & RCV_SHUTDOWN) !== 0;
}

export async function sendStream(
  kernel: Kernel,
  file: File,
  buffer: Uint8Array,
  count: number,
  flags: number,
  control: readonly ControlMessage[] | null,
  signal: AbortSignal | undefined,
): Promise<number> {
  const socket = file.private_ as Socket;
  const sk = socket.sk as TcpSock;
  const first = sendStep(socket, sk, buffer, count, flags, control, WRITE_FIRST);
  if (first === count || (first < 0 && first !== -EAGAIN)) return first;

  const sleep = new Sleep(kernel, socketTimeout(sk.sndTimeoMs), signal, wokenWakeFunction);
  const { disconnects } = sk;
  let copied = Math.max(first, 0);
  // Before the handshake was over nothing was tried.
  let goesOn = handshaking(sk) ? 0 : MSG_GOES_ON;
  file.get();
  for (;;) {
    sleep.prepare(socket.wq);
    if (copied > 0 && (sk.err !== 0 || (sk.shutdown & SEND_SHUTDOWN) !== 0)) break;
    const rest = copied === 0 ? buffer : buffer.subarray(copied);
    const result = sendStep(
      socket,
      sk,
      rest,
      count - copied,
      flags | goesOn,
      control,
      copied === 0 ? WRITE_FIRST : WRITE_LATER,
    );
    if (result !== -EAGAIN) {
      copied = result < 0 ? copied || result : copied + result;
      if (result < 0 || copied === count) break;
    }
    if (!handshaking(sk)) goesOn = MSG_GOES_ON;
    if (sleep.over) {
      if (sleep.timedOut && handshaking(sk)) socket.ops.writeSpace(sk);
      if (copied === 0) copied = sleep.timedOut ? -EAGAIN : -EINTR;
      break;
    }
    await sleep.wait();
    kernel.host.refresh();
    if (sk.disconnects !== disconnects) {
      // sk_stream_error
      copied = copied || sk.takeError() || -EPIPE;
      break;
    }
  }
  if (copied > 0 && copied < count) markGivenUp(sk);
  sleep.finish();
  file.put();
  return copied;
}

/** One try; before the handshake is over there is nothing to try (sk_stream_wait_connect). */
function sendStep(
  socket: Socket,
  sk: TcpSock,
  buffer: Uint8Array,
  count: number,
  flags: number,
  control: readonly ControlMessage[] | null,
  step: number,
): number {
  if (handshaking(sk) && sk.err === 0 && !passiveFastOpen(sk)) return -EAGAIN;
  const { extras } = sk;
  if (extras !== null) extras.writeStep = step;
  const result = socket.ops.send(socket, buffer, count, flags, null, control);
  if (extras !== null) extras.writeStep = WRITE_WHOLE;
  return result;
}
