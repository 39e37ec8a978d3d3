// The SACK scoreboard (RFC 2018, 6675): marks rows of the retransmit queue as selected or lost. Without SACK the same
// counters are driven by duplicate ACKs, as Reno has it (tcp_add_reno_sack).

import { TcpExt } from '../core/mib.js';
import { rowPackets } from './output.js';
import { RTX_END, RTX_FLAGS, RTX_LOST, RTX_RETRANS, RTX_SACKED, RTX_SEQ } from './rtx-queue.js';
import type { Segment } from './segment.js';
import { after, before, notAfter } from './seq.js';
import type { TcpSock } from './sock.js';

/** tcp_sacktag_write_queue: how many packets the blocks of this segment newly select. */
export function tagSacked(sk: TcpSock, segment: Segment): number {
  const view = sk.host.memory.view;
  let newly = 0;
  for (let i = 0; i < segment.sackCount; i++) {
    const start = view.getInt32(segment.sacks + i * 8);
    const end = view.getInt32(segment.sacks + i * 8 + 4);
    if (i === 0 && isDsack(sk, segment, start, end, view)) continue;
    // Blocks outside of what is in flight say nothing, or lie (tcp_is_sackblock_valid).
    if (!before(start, end) || after(end, sk.sndNxt) || notAfter(end, sk.sndUna)) {
      if (after(end, sk.sndNxt)) sk.host.mib.count(TcpExt.TCPSACKDiscard);
      continue;
    }
    newly += tagBlock(sk, before(start, sk.sndUna) ? sk.sndUna : start, end);
  }
  return newly;
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

function tagBlock(sk: TcpSock, start: number, end: number): number {
  const rtx = sk.rtx;
  let newly = 0;
  for (let i = 0; i < rtx.count; i++) {
    let at = rtx.at(i);
    if (!before(rtx.rows[at + RTX_SEQ], end)) break;
    if (notAfter(rtx.rows[at + RTX_END], start) || (rtx.rows[at + RTX_FLAGS] & RTX_SACKED) !== 0) continue;
    if (before(rtx.rows[at + RTX_SEQ], start)) {
      if (!splitRow(sk, i, start)) continue;
      i++;
      at = rtx.at(i);
    }
    if (after(rtx.rows[at + RTX_END], end) && !splitRow(sk, i, end)) break;
    at = rtx.at(i);
    const packets = rowPackets(sk, i);
    const flags = rtx.rows[at + RTX_FLAGS];
    if ((flags & RTX_LOST) !== 0) sk.lostOut -= packets;
    if ((flags & RTX_RETRANS) !== 0) sk.retransOut -= packets;
    rtx.rows[at + RTX_FLAGS] = (flags & ~(RTX_LOST | RTX_RETRANS)) | RTX_SACKED;
    sk.sackedOut += packets;
    sk.delivered += packets;
    newly += packets;
  }
  return newly;
}

/** Splits row `i` at `seq`, keeping every counter true; false if the cut would be outside the row's data. */
function splitRow(sk: TcpSock, i: number, seq: number): boolean {
  const rtx = sk.rtx;
  const at = rtx.at(i);
  if (!after(seq, rtx.rows[at + RTX_SEQ]) || !before(seq, rtx.rows[at + RTX_END])) return false;
  const flags = rtx.rows[at + RTX_FLAGS];
  const was = rowPackets(sk, i);
  rtx.split(i, seq);
  const more = rowPackets(sk, i) + rowPackets(sk, i + 1) - was;
  sk.packetsOut += more;
  if ((flags & RTX_LOST) !== 0) sk.lostOut += more;
  if ((flags & RTX_RETRANS) !== 0) sk.retransOut += more;
  return true;
}

/** Marks a row lost, if it is neither selected nor marked already. */
export function markLost(sk: TcpSock, i: number): void {
  const at = sk.rtx.at(i);
  const flags = sk.rtx.rows[at + RTX_FLAGS];
  if ((flags & (RTX_LOST | RTX_SACKED)) !== 0) return;
  sk.rtx.rows[at + RTX_FLAGS] = flags | RTX_LOST;
  sk.lostOut += rowPackets(sk, i);
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
  const most = sk.packetsOut - sk.lostOut;
  if (sk.sackedOut < most) {
    sk.sackedOut++;
    sk.delivered++;
  }
}

/** tcp_remove_reno_sacks: an ACK of `packets` explains that many duplicates less the one that was lost. */
export function removeRenoSacks(sk: TcpSock, packets: number): void {
  if (packets > 0) {
    const explained = packets - 1;
    sk.sackedOut = explained >= sk.sackedOut ? 0 : sk.sackedOut - explained;
  }
  const most = Math.max(0, sk.packetsOut - sk.lostOut);
  if (sk.sackedOut > most) sk.sackedOut = most;
}
