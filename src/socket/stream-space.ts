// What changing a buffer limit of a stream can make true at once (sk_stream_write_space, tcp_set_rcvlowat).

import { SOCK_RCVBUF_LOCK } from '../core/sock.js';
import { isWritable, streamIsReadable } from '../tcp/poll.js';
import type { TcpSock } from '../tcp/sock.js';

/** Tells of room to send even if nobody had found none: a setsockopt alone can be an edge. */
export function streamWriteSpace(sk: TcpSock): void {
  if (!isWritable(sk) || sk.wq === null) return;
  sk.noSpace = false;
  sk.wakeSpace();
}

/** tcp_set_rcvlowat: bounded by half of what the buffer is or may become, and the buffer grows to hold it. */
export function setStreamRcvlowat(sk: TcpSock, wanted: number): void {
  const locked = (sk.userlocks & SOCK_RCVBUF_LOCK) !== 0;
  const cap = (locked ? sk.rcvbuf : sk.host.sysctl.tcpRmem[2]) >> 1;
  const value = Math.min(wanted, cap);
  sk.rcvlowat = value === 0 ? 1 : value;
  if (sk.done || streamIsReadable(sk, sk.rcvlowat)) sk.dataReady();
  if (locked) return;
  const space = value * 2;
  if (space > sk.rcvbuf) {
    sk.rcvbuf = space;
    if (sk.windowClamp !== 0 && sk.windowClamp < value) sk.windowClamp = value;
  }
}
