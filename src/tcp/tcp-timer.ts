// The timers of a connection: retransmission (or a probe in its place), delayed and compressed ACKs, keepalive, pacing. They
// are made when first armed, so an idle connection carries none.

import { Timer } from '../time/timer-wheel.js';
import type { AckCompression } from './ack-compression.js';
import { TIME_LOSS_PROBE, TIME_NONE, TIME_REO_TIMEOUT, TIME_RETRANS } from './constants.js';
import type { TcpSock } from './sock.js';
import { ROW_SENT_US } from './write-queue.js';

export const TIMER_RETRANSMIT = 0;
export const TIMER_DELACK = 1;
export const TIMER_KEEPALIVE = 2;
export const TIMER_COMPRESSED_ACK = 3;
export const TIMER_PACING = 4;

export class TcpTimer extends Timer {
  /** Whose it is now; changed only while it is not armed. */
  sk: TcpSock;
  readonly #kind: number;

  constructor(sk: TcpSock, kind: number) {
    super();
    this.sk = sk;
    this.#kind = kind;
  }

  override expire(): void {
    this.sk.tcp.timerExpired(this.sk, this.#kind);
  }
}

/**
 * tcp_rearm_rto and its like, in effect: while a Fast Open child waits for its handshake to end, the timer repeats the SYN-ACK and
 * is not to be had for anything else.
 */
function repeatsSynAck(sk: TcpSock): boolean {
  return sk.fastopen !== null && sk.fastopen.rsk !== null;
}

/** Arms the retransmit timer for `what` (TIME_*), in `ms` from now (inet_csk_reset_xmit_timer). */
export function armRetransmit(sk: TcpSock, what: number, ms: number): void {
  if (repeatsSynAck(sk)) return;
  startRetransmit(sk, what, ms);
}

/** The same, for the SYN-ACK of a Fast Open child. */
export function startRetransmit(sk: TcpSock, what: number, ms: number): void {
  const tx = sk.ownTx();
  tx.pendingTimer = what;
  tx.retransmitTimer ??= new TcpTimer(sk, TIMER_RETRANSMIT);
  const most = sk.tuning.rtoMaxMs;
  sk.host.wheel.arm(tx.retransmitTimer, ms < most ? ms : most);
}

/** inet_csk_clear_xmit_timer(ICSK_TIME_RETRANS). The timer itself may still come round and then finds nothing to do. */
export function clearRetransmit(sk: TcpSock): void {
  const { tx } = sk;
  if (tx.retransmitTimer === null) return;
  tx.pendingTimer = TIME_NONE;
  sk.host.wheel.lapse(tx.retransmitTimer);
}

/** tcp_rto_delta_us: what is left of the timeout of the oldest segment, microseconds; negative: overdue. */
export function rtoDeltaUs(sk: TcpSock): number {
  const queue = sk.writeQueue;
  if (queue.sent === 0) return sk.rto * 1000;
  return sk.rto * 1000 - ((sk.host.nowUs - queue.rows[queue.at(0) + ROW_SENT_US]) | 0);
}

/** tcp_rearm_rto: from now, or from when the oldest segment left if the timer served another purpose meanwhile. */
export function rearmRto(sk: TcpSock): void {
  if (sk.tx.packetsOut === 0) {
    clearRetransmit(sk);
    return;
  }
  let rto = sk.rto;
  if (sk.tx.pendingTimer === TIME_REO_TIMEOUT || sk.tx.pendingTimer === TIME_LOSS_PROBE) {
    rto = Math.ceil(Math.max(rtoDeltaUs(sk), 1) / 1000);
  }
  armRetransmit(sk, TIME_RETRANS, rto);
}

export function armDelack(sk: TcpSock, ms: number): void {
  if (sk.delackTimer === null) {
    const timer = sk.tcp.spare.delackTimers.pop() ?? new TcpTimer(sk, TIMER_DELACK);
    timer.sk = sk;
    sk.delackTimer = timer;
  }
  sk.host.wheel.arm(sk.delackTimer, ms);
}

export function clearDelack(sk: TcpSock): void {
  const timer = sk.delackTimer;
  if (timer === null) return;
  sk.host.wheel.lapse(timer);
  sk.delackTimer = null;
  sk.tcp.spare.delackTimers.push(timer);
}

export function armPacing(sk: TcpSock, ms: number): void {
  sk.tx.pacingTimer ??= new TcpTimer(sk, TIMER_PACING);
  if (!sk.tx.pacingTimer.pending) sk.host.wheel.arm(sk.tx.pacingTimer, ms);
}

/** The compressed_ack_timer. */
export function armCompressedAck(sk: TcpSock, compression: AckCompression, ms: number): void {
  compression.timer ??= new TcpTimer(sk, TIMER_COMPRESSED_ACK);
  sk.host.wheel.arm(compression.timer, ms);
}

/** inet_csk_reset_keepalive_timer */
export function armKeepalive(sk: TcpSock, ms: number): void {
  const rare = sk.ownRare();
  rare.keepaliveTimer ??= new TcpTimer(sk, TIMER_KEEPALIVE);
  sk.host.wheel.arm(rare.keepaliveTimer, ms);
}

export function clearKeepalive(sk: TcpSock): void {
  if (sk.keepaliveTimer !== null) sk.host.wheel.cancel(sk.keepaliveTimer);
}

/** keepalive_time_when: idle time before the first probe, in milliseconds. */
export function keepaliveIdleMs(sk: TcpSock): number {
  return (sk.tuning.keepIdle || sk.host.sysctl.tcpKeepaliveTime) * 1000;
}

/** keepalive_time_elapsed: since data or an acknowledgement last came, in milliseconds. Unsigned: that may be more than 24 days. */
export function keepaliveElapsedMs(sk: TcpSock): number {
  const { nowMs } = sk.host;
  return Math.min((nowMs - sk.lrcvtime) >>> 0, (nowMs - sk.rcvTstamp) >>> 0);
}

/** tcp_clear_xmit_timers, and the keepalive timer with them. */
export function clearTimers(sk: TcpSock): void {
  const { wheel } = sk.host;
  clearRetransmit(sk);
  // It may have been for minutes, and would keep the sock from the garbage collector for as long.
  if (sk.tx.retransmitTimer !== null) wheel.cancel(sk.tx.retransmitTimer);
  clearDelack(sk);
  clearKeepalive(sk);
  if (sk.tx.pacingTimer !== null) wheel.cancel(sk.tx.pacingTimer);
  if (sk.rx.compression !== null && sk.rx.compression.timer !== null) wheel.cancel(sk.rx.compression.timer);
}
