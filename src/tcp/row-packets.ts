// What the rows of a sock's write queue count as: packets of the size they were sent in, in the sock's counters (tcp_skb_pcount).
// Whoever changes rows in the network goes through here, so that packetsOut, sackedOut, lostOut and retransOut stay their sums.

import { before } from './seq.js';
import type { TcpSock } from './sock.js';
import {
  ROW_END,
  ROW_FIN,
  ROW_FLAGS,
  ROW_SEQ,
  ROW_SIZE_SHIFT,
  TCPCB_LOST,
  TCPCB_SACKED_ACKED,
  TCPCB_SACKED_RETRANS,
} from './write-queue.js';

/** Splits row `i` at sequence `seq` into segments of `size` bytes, keeping every counter true (tcp_fragment). */
export function splitRow(sk: TcpSock, i: number, seq: number, size: number): void {
  const queue = sk.writeQueue;
  if (i >= queue.sent) {
    queue.split(i, seq);
    return;
  }
  const flags = queue.rows[queue.at(i) + ROW_FLAGS];
  const was = rowPackets(sk, i);
  queue.split(i, seq);
  queue.resize(i, size);
  queue.resize(i + 1, size);
  uncount(sk, flags, was - rowPackets(sk, i) - rowPackets(sk, i + 1));
}

/** Row `i` leaves again, in segments of `size` bytes (tcp_set_skb_tso_segs). */
export function resizeRow(sk: TcpSock, i: number, size: number): void {
  const queue = sk.writeQueue;
  const was = rowPackets(sk, i);
  queue.resize(i, size);
  uncount(sk, queue.rows[queue.at(i) + ROW_FLAGS], was - rowPackets(sk, i));
}

/** What was acknowledged of row `i` is not sent again (tcp_trim_head). */
export function trimRow(sk: TcpSock, i: number): void {
  const { rows } = sk.writeQueue;
  const at = sk.writeQueue.at(i);
  if (!before(rows[at + ROW_SEQ], sk.sndUna)) return;
  const was = rowPackets(sk, i);
  rows[at + ROW_SEQ] = sk.sndUna;
  uncount(sk, rows[at + ROW_FLAGS], was - rowPackets(sk, i));
}

/** Merges row `i + 1`, in the network like row `i` and neither selected nor marked otherwise than it, into row `i`. */
export function mergeRows(sk: TcpSock, i: number): void {
  const queue = sk.writeQueue;
  const was = rowPackets(sk, i);
  uncount(sk, queue.rows[queue.at(i + 1) + ROW_FLAGS], rowPackets(sk, i + 1));
  queue.merge(i);
  uncount(sk, queue.rows[queue.at(i) + ROW_FLAGS], was - rowPackets(sk, i));
}

/** tcp_adjust_pcount: a row with `flags` has `packets` less; of fewer packets fewer can have arrived. */
function uncount(sk: TcpSock, flags: number, packets: number): void {
  sk.tx.packetsOut -= packets;
  if ((flags & TCPCB_SACKED_ACKED) !== 0) sk.tx.sackedOut -= packets;
  if ((flags & TCPCB_LOST) !== 0) sk.tx.lostOut -= packets;
  if ((flags & TCPCB_SACKED_RETRANS) !== 0) sk.tx.retransOut -= packets;
  if (!sk.sackOk && packets > 0) sk.tx.sackedOut = Math.max(0, sk.tx.sackedOut - packets);
}

/** Bytes of row `i`, a FIN not counted. */
export function rowLength(sk: TcpSock, i: number): number {
  const { rows } = sk.writeQueue;
  const at = sk.writeQueue.at(i);
  const fin = (rows[at + ROW_FLAGS] & ROW_FIN) !== 0 ? 1 : 0;
  return (rows[at + ROW_END] - rows[at + ROW_SEQ] - fin) | 0;
}

/** Packets that row `i`, which was sent, counts as. */
export function rowPackets(sk: TcpSock, i: number): number {
  const flags = sk.writeQueue.rows[sk.writeQueue.at(i) + ROW_FLAGS];
  const length = rowLength(sk, i);
  const size = flags >>> ROW_SIZE_SHIFT;
  return length <= size || size === 0 ? 1 : Math.ceil(length / size);
}

/** tcp_skb_seglen: payload of the largest segment of row `i`. */
export function segmentLength(sk: TcpSock, i: number): number {
  const length = rowLength(sk, i);
  return rowPackets(sk, i) === 1
    ? length
    : sk.writeQueue.rows[sk.writeQueue.at(i) + ROW_FLAGS] >>> ROW_SIZE_SHIFT;
}

/** tcp_limit_reno_sacked: what is lost, at least one packet, cannot have arrived. True if it was more. */
export function limitRenoSacks(sk: TcpSock): boolean {
  const most = Math.max(0, sk.tx.packetsOut - Math.max(sk.tx.lostOut, 1));
  if (sk.tx.sackedOut <= most) return false;
  sk.tx.sackedOut = most;
  return true;
}
