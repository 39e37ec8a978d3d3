// Decides what may be sent now: the peer's window, the congestion window, Nagle (tcp_write_xmit). sendmsg, an arriving ACK
// and the timers all end here; what they send goes through transmit.ts.

import { TcpExt, Tcp as TcpMib } from '../core/mib.js';
import { LINK_F_TSO4 } from '../link/link.js';
import { TX_PIECES } from '../link/tx-ring.js';
import { CHUNK_SMALL } from '../memory/packet-memory.js';
import { TCP_CA_Recovery, TCP_CLOSE, TCP_SYN_SENT } from '../uapi/tcp.js';
import { shouldAutocork } from './autocork.js';
import {
  ACK,
  FIN,
  GSO_MAX_SIZE,
  NAGLE_CORK,
  NAGLE_OFF,
  NAGLE_PUSH,
  PSH,
  TCP_RTO_MAX,
  TIME_NONE,
  TIME_PROBE0,
  TIME_RETRANS,
} from './constants.js';
import { currentMss, readvertiseMss } from './mss.js';
import { probeLength, probeSent } from './mtu-probe.js';
import { writeSpace } from './poll.js';
import {
  RTX_EVER_RETRANS,
  RTX_FIN,
  RTX_FLAGS,
  RTX_PROBE,
  RTX_PSH,
  RTX_RETRANS,
  RTX_SENT_US,
  RTX_SEQ,
  RTX_SYN,
} from './rtx-queue.js';
import { rowLength, rowPackets, splitRow } from './rtx-rows.js';
import { after, before } from './seq.js';
import type { TcpSock } from './sock.js';
import { armRetransmit } from './tcp-timer.js';
import { transmit, transmitSyn } from './transmit.js';

/** End of the peer's window (tcp_wnd_end). */
function windowEnd(sk: TcpSock): number {
  return (sk.sndUna + sk.sndWnd) | 0;
}

