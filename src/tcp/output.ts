// Decides what may be sent now: the peer's window, the congestion window, Nagle (tcp_write_xmit). sendmsg, an arriving ACK
// and the timers all end here; what they send goes through transmit.ts.

import { TcpExt, Tcp as TcpMib } from '../core/mib.js';
import { LINK_F_TSO4 } from '../link/link.js';
import {
  TCP_CLOSE,
  TCP_CLOSE_WAIT,
  TCP_CLOSING,
  TCP_ESTABLISHED,
  TCP_FIN_WAIT1,
  TCP_LAST_ACK,
} from '../uapi/tcp.js';
import {
  ACK,
  FIN,
  GSO_MAX_SIZE,
  NAGLE_CORK,
  NAGLE_OFF,
  NAGLE_PUSH,
  PSH,
  TCP_MIN_MSS,
  TCPOLEN_TSTAMP_ALIGNED,
  TIME_NONE,
  TIME_PROBE0,
  TIME_RETRANS,
} from './constants.js';
import { writeSpace } from './poll.js';
import {
  RTX_END,
  RTX_EVER_RETRANS,
  RTX_FIN,
  RTX_FLAGS,
  RTX_LOST,
  RTX_RETRANS,
  RTX_SACKED,
  RTX_SENT_US,
  RTX_SEQ,
} from './rtx-queue.js';
import { after, before } from './seq.js';
import type { TcpSock } from './sock.js';
import { armRetransmit } from './tcp-timer.js';
import { optionsLength, transmit } from './transmit.js';

const MAX_PIECES = 3;

/** tcp_sync_mss: payload bytes per segment from the path MTU, the peer's MSS and the options we always send. */
export function syncMss(sk: TcpSock): void {
  const mtu = sk.route === null ? 576 : sk.route.mtu;
  let mss = mtu - 40;
  if (mss > sk.mssClamp) mss = sk.mssClamp;
  if (sk.tstampOk) mss -= TCPOLEN_TSTAMP_ALIGNED;
  // tcp_bound_to_half_wnd: never more than half of what the peer ever offered, or it would have to empty its buffer first.
  if (sk.maxWindow > 0) {
    const half = sk.maxWindow > 576 ? sk.maxWindow >> 1 : sk.maxWindow;
    if (mss > half) mss = Math.max(half, 68 - 40);
  }
  mss = Math.max(mss, TCP_MIN_MSS - (sk.tstampOk ? TCPOLEN_TSTAMP_ALIGNED : 0));
  if (mss === sk.mss) return;
  sk.mss = mss;
  if (sk.packetsOut > 0) recount(sk);
}

/** Segments changed their size, so what is in flight counts as another number of them. */
function recount(sk: TcpSock): void {
  const rtx = sk.rtx;
  sk.packetsOut = 0;
  sk.lostOut = 0;
  sk.retransOut = 0;
  let sacked = 0;
  for (let i = 0; i < rtx.count; i++) {
    const flags = rtx.rows[rtx.at(i) + RTX_FLAGS];
    const packets = rowPackets(sk, i);
    sk.packetsOut += packets;
    if ((flags & RTX_SACKED) !== 0) sacked += packets;
    if ((flags & RTX_LOST) !== 0) sk.lostOut += packets;
    if ((flags & RTX_RETRANS) !== 0) sk.retransOut += packets;
  }
  sk.sackedOut = sk.sackOk ? sacked : Math.min(sk.sackedOut, sk.packetsOut);
}

/** tcp_current_mss: less the SACK blocks that will ride along just now. */
function currentMss(sk: TcpSock): number {
  if (sk.route !== null && sk.route.mtu - 40 < sk.mss) syncMss(sk);
  if (sk.reassembly === null && !sk.dsackPending) return sk.mss;
  const fixed = sk.tstampOk ? TCPOLEN_TSTAMP_ALIGNED : 0;
  return sk.mss - (optionsLength(sk) - fixed);
}

/** End of the peer's window (tcp_wnd_end). */
function windowEnd(sk: TcpSock): number {
  return (sk.sndUna + sk.sndWnd) | 0;
}

/** tcp_nagle_check with Minshall's rule: hold a small segment while a small one is unacknowledged, or while corked. */
function nagleHolds(sk: TcpSock, nonagle: number): boolean {
  if ((nonagle & NAGLE_CORK) !== 0) return true;
  return nonagle === 0 && sk.packetsOut > 0 && after(sk.sndSml, sk.sndUna) && !after(sk.sndSml, sk.sndNxt);
}

function segments(length: number, mss: number): number {
  return length <= mss ? 1 : Math.ceil(length / mss);
}

