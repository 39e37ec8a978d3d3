// Frees what an ACK acknowledges (tcp_clean_rtx_queue): counts what is newly delivered, takes the round-trip time, and notes what
// the order of arrival tells. ack.ts calls it between the scoreboard and recovery.

import {
  type AckState,
  FLAG_ACK_MAYBE_DELAYED,
  FLAG_ACKED,
  FLAG_CA_ALERT,
  FLAG_DATA_ACKED,
  FLAG_ORIG_SACK_ACKED,
  FLAG_RETRANS_DATA_ACKED,
  FLAG_SACK_RENEGING,
  FLAG_SET_XMIT_TIMER,
  FLAG_SYN_ACKED,
} from './ack-state.js';
import { CHRONO_BUSY, chronoStop } from './chrono.js';
import { probeAcked } from './path/mtu-probe.js';
import { rateDelivered } from './rate.js';
import { rackAdvance } from './recovery/rack.js';
import { checkSackReordering } from './recovery/scoreboard.js';
import { removeRenoSacks } from './recovery/scoreboard-marks.js';
import { rowLength, rowPackets } from './row-packets.js';
import { updateMinRtt, updateRtt } from './rtt.js';
import { after, before } from './seq.js';
import type { TcpSock } from './sock.js';
import { stampAcked } from './tx-marks.js';
import {
  ROW_END,
  ROW_FLAGS,
  ROW_SENT_US,
  ROW_SEQ,
  ROW_SYN,
  TCPCB_LOST,
  TCPCB_RETRANS,
  TCPCB_SACKED_ACKED,
  TCPCB_SACKED_RETRANS,
} from './write-queue.js';

/** `priorSacked`: what was selected before this ACK. */
export function cleanRtxQueue(sk: TcpSock, ack: AckState, priorSacked: number): void {
  const queue = sk.writeQueue;
  const { nowUs } = sk.host;
  const una = sk.sndUna;
  let reord = sk.sndNxt;
  let acked = 0;
  let whole = true;
  let timed = false;
  let firstUs = 0;
  let lastUs = 0;
  while (queue.sent > 0) {
    const at = queue.at(0);
    const { rows } = queue;
    const flags = rows[at + ROW_FLAGS];
    const seq = rows[at + ROW_SEQ];
    const end = rows[at + ROW_END];
    let packets = rowPackets(sk, 0);
    whole = !after(end, una);
    // Row by row, for what a row completes is told before the next one's stamps.
    if (sk.extras !== null) {
      // What is acknowledged of a large segment is cut off first (tcp_trim_head).
      const cut = !whole && packets > 1 && after(una, seq) ? (una - seq) | 0 : 0;
      stampAcked(sk, sk.extras, whole ? end : una, (seq + cut) | 0, rowLength(sk, 0) - cut);
    }
    if (!whole) {
      // A row of one packet stays as it was sent: that it began below `una` looks like reordering once all of it is acknowledged.
      if (packets === 1 || !after(una, seq)) break;
      // Part of a large segment (tcp_tso_acked).
      rows[at + ROW_SEQ] = una;
      packets -= rowPackets(sk, 0);
      if (packets === 0) break;
    }
    if ((flags & (TCPCB_RETRANS | TCPCB_SACKED_ACKED)) === 0) {
      // Sent once, and not told of before: it can be timed, and tells of the order.
      lastUs = rows[at + ROW_SENT_US];
      if (!timed) firstUs = lastUs;
      timed = true;
      if (before(seq, reord)) reord = seq;
      if (!after(end, sk.tx.highSeq)) ack.flag |= FLAG_ORIG_SACK_ACKED;
    }
    rowAcked(sk, ack, at, flags, packets);
    acked += packets;
    if (!whole) break;
    queue.shift();
  }
  if (queue.sent === 0) chronoStop(sk, CHRONO_BUSY);
  dropAcked(sk, una);
  const headSelected = queue.sent > 0 && (queue.rows[queue.at(0) + ROW_FLAGS] & TCPCB_SACKED_ACKED) !== 0;
  if (headSelected) ack.flag |= FLAG_SACK_RENEGING;
  let seqRttUs = -1;
  let caRttUs = -1;
  let sackRttUs = -1;
  if (timed && (ack.flag & FLAG_RETRANS_DATA_ACKED) === 0) {
    seqRttUs = (nowUs - firstUs) | 0;
    caRttUs = (nowUs - lastUs) | 0;
    if (acked === 1 && whole && priorSacked === 0 && mayBeDelayed(sk, ack))
      ack.flag |= FLAG_ACK_MAYBE_DELAYED;
  }
  if (ack.sacked) {
    sackRttUs = (nowUs - ack.firstSackUs) | 0;
    caRttUs = (nowUs - ack.lastSackUs) | 0;
  }
  ack.sample.isAckDelayed = (ack.flag & FLAG_ACK_MAYBE_DELAYED) !== 0;
  const measured = measureRtt(sk, ack, seqRttUs, sackRttUs, caRttUs);
  if ((ack.flag & FLAG_ACKED) !== 0) {
    ack.flag |= FLAG_SET_XMIT_TIMER;
    if (sk.mtup !== null) probeAcked(sk, sk.mtup);
    learnOrder(sk, ack, acked, reord);
  } else if (measured && sackRttUs >= 0 && queue.sent > 0) {
    // Measured on something sent after the head: its timeout does not begin anew with each such ACK, unless it is older.
    if (sackRttUs > ((nowUs - queue.rows[queue.at(0) + ROW_SENT_US]) | 0)) ack.flag |= FLAG_SET_XMIT_TIMER;
  }
  if (acked > 0 || ack.sacked) sk.cc.packetsAcked(sk, acked, ack.sample.rttUs);
}

