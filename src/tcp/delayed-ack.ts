// When to acknowledge (RFC 9293 section 3.8.6.3, RFC 5681 section 4.2, with Linux's quick-ack and ping-pong modes).
// "Now" means with this batch: the answer that the application is about to write carries the ACK, and a batch costs one.

import { TcpExt } from '../core/mib.js';
import { RCV_SHUTDOWN } from '../core/sock.js';
import { TCP_HLEN } from '../packet/tcp.js';
import { AckCompression, compressionDelayUs } from './ack-compression.js';
import {
  ACK_NOW,
  ACK_PUSHED,
  ACK_PUSHED2,
  ACK_SCHED,
  ACK_TIMER,
  FIN,
  PSH,
  SYN,
  TCP_ATO_MIN,
  TCP_DELACK_MAX,
  TCP_FASTRETRANS_THRESH,
  TCP_MAX_QUICKACKS,
  TCP_MIN_MSS,
  TCP_MSS_DEFAULT,
  TCPOLEN_TSTAMP_ALIGNED,
  URG,
} from './constants.js';
import { ECN_ANY, ecnDataReceived } from './ecn/ecn.js';
import { delackMaxMs } from './path/route-hints.js';
import type { Segment } from './segment.js';
import type { TcpSock } from './sock.js';
import { armCompressedAck, armDelack } from './tcp-timer.js';
import { deferAck, sendAck } from './transmit.js';
import {
  growWindow,
  measureRttByWindow,
  offerWindow,
  receiveWindow,
  segmentSizeKnown,
  WELL_FILLED,
} from './window.js';

/** TCP_REMNANT: flags of the last segment of something. */
const REMNANT = FIN | URG | SYN | PSH;

/** inet_csk_delack_init: nothing is owed, and nothing known of how the program answers. A listener begins so, too. */
export function initDelayedAck(sk: TcpSock): void {
  sk.ackPending = 0;
  sk.ackDeferred = false;
  sk.ackQuick = 0;
  sk.ackPingpong = 0;
  sk.ackAto = 0;
}

/** inet_csk_in_pingpong_mode: so many answers in a row came within the delayed-ACK time that the next is waited for, too. */
export function pingpong(sk: TcpSock): boolean {
  return sk.ackPingpong >= sk.host.sysctl.tcpPingpongThresh;
}

/** inet_csk_enter_pingpong_mode */
export function enterPingpong(sk: TcpSock): void {
  sk.ackPingpong = sk.host.sysctl.tcpPingpongThresh;
}

/** tcp_in_quickack_mode */
function inQuickAckMode(sk: TcpSock): boolean {
  return sk.route?.metrics.quickack === true || (sk.ackQuick > 0 && !pingpong(sk));
}

/** tcp_incr_quickack */
function incrementQuickAck(sk: TcpSock, most: number): void {
  let quick = Math.floor(sk.rcvWnd / (2 * sk.rcvMss));
  if (quick === 0) quick = 2;
  quick = Math.min(quick, most);
  if (quick > sk.ackQuick) sk.ackQuick = quick;
}

/** tcp_enter_quickack_mode: something went wrong, so the peer shall learn quickly where we are. */
export function enterQuickAck(sk: TcpSock, most: number): void {
  incrementQuickAck(sk, most);
  sk.ackPingpong = 0;
  sk.ackAto = TCP_ATO_MIN;
}

