// The SACK scoreboard (RFC 2018, 2883; tcp_sacktag_write_queue): each ACK's blocks mark rows of the write queue as selected,
// tell of reordering and of needless retransmissions. Called by ack.ts before what is acknowledged leaves the queue.

import { TcpExt } from '../../core/mib.js';
import { TCP_CA_Loss } from '../../uapi/tcp.js';
import {
  type AckState,
  FLAG_DATA_SACKED,
  FLAG_DSACK_TLP,
  FLAG_DSACKING_ACK,
  FLAG_ORIG_SACK_ACKED,
} from '../ack-state.js';
import { rateDelivered } from '../rate.js';
import { rowLength, rowPackets, splitRow } from '../row-packets.js';
import type { Segment } from '../segment.js';
import { after, before } from '../seq.js';
import type { TcpSock } from '../sock.js';
import {
  ROW_END,
  ROW_FLAGS,
  ROW_SENT_US,
  ROW_SEQ,
  ROW_SIZE_SHIFT,
  TCPCB_LOST,
  TCPCB_RETRANS,
  TCPCB_SACKED_ACKED,
  TCPCB_SACKED_RETRANS,
} from '../write-queue.js';
import { rackAdvance } from './rack.js';

const MAX_BLOCKS = 4;
/** Blocks of this ACK that count, ascending: start, end. */
const blocks = new Int32Array(2 * MAX_BLOCKS);

/** tcp_sacktag_write_queue: reads the blocks of this segment. */
export function tagSacked(sk: TcpSock, segment: Segment, ack: AckState): void {
  const { view } = sk.host.memory;
  ack.selectedBytes = 0;
  const duplicate = checkDsack(sk, segment, ack);
  if (sk.tx.packetsOut === 0) return;
  if (sk.tx.sackedOut === 0) sk.tx.sackCache?.fill(0);
  let count = 0;
  for (let i = 0; i < segment.sackCount && i < MAX_BLOCKS; i++) {
    const start = view.getInt32(segment.sacks + i * 8);
    const end = view.getInt32(segment.sacks + i * 8 + 4);
    const isDup = duplicate && i === 0;
    if (!isValid(sk, isDup, start, end)) {
      countInvalid(sk, segment, isDup, end);
      continue;
    }
    if (!after(end, ack.priorUna)) continue;
    if (isDup) {
      tagRange(sk, ack, start, end, start, end, true);
      continue;
    }
    let at = count++;
    for (; at > 0 && before(start, blocks[2 * at - 2]); at--) {
      blocks[2 * at] = blocks[2 * at - 2];
      blocks[2 * at + 1] = blocks[2 * at - 1];
    }
    blocks[2 * at] = start;
    blocks[2 * at + 1] = end;
  }
  for (let i = 0; i < count; i++) tagBlock(sk, ack, blocks[2 * i], blocks[2 * i + 1]);
  remember(sk, count);
  if (sk.caState !== TCP_CA_Loss || sk.tx.undoMarked) checkSackReordering(sk, ack.reord, false);
}

/** tcp_is_sackblock_valid: blocks outside of what is in flight say nothing, or lie. */
function isValid(sk: TcpSock, isDsack: boolean, start: number, end: number): boolean {
  if (after(end, sk.sndNxt) || !before(start, end) || !before(start, sk.sndNxt)) return false;
  if (after(start, sk.sndUna)) return true;
  if (!isDsack || !sk.tx.undoMarked) return false;
  // A D-SACK below sndUna; it counts unless it is older than the recovery it might undo.
  if (after(end, sk.sndUna)) return false;
  if (!before(start, sk.tx.undoMarker)) return true;
  if (!after(end, sk.tx.undoMarker)) return false;
  return !before(start, (end - sk.maxWindow) | 0);
}

function countInvalid(sk: TcpSock, segment: Segment, isDsack: boolean, end: number): void {
  const { mib } = sk.host;
  if (isDsack) mib.count(sk.tx.undoMarked ? TcpExt.TCPDSACKIgnoredOld : TcpExt.TCPDSACKIgnoredNoUndo);
  // An ACK that was overtaken repeats what is known.
  else if (segment.ackSeq === sk.sndUna || after(end, sk.sndUna)) mib.count(TcpExt.TCPSACKDiscard);
}

