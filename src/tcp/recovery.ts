// Loss recovery: fast retransmit and recovery (RFC 5681, 6582, 6675), its rate (RFC 6937), and what a timeout does
// (tcp_fastretrans_alert, tcp_enter_loss). ack.ts calls it once per ACK, timers.ts on expiry.

import { TcpExt } from '../core/mib.js';
import { TCP_CA_Disorder, TCP_CA_Loss, TCP_CA_Open, TCP_CA_Recovery, TCP_SYN_SENT } from '../uapi/tcp.js';
import { TIME_RETRANS } from './constants.js';
import { probeLost } from './mtu-probe.js';
import { retransmitRow } from './output.js';
import { RTX_FLAGS, RTX_LOST, RTX_PROBE, RTX_RETRANS, RTX_SACKED } from './rtx-queue.js';
import { limitRenoSacks, rowLength, rowPackets } from './rtx-rows.js';
import { addRenoSack, markFirstSegmentLost, markLost, markLostBySack } from './scoreboard.js';
import { before } from './seq.js';
import type { TcpSock } from './sock.js';
import { armRetransmit } from './tcp-timer.js';

/**
 * One ACK's consequences for what is believed lost (tcp_fastretrans_alert). `duplicate`: it acknowledged nothing, carried no
 * data and moved no window; `advanced`: it moved sndUna.
 */
export function fastRetransAlert(sk: TcpSock, duplicate: boolean, advanced: boolean): void {
  if (sk.caState === TCP_CA_Recovery || sk.caState === TCP_CA_Loss) {
    if (!hasRecovered(sk)) {
      stillRecovering(sk, duplicate, advanced);
      return;
    }
    leaveRecovery(sk);
  }
  if (!sk.sackOk) {
    if (advanced) sk.sackedOut = 0;
    if (duplicate) addRenoSack(sk);
  }
  identifyLoss(sk, advanced);
  if (sk.lostOut > 0) {
    if (sk.mtup !== null && probeLost(sk, sk.mtup)) simpleRetransmit(sk, true);
    else enterRecovery(sk);
  } else {
    sk.caState = sk.sackedOut > 0 ? TCP_CA_Disorder : TCP_CA_Open;
    if (sk.retransOut === 0) sk.retransStamp = 0;
  }
}

/**
 * Everything sent before recovery began is acknowledged. Without SACK one byte more, so that duplicates still under way are
 * not taken for a new loss (RFC 6582 section 3.2, tcp_is_non_sack_preventing_reopen).
 */
function hasRecovered(sk: TcpSock): boolean {
  if (before(sk.sndUna, sk.highSeq)) return false;
  return sk.sackOk || sk.sndUna !== sk.highSeq;
}

function stillRecovering(sk: TcpSock, duplicate: boolean, advanced: boolean): void {
  if (!sk.sackOk && !before(sk.sndUna, sk.highSeq)) {
    sk.sackedOut = 0;
    return;
  }
  if (!sk.sackOk) {
    if (sk.caState === TCP_CA_Loss && advanced) sk.sackedOut = 0;
    else if (duplicate) addRenoSack(sk);
  }
  identifyLoss(sk, advanced);
}

/** tcp_identify_packet_loss */
function identifyLoss(sk: TcpSock, advanced: boolean): void {
  if (sk.rtx.count === 0) return;
  const recovering = sk.caState === TCP_CA_Recovery;
  if (!sk.sackOk) {
    if (recovering ? advanced : sk.sackedOut >= sk.reordering && sk.caState !== TCP_CA_Loss) {
      markFirstSegmentLost(sk);
    }
    return;
  }
  if (sk.sackedOut > 0) markLostBySack(sk);
  // A partial ACK: the hole it points at is lost, too (RFC 6582 section 3.2 step 3).
  if (recovering && (advanced || sk.lostOut === 0)) markLost(sk, 0);
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
}

/** tcp_end_cwnd_reduction and tcp_try_undo_recovery */
export function leaveRecovery(sk: TcpSock): void {
  if (sk.caState === TCP_CA_Recovery) sk.sndCwnd = sk.sndSsthresh;
  sk.caState = TCP_CA_Open;
  sk.retransStamp = 0;
  sk.sndCwndStamp = sk.host.nowMs;
  if (!sk.sackOk) sk.sackedOut = 0;
}

/** tcp_cwnd_reduction (RFC 6937): the window comes down in step with what leaves the network. */
export function reduceWindow(sk: TcpSock, delivered: number, newlyLost: number, advanced: boolean): void {
  if (delivered <= 0) return;
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
    if (i === 0) armRetransmit(sk, TIME_RETRANS, sk.rto);
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
  const rtx = sk.rtx;
  // The head was selected and yet not acknowledged: the peer has thrown away what it had selected (RFC 2018 section 8).
  const reneged = rtx.count > 0 && (rtx.rows[rtx.at(0) + RTX_FLAGS] & RTX_SACKED) !== 0;
  if (reneged) sk.host.mib.count(TcpExt.TCPSACKReneging);
  if (reneged || !sk.sackOk) sk.sackedOut = 0;
  const forgotten = reneged ? RTX_LOST | RTX_RETRANS | RTX_SACKED : RTX_LOST | RTX_RETRANS;
  for (let i = 0; i < rtx.count; i++) {
    const at = rtx.at(i);
    rtx.rows[at + RTX_FLAGS] &= ~forgotten;
    if ((rtx.rows[at + RTX_FLAGS] & RTX_SACKED) === 0) {
      rtx.rows[at + RTX_FLAGS] |= RTX_LOST;
      sk.lostOut += rowPackets(sk, i);
    }
  }
  sk.sndCwnd = sk.inFlight + 1;
}

/**
 * tcp_simple_retransmit: what is larger than the path takes is lost, and will be sent again in smaller segments without
 * blaming congestion. `probes`: only probes of the MTU can have been too large, for the MSS is what it was. True if anything
 * was; the caller calls `retransmitLost`.
 */
export function simpleRetransmit(sk: TcpSock, probes: boolean): boolean {
  const { rtx } = sk;
  // SYN and data of a Fast Open were one packet: both are lost, however large each is.
  const all = sk.state === TCP_SYN_SENT && sk.fastopen?.synData === true;
  for (let i = 0; i < rtx.count; i++) {
    const fits = !all && rowLength(sk, i) <= sk.mss;
    if (fits || (probes && (rtx.rows[rtx.at(i) + RTX_FLAGS] & RTX_PROBE) === 0)) continue;
    markLost(sk, i);
  }
  if (sk.lostOut === 0) return false;
  if (!sk.sackOk) limitRenoSacks(sk);
  nonCongestionLoss(sk);
  return true;
}

/** tcp_non_congestion_loss_retransmit: what is marked lost will be sent again, and the window stays as it is. */
export function nonCongestionLoss(sk: TcpSock): void {
  if (sk.caState !== TCP_CA_Loss) {
    sk.highSeq = sk.sndNxt;
    sk.sndSsthresh = Math.max(sk.sndSsthresh, (sk.sndCwnd >> 1) + (sk.sndCwnd >> 2));
    sk.caState = TCP_CA_Loss;
  }
}
