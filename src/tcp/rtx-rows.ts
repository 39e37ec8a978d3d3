// What the rows of a sock's retransmit queue count as: packets of the current MSS, in the sock's counters (tcp_skb_pcount).
// Whoever changes rows goes through here, so that packetsOut, sackedOut, lostOut and retransOut stay their sums.

import {
  RTX_END,
  RTX_FIN,
  RTX_FLAGS,
  RTX_LOST,
  RTX_PROBE,
  RTX_RETRANS,
  RTX_SACKED,
  RTX_SEQ,
} from './rtx-queue.js';
import type { TcpSock } from './sock.js';

function segments(length: number, mss: number): number {
  return length <= mss ? 1 : Math.ceil(length / mss);
}

/** Splits row `i` at sequence `seq`, keeping every counter true. */
export function splitRow(sk: TcpSock, i: number, seq: number): void {
  const flags = sk.rtx.rows[sk.rtx.at(i) + RTX_FLAGS];
  const was = rowPackets(sk, i);
  sk.rtx.split(i, seq);
  const more = rowPackets(sk, i) + rowPackets(sk, i + 1) - was;
  sk.packetsOut += more;
  if ((flags & RTX_SACKED) !== 0) sk.sackedOut += more;
  if ((flags & RTX_LOST) !== 0) sk.lostOut += more;
  if ((flags & RTX_RETRANS) !== 0) sk.retransOut += more;
}

/** Bytes of row `i`, a FIN not counted. */
export function rowLength(sk: TcpSock, i: number): number {
  const { rows } = sk.rtx;
  const at = sk.rtx.at(i);
  const fin = (rows[at + RTX_FLAGS] & RTX_FIN) !== 0 ? 1 : 0;
  return (rows[at + RTX_END] - rows[at + RTX_SEQ] - fin) | 0;
}

/** Packets that row `i` counts as. */
export function rowPackets(sk: TcpSock, i: number): number {
  const isProbe = (sk.rtx.rows[sk.rtx.at(i) + RTX_FLAGS] & RTX_PROBE) !== 0;
  return isProbe ? 1 : segments(rowLength(sk, i), sk.mss);
}

/** Segments changed their size, so what is in flight counts as another number of them. */
export function recount(sk: TcpSock): void {
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
  if (sk.sackOk) sk.sackedOut = sacked;
  else limitRenoSacks(sk);
}

/** tcp_limit_reno_sacked: what is lost, at least one packet, cannot have arrived. */
export function limitRenoSacks(sk: TcpSock): void {
  const most = Math.max(0, sk.packetsOut - Math.max(sk.lostOut, 1));
  if (sk.sackedOut > most) sk.sackedOut = most;
}