/** The row at `at`, or `packets` of it, has left the network: no count has it any more, and the rate and RACK learn of it. */
function rowAcked(sk: TcpSock, ack: AckState, at: number, flags: number, packets: number): void {
  const { tx } = sk;
  if ((flags & TCPCB_RETRANS) !== 0) {
    if ((flags & TCPCB_SACKED_RETRANS) !== 0) tx.retransOut -= packets;
    ack.flag |= FLAG_RETRANS_DATA_ACKED;
  }
  if ((flags & TCPCB_SACKED_ACKED) !== 0) {
    tx.sackedOut -= packets;
  } else if (sk.sackOk) {
    sk.delivered += packets;
    if (!isSpurious(sk, ack, flags, sk.writeQueue.rows[at + ROW_SENT_US])) rackAdvance(sk, flags, at);
  }
  if ((flags & TCPCB_LOST) !== 0) tx.lostOut -= packets;
  tx.packetsOut -= packets;
  rateDelivered(sk, at, ack.sample);
  if ((flags & ROW_SYN) === 0) {
    ack.flag |= FLAG_DATA_ACKED;
  } else {
    ack.flag |= FLAG_SYN_ACKED;
    tx.retransStamp = 0;
  }
}

/** The peer may have waited with this acknowledgement: it is of one small packet, and nothing else has happened. */
function mayBeDelayed(sk: TcpSock, ack: AckState): boolean {
  return (
    ((sk.sndUna - ack.priorUna) | 0) < sk.mss &&
    ((ack.sample.priorDelivered + 1) | 0) === (sk.delivered | 0) &&
    (ack.flag & (FLAG_CA_ALERT | FLAG_SYN_ACKED)) === 0
  );
}

/** `acked` packets left the network, the lowest of those that were sent but once at `reord`: did they keep their order? */
function learnOrder(sk: TcpSock, ack: AckState, acked: number, reord: number): void {
  if (!sk.sackOk) {
    removeRenoSacks(sk, acked);
    // Without SACK nobody can tell whether the original or what was sent again made the progress.
    if ((ack.flag & FLAG_RETRANS_DATA_ACKED) !== 0) ack.flag &= ~FLAG_ORIG_SACK_ACKED;
  } else if (before(reord, ack.priorFack)) {
    // A hole that was never sent again has been filled.
    checkSackReordering(sk, reord, false);
  }
}

/** tcp_skb_spurious_retrans: the timestamp echoed is older than the retransmission, so the original has arrived. */
function isSpurious(sk: TcpSock, ack: AckState, flags: number, sentUs: number): boolean {
  if ((flags & TCPCB_RETRANS) === 0) return false;
  const { nowMs, nowUs } = sk.host;
  return ack.echoBefore(sk, (nowMs - Math.ceil(((nowUs - sentUs) | 0) / 1000)) | 0);
}

/** tcp_ack_update_rtt: by what was acknowledged, else by what was selected, else by the timestamp echoed (RFC 7323 section 4). */
function measureRtt(
  sk: TcpSock,
  ack: AckState,
  seqRttUs: number,
  sackRttUs: number,
  caRttUs: number,
): boolean {
  let rtt = seqRttUs < 0 ? sackRttUs : seqRttUs;
  let newest = caRttUs;
  if (rtt < 0 && (ack.flag & FLAG_ACKED) !== 0) {
    rtt = echoRtt(sk, ack.hasEcr, ack.tsEcr);
    newest = rtt;
  }
  ack.sample.rttUs = newest;
  if (rtt < 0) return false;
  updateMinRtt(sk, newest, (ack.flag & FLAG_ACK_MAYBE_DELAYED) !== 0);
  updateRtt(sk, rtt);
  return true;
}

/** tcp_rtt_tsopt_us: the round trip by the timestamp echoed, in microseconds; -1: it tells none. */
export function echoRtt(sk: TcpSock, hasEcr: boolean, tsEcr: number): number {
  if (!hasEcr || tsEcr === 0) return -1;
  const ms = (sk.host.nowMs + sk.tsOffset - tsEcr) | 0;
  return ms < 0 || ms > 0x1fffff ? -1 : Math.max(ms, 1) * 1000;
}

/** Frees the send queue up to `una`, where a SYN or FIN that was acknowledged has no byte. */
function dropAcked(sk: TcpSock, una: number): void {
  const { sndQueue: queue, tx } = sk;
  let count = (una - tx.sndQueueSeq) | 0;
  if (count > queue.length) count = queue.length;
  if (count > 0) {
    queue.drop(count);
    tx.sndQueueSeq = (tx.sndQueueSeq + count) | 0;
  }
  // No urgent pointer is left behind to look like one ahead when sequence numbers have come round.
  if (!before(una, tx.sndUp)) {
    tx.urgMode = false;
    tx.sndUp = una;
  }
}
