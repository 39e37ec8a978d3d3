// The poll mask of a TCP socket (tcp_poll), and when it counts as readable and writable. Looking is not free of effects:
// finding no room to send asks to be told when there is (SOCK_NOSPACE), and only then will a wake-up come.

import { RCV_SHUTDOWN, SEND_SHUTDOWN, SHUTDOWN_MASK } from '../core/sock.js';
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDHUP,
  POLLRDNORM,
  POLLWRNORM,
} from '../uapi/poll.js';
import { TCP_CLOSE, TCP_LISTEN, TCP_SYN_RECV, TCP_SYN_SENT } from '../uapi/tcp.js';
import { URG_VALID } from './constants.js';
import type { TcpSock } from './sock.js';

const READABLE = POLLIN | POLLRDNORM;
const WRITABLE = POLLOUT | POLLWRNORM;

export function tcpPoll(sk: TcpSock): number {
  if (sk.state === TCP_LISTEN) {
    return sk.listener !== null && sk.listener.acceptLength > 0 ? READABLE : 0;
  }
  let mask = 0;
  if (sk.shutdown === SHUTDOWN_MASK || sk.state === TCP_CLOSE) mask |= POLLHUP;
  if ((sk.shutdown & RCV_SHUTDOWN) !== 0) mask |= READABLE | POLLRDHUP;
  if (isOpen(sk)) {
    let target = sk.rcvlowat;
    if (sk.rx.urgData !== 0 && sk.rx.urgSeq === sk.copiedSeq && !sk.oobInline) target++;
    if (streamIsReadable(sk, target)) mask |= READABLE;
    if ((sk.shutdown & SEND_SHUTDOWN) !== 0) mask |= WRITABLE;
    else if (isWritable(sk)) mask |= WRITABLE;
    else sk.noSpace = true;
    if ((sk.rx.urgData & URG_VALID) !== 0) mask |= POLLPRI;
  } else if (sk.fastopen?.deferred && sk.state === TCP_SYN_SENT) {
    // The first write is what will send the SYN.
    mask |= WRITABLE;
  }
  if (sk.err !== 0 || (sk.extras !== null && !sk.extras.errorQueue.isEmpty)) mask |= POLLERR;
  return mask;
}

/** Past its handshake, or a Fast Open child, which need not wait for the end of it. */
function isOpen(sk: TcpSock): boolean {
  return (sk.state !== TCP_SYN_SENT && sk.state !== TCP_SYN_RECV) || passiveFastOpen(sk);
}

/** tcp_passive_fastopen: data may be sent before the handshake is over. */
export function passiveFastOpen(sk: TcpSock): boolean {
  return sk.state === TCP_SYN_RECV && sk.fastopen !== null && sk.fastopen.rsk !== null;
}

/** tcp_stream_is_readable with tcp_epollin_ready: enough bytes, or so full that more would not come. */
export function streamIsReadable(sk: TcpSock, target: number): boolean {
  const available = (sk.rcvNxt - sk.copiedSeq) | 0;
  if (available <= 0) return false;
  if (available >= target) return true;
  if (sk.rmemAlloc > sk.rcvbuf - (sk.rcvbuf >> 3)) return true;
  const window = (sk.rcvWup + sk.rcvWnd - sk.rcvNxt) | 0;
  return window <= sk.rcvMss;
}

/** sk_stream_is_writeable: a third of the buffer is free, and not too much is unsent. */
export function isWritable(sk: TcpSock): boolean {
  const used = sk.wmemQueued;
  if (sk.sndbuf - used < used >> 1) return false;
  return sk.notsent * 2 < notsentLowat(sk);
}

/** tcp_stream_memory_free: another segment may be started. */
export function memoryFree(sk: TcpSock): boolean {
  return sk.wmemQueued < sk.sndbuf && sk.notsent < notsentLowat(sk);
}

export function notsentLowat(sk: TcpSock): number {
  return sk.tuning.notsentLowat !== 0 ? sk.tuning.notsentLowat : sk.host.sysctl.tcpNotsentLowat;
}

/** sk_stream_write_space: whoever waits for room is told, if there is some. */
export function writeSpace(sk: TcpSock): void {
  if (!isWritable(sk)) return;
  sk.noSpace = false;
  sk.wakeSpace();
}