/** tcp_check_dsack (RFC 2883): the first block reports a duplicate if it is acknowledged already or inside the second. */
function checkDsack(sk: TcpSock, segment: Segment, ack: AckState): boolean {
  const { view } = sk.host.memory;
  const start = view.getInt32(segment.sacks);
  const end = view.getInt32(segment.sacks + 4);
  const { mib } = sk.host;
  if (before(start, segment.ackSeq)) {
    mib.count(TcpExt.TCPDSACKRecv);
  } else if (segment.sackCount > 1) {
    const start1 = view.getInt32(segment.sacks + 8);
    const end1 = view.getInt32(segment.sacks + 12);
    if (after(end, end1) || before(start, start1)) return false;
    mib.count(TcpExt.TCPDSACKOfoRecv);
  } else return false;
  const segments = dsackSeen(sk, start, end, ack);
  if (segments === 0) {
    mib.count(TcpExt.TCPDSACKIgnoredDubious);
    return false;
  }
  mib.add(TcpExt.TCPDSACKRecvSegs, segments);
  // A duplicate of what has left the queue by now.
  if (
    sk.tx.undoMarked &&
    sk.tx.undoRetrans > 0 &&
    !after(end, ack.priorUna) &&
    after(end, sk.tx.undoMarker)
  ) {
    sk.tx.undoRetrans = Math.max(0, sk.tx.undoRetrans - segments);
  }
  return true;
}

/** tcp_dsack_seen: how many segments arrived twice; 0 if the report is not to be believed. */
function dsackSeen(sk: TcpSock, start: number, end: number, ack: AckState): number {
  if (!before(start, end)) return 0;
  const length = (end - start) | 0;
  if (length > sk.maxWindow) return 0;
  let segments = 1;
  if (length > sk.mss) segments = Math.ceil(length / sk.mss);
  else if (sk.tx.tlpOut && sk.tx.tlpHighSeq === end) ack.flag |= FLAG_DSACK_TLP;
  sk.tx.dsackDups += segments;
  // The network, or an attacker, duplicated: we never sent it twice.
  if (sk.tx.dsackDups > sk.tx.totalRetrans) return 0;
  sk.tx.dsackSeen = true;
  // RACK need not be more patient on account of a path that keeps order, or of a probe that a timer sent.
  if (sk.tx.reordSeen > 0 && (ack.flag & FLAG_DSACK_TLP) === 0) sk.tx.rackDsackSeen = true;
  ack.flag |= FLAG_DSACKING_ACK;
  // The needless retransmission has left the network.
  sk.delivered += segments;
  return segments;
}

/** Tags what of a block was not in the previous ACK's blocks: they repeat themselves, and their rows are done. */
function tagBlock(sk: TcpSock, ack: AckState, start: number, end: number): void {
  const cache = sk.tx.sackCache;
  let from = start;
  if (cache !== null) {
    for (let i = 0; i < cache.length && before(from, end); i += 2) {
      const known = cache[i];
      const knownEnd = cache[i + 1];
      if (known === knownEnd || !before(known, end) || !after(knownEnd, from)) continue;
      // Selected as far as the known block: a row that reaches into it is not, as in Linux.
      if (before(from, known)) tagRange(sk, ack, start, known, from, known, false);
      from = knownEnd;
    }
  }
  if (before(from, end)) tagRange(sk, ack, start, end, from, end, false);
}

/** The blocks just tagged, for the next ACK. */
function remember(sk: TcpSock, count: number): void {
  if (count === 0 && sk.tx.sackCache === null) return;
  sk.tx.sackCache ??= new Int32Array(2 * MAX_BLOCKS);
  for (let i = 0; i < 2 * MAX_BLOCKS; i++) sk.tx.sackCache[i] = i < 2 * count ? blocks[i] : 0;
}

/** tcp_sacktag_walk: rows between `from` and `to`, as far as the block [start, end) selects them. */
function tagRange(
  sk: TcpSock,
  ack: AckState,
  start: number,
  end: number,
  from: number,
  to: number,
  duplicate: boolean,
): void {
  const queue = sk.writeQueue;
  for (let i = queue.find(from); i < queue.sent; i++) {
    const at = queue.at(i);
    if (!before(queue.rows[at + ROW_SEQ], to)) break;
    if (!duplicate && (queue.rows[at + ROW_FLAGS] & TCPCB_SACKED_ACKED) !== 0) continue;
    if (isSelected(sk, i, start, end)) tagRow(sk, ack, i, duplicate);
  }
}

/**
 * tcp_match_skb_to_sack: does the block select row `i`? A row of several segments is cut so that the answer holds for all of
 * it, but only between full segments, or a peer could break our queue into bytes (CVE-2019-11477).
 */
