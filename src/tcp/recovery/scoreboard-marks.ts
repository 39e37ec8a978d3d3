// Marks on the scoreboard: a row is lost, or its retransmission is (tcp_mark_skb_lost); and without SACK, the count of
// duplicate ACKs that stands for what was selected (tcp_add_reno_sack). rack.ts, recovery.ts and the timers decide when.

import { TcpExt } from '../../core/mib.js';
import { limitRenoSacks, rowLength, rowPackets, splitRow } from '../row-packets.js';
import { before } from '../seq.js';
import type { TcpSock } from '../sock.js';
import { ROW_FLAGS, ROW_SEQ, TCPCB_LOST, TCPCB_SACKED_ACKED, TCPCB_SACKED_RETRANS } from '../write-queue.js';

/** Marks row `i` lost, unless it was selected; if its retransmission was in the network, that is what was lost. */
export function markLost(sk: TcpSock, i: number): void {
  const queue = sk.writeQueue;
  const at = queue.at(i);
  const flags = queue.rows[at + ROW_FLAGS];
  if ((flags & TCPCB_SACKED_ACKED) !== 0) return;
  const packets = rowPackets(sk, i);
  // What is to be sent again is looked for from here on (tcp_verify_retransmit_hint).
  if (sk.tx.lostOut === 0 || before(queue.rows[at + ROW_SEQ], sk.tx.rtxHint))
    sk.tx.rtxHint = queue.rows[at + ROW_SEQ];
  if ((flags & TCPCB_LOST) === 0) {
    sk.tx.lostOut += packets;
    queue.rows[at + ROW_FLAGS] = flags | TCPCB_LOST;
  } else {
    if ((flags & TCPCB_SACKED_RETRANS) === 0) return;
    sk.tx.retransOut -= packets;
    sk.host.mib.add(TcpExt.TCPLostRetransmit, packets);
    queue.rows[at + ROW_FLAGS] = flags & ~TCPCB_SACKED_RETRANS;
  }
  sk.tx.lost += packets;
}

/** tcp_newreno_mark_lost: the first segment is lost, and only it (RFC 6582). */
export function markFirstSegmentLost(sk: TcpSock): void {
  const queue = sk.writeQueue;
  if (queue.sent === 0) return;
  const at = queue.at(0);
  if ((queue.rows[at + ROW_FLAGS] & TCPCB_LOST) !== 0) return;
  if (rowPackets(sk, 0) > 1 && rowLength(sk, 0) > sk.mss)
    splitRow(sk, 0, (queue.rows[at + ROW_SEQ] + sk.mss) | 0, sk.mss);
  markLost(sk, 0);
  limitRenoSacks(sk);
}

/** tcp_check_reno_reordering: more duplicates than can have arrived are reordering. */
function checkRenoReordering(sk: TcpSock, acked: number): void {
  if (!limitRenoSacks(sk)) return;
  sk.reordering = Math.min(sk.tx.packetsOut + acked, sk.host.sysctl.tcpMaxReordering);
  sk.tx.reordSeen++;
  sk.host.mib.count(TcpExt.TCPRenoReorder);
}

/** tcp_add_reno_sack: `duplicates` ACKs say that as many packets have left the network. */
export function addRenoSack(sk: TcpSock, duplicates: number): void {
  if (duplicates === 0) return;
  const had = sk.tx.sackedOut;
  sk.tx.sackedOut += duplicates;
  checkRenoReordering(sk, 0);
  const delivered = sk.tx.sackedOut - had;
  if (delivered > 0) sk.delivered += delivered;
}

/** tcp_remove_reno_sacks: an ACK of `acked` packets explains that many duplicates less the one that was lost. */
export function removeRenoSacks(sk: TcpSock, acked: number): void {
  if (acked > 0) {
    sk.delivered += Math.max(acked - sk.tx.sackedOut, 1);
    sk.tx.sackedOut = acked - 1 >= sk.tx.sackedOut ? 0 : sk.tx.sackedOut - (acked - 1);
  }
  checkRenoReordering(sk, acked);
}
