// RACK: a segment is lost when one sent sufficiently later was delivered (RFC 8985; tcp_recovery.c). The scoreboard and the
// write queue tell what was delivered, recovery.ts asks what is lost, and a timer waits out what may be mere reordering.

import { TCP_CA_Recovery } from '../../uapi/tcp.js';
import type { AckState } from '../ack-state.js';
import { TIME_REO_TIMEOUT } from '../constants.js';
import { minRtt } from '../rate.js';
import type { TcpSock } from '../sock.js';
import { armRetransmit } from '../tcp-timer.js';
import {
  ROW_END,
  ROW_FLAGS,
  ROW_ORDER,
  ROW_SENT_US,
  TCPCB_LOST,
  TCPCB_RETRANS,
  TCPCB_SACKED_ACKED,
  TCPCB_SACKED_RETRANS,
} from '../write-queue.js';
import { markLost } from './scoreboard-marks.js';

/** Bits of tcp_recovery. */
const TCP_RACK_STATIC_REO_WND = 2;
const TCP_RACK_NO_DUPTHRESH = 4;
/** Recoveries for which a widened reordering window is kept. */
export const TCP_RACK_RECOVERY_THRESH = 16;
const TIMEOUT_MIN_US = 2000;

/** tcp_skb_sent_after the row at `at`: by the order of sending where both left in one moment, by place where they left as one. */
function sentAfter(rows: Int32Array, at: number, us: number, order: number, end: number): boolean {
  let difference = (us - rows[at + ROW_SENT_US]) | 0;
  if (difference === 0) difference = (order - rows[at + ROW_ORDER]) | 0;
  if (difference === 0) difference = (end - rows[at + ROW_END]) | 0;
  return difference > 0;
}

/** tcp_rack_advance: the row at word index `at`, with these marks when it came to the ACK, was delivered. */
export function rackAdvance(sk: TcpSock, flags: number, at: number): void {
  const { rows } = sk.writeQueue;
  const sentUs = rows[at + ROW_SENT_US];
  const rtt = (sk.host.nowUs - sentUs) | 0;
  // Sooner than possible: this answers the original, not the retransmission (RFC 8985 section 6.2 step 2).
  if (rtt < minRtt(sk) && (flags & TCPCB_RETRANS) !== 0) return;
  sk.tx.rackAdvanced = true;
  sk.tx.rackRttUs = rtt;
  if (!sentAfter(rows, at, sk.tx.rackUs, sk.tx.rackOrder, sk.tx.rackEndSeq)) {
    sk.tx.rackUs = sentUs;
    sk.tx.rackOrder = rows[at + ROW_ORDER];
    sk.tx.rackEndSeq = rows[at + ROW_END];
  }
}

/** tcp_rack_reo_wnd: how much later than expected a segment may be, microseconds (RFC 8985 section 6.2 step 4). */
function reorderingWindow(sk: TcpSock): number {
  if (sk.tx.reordSeen === 0) {
    // Without reordering so far, be quick while recovering or when DupThresh would have begun to.
    if (sk.caState >= TCP_CA_Recovery) return 0;
    if (sk.tx.sackedOut >= sk.reordering && (sk.host.sysctl.tcpRecovery & TCP_RACK_NO_DUPTHRESH) === 0)
      return 0;
  }
  const window = (minRtt(sk) >> 2) * sk.tx.rackReoSteps;
  return Math.min(window, sk.srttUs >> 3);
}

/** tcp_rack_skb_timeout: microseconds left to a segment sent at `sentUs`. */
export function rackTimeLeft(sk: TcpSock, sentUs: number, window: number): number {
  return sk.tx.rackRttUs + window - ((sk.host.nowUs - sentUs) | 0);
}

/** tcp_rack_detect_loss: marks what is lost by now; returns the time until the next may be, microseconds, 0 for none. */
export function rackDetectLoss(sk: TcpSock): number {
  const window = reorderingWindow(sk);
  const queue = sk.writeQueue;
  const { rackUs, rackOrder, rackEndSeq } = sk.tx;
  let timeout = 0;
  for (let i = 0; i < queue.sent; i++) {
    const { rows } = queue;
    const at = queue.at(i);
    const flags = rows[at + ROW_FLAGS];
    if ((flags & TCPCB_SACKED_ACKED) !== 0) continue;
    if ((flags & (TCPCB_LOST | TCPCB_SACKED_RETRANS)) === TCPCB_LOST) continue;
    if (!sentAfter(rows, at, rackUs, rackOrder, rackEndSeq)) {
      // Segments sent once stand in the order they were sent: none further on is older.
      if ((flags & TCPCB_RETRANS) === 0) break;
      continue;
    }
    const left = rackTimeLeft(sk, rows[at + ROW_SENT_US], window);
    if (left <= 0) markLost(sk, i);
    else if (left > timeout) timeout = left;
  }
  return timeout;
}

/** tcp_rack_mark_lost: true if the reordering timer took the place of the retransmission timer. */
export function rackMarkLost(sk: TcpSock): boolean {
  if (!sk.tx.rackAdvanced) return false;
  sk.tx.rackAdvanced = false;
  const timeout = rackDetectLoss(sk);
  if (timeout === 0) return false;
  armRetransmit(sk, TIME_REO_TIMEOUT, Math.min(Math.ceil((timeout + TIMEOUT_MIN_US) / 1000), sk.rto));
  return true;
}

/** tcp_rack_update_reo_wnd: each round trip with a D-SACK widens the window by a quarter of the least RTT (section 6.2 step 4). */
export function rackUpdateWindow(sk: TcpSock, ack: AckState): void {
  if ((sk.host.sysctl.tcpRecovery & TCP_RACK_STATIC_REO_WND) !== 0 || !ack.sample.hasPrior) return;
  if (((ack.sample.priorDelivered - sk.tx.rackLastDelivered) | 0) < 0) sk.tx.rackDsackSeen = false;
  if (sk.tx.rackDsackSeen) {
    if (sk.tx.rackReoSteps < 255) sk.tx.rackReoSteps++;
    sk.tx.rackDsackSeen = false;
    sk.tx.rackLastDelivered = sk.delivered | 0;
    sk.tx.rackReoPersist = TCP_RACK_RECOVERY_THRESH;
  } else if (sk.tx.rackReoPersist === 0) {
    sk.tx.rackReoSteps = 1;
  }
}
