// Decides what may be sent now: the peer's window, the congestion window, Nagle (tcp_write_xmit). sendmsg, an arriving ACK
// and the timers all end here; what they send goes through transmit.ts.

import { TcpExt } from '../core/mib.js';
import { TX_PIECES } from '../link/tx-ring.js';
import { CHUNK_SMALL } from '../memory/packet-memory.js';
import { TCP_CLOSE } from '../uapi/tcp.js';
import { shouldAutocork } from './autocork.js';
import { CHRONO_RWND_LIMITED, chronoStart, chronoStop } from './chrono.js';
import {
  ACK,
  FIN,
  NAGLE_CORK,
  NAGLE_OFF,
  NAGLE_PUSH,
  PSH,
  TCP_TIMEOUT_MIN,
  TIME_LOSS_PROBE,
  TIME_NONE,
  TIME_PROBE0,
} from './constants.js';
import { inCwndReduction, validateCwnd } from './cwnd.js';
import { pacingHolds, pacingSent } from './pacing.js';
import { currentMss } from './path/mss.js';
import { probeLength, probeSent } from './path/mtu-probe.js';
import { writeSpace } from './poll.js';
import { rateSent } from './rate.js';
import { scheduleLossProbe } from './recovery/tlp.js';
import { rowLength, rowPackets } from './row-packets.js';
import { after } from './seq.js';
import type { TcpSock } from './sock.js';
import { armRetransmit, rearmRto } from './tcp-timer.js';
import { transmit } from './transmit.js';
import { DEFER_CWND, DEFER_RWND, nagleHolds, splitPoint, tsoDefers, tsoSegments, windowEnd } from './tso.js';
import { ROW_END, ROW_EOR, ROW_FIN, ROW_FLAGS, ROW_PSH, ROW_SEQ } from './write-queue.js';

/** `pushOne` of writeXmit: one segment, or one as a loss probe although the congestion window is full. */
export const PUSH_ONE = 1;
export const PUSH_PROBE = 2;

/**
 * tcp_write_xmit: sends what the windows allow; `pushOne` (PUSH_*) at most one segment.
 * True when nothing is in flight although something waits, so that the caller must probe (or try the ring again).
 */
export function writeXmit(sk: TcpSock, nonagle: number, pushOne = 0): boolean {
  const mss = currentMss(sk);
  const queue = sk.writeQueue;
  const packetsBefore = sk.tx.packetsOut;
  let limited = false;
  // By the peer's window.
  let held = false;
  if (pushOne === 0 && sk.mtup !== null) {
    const probe = probeLength(sk, sk.mtup, mss);
    if (probe === 0) return false;
    if (probe > 0) sendMtuProbe(sk, probe);
  }
  const most = tsoSegments(sk, mss);
  while (queue.sent < queue.count) {
    if (pacingHolds(sk)) break;
    // Never more than half of the window at once (tcp_cwnd_test), lest large segments leave in bursts.
    let quota = Math.min(sk.sndCwnd - sk.inFlight, Math.max(sk.sndCwnd >> 1, 1));
    if (quota <= 0) {
      if (pushOne !== PUSH_PROBE) break;
      quota = 1;
    }
    if (quota > most) quota = most;
    const i = queue.sent;
    growRow(sk, i, quota * mss);
    const at = queue.at(i);
    const seq = queue.rows[at + ROW_SEQ];
    const last = i === queue.count - 1;
    const length = rowLength(sk, i);
    // tcp_snd_wnd_test: a segment goes whole or not at all (sender's silly window avoidance); a closed window is probed.
    if (after(length > mss ? (seq + mss) | 0 : queue.rows[at + ROW_END], windowEnd(sk))) {
      held = true;
      break;
    }
    let limit = mss;
    if (length <= mss) {
      if (!passesNagle(sk, queue.rows[at + ROW_FLAGS], length < mss, last ? nonagle : NAGLE_PUSH)) break;
    } else {
      if (pushOne === 0) {
        const defer = tsoDefers(sk, i, length, last, mss, most);
        if (defer !== 0) {
          limited = defer === DEFER_CWND;
          held = defer === DEFER_RWND;
          break;
        }
      }
      if (!sk.tx.urgMode) limit = splitPoint(sk, seq, length, last, mss, quota, nonagle);
    }
    limit = gatherable(sk, seq, limit < length ? limit : length, mss);
    if (length > limit) queue.split(i, (seq + limit) | 0);
    if (!sendRow(sk, mss)) break;
    if (pushOne !== 0) break;
  }
  if (held) chronoStart(sk, CHRONO_RWND_LIMITED);
  else chronoStop(sk, CHRONO_RWND_LIMITED);
  const sent = sk.tx.packetsOut > packetsBefore;
  limited ||= sk.inFlight >= sk.sndCwnd;
  if (sent || limited) validateCwnd(sk, limited);
  if (!sent) return sk.tx.packetsOut === 0 && queue.sent < queue.count;
  if (inCwndReduction(sk)) sk.tx.prrOut += sk.tx.packetsOut - packetsBefore;
  if (pushOne !== PUSH_PROBE) scheduleLossProbe(sk, false);
  return false;
}