/** tcp_event_data_recv: data came in order, if perhaps not all of it new. Estimates the peer's segment size and its pace. */
export function eventDataReceived(sk: TcpSock, segment: Segment): void {
  const { length } = segment;
  const now = sk.host.nowMs;
  sk.ackPending |= ACK_SCHED;
  measureRcvMss(sk, segment);
  measureRttByWindow(sk);
  if (sk.ackAto === 0) {
    // The first data: acknowledge at once, for the sake of the peer's slow start.
    incrementQuickAck(sk, TCP_MAX_QUICKACKS);
    sk.ackAto = TCP_ATO_MIN;
  } else {
    const pause = (now - sk.lrcvtime) | 0;
    if (pause <= TCP_ATO_MIN >> 1) sk.ackAto = (sk.ackAto >> 1) + (TCP_ATO_MIN >> 1);
    else if (pause < sk.ackAto) sk.ackAto = Math.min((sk.ackAto >> 1) + pause, sk.rto);
    else if (pause > sk.rto) incrementQuickAck(sk, TCP_MAX_QUICKACKS);
  }
  sk.lrcvtime = now;
  if ((sk.ecnFlags & ECN_ANY) !== 0 && ecnDataReceived(sk, segment)) enterQuickAck(sk, 2);
  if (length >= WELL_FILLED) growWindow(sk, length);
}

/** tcp_measure_rcv_mss: a segment with data came, in order or not; how large are the peer's? */
export function measureRcvMss(sk: TcpSock, segment: Segment): void {
  const size = segment.gsoSize !== 0 ? segment.gsoSize : segment.length;
  const last = sk.lastRcvSize;
  sk.lastRcvSize = 0;
  if (size >= sk.rcvMss) {
    if (size !== sk.rcvMss) {
      sk.rcvMss = size < sk.advmss ? size : sk.advmss;
      segmentSizeKnown(sk);
    }
    // The end of a write that filled its last segment: who sent it may wait for the ACK.
    if ((segment.flags & PSH) !== 0) sk.ackPending |= ACK_PUSHED;
    return;
  }
  // Its header counted, for SACK blocks and data share one room. Without PSH even a small one may be all that the path takes.
  const whole = size + segment.headerLength;
  if (
    whole >= TCP_MSS_DEFAULT + TCP_HLEN ||
    (whole >= TCP_MIN_MSS + TCP_HLEN && (segment.flags & REMNANT) === 0)
  ) {
    const mss = whole - TCP_HLEN - (sk.tstampOk ? TCPOLEN_TSTAMP_ALIGNED : 0);
    sk.lastRcvSize = mss;
    if (mss === last) {
      sk.rcvMss = mss;
      return;
    }
  }
  if ((sk.ackPending & ACK_PUSHED) !== 0) sk.ackPending |= ACK_PUSHED2;
  sk.ackPending |= ACK_PUSHED;
}

/** tcp_ack_snd_check: after a segment has been dealt with, is an ACK due now, later, or not at all? */
export function dueAck(sk: TcpSock): void {
  if ((sk.ackPending & ACK_SCHED) === 0) return;
  const unacked = (sk.rcvNxt - sk.rcvWup) | 0;
  const enough =
    unacked > sk.rcvMss && (((sk.rcvNxt - sk.copiedSeq) | 0) < sk.rcvlowat || offerWindow(sk) >= sk.rcvWnd);
  const now = enough || inQuickAckMode(sk) || (sk.ackPending & ACK_NOW) !== 0;
  if (sk.rx.reassembly === null) {
    if (now) deferAck(sk);
    else delayAck(sk);
  } else if (now || !mayCompress(sk)) {
    // A hole, old or new: segments are answered one by one, for the peer counts the duplicates (RFC 5681 section 4.2).
    sendAck(sk);
  }
}

/**
 * Once three duplicates have gone out the peer knows enough to repair the hole, and the next ones may wait for each other: with
 * SACK one says as much as many (__tcp_ack_snd_check). True: this one waits.
 */