/** tcp_nagle_test with Minshall's rule: hold a small segment while a small one is unacknowledged, or while corked. */
function nagleHolds(sk: TcpSock, nonagle: number): boolean {
  if ((nonagle & NAGLE_PUSH) !== 0 || sk.urgMode) return false;
  if ((nonagle & NAGLE_CORK) !== 0) return true;
  return nonagle === 0 && sk.packetsOut > 0 && after(sk.sndSml, sk.sndUna) && !after(sk.sndSml, sk.sndNxt);
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
  if (sk.mtup !== null) {
    const probe = probeLength(sk, sk.mtup, mss);
    if (probe === 0) return false;
    if (probe > 0) sent = sendMtuProbe(sk, probe);
  }
  while (sk.sndNxt !== sk.writeSeq) {
    const room = sk.sndCwnd - sk.inFlight;
    // Never more than half of the window at once (tcp_cwnd_test), lest large segments leave in bursts.
    const quota = Math.min(room, Math.max(sk.sndCwnd >> 1, 1));
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
    if (unsent > mss && tso && !sk.urgMode) length = Math.min(unsent, sizeGoal, window, quota * mss);
    length = gatherable(sk, sk.sndNxt, length);
    if (length > mss && length < unsent) length -= length % mss;
    const last = length === unsent;
    const fin = last && sk.finQueued;
    if (length < mss && !fin && last && nagleHolds(sk, nonagle)) break;
    // tcp_mss_split_point: a small tail of a large segment waits as if it stood alone.
    if (length > mss && last && length % mss !== 0 && !fin && nagleHolds(sk, nonagle)) length -= length % mss;
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

/** How much of [seq, seq+length) one transmit descriptor can refer to. Only long segments may lie in more pieces. */
function gatherable(sk: TcpSock, seq: number, length: number): number {
  return length <= CHUNK_SMALL
    ? length
    : sk.sndQueue.contiguous((seq - sk.sndQueueSeq) | 0, length, TX_PIECES);
}

function sendNew(sk: TcpSock, length: number, fin: boolean, last: boolean, mss: number): boolean {
  const seq = sk.sndNxt;
  let flags = ACK;
  if (fin) flags |= FIN;
  // The last segment of a write is pushed, so that the receiver hands it on at once (tcp_mark_push).
  const end = (seq + length + (fin ? 1 : 0)) | 0;
  if (length > 0 && last && end === sk.pushedSeq) flags |= PSH;
  if (!transmit(sk, seq, length, flags)) {
    if (!sk.tcp.congested) sk.tcp.defer(sk);
    return false;
  }
  if (length === 0 || length % mss !== 0) sk.sndSml = end;
  newDataSent(sk, seq, end, (fin ? RTX_FIN : 0) | ((flags & PSH) !== 0 ? RTX_PSH : 0));
  return true;
}

/** The rest of tcp_mtu_probe: what waits first goes out as one packet larger than the others. */
function sendMtuProbe(sk: TcpSock, length: number): boolean {
  const seq = sk.sndNxt;
  if (sk.mtup === null || !transmit(sk, seq, length, ACK, true)) return false;
  newDataSent(sk, seq, (seq + length) | 0, RTX_PROBE);
  probeSent(sk, sk.mtup, seq, length);
  return true;
}

/** tcp_event_new_data_sent */
function newDataSent(sk: TcpSock, seq: number, end: number, flags: number): void {
  const first = sk.packetsOut === 0;
  sk.rtx.push(seq, end, flags, sk.host.nowUs);
  const count = rowPackets(sk, sk.rtx.count - 1);
  sk.sndNxt = end;
  sk.packetsOut += count;
  if (sk.caState === TCP_CA_Recovery) sk.prrOut += count;
  sk.host.mib.add(TcpExt.TCPOrigDataSent, count);
  if (first || sk.pendingTimer !== TIME_RETRANS) armRetransmit(sk, TIME_RETRANS, sk.rto);
  // Less is unsent now, which can make the socket writable under TCP_NOTSENT_LOWAT (tcp_check_space).
  if (sk.noSpace) writeSpace(sk);
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
function probe0Base(sk: TcpSock): number {
  return Math.max(sk.rto, 200);
}

/** tcp_probe0_when, within what TCP_USER_TIMEOUT leaves: milliseconds until the next window probe. */
export function probe0When(sk: TcpSock): number {
  return probe0Bound(sk, Math.min(probe0Base(sk) * 2 ** Math.min(sk.backoff, 10), TCP_RTO_MAX));
}

/** tcp_clamp_probe0_to_user_timeout */
export function probe0Bound(sk: TcpSock, wait: number): number {
  const limit = sk.tuning.userTimeoutMs;
  if (limit === 0 || sk.probesStart === 0) return wait;
  return Math.max(1, Math.min(wait, limit - ((sk.host.nowMs - sk.probesStart) | 0)));
}

/**
 * tcp_push: after a write. `more`: the caller promised to write on (MSG_MORE); `full`: it has to wait for room; `goal`: how
 * large a segment may get.
 */
export function push(sk: TcpSock, more: boolean, full: boolean, goal: number): void {
  if (sk.sndNxt === sk.writeSeq) return;
  if (!more) sk.pushedSeq = sk.writeSeq;
  if (shouldAutocork(sk, goal)) {
    sk.tcp.defer(sk);
    return;
  }
  // Whoever waits for room holds nothing back (wait_for_space in tcp_sendmsg_locked).
  const nonagle = full ? NAGLE_PUSH : more ? NAGLE_CORK : sk.nonagle;
  if (writeXmit(sk, nonagle)) checkProbeTimer(sk);
}

/** TCP_NODELAY was set, or TCP_CORK taken off: what waited goes out now. */
export function pushUncorked(sk: TcpSock): void {
  if (sk.sndNxt === sk.writeSeq) return;
  if (writeXmit(sk, (sk.nonagle & ~NAGLE_CORK) | NAGLE_OFF | NAGLE_PUSH)) checkProbeTimer(sk);
}

/** Sends row `i` of the retransmit queue again; at most one full segment of it, splitting the row (tcp_retransmit_skb). */
export function retransmitRow(sk: TcpSock, i: number): boolean {
  const rtx = sk.rtx;
  // A probe of the MTU that something is lost behind tells nothing.
  if (sk.mtup !== null) sk.mtup.probeSize = 0;
  const seq = rtx.rows[rtx.at(i) + RTX_SEQ];
  let length = rowLength(sk, i);
  if ((rtx.rows[rtx.at(i) + RTX_FLAGS] & RTX_SYN) !== 0) {
    length = 0;
    readvertiseMss(sk);
    if (!transmitSyn(sk, sk.state !== TCP_SYN_SENT)) return false;
    sk.host.mib.count(TcpExt.TCPSynRetrans);
  } else {
    const limit = retransmitLimit(sk, seq, length);
    if (limit < 0) return false;
    if (length > limit) {
      splitRow(sk, i, (seq + limit) | 0);
      length = limit;
    }
    const row = rtx.rows[rtx.at(i) + RTX_FLAGS];
    let flags = ACK;
    if ((row & RTX_FIN) !== 0) flags |= FIN;
    if ((row & RTX_PSH) !== 0) flags |= PSH;
    if (!transmit(sk, seq, length, flags)) return false;
  }
  const at = rtx.at(i);
  if ((rtx.rows[at + RTX_FLAGS] & RTX_RETRANS) === 0) sk.retransOut += rowPackets(sk, i);
  rtx.rows[at + RTX_FLAGS] |= RTX_RETRANS | RTX_EVER_RETRANS;
  rtx.rows[at + RTX_SENT_US] = sk.host.nowUs;
  if (sk.retransStamp === 0) sk.retransStamp = sk.host.nowMs || 1;
  sk.totalRetrans++;
  sk.bytesRetrans += length;
  sk.host.mib.count(TcpMib.RetransSegs);
  return true;
}

/** How many of `length` bytes from `seq` may be sent again in one segment; -1: none. */
function retransmitLimit(sk: TcpSock, seq: number, length: number): number {
  const mss = currentMss(sk);
  let window = (windowEnd(sk) - seq) | 0;
  if (window <= 0) {
    // The peer shrank its window: only the head may go, as the probe of it (RFC 9293 section 3.8.6.1).
    if (seq !== sk.sndUna) return -1;
    window = mss;
  }
  return gatherable(sk, seq, Math.min(length, mss, window));
}

/** tcp_send_fin: the FIN takes its place behind whatever is unsent. */
export function sendFin(sk: TcpSock): void {
  const pushed = sk.pushedSeq === sk.writeSeq;
  sk.finQueued = true;
  sk.writeSeq = (sk.writeSeq + 1) | 0;
  if (pushed) sk.pushedSeq = sk.writeSeq;
  if (writeXmit(sk, NAGLE_OFF | NAGLE_PUSH)) checkProbeTimer(sk);
}