/**
 * tcp_write_xmit: sends what the windows allow; `pushOne` sends at most that many segments whatever Nagle says.
 * True when nothing is in flight although something waits, so that the caller must probe (or try the ring again).
 */
export function writeXmit(sk: TcpSock, nonagle: number): boolean {
  const mss = currentMss(sk);
  const tso = sk.route !== null && (sk.route.device.features & LINK_F_TSO4) !== 0;
  const sizeGoal = tso ? Math.max(mss, Math.min(GSO_MAX_SIZE, sk.maxWindow >> 1 || mss)) : mss;
  let limited = false;
  let sent = false;
  while (sk.sndNxt !== sk.writeSeq) {
    const quota = sk.sndCwnd - sk.inFlight;
    if (quota <= 0) {
      limited = true;
      break;
    }
    const dataEnd = sk.finQueued ? (sk.writeSeq - 1) | 0 : sk.writeSeq;
    const unsent = (dataEnd - sk.sndNxt) | 0;
    const window = (windowEnd(sk) - sk.sndNxt) | 0;
    let length = unsent < mss ? unsent : mss;
    // tcp_snd_wnd_test: a segment goes whole or not at all (sender's silly window avoidance); a closed window is probed.
    if (length + (unsent <= mss && sk.finQueued ? 1 : 0) > window) break;
    if (unsent > mss && tso) {
      length = Math.min(unsent, sizeGoal, window, quota * mss);
      length = Math.min(length, sk.sndQueue.contiguous((sk.sndNxt - sk.sndQueueSeq) | 0, length, MAX_PIECES));
    }
    if (length > mss && length < unsent) length -= length % mss;
    const last = length === unsent;
    const fin = last && sk.finQueued;
    if (length < mss && !fin && last && nagleHolds(sk, nonagle)) break;
    if (length > mss && last && length % mss !== 0 && !fin && nagleHoldsTail(sk, nonagle))
      length -= length % mss;
    if (!sendNew(sk, length, fin, length === unsent, mss)) break;
    sent = true;
  }
  if (sent) {
    if (sk.packetsOut > sk.maxPacketsOut || !before(sk.sndUna, sk.cwndUsageSeq)) {
      sk.maxPacketsOut = sk.packetsOut;
      sk.cwndUsageSeq = sk.sndNxt;
      sk.isCwndLimited = limited || sk.inFlight >= sk.sndCwnd;
    }
    return false;
  }
  if (limited) sk.isCwndLimited = true;
  return sk.packetsOut === 0 && sk.sndNxt !== sk.writeSeq;
}

/** The tail of a multi-segment send is small: Nagle speaks of it as if the full segments were in flight already. */
function nagleHoldsTail(sk: TcpSock, nonagle: number): boolean {
  if ((nonagle & NAGLE_CORK) !== 0) return true;
  return nonagle === 0 && after(sk.sndSml, sk.sndUna) && !after(sk.sndSml, sk.sndNxt);
}

function sendNew(sk: TcpSock, length: number, fin: boolean, last: boolean, mss: number): boolean {
  const seq = sk.sndNxt;
  let flags = ACK;
  if (fin) flags |= FIN;
  // The last segment of a write is pushed, so that the receiver hands it on at once (tcp_mark_push).
  if (length > 0 && last && !before((seq + length) | 0, sk.pushedSeq)) flags |= PSH;
  if (!transmit(sk, seq, length, flags)) {
    sk.ackDeferred = true;
    sk.tcp.defer(sk);
    return false;
  }
  const end = (seq + length + (fin ? 1 : 0)) | 0;
  const count = segments(length, mss);
  const first = sk.packetsOut === 0;
  sk.rtx.push(seq, end, fin ? RTX_FIN : 0, sk.host.nowUs);
  sk.sndNxt = end;
  sk.packetsOut += count;
  if (length < mss * count) sk.sndSml = end;
  sk.host.mib.add(TcpExt.TCPOrigDataSent, count);
  if (first || sk.pendingTimer !== TIME_RETRANS) armRetransmit(sk, TIME_RETRANS, sk.rto);
  // Less is unsent now, which can make the socket writable under TCP_NOTSENT_LOWAT (tcp_check_space).
  if (sk.noSpace) writeSpace(sk);
  return true;
}

/** __tcp_push_pending_frames: send, and if the peer's closed window is all that stops us, probe it. */
export function pushPendingFrames(sk: TcpSock): void {
  if (sk.sndNxt === sk.writeSeq || sk.state === TCP_CLOSE) return;
  if (writeXmit(sk, sk.nonagle)) checkProbeTimer(sk);
}