/** tcp_nagle_test */
function passesNagle(sk: TcpSock, flags: number, partial: boolean, nonagle: number): boolean {
  if ((nonagle & NAGLE_PUSH) !== 0 || sk.tx.urgMode || (flags & ROW_FIN) !== 0) return true;
  return !nagleHolds(sk, partial, nonagle);
}

/** tcp_grow_skb: what the next row has fills row `i` up to `size` bytes, unless a record ends in between. */
function growRow(sk: TcpSock, i: number, size: number): void {
  const queue = sk.writeQueue;
  const missing = size - rowLength(sk, i);
  if (missing <= 0 || i + 1 === queue.count) return;
  if ((queue.rows[queue.at(i) + ROW_FLAGS] & (ROW_EOR | ROW_FIN)) !== 0) return;
  if (rowLength(sk, i + 1) <= missing) {
    queue.merge(i);
    return;
  }
  const next = queue.at(i + 1);
  const seq = (queue.rows[next + ROW_SEQ] + missing) | 0;
  queue.rows[queue.at(i) + ROW_END] = seq;
  queue.rows[next + ROW_SEQ] = seq;
}

/** How much of [seq, seq+length) one transmit descriptor can refer to. Only long segments may lie in more pieces. */
function gatherable(sk: TcpSock, seq: number, length: number, mss: number): number {
  if (length <= CHUNK_SMALL) return length;
  const most = sk.sndQueue.contiguous((seq - sk.tx.sndQueueSeq) | 0, length, TX_PIECES);
  return most < length && most > mss ? most - (most % mss) : most;
}

/** Sends the first row that waits. False: it could not leave. */
function sendRow(sk: TcpSock, mss: number): boolean {
  const queue = sk.writeQueue;
  const i = queue.sent;
  const at = queue.at(i);
  const seq = queue.rows[at + ROW_SEQ];
  const end = queue.rows[at + ROW_END];
  const row = queue.rows[at + ROW_FLAGS];
  const length = rowLength(sk, i);
  let flags = ACK;
  if ((row & ROW_FIN) !== 0) flags |= FIN;
  if ((row & ROW_PSH) !== 0) flags |= PSH;
  if (!transmit(sk, seq, length, flags, mss)) {
    if (!sk.tcp.congested) sk.tcp.deferSend(sk);
    return false;
  }
  if (length === 0 || length % mss !== 0) sk.tx.sndSml = end;
  newDataSent(sk, mss);
  pacingSent(sk, length);
  return true;
}

/** The rest of tcp_mtu_probe: what waits first goes out as one packet larger than the others. */
function sendMtuProbe(sk: TcpSock, length: number): void {
  const queue = sk.writeQueue;
  const i = queue.sent;
  for (let count = 0; count !== queue.count && rowLength(sk, i) < length; ) {
    count = queue.count;
    growRow(sk, i, length);
  }
  const at = queue.at(i);
  const seq = queue.rows[at + ROW_SEQ];
  if (sk.mtup === null || rowLength(sk, i) < length) return;
  if (rowLength(sk, i) > length) queue.split(i, (seq + length) | 0);
  if (!transmit(sk, seq, length, ACK)) return;
  newDataSent(sk, length);
  probeSent(sk, sk.mtup, seq, length);
}

