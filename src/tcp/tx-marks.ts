// What a program wants to hear of bytes it wrote: timestamps when they are sent and acknowledged (tcp_tx_timestamp,
// __skb_tstamp_tx, tcp_ack_tstamp), completions of MSG_ZEROCOPY. sendmsg.ts marks the bytes, transmit.ts and ack.ts pass by.

import { ErrorEntry } from '../core/error-queue.js';
import {
  type SockExtras,
  WRITE_LATER,
  WRITE_WHOLE,
  ZEROCOPY_ASKED,
  ZEROCOPY_BYTES,
  ZEROCOPY_CHARGE,
  ZEROCOPY_SENDS,
} from '../core/sock-extras.js';
import { ENOBUFS, ENOMSG } from '../uapi/errno.js';
import {
  SCM_TSTAMP_ACK,
  SCM_TSTAMP_SCHED,
  SCM_TSTAMP_SND,
  SO_EE_ORIGIN_TIMESTAMPING,
  SOF_TIMESTAMPING_OPT_ID,
  SOF_TIMESTAMPING_OPT_STATS,
  SOF_TIMESTAMPING_OPT_TSONLY,
  SOF_TIMESTAMPING_TX_ACK,
  SOF_TIMESTAMPING_TX_RECORD_MASK,
  SOF_TIMESTAMPING_TX_SCHED,
  SOF_TIMESTAMPING_TX_SOFTWARE,
} from '../uapi/errqueue.js';
import { MSG_ZEROCOPY } from '../uapi/socket.js';
import { encodeStats, optStats } from './opt-stats.js';
import { before, notAfter } from './seq.js';
import type { TcpSock } from './sock.js';
import { ROW_END, ROW_SEQ } from './write-queue.js';

/**
 * 0; -ENOBUFS when a send with MSG_ZEROCOPY finds too many not heard of yet (sock_omalloc, net.core.optmem_max). One that will
 * share the note of the send before it needs no more.
 */
export function mayZerocopy(sk: TcpSock, extras: SockExtras, flags: number, asked: number): number {
  if ((flags & MSG_ZEROCOPY) === 0 || !extras.zerocopy || extras.writeStep === WRITE_LATER) return 0;
  const sends = extras.zerocopySends;
  const wanted = sends.length * ZEROCOPY_CHARGE + ZEROCOPY_ASKED;
  if (wanted <= sk.host.sysctl.optmemMax) return 0;
  return sends.length > 0 && sharesNote(sk, extras, sk.writeSeq, asked) ? 0 : -ENOBUFS;
}

/**
 * msg_zerocopy_realloc: the send of `asked` bytes that begins at `first` follows the last one, which has room for it, and the segment at
 * the tail then still waits.
 */
function sharesNote(sk: TcpSock, extras: SockExtras, first: number, asked: number): boolean {
  const last = extras.zerocopySends[extras.zerocopySends.length - 1];
  if ((last.last + 1) >>> 0 !== extras.zckey) return false;
  if (last.asked + asked > ZEROCOPY_BYTES || (extras.zckey - last.first) >>> 0 === ZEROCOPY_SENDS)
    return false;
  const queue = sk.writeQueue;
  for (let i = queue.count - 1; i >= queue.sent; i--) {
    const row = queue.at(i);
    if (!before(last.seq, queue.rows[row + ROW_SEQ])) return !before(queue.rows[row + ROW_END], first);
  }
  return false;
}

/**
 * `taken` of `asked` bytes were written (`byReference`: none was copied), the last of them not sent yet.
 * Marks within one segment are merged, as there is one to a segment.
 */
export function markWritten(
  sk: TcpSock,
  extras: SockExtras,
  flags: number,
  taken: number,
  asked: number,
  byReference: boolean,
): void {
  if ((flags & MSG_ZEROCOPY) !== 0 && extras.zerocopy) markZerocopy(sk, extras, taken, asked, !byReference);
  // A call that will go on is timed by its last byte.
  if (taken === asked || extras.writeStep === WRITE_WHOLE) markTimed(sk, extras);
}

