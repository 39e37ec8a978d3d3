// What the rows of a sock's write queue count as: packets of the current MSS, in the sock's counters (tcp_skb_pcount).
// Whoever changes rows in the network goes through here, so that packetsOut, sackedOut, lostOut and retransOut stay their sums.

import type { TcpSock } from './sock.js';
import {
  ROW_END,
  ROW_FIN,
  ROW_FLAGS,
  ROW_PROBE,
  ROW_SEQ,
  TCPCB_LOST,
  TCPCB_SACKED_ACKED,
  TCPCB_SACKED_RETRANS,
} from './write-queue.js';

function segments(length: number, mss: number): number {
  return length <= mss ? 1 : Math.ceil(length / mss);
}

/** Splits row `i` at sequence `seq`, keeping every counter true (tcp_fragment). */
export function splitRow(sk: TcpSock, i: number, seq: number): void {
  const queue = sk.writeQueue;
  if (i >= queue.sent) {
    queue.split(i, seq);
    return;
  }
  const flags = queue.rows[queue.at(i) + ROW_FLAGS];
  const was = rowPackets(sk, i);
  queue.split(i, seq);
  const more = rowPackets(sk, i) + rowPackets(sk, i + 1) - was;
  if (more === 0) return;
  sk.tx.packetsOut += more;
  if ((flags & TCPCB_SACKED_ACKED) !== 0) sk.tx.sackedOut += more;
  if ((flags & TCPCB_LOST) !== 0) sk.tx.lostOut += more;
  if ((flags & TCPCB_SACKED_RETRANS) !== 0) sk.tx.retransOut += more;
}

/** Merges row `i + 1`, in the network like row `i` and neither selected nor marked otherwise than it, into row `i`. */
export function mergeRows(sk: TcpSock, i: number): void {
  const queue = sk.writeQueue;
  const first = queue.rows[queue.at(i) + ROW_FLAGS];
  const second = queue.rows[queue.at(i + 1) + ROW_FLAGS];
  uncount(sk, first, rowPackets(sk, i));
  uncount(sk, second, rowPackets(sk, i + 1));
  const was = rowPackets(sk, i) + rowPackets(sk, i + 1);
  queue.merge(i);
  const now = rowPackets(sk, i);
  uncount(sk, first, -now);
  // Of fewer packets fewer can have arrived (tcp_adjust_pcount).
  if (!sk.sackOk && was > now) sk.tx.sackedOut = Math.max(0, sk.tx.sackedOut - (was - now));
}

function uncount(sk: TcpSock, flags: number, packets: number): void {
  sk.tx.packetsOut -= packets;
  if ((flags & TCPCB_SACKED_ACKED) !== 0) sk.tx.sackedOut -= packets;
  if ((flags & TCPCB_LOST) !== 0) sk.tx.lostOut -= packets;
  if ((flags & TCPCB_SACKED_RETRANS) !== 0) sk.tx.retransOut -= packets;
}

/** Bytes of row `i`, a FIN not counted. */
export function rowLength(sk: TcpSock, i: number): number {
  const { rows } = sk.writeQueue;
  const at = sk.writeQueue.at(i);
  const fin = (rows[at + ROW_FLAGS] & ROW_FIN) !== 0 ? 1 : 0;
  return (rows[at + ROW_END] - rows[at + ROW_SEQ] - fin) | 0;
}

/** Packets that row `i` counts as. */
export function rowPackets(sk: TcpSock, i: number): number {
  const queue = sk.writeQueue;
  const isProbe = (queue.rows[queue.at(i) + ROW_FLAGS] & ROW_PROBE) !== 0;
  return isProbe ? 1 : segments(rowLength(sk, i), sk.mss);
}

/** Segments changed their size, so what is in flight counts as another number of them. */
export function recount(sk: TcpSock): void {
  const queue = sk.writeQueue;
  sk.tx.packetsOut = 0;
  sk.tx.lostOut = 0;
  sk.tx.retransOut = 0;
  let sacked = 0;
  for (let i = 0; i < queue.sent; i++) {
    const flags = queue.rows[queue.at(i) + ROW_FLAGS];
    const packets = rowPackets(sk, i);
    sk.tx.packetsOut += packets;
    if ((flags & TCPCB_SACKED_ACKED) !== 0) sacked += packets;
    if ((flags & TCPCB_LOST) !== 0) sk.tx.lostOut += packets;
    if ((flags & TCPCB_SACKED_RETRANS) !== 0) sk.tx.retransOut += packets;
  }
  if (sk.sackOk) sk.tx.sackedOut = sacked;
  else limitRenoSacks(sk);
}

/** tcp_limit_reno_sacked: what is lost, at least one packet, cannot have arrived. True if it was more. */
export function limitRenoSacks(sk: TcpSock): boolean {
  const most = Math.max(0, sk.tx.packetsOut - Math.max(sk.tx.lostOut, 1));
  if (sk.tx.sackedOut <= most) return false;
  sk.tx.sackedOut = most;
  return true;
}
