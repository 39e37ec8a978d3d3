// The SACK scoreboard (RFC 2018, 6675): marks rows of the retransmit queue as selected or lost. Without SACK the same
// counters are driven by duplicate ACKs, as Reno has it (tcp_add_reno_sack).

import { TcpExt } from '../core/mib.js';
import { RTX_END, RTX_FLAGS, RTX_LOST, RTX_RETRANS, RTX_SACKED, RTX_SEQ } from './rtx-queue.js';
import { limitRenoSacks, rowLength, rowPackets, splitRow } from './rtx-rows.js';
import type { Segment } from './segment.js';
import { after, before, notAfter } from './seq.js';
import type { TcpSock } from './sock.js';

/** tcp_sacktag_write_queue: marks what the blocks of this segment newly select. */
export function tagSacked(sk: TcpSock, segment: Segment): void {
  const view = sk.host.memory.view;
  for (let i = 0; i < segment.sackCount; i++) {
    const start = view.getInt32(segment.sacks + i * 8);
    const end = view.getInt32(segment.sacks + i * 8 + 4);
    if (i === 0 && isDsack(sk, segment, start, end, view)) continue;
    // Blocks outside of what is in flight say nothing, or lie (tcp_is_sackblock_valid).
    if (!before(start, end) || after(end, sk.sndNxt) || !after(start, sk.sndUna)) {
      if (after(end, sk.sndNxt)) sk.host.mib.count(TcpExt.TCPSACKDiscard);
      continue;
    }
    tagBlock(sk, start, end);
  }
}

/** tcp_check_dsack (RFC 2883): the first block reports a duplicate if it is acknowledged already or inside the second. */
function isDsack(sk: TcpSock, segment: Segment, start: number, end: number, view: DataView): boolean {
  let duplicate = before(start, segment.ackSeq);
  if (!duplicate && segment.sackCount > 1) {
    const start1 = view.getInt32(segment.sacks + 8);
    const end1 = view.getInt32(segment.sacks + 12);
    duplicate = !after(end, end1) && !before(start, start1);
  }
  if (duplicate) sk.host.mib.count(TcpExt.TCPDSACKRecv);
  return duplicate;
}

function tagBlock(sk: TcpSock, start: number, end: number): void {
  const rtx = sk.rtx;
  for (let i = 0; i < rtx.count; i++) {
    const at = rtx.at(i);
    if (!before(rtx.rows[at + RTX_SEQ], end)) break;
    if (notAfter(rtx.rows[at + RTX_END], start) || (rtx.rows[at + RTX_FLAGS] & RTX_SACKED) !== 0) continue;
    if (!isSelected(sk, i, start, end)) continue;
    const row = rtx.at(i);
    const packets = rowPackets(sk, i);
    const flags = rtx.rows[row + RTX_FLAGS];
    if ((flags & RTX_LOST) !== 0) sk.lostOut -= packets;
    if ((flags & RTX_RETRANS) !== 0) sk.retransOut -= packets;
    rtx.rows[row + RTX_FLAGS] = (flags & ~(RTX_LOST | RTX_RETRANS)) | RTX_SACKED;
    sk.sackedOut += packets;
    sk.delivered += packets;
  }
}

/**
 * tcp_match_skb_to_sack: does the block select row `i`? A row of several segments is cut so that the answer holds for all of
 * it, but only between full segments, or a peer could break our queue into bytes (CVE-2019-11477).
 */
function isSelected(sk: TcpSock, i: number, start: number, end: number): boolean {
  const at = sk.rtx.at(i);
  const seq = sk.rtx.rows[at + RTX_SEQ];
  const coversHead = !before(seq, start);
  if (coversHead && !after(sk.rtx.rows[at + RTX_END], end)) return true;
  if (rowPackets(sk, i) < 2) return false;
  const mss = sk.mss;
  const cut = coversHead
    ? Math.floor(((end - seq) | 0) / mss) * mss
    : Math.ceil(((start - seq) | 0) / mss) * mss;
  if (cut === 0 || cut >= rowLength(sk, i)) return coversHead && cut > 0;
  splitRow(sk, i, (seq + cut) | 0);
  return coversHead;
}

/** Marks a row lost, if it is neither selected nor marked already. */
export function markLost(sk: TcpSock, i: number): void {
  const at = sk.rtx.at(i);
  const flags = sk.rtx.rows[at + RTX_FLAGS];
  if ((flags & (RTX_LOST | RTX_SACKED)) !== 0) return;
  sk.rtx.rows[at + RTX_FLAGS] = flags | RTX_LOST;
  const packets = rowPackets(sk, i);
  sk.lostOut += packets;
  sk.lost += packets;
}

/** tcp_newreno_mark_lost: the first segment is lost, and only it. */
export function markFirstSegmentLost(sk: TcpSock): void {
  if (sk.rtx.count === 0) return;
  const first = (sk.rtx.rows[sk.rtx.at(0) + RTX_SEQ] + sk.mss) | 0;
  if (rowPackets(sk, 0) > 1) splitRow(sk, 0, first);
  markLost(sk, 0);
  limitRenoSacks(sk);
}

/** IsLost of RFC 6675: a row is lost once `reordering` packets after it were selected. */
export function markLostBySack(sk: TcpSock): void {
  const rtx = sk.rtx;
  let above = 0;
  for (let i = rtx.count - 1; i >= 0; i--) {
    if ((rtx.rows[rtx.at(i) + RTX_FLAGS] & RTX_SACKED) !== 0) above += rowPackets(sk, i);
    else if (above >= sk.reordering) markLost(sk, i);
  }
}

/** tcp_add_reno_sack: a duplicate ACK says that one more packet has left the network. */
export function addRenoSack(sk: TcpSock): void {
  const before = sk.sackedOut;
  sk.sackedOut++;
  limitRenoSacks(sk);
  if (sk.sackedOut > before) sk.delivered++;
}

/** tcp_remove_reno_sacks: an ACK of `packets` explains that many duplicates less the one that was lost. */
export function removeRenoSacks(sk: TcpSock, packets: number): void {
  sk.delivered += Math.max(packets - sk.sackedOut, 1);
  const explained = packets - 1;
  sk.sackedOut = explained >= sk.sackedOut ? 0 : sk.sackedOut - explained;
  limitRenoSacks(sk);
}
