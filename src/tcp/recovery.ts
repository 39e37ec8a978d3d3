// Loss recovery: fast retransmit and recovery (RFC 5681, 6582, 6675), its rate (RFC 6937), and what a timeout does
// (tcp_fastretrans_alert, tcp_enter_loss). ack.ts calls it once per ACK, timers.ts on expiry.

import { TcpExt } from '../core/mib.js';
import { TCP_CA_CWR, TCP_CA_Disorder, TCP_CA_Loss, TCP_CA_Open, TCP_CA_Recovery } from '../uapi/tcp.js';
import { retransmitRow, rowPackets } from './output.js';
import { RTX_FLAGS, RTX_LOST, RTX_RETRANS, RTX_SACKED } from './rtx-queue.js';
import { addRenoSack, markLost, markLostBySack } from './scoreboard.js';
import { before } from './seq.js';
import type { TcpSock } from './sock.js';

/**
 * One ACK's consequences for recovery. `duplicate`: it acknowledged nothing, carried no data and moved no window;
 * `advanced`: it moved sndUna; `delivered`: packets newly acknowledged or selected.
 */
export function fastRetransAlert(
  sk: TcpSock,
  duplicate: boolean,
  advanced: boolean,
  delivered: number,
): void {
  if (duplicate && !sk.sackOk) addRenoSack(sk);
  const lostBefore = sk.lostOut;
  if (sk.caState === TCP_CA_Loss) {
    if (!before(sk.sndUna, sk.highSeq)) leaveRecovery(sk);
    else if (sk.sackOk) markLostBySack(sk);
  } else if (sk.caState === TCP_CA_Recovery) {
    if (recovered(sk)) {
      leaveRecovery(sk);
    } else {
      if (sk.sackOk) markLostBySack(sk);
      // A partial ACK: the hole it points at is lost too (RFC 6582 section 3.2 step 3).
      if (advanced || (sk.sackOk && sk.lostOut === 0)) markHeadLost(sk);
      reduceWindow(sk, delivered, sk.lostOut - lostBefore, advanced);
    }
  }
  if (sk.caState === TCP_CA_Open || sk.caState === TCP_CA_Disorder || sk.caState === TCP_CA_CWR) {
    if (sk.sackOk && sk.sackedOut > 0) markLostBySack(sk);
    if (sk.lostOut > 0 || sk.sackedOut >= sk.reordering) {
      enterRecovery(sk);
      reduceWindow(sk, delivered, sk.lostOut - lostBefore, advanced);
    } else sk.caState = sk.sackedOut > 0 ? TCP_CA_Disorder : TCP_CA_Open;
  }
  if (sk.lostOut > 0) retransmitLost(sk);
}

/** Everything sent before recovery began is acknowledged; without SACK one more, to keep old duplicates out (RFC 6582). */
function recovered(sk: TcpSock): boolean {
  if (before(sk.sndUna, sk.highSeq)) return false;
  return sk.sackOk || sk.sndUna !== sk.highSeq || sk.packetsOut === 0;
}

function markHeadLost(sk: TcpSock): void {
  if (sk.rtx.count > 0) markLost(sk, 0);
}

/** tcp_enter_recovery */
function enterRecovery(sk: TcpSock): void {
  sk.host.mib.count(sk.sackOk ? TcpExt.TCPSackRecovery : TcpExt.TCPRenoRecovery);
  sk.highSeq = sk.sndNxt;
  sk.priorCwnd = sk.sndCwnd;
  sk.prrDelivered = 0;
  sk.prrOut = 0;
  sk.sndCwndCnt = 0;
  sk.sndSsthresh = sk.cc.ssthresh(sk);
  sk.caState = TCP_CA_Recovery;
  markHeadLost(sk);
}

function leaveRecovery(sk: TcpSock): void {
  if (sk.caState === TCP_CA_Recovery && sk.sndCwnd > sk.sndSsthresh) sk.sndCwnd = sk.sndSsthresh;
  sk.caState = TCP_CA_Open;
  sk.retransStamp = 0;
  sk.sndCwndStamp = sk.host.nowMs;
  if (!sk.sackOk) sk.sackedOut = 0;
}

/** tcp_cwnd_reduction (RFC 6937): the window comes down in step with what leaves the network. */
function reduceWindow(sk: TcpSock, delivered: number, newlyLost: number, advanced: boolean): void {
  if (delivered <= 0 && sk.prrOut > 0) return;
  const flight = sk.inFlight;
  const delta = sk.sndSsthresh - flight;
  sk.prrDelivered += delivered;
  let count: number;
  if (delta < 0) {
    count = Math.ceil((sk.sndSsthresh * sk.prrDelivered) / Math.max(1, sk.priorCwnd)) - sk.prrOut;
  } else {
    count = Math.max(sk.prrDelivered - sk.prrOut, delivered);
    if (advanced && newlyLost <= 0) count++;
    if (count > delta) count = delta;
  }
  // Force a fast retransmit upon entering recovery.
  const least = sk.prrOut === 0 ? 1 : 0;
  sk.sndCwnd = flight + Math.max(count, least);
}

/** tcp_xmit_retransmit_queue: lost rows whose repetition is not under way, as far as the window goes. */
export function retransmitLost(sk: TcpSock): void {
  const rtx = sk.rtx;
  for (let i = 0; i < rtx.count; i++) {
    if (sk.inFlight >= sk.sndCwnd) return;
    const flags = rtx.rows[rtx.at(i) + RTX_FLAGS];
    if ((flags & RTX_LOST) === 0 || (flags & (RTX_RETRANS | RTX_SACKED)) !== 0) continue;
    if (!retransmitRow(sk, i)) return;
    sk.host.mib.count(sk.caState === TCP_CA_Loss ? TcpExt.TCPSlowStartRetrans : TcpExt.TCPFastRetrans);
    if (sk.caState === TCP_CA_Recovery) sk.prrOut++;
  }
}

/** tcp_enter_loss: a timeout. Nothing in flight is believed in any more; start again with one segment. */
export function enterLoss(sk: TcpSock): void {
  if (
    sk.caState <= TCP_CA_Disorder ||
    !before(sk.sndUna, sk.highSeq) ||
    (sk.caState === TCP_CA_Loss && sk.retransmits === 0)
  ) {
    sk.priorCwnd = sk.sndCwnd;
    sk.sndSsthresh = sk.cc.ssthresh(sk);
  }
  sk.caState = TCP_CA_Loss;
  sk.sndCwndCnt = 0;
  sk.sndCwndStamp = sk.host.nowMs;
  sk.highSeq = sk.sndNxt;
  sk.retransOut = 0;
  sk.lostOut = 0;
  if (!sk.sackOk) sk.sackedOut = 0;
  const rtx = sk.rtx;
  for (let i = 0; i < rtx.count; i++) {
    const at = rtx.at(i);
    rtx.rows[at + RTX_FLAGS] &= ~(RTX_LOST | RTX_RETRANS);
    if ((rtx.rows[at + RTX_FLAGS] & RTX_SACKED) === 0) {
      rtx.rows[at + RTX_FLAGS] |= RTX_LOST;
      sk.lostOut += rowPackets(sk, i);
    }
  }
  sk.sndCwnd = sk.inFlight + 1;
}