/** tcp_event_new_data_sent: the first row that waited is in the network, in segments of `size` bytes. */
export function newDataSent(sk: TcpSock, size: number): void {
  const queue = sk.writeQueue;
  const first = sk.tx.packetsOut === 0;
  queue.resize(queue.sent, size);
  const at = queue.sentFirst(sk.host.nowUs);
  rateSent(sk, at, first);
  const count = rowPackets(sk, queue.sent - 1);
  sk.sndNxt = queue.rows[at + ROW_END];
  sk.tx.packetsOut += count;
  sk.host.mib.add(TcpExt.TCPOrigDataSent, count);
  if (first || sk.tx.pendingTimer === TIME_LOSS_PROBE) rearmRto(sk);
  // Less is unsent now, which can make the socket writable under TCP_NOTSENT_LOWAT (tcp_check_space).
  if (sk.noSpace) writeSpace(sk);
}

/** __tcp_push_pending_frames: send, and if the peer's closed window is all that stops us, probe it. */
export function pushPendingFrames(sk: TcpSock, nonagle = sk.nonagle): void {
  if (sk.writeQueue.sent === sk.writeQueue.count || sk.state === TCP_CLOSE) return;
  if (writeXmit(sk, nonagle)) checkProbeTimer(sk);
}

/** tcp_check_probe_timer */
export function checkProbeTimer(sk: TcpSock): void {
  if (sk.tx.packetsOut === 0 && sk.tx.pendingTimer === TIME_NONE && sk.sndNxt !== sk.writeSeq) {
    armRetransmit(sk, TIME_PROBE0, probe0Base(sk));
  }
}

/** tcp_probe0_base */
function probe0Base(sk: TcpSock): number {
  return Math.max(sk.rto, 200);
}

/** tcp_probe0_when, within what TCP_USER_TIMEOUT leaves: milliseconds until the next window probe. */
export function probe0When(sk: TcpSock): number {
  return probe0Bound(sk, Math.min(probe0Base(sk) * 2 ** Math.min(sk.tx.backoff, 10), sk.tuning.rtoMaxMs));
}

/** tcp_clamp_probe0_to_user_timeout */
export function probe0Bound(sk: TcpSock, wait: number): number {
  const limit = sk.tuning.userTimeoutMs;
  if (limit === 0 || sk.tx.probesStart === 0) return wait;
  return Math.min(wait, Math.max(TCP_TIMEOUT_MIN, limit - ((sk.host.nowMs - sk.tx.probesStart) | 0)));
}

/** tcp_mark_push: the last segment written is pushed, so that the receiver hands it on at once. */
export function markPush(sk: TcpSock): void {
  const queue = sk.writeQueue;
  if (queue.sent < queue.count) queue.rows[queue.at(queue.count - 1) + ROW_FLAGS] |= ROW_PSH;
  sk.tx.pushedSeq = sk.writeSeq;
}

/** forced_push: half of the peer's largest window was written since the last push. */
export function forcedPush(sk: TcpSock): boolean {
  return after(sk.writeSeq, (sk.tx.pushedSeq + (sk.maxWindow >> 1)) | 0);
}

/**
 * tcp_push: after a write. `more`: the caller promised to write on (MSG_MORE); `full`: it has to wait for room; `goal`: how
 * large a segment may get.
 */
export function push(sk: TcpSock, more: boolean, full: boolean, goal: number): void {
  if (sk.sndNxt === sk.writeSeq) return;
  if (!more || forcedPush(sk)) markPush(sk);
  if (shouldAutocork(sk, goal)) {
    sk.tcp.deferSend(sk);
    return;
  }
  // Whoever waits for room holds nothing back (wait_for_space in tcp_sendmsg_locked).
  pushPendingFrames(sk, full ? NAGLE_PUSH : more ? NAGLE_CORK : sk.nonagle);
}

/** TCP_NODELAY was set, or TCP_CORK taken off: what waited goes out now. */
export function pushUncorked(sk: TcpSock): void {
  pushPendingFrames(sk, (sk.nonagle & ~NAGLE_CORK) | NAGLE_OFF | NAGLE_PUSH);
}

/** tcp_send_fin: the FIN joins the last segment that is unsent, or takes its place behind what is sent. */
export function sendFin(sk: TcpSock): void {
  sk.ownTx();
  const queue = sk.writeQueue;
  sk.finQueued = true;
  const end = (sk.writeSeq + 1) | 0;
  if (queue.sent < queue.count) {
    const at = queue.at(queue.count - 1);
    queue.rows[at + ROW_END] = end;
    queue.rows[at + ROW_FLAGS] |= ROW_FIN;
  } else queue.push(sk.writeSeq, end, ROW_FIN);
  sk.writeSeq = end;
  pushPendingFrames(sk, NAGLE_OFF);
}
