// Duplicate acknowledgements with SACK that wait so that one can stand for many (tp->compressed_ack): what waits, and for how
// long. delayed-ack.ts decides which may; whatever bears an acknowledgement pays for all of them.

import { TcpExt } from '../core/mib.js';
import type { Timer } from '../time/timer-wheel.js';
import type { TcpSock } from './sock.js';

export class AckCompression {
  /** Acknowledgements that wait. */
  acks = 0;
  /** Where the stream stood when `dupAcks` was begun. */
  rcvNxt: number;
  /** How many were sent one by one since. */
  dupAcks = 0;
  /** Until when the first of those that wait may wait, microseconds: the timer is there for when nothing comes at that time. */
  dueUs = 0;
  timer: Timer | null = null;

  constructor(rcvNxt: number) {
    this.rcvNxt = rcvNxt;
  }
}

/** An acknowledgement leaves (tcp_event_ack_sent): those that waited need not. */
export function settleCompressed(sk: TcpSock, compression: AckCompression): void {
  if (compression.acks === 0) return;
  sk.host.mib.add(TcpExt.TCPAckCompressed, compression.acks);
  compression.acks = 0;
  if (compression.timer !== null) sk.host.wheel.cancel(compression.timer);
}

/** How long one may wait, microseconds: a twentieth of the round trip, at most tcp_comp_sack_delay_ns. */
export function compressionDelayUs(sk: TcpSock): number {
  let rtt = sk.rcvRttUs;
  if (sk.srttUs !== 0 && sk.srttUs < rtt) rtt = sk.srttUs;
  return Math.min(sk.host.sysctl.tcpCompSackDelayNs / 1000, (rtt >> 3) / 20);
}