function isSelected(sk: TcpSock, i: number, start: number, end: number): boolean {
  const queue = sk.writeQueue;
  const at = queue.at(i);
  const seq = queue.rows[at + ROW_SEQ];
  const coversHead = !before(seq, start);
  if (coversHead && !after(queue.rows[at + ROW_END], end)) return true;
  if (rowPackets(sk, i) < 2) return false;
  const mss = queue.rows[at + ROW_FLAGS] >>> ROW_SIZE_SHIFT;
  const cut = coversHead
    ? Math.floor(((end - seq) | 0) / mss) * mss
    : Math.ceil(((start - seq) | 0) / mss) * mss;
  if (cut === 0 || cut >= rowLength(sk, i)) return coversHead && cut > 0;
  splitRow(sk, i, (seq + cut) | 0, mss);
  return coversHead;
}

/** tcp_sacktag_one */
function tagRow(sk: TcpSock, ack: AckState, i: number, duplicate: boolean): void {
  const queue = sk.writeQueue;
  const at = queue.at(i);
  const { rows } = queue;
  const packets = rowPackets(sk, i);
  const seq = rows[at + ROW_SEQ];
  const end = rows[at + ROW_END];
  let flags = rows[at + ROW_FLAGS];
  if (duplicate && (flags & TCPCB_RETRANS) !== 0) {
    if (sk.tx.undoMarked && sk.tx.undoRetrans > 0 && after(end, sk.tx.undoMarker)) {
      sk.tx.undoRetrans = Math.max(0, sk.tx.undoRetrans - packets);
    }
    if ((flags & TCPCB_SACKED_ACKED) !== 0 && before(seq, ack.reord)) ack.reord = seq;
  }
  if (!after(end, sk.sndUna)) return;
  if ((flags & TCPCB_SACKED_ACKED) === 0) {
    const sentUs = rows[at + ROW_SENT_US];
    rackAdvance(sk, flags, at);
    if ((flags & TCPCB_SACKED_RETRANS) !== 0) {
      // Not marked lost: the retransmission is believed to be still in flight.
      if ((flags & TCPCB_LOST) !== 0) {
        flags &= ~(TCPCB_LOST | TCPCB_SACKED_RETRANS);
        sk.tx.lostOut -= packets;
        sk.tx.retransOut -= packets;
      }
    } else {
      if ((flags & TCPCB_RETRANS) === 0) {
        // Never sent again, and it fills a hole: that is reordering.
        if (before(seq, highestSack(sk)) && before(seq, ack.reord)) ack.reord = seq;
        if (!after(end, sk.tx.highSeq)) ack.flag |= FLAG_ORIG_SACK_ACKED;
        if (!ack.sacked) ack.firstSackUs = sentUs;
        ack.sacked = true;
        ack.lastSackUs = sentUs;
      }
      if ((flags & TCPCB_LOST) !== 0) {
        flags &= ~TCPCB_LOST;
        sk.tx.lostOut -= packets;
      }
    }
    flags |= TCPCB_SACKED_ACKED;
    ack.flag |= FLAG_DATA_SACKED;
    sk.tx.sackedOut += packets;
    sk.delivered += packets;
    ack.selectedBytes += (end - seq) | 0;
    rows[at + ROW_FLAGS] = flags;
    rateDelivered(sk, at, ack.sample);
    flags = rows[at + ROW_FLAGS];
    if (sk.tx.sackedOut === packets || after(end, sk.tx.highestSack)) sk.tx.highestSack = end;
  }
  if (duplicate && (flags & TCPCB_SACKED_RETRANS) !== 0) {
    flags &= ~TCPCB_SACKED_RETRANS;
    sk.tx.retransOut -= packets;
  }
  rows[at + ROW_FLAGS] = flags;
}

/** tcp_highest_sack_seq: end of the highest row selected. */
export function highestSack(sk: TcpSock): number {
  return sk.tx.sackedOut === 0 ? sk.sndUna : sk.tx.highestSack;
}

/** tcp_check_sack_reordering: `low` arrived after something sent later; how far did the network shuffle them? */
export function checkSackReordering(sk: TcpSock, low: number, byTimestamp: boolean): void {
  const fack = highestSack(sk);
  if (!before(low, fack)) return;
  const { mib, sysctl } = sk.host;
  const distance = Math.ceil(((fack - low) | 0) / sk.mss);
  if (distance > sk.reordering) sk.reordering = Math.min(distance, sysctl.tcpMaxReordering);
  sk.tx.reordSeen++;
  mib.count(byTimestamp ? TcpExt.TCPTSReorder : TcpExt.TCPSACKReorder);
}