function mayCompress(sk: TcpSock): boolean {
  const most = sk.host.sysctl.tcpCompSackNr;
  if (!sk.sackOk || most === 0 || sk.route === null || sk.route.local) return false;
  const rx = sk.ownRx();
  rx.compression ??= new AckCompression(sk.rcvNxt);
  const { compression } = rx;
  if (compression.acks >= most) return false;
  if (compression.rcvNxt !== sk.rcvNxt) {
    compression.rcvNxt = sk.rcvNxt;
    compression.dupAcks = 0;
  }
  if (compression.dupAcks < TCP_FASTRETRANS_THRESH) {
    compression.dupAcks++;
    return false;
  }
  // To the microsecond where segments keep coming: a sender's HyStart takes ACKs two milliseconds apart for the end of a train.
  const waits = compression.timer?.pending === true;
  if (waits && ((sk.host.nowUs - compression.dueUs) | 0) >= 0) return false;
  compression.acks++;
  if (sk.ackDeferred || waits) return true;
  const delayUs = compressionDelayUs(sk);
  const wait = Math.round(delayUs / 1000);
  if (wait === 0) {
    // What is over before the wheel's next tick: the end of the batch.
    deferAck(sk);
  } else {
    compression.dueUs = (sk.host.nowUs + delayUs) | 0;
    armCompressedAck(sk, compression, wait);
  }
  return true;
}

/** The wait is over (tcp_compressed_ack_kick, or the end of a batch): one of those that waited is sent, if any does. */
export function sendWaitingAck(sk: TcpSock): void {
  const { compression } = sk.rx;
  if (compression !== null && compression.acks > 0) compression.acks--;
  sendAck(sk);
}

/** tcp_sack_compress_send_ack: the next block would push out one that the peer may not have heard of yet. */
export function flushCompressed(sk: TcpSock): void {
  if (sk.rx.compression !== null && sk.rx.compression.acks > 0) sendWaitingAck(sk);
}

/** tcp_send_delayed_ack */
export function delayAck(sk: TcpSock): void {
  let ato = sk.ackAto;
  const { wheel, sysctl } = sk.host;
  const least = sysctl.tcpDelackMinMs;
  if (ato > least) {
    let most = 500;
    if (pingpong(sk) || (sk.ackPending & ACK_PUSHED) !== 0) most = TCP_DELACK_MAX;
    if (sk.srttUs !== 0) most = Math.min(most, Math.max(Math.floor((sk.srttUs >> 3) / 1000), least));
    ato = Math.min(ato, most);
  }
  ato = Math.min(ato, delackMaxMs(sk));
  if ((sk.ackPending & ACK_TIMER) !== 0 && sk.delackTimer?.pending) {
    const left = wheel.remaining(sk.delackTimer);
    if (left <= ato >> 2) {
      deferAck(sk);
      return;
    }
    if (left < ato) return;
  }
  sk.ackPending |= ACK_SCHED | ACK_TIMER;
  armDelack(sk, ato);
}

/** tcp_delack_timer_handler */
export function delackExpired(sk: TcpSock): void {
  if ((sk.ackPending & ACK_TIMER) === 0) return;
  sk.ackPending &= ~ACK_TIMER;
  if ((sk.ackPending & ACK_SCHED) === 0) return;
  if (!pingpong(sk)) {
    sk.ackAto = Math.min(sk.ackAto << 1, sk.rto);
  } else {
    // The answer that was to carry the ACK did not come: not interactive after all.
    sk.ackPingpong = 0;
    sk.ackAto = TCP_ATO_MIN;
  }
  sk.host.mib.count(TcpExt.DelayedACKs);
  sendAck(sk);
}

/** __tcp_cleanup_rbuf: the application read `copied` bytes; is there an ACK or a window to tell of? */
export function afterRead(sk: TcpSock, copied: number): void {
  let due = false;
  if ((sk.ackPending & ACK_SCHED) !== 0) {
    const pushed =
      (sk.ackPending & ACK_PUSHED2) !== 0 || ((sk.ackPending & ACK_PUSHED) !== 0 && !pingpong(sk));
    due = ((sk.rcvNxt - sk.rcvWup) | 0) > sk.rcvMss || (copied > 0 && pushed && sk.rmemAlloc === 0);
  }
  if (copied > 0 && !due && (sk.shutdown & RCV_SHUTDOWN) === 0) {
    const now = receiveWindow(sk);
    if (2 * now <= sk.windowClamp) {
      const offer = offerWindow(sk);
      // A window that doubles is worth telling of (RFC 1122 section 4.2.3.3).
      due = offer > 0 && offer >= 2 * now;
    }
  }
  if (due) deferAck(sk);
}
