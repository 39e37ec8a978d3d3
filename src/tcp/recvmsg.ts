// From the receive queue into the application's buffer (tcp_recvmsg_locked), one copy. Never sleeps: -EAGAIN where a blocking
// caller would. Reading is also what opens the window again.

import { RCV_SHUTDOWN } from '../core/sock.js';
import type { SockExtras } from '../core/sock-extras.js';
import { EAGAIN, EINVAL, ENOTCONN } from '../uapi/errno.js';
import { MSG_OOB, MSG_PEEK, MSG_TRUNC } from '../uapi/socket.js';
import { TCP_CLOSE, TCP_LISTEN, TCP_SYN_RECV, TCP_SYN_SENT } from '../uapi/tcp.js';
import { URG_READ, URG_VALID } from './constants.js';
import { afterRead } from './delayed-ack.js';
import { after, before } from './seq.js';
import type { TcpSock } from './sock.js';
import { adjustReceiveSpace } from './window.js';

/** Bytes copied (0: end of stream), or -ENOTCONN, -EAGAIN, -EINVAL, or the pending error. */
export function tcpRecv(sk: TcpSock, buffer: Uint8Array, length: number, flags: number): number {
  if (sk.state === TCP_LISTEN) return -ENOTCONN;
  if ((flags & MSG_OOB) !== 0) return receiveOutOfBand(sk, buffer, length, flags);
  const queue = sk.rcvQueue;
  const peek = (flags & MSG_PEEK) !== 0;
  const at = peek && sk.extras !== null ? peekStart(sk, sk.extras) : 0;
  const available = (queue.length - at) | 0;
  const found = available > 0;
  // The urgent byte at the read position is stepped over, unless it is wanted inline; one further on ends the read.
  const mark = sk.rx.urgData === 0 ? -1 : (sk.rx.urgSeq - sk.copiedSeq - at) | 0;
  const skip = mark === 0 && found && length > 0 && !sk.oobInline ? 1 : 0;
  let copied = found ? Math.min(available - skip, length) : 0;
  if (mark > 0 && mark < copied) copied = mark;
  if (copied > 0 && (flags & MSG_TRUNC) === 0) queue.copyTo(buffer, 0, copied, at + skip);
  if (sk.extras !== null) {
    if (peek) sk.extras.peekSeq = (sk.copiedSeq + at + skip + copied) | 0;
    sk.extras.movePeekOff(peek ? copied : -copied);
  }
  if (!peek) {
    const taken = copied + skip;
    if (taken > 0) {
      queue.drop(taken);
      if (queue.length === 0) sk.emptyRcvQueue();
      sk.copiedSeq = (sk.copiedSeq + taken) | 0;
      if (sk.rx.urgData !== 0 && after(sk.copiedSeq, sk.rx.urgSeq)) sk.rx.urgData = 0;
      adjustReceiveSpace(sk);
    }
    // The FIN is stepped over as soon as everything before it was read.
    if (sk.done && queue.length === 0) sk.copiedSeq = sk.rcvNxt;
    afterRead(sk, copied);
  }
  if (copied > 0 || (found && length === 0)) return copied;
  return emptyResult(sk);
}

/** How far behind the first unread byte a peek begins. */
function peekStart(sk: TcpSock, extras: SockExtras): number {
  if (extras.peekGoesOn) return (extras.peekSeq - sk.copiedSeq) | 0;
  return extras.peekOff > 0 ? extras.peekOff : 0;
}

/** tcp_inq: bytes that can be read before anything else is to be done, as an urgent byte beside the stream is, or the end. */
export function tcpInq(sk: TcpSock): number {
  if (sk.state === TCP_SYN_SENT || sk.state === TCP_SYN_RECV) return 0;
  const all = (sk.rcvNxt - sk.copiedSeq) | 0;
  const mark =
    sk.rx.urgData !== 0 &&
    !sk.oobInline &&
    !before(sk.rx.urgSeq, sk.copiedSeq) &&
    before(sk.rx.urgSeq, sk.rcvNxt);
  if (mark) return (sk.rx.urgSeq - sk.copiedSeq) | 0;
  return all > 0 && sk.done ? all - 1 : all;
}

/** tcp_inq_hint: what is left to read; behind a FIN there is one more thing, the end. */
export function tcpInqHint(sk: TcpSock): number {
  const left = (sk.rcvNxt - sk.copiedSeq) | 0;
  return left === 0 && sk.done ? 1 : left;
}

/** Nothing to copy: end of stream, the error, or "would block". */
function emptyResult(sk: TcpSock): number {
  if (sk.done) return 0;
  if (sk.err !== 0) return sk.takeError();
  if ((sk.shutdown & RCV_SHUTDOWN) !== 0) return 0;
  if (sk.state === TCP_CLOSE) return -ENOTCONN;
  return -EAGAIN;
}

/** tcp_recv_urg */
function receiveOutOfBand(sk: TcpSock, buffer: Uint8Array, length: number, flags: number): number {
  if (sk.oobInline || sk.rx.urgData === 0 || sk.rx.urgData === URG_READ) return -EINVAL;
  if (sk.state === TCP_CLOSE && !sk.done) return -ENOTCONN;
  if ((sk.rx.urgData & URG_VALID) !== 0) {
    const byte = sk.rx.urgData & 0xff;
    if ((flags & MSG_PEEK) === 0) sk.rx.urgData = URG_READ;
    if (length <= 0) return 0;
    if ((flags & MSG_TRUNC) === 0) buffer[0] = byte;
    return 1;
  }
  return sk.state === TCP_CLOSE || (sk.shutdown & RCV_SHUTDOWN) !== 0 ? 0 : -EAGAIN;
}