/** tcp_check_probe_timer */
export function checkProbeTimer(sk: TcpSock): void {
  if (sk.packetsOut === 0 && sk.pendingTimer === TIME_NONE && sk.sndNxt !== sk.writeSeq) {
    armRetransmit(sk, TIME_PROBE0, probe0Base(sk));
  }
}

/** tcp_probe0_base */
export function probe0Base(sk: TcpSock): number {
  return Math.max(sk.rto, 200);
}

/** tcp_push: after a write. `more` says that the caller promised to write on (MSG_MORE). */
export function push(sk: TcpSock, more: boolean): void {
  if (sk.sndNxt === sk.writeSeq) return;
  if (!more) sk.pushedSeq = sk.writeSeq;
  const nonagle = more ? NAGLE_CORK : sk.nonagle;
  if (writeXmit(sk, nonagle)) checkProbeTimer(sk);
}

/** TCP_NODELAY was set, or TCP_CORK taken off: what waited goes out now. */
export function pushUncorked(sk: TcpSock): void {
  if (sk.sndNxt === sk.writeSeq) return;
  sk.pushedSeq = sk.writeSeq;
  if (writeXmit(sk, (sk.nonagle & ~NAGLE_CORK) | NAGLE_OFF | NAGLE_PUSH)) checkProbeTimer(sk);
}

/** Sends row `i` of the retransmit queue again; at most one full segment of it, splitting the row (tcp_retransmit_skb). */
export function retransmitRow(sk: TcpSock, i: number): boolean {
  const rtx = sk.rtx;
  const mss = currentMss(sk);
  const seq = rtx.rows[rtx.at(i) + RTX_SEQ];
  if (before(seq, sk.sndUna)) {
    trimRow(sk, i);
    return retransmitRow(sk, i);
  }
  const isFin = (rtx.rows[rtx.at(i) + RTX_FLAGS] & RTX_FIN) !== 0;
  const end = rtx.rows[rtx.at(i) + RTX_END];
  let length = (end - seq - (isFin ? 1 : 0)) | 0;
  const window = (windowEnd(sk) - seq) | 0;
  // The peer shrank its window: only the probe at its very edge may go (RFC 9293 section 3.8.6.1).
  if (window < mss && length > window && seq !== sk.sndUna) return false;
  let flags = ACK;
  let fin = isFin;
  if (length > mss) {
    const before = segments(length, mss);
    rtx.split(i, (seq + mss) | 0);
    const after = 1 + segments(length - mss, mss);
    sk.packetsOut += after - before;
    length = mss;
    fin = false;
  }
  if (fin) flags |= FIN;
  if (length > 0 && ((seq + length) | 0) === sk.pushedSeq) flags |= PSH;
  if (!transmit(sk, seq, length, flags)) return false;
  const at = rtx.at(i);
  if ((rtx.rows[at + RTX_FLAGS] & RTX_RETRANS) === 0) sk.retransOut++;
  rtx.rows[at + RTX_FLAGS] |= RTX_RETRANS | RTX_EVER_RETRANS;
  rtx.rows[at + RTX_SENT_US] = sk.host.nowUs;
  if (sk.retransStamp === 0) sk.retransStamp = sk.host.nowMs || 1;
  sk.totalRetrans++;
  sk.bytesRetrans += length;
  sk.host.mib.count(TcpMib.RetransSegs);
  return true;
}

/** Cuts what is acknowledged off the front of row `i`. */
function trimRow(sk: TcpSock, i: number): void {
  const rtx = sk.rtx;
  rtx.rows[rtx.at(i) + RTX_SEQ] = sk.sndUna;
}

/** Packets that row `i` counts as. */
export function rowPackets(sk: TcpSock, i: number): number {
  const rtx = sk.rtx;
  const at = rtx.at(i);
  const fin = (rtx.rows[at + RTX_FLAGS] & RTX_FIN) !== 0 ? 1 : 0;
  return segments((rtx.rows[at + RTX_END] - rtx.rows[at + RTX_SEQ] - fin) | 0, sk.mss);
}

/** tcp_send_fin: the FIN takes its place behind whatever is unsent. */
export function sendFin(sk: TcpSock): void {
  sk.finQueued = true;
  sk.writeSeq = (sk.writeSeq + 1) | 0;
  sk.pushedSeq = sk.writeSeq;
  if (writeXmit(sk, NAGLE_OFF | NAGLE_PUSH)) checkProbeTimer(sk);
}

/** States in which data may be, or was allowed to be, sent. */
export function canTransmit(state: number): boolean {
  return (
    state === TCP_ESTABLISHED ||
    state === TCP_CLOSE_WAIT ||
    state === TCP_FIN_WAIT1 ||
    state === TCP_LAST_ACK ||
    state === TCP_CLOSING
  );
}