/** The SYN took `taken` bytes of a send, which may be acknowledged already (tcp_sendmsg_fastopen). They are not timed. */
export function markSynData(sk: TcpSock, extras: SockExtras, flags: number, taken: number): void {
  if ((flags & MSG_ZEROCOPY) === 0 || !extras.zerocopy) return;
  markZerocopy(sk, extras, taken, taken, true);
  completeSends(sk, extras, sk.sndUna);
}

/** A blocking write gives up: its last byte is the one to be timed. */
export function markGivenUp(sk: TcpSock): void {
  if (sk.extras !== null) markTimed(sk, sk.extras);
}

function markTimed(sk: TcpSock, extras: SockExtras): void {
  const tsflags = extras.writeTsflags >= 0 ? extras.writeTsflags : extras.tsflags;
  const wanted = tsflags & SOF_TIMESTAMPING_TX_RECORD_MASK;
  if (wanted === 0) return;
  const seq = (sk.writeSeq - 1) | 0;
  const last = extras.txMarks[extras.txMarks.length - 1];
  if (last !== undefined && sameSegment(sk, last.seq, seq)) {
    last.seq = seq;
    last.flags |= wanted;
  } else extras.txMarks.push({ seq, flags: wanted });
}

function markZerocopy(sk: TcpSock, extras: SockExtras, taken: number, asked: number, copied: boolean): void {
  const seq = (sk.writeSeq - 1) | 0;
  const sends = extras.zerocopySends;
  const last = sends[sends.length - 1];
  if (extras.writeStep === WRITE_LATER && last !== undefined) {
    last.seq = seq;
    last.copied ||= copied;
    return;
  }
  const id = extras.zckey;
  const shares = last !== undefined && sharesNote(sk, extras, (sk.writeSeq - taken) | 0, asked);
  extras.zckey = (id + 1) >>> 0;
  if (shares) {
    last.seq = seq;
    last.last = id;
    last.asked += asked;
    last.copied ||= copied;
  } else sends.push({ seq, first: id, last: id, asked, copied });
}

/** Whether byte `a`, written before the last byte `b`, waits in one segment with it. */
function sameSegment(sk: TcpSock, a: number, b: number): boolean {
  const queue = sk.writeQueue;
  for (let i = queue.count - 1; i >= queue.sent; i--) {
    const seq = queue.rows[queue.at(i) + ROW_SEQ];
    if (!before(b, seq)) return !before(a, seq);
  }
  return false;
}

/** Bytes [seq, seq + length) went out, with headers from `frame` to `payload`: who wanted to know is told. */
export function stampSent(
  sk: TcpSock,
  extras: SockExtras,
  seq: number,
  length: number,
  frame: number,
  payload: number,
): void {
  const headers = payload - frame;
  const marks = extras.txMarks;
  const end = (seq + length) | 0;
  for (let i = 0; i < marks.length && before(marks[i].seq, end); i++) {
    const mark = marks[i];
    if (before(mark.seq, seq)) continue;
    if ((mark.flags & SOF_TIMESTAMPING_TX_SCHED) !== 0)
      report(sk, extras, mark.seq, SCM_TSTAMP_SCHED, frame, headers, seq, length);
    if ((mark.flags & SOF_TIMESTAMPING_TX_SOFTWARE) !== 0)
      report(sk, extras, mark.seq, SCM_TSTAMP_SND, frame, headers, seq, length);
  }
}

