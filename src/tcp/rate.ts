// Delivery rate estimation (draft-cheng-iccrg-delivery-rate-estimation; tcp_rate.c): each segment remembers what had been
// delivered when it left, so that its ACK tells how fast data got through meanwhile. Filled by the ACK path, read by congestion
// controls and TCP_INFO.

import { after } from './seq.js';
import type { TcpSock } from './sock.js';
import {
  ROW_DELIVERED,
  ROW_DELIVERED_US,
  ROW_END,
  ROW_FIRST_US,
  ROW_FLAGS,
  ROW_LIMITED,
  ROW_RATED,
  ROW_SENT_US,
  TCPCB_RETRANS,
  TCPCB_SACKED_ACKED,
} from './write-queue.js';

/** One ACK's sample; the engine keeps a single instance and reuses it. */
export class RateSample {
  /** When `priorDelivered` had been reached, microseconds. */
  priorUs = 0;
  /** `sk.delivered` when the newest of the acknowledged segments left; valid if `hasPrior`. */
  priorDelivered = 0;
  /** Some segment was acknowledged or selected that tells how fast data got through. */
  hasPrior = false;
  /** Packets delivered over `intervalUs`; -1: no sample. */
  delivered = -1;
  /** The longer of the two intervals, of sending and of acknowledging, microseconds; -1: no sample. */
  intervalUs = -1;
  /** How long it took to send what was delivered, microseconds. */
  sndIntervalUs = 0;
  /** Round-trip time of the newest segment acknowledged, microseconds; -1: none. */
  rttUs = -1;
  /** Packets newly marked lost on this ACK. */
  losses = 0;
  /** Packets newly acknowledged or selected on this ACK. */
  ackedSacked = 0;
  /** Packets in flight before this ACK. */
  priorInFlight = 0;
  /** Where the newest of the acknowledged segments ends. */
  lastEndSeq = 0;
  /** It left while the program had too little to send: the path may be faster. */
  isAppLimited = false;
  /** It was sent more than once. */
  isRetrans = false;
  /** The peer may have held the ACK back: `rttUs` may be longer than the path. */
  isAckDelayed = false;

  /** Begins the sample of the next ACK; `priorInFlight` is in segments. */
  reset(priorInFlight: number): void {
    this.hasPrior = false;
    this.priorDelivered = 0;
    this.delivered = -1;
    this.intervalUs = -1;
    this.sndIntervalUs = 0;
    this.rttUs = -1;
    this.losses = 0;
    this.ackedSacked = 0;
    this.priorInFlight = priorInFlight;
    this.isAppLimited = false;
    this.isRetrans = false;
    this.isAckDelayed = false;
  }
}

/** tcp_rate_skb_sent: called before the packet is counted as in flight. `at`: word index of its row. */
export function rateSent(sk: TcpSock, at: number, firstOut: boolean): void {
  if (firstOut) {
    sk.tx.firstTxUs = sk.host.nowUs;
    sk.tx.deliveredUs = sk.host.nowUs;
    // RACK's last delivery is older than all that is sent from now on. Said anew, as its clock comes round in an hour.
    sk.tx.rackUs = (sk.host.nowUs - 1) | 0;
  }
  const { rows } = sk.writeQueue;
  rows[at + ROW_FIRST_US] = sk.tx.firstTxUs;
  rows[at + ROW_DELIVERED_US] = sk.tx.deliveredUs;
  rows[at + ROW_DELIVERED] = sk.delivered | 0;
  rows[at + ROW_FLAGS] =
    (rows[at + ROW_FLAGS] & ~ROW_LIMITED) | ROW_RATED | (sk.tx.appLimited !== 0 ? ROW_LIMITED : 0);
}

/** tcp_rate_skb_delivered: the row at `at` was acknowledged or selected. The most recently sent one makes the sample. */
export function rateDelivered(sk: TcpSock, at: number, sample: RateSample): void {
  const { rows } = sk.writeQueue;
  const flags = rows[at + ROW_FLAGS];
  if ((flags & ROW_RATED) === 0) return;
  // Selected now and acknowledged later must not count twice. What remains of a row acknowledged in part counts again.
  if ((flags & TCPCB_SACKED_ACKED) !== 0) rows[at + ROW_FLAGS] = flags & ~ROW_RATED;
  const sent = rows[at + ROW_SENT_US];
  const end = rows[at + ROW_END];
  if (sample.hasPrior && !sentAfter(sent, sk.tx.firstTxUs, end, sample.lastEndSeq)) return;
  sample.hasPrior = true;
  sample.priorDelivered = rows[at + ROW_DELIVERED];
  sample.priorUs = rows[at + ROW_DELIVERED_US];
  sample.isAppLimited = (flags & ROW_LIMITED) !== 0;
  sample.isRetrans = (flags & TCPCB_RETRANS) !== 0;
  sample.lastEndSeq = end;
  sample.sndIntervalUs = (sent - rows[at + ROW_FIRST_US]) | 0;
  sk.tx.firstTxUs = sent;
}

/** tcp_skb_sent_after: by time, and by sequence number where that is equal. */
function sentAfter(t1: number, t2: number, seq1: number, seq2: number): boolean {
  const order = (t1 - t2) | 0;
  return order > 0 || (order === 0 && after(seq1, seq2));
}

/** tcp_rate_gen: completes the sample of this ACK. `delivered`, `lost`: packets newly so. */
export function rateGenerate(
  sk: TcpSock,
  delivered: number,
  lost: number,
  reneged: boolean,
  sample: RateSample,
): void {
  const now = sk.host.nowUs;
  // The bubble of an application that had nothing to send is out of the pipe.
  if (sk.tx.appLimited !== 0 && after(sk.delivered | 0, sk.tx.appLimited)) sk.tx.appLimited = 0;
  if (delivered > 0) sk.tx.deliveredUs = now;
  sample.ackedSacked = delivered;
  sample.losses = lost;
  if (!sample.hasPrior || reneged) {
    sample.delivered = -1;
    sample.intervalUs = -1;
    return;
  }
  sample.delivered = (sk.delivered - sample.priorDelivered) | 0;
  const ackInterval = (now - sample.priorUs) | 0;
  sample.intervalUs = ackInterval > sample.sndIntervalUs ? ackInterval : sample.sndIntervalUs;
  // Below the least round trip there is compression at work, not delivery.
  if (sample.intervalUs < minRtt(sk)) {
    sample.intervalUs = -1;
    return;
  }
  if (!sample.isAppLimited || sample.delivered * sk.rateIntervalUs >= sk.rateDelivered * sample.intervalUs) {
    sk.rateDelivered = sample.delivered;
    sk.rateIntervalUs = sample.intervalUs;
    sk.rateAppLimited = sample.isAppLimited;
  }
}

/** tcp_min_rtt: microseconds; without a sample as large as can be. */
export function minRtt(sk: TcpSock): number {
  return sk.minRttUs === 0 ? 0x7fffffff : sk.minRttUs;
}

/** tcp_rate_check_app_limited: there is nothing to send although the network would take more. */
export function rateCheckAppLimited(sk: TcpSock): void {
  if (sk.notsent >= sk.mss || sk.inFlight >= sk.sndCwnd || sk.tx.lostOut > sk.tx.retransOut) return;
  sk.tx.appLimited = (sk.delivered + sk.inFlight) | 0 || 1;
}