/** Everything before `una` is acknowledged, at last of a row of `length` bytes from `start` on, all of them still in the send queue. */
export function stampAcked(
  sk: TcpSock,
  extras: SockExtras,
  una: number,
  start: number,
  length: number,
): void {
  const marks = extras.txMarks;
  let done = 0;
  for (; done < marks.length && before(marks[done].seq, una); done++) {
    const { seq, flags } = marks[done];
    if ((flags & SOF_TIMESTAMPING_TX_ACK) !== 0) report(sk, extras, seq, SCM_TSTAMP_ACK, 0, 0, start, length);
  }
  if (done > 0) marks.splice(0, done);
  completeSends(sk, extras, una);
}

function completeSends(sk: TcpSock, extras: SockExtras, una: number): void {
  const sends = extras.zerocopySends;
  while (sends.length > 0 && before(sends[0].seq, una)) completeFirst(sk, extras);
}

/** The send queue was thrown away: nothing more will be sent of it (tcp_write_queue_purge). */
export function dropMarks(sk: TcpSock, extras: SockExtras): void {
  extras.txMarks.length = 0;
  while (extras.zerocopySends.length > 0) completeFirst(sk, extras);
}

function completeFirst(sk: TcpSock, extras: SockExtras): void {
  const send = extras.zerocopySends.shift();
  if (send === undefined || sk.orphan) return;
  extras.errorQueue.zerocopyDone(sk, send.first, send.last, send.copied);
}

/** __skb_tstamp_tx */
function report(
  sk: TcpSock,
  extras: SockExtras,
  key: number,
  kind: number,
  frame: number,
  headers: number,
  seq: number,
  length: number,
): void {
  const { host } = sk;
  const { tsflags } = extras;
  const only = (tsflags & SOF_TIMESTAMPING_OPT_TSONLY) !== 0;
  if (!only && host.sysctl.tstampAllowData === 0 && sk.uid !== 0) return;
  const entry = new ErrorEntry();
  entry.errno = ENOMSG;
  entry.origin = SO_EE_ORIGIN_TIMESTAMPING;
  entry.info = kind;
  if ((tsflags & SOF_TIMESTAMPING_OPT_ID) !== 0) entry.data = (key - extras.tskey) | 0;
  entry.realUs = host.realUs(host.nowUs);
  if (!only) {
    const payload = new Uint8Array(headers + length);
    payload.set(host.memory.bytes.subarray(frame, frame + headers));
    const at = (seq - sk.tx.sndQueueSeq) | 0;
    if (at >= 0) sk.sndQueue.copyTo(payload, headers, length, at);
    entry.payload = payload;
    if (headers > 0 && sk.route !== null) entry.sentBy(sk.route.device.index);
  } else if ((tsflags & SOF_TIMESTAMPING_OPT_STATS) !== 0) {
    entry.stats = optStats(sk, kind === SCM_TSTAMP_ACK);
    entry.payload = encodeStats(entry.stats);
  }
  extras.errorQueue.add(sk, entry, sk.rmemAlloc);
}

/** Bytes up to `end` have come, just now; a FIN belongs to the bytes before it. */
export function stampReceived(sk: TcpSock, extras: SockExtras, end: number, count: number): void {
  const stamps = extras.rxStamps;
  const now = sk.host.realUs(sk.host.nowUs);
  const last = stamps.length;
  // Past a thousand segments that nobody reads, the newest stand for one another, as coalesced ones do.
  if (last > 0 && (count === 0 || last > 2000)) {
    stamps[last - 2] = end;
    stamps[last - 1] = now;
  } else stamps.push(end, now);
}

/** When the byte before `end` came, or -1; stamps of what was read are dropped. */
export function stampOf(sk: TcpSock, extras: SockExtras, end: number): number {
  const stamps = extras.rxStamps;
  let found = -1;
  for (let i = 0; i < stamps.length; i += 2) {
    if (notAfter(end, stamps[i])) {
      found = stamps[i + 1];
      break;
    }
  }
  let read = 0;
  while (read < stamps.length && notAfter(stamps[read], sk.copiedSeq)) read += 2;
  if (read > 0) stamps.splice(0, read);
  return found;
}
