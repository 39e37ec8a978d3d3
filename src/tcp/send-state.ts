// What a sock remembers of what it has sent: loss recovery, rate, pacing, counters. Made with the first byte or FIN that is
// queued (`sk.ownTx`); until then all socks share UNSENT, which only reads, so that who never sends carries none of it.

import type { WindowedMin } from '../core/windowed-min.js';
import type { Timer } from '../time/timer-wheel.js';
import type { Chrono } from './chrono.js';
import { TIME_NONE } from './constants.js';

export class SendState {
  /** Nothing before this sequence number wants to be sent again (retransmit_skb_hint). */
  rtxHint = 0;
  urgMode = false;
  sndUp = 0;

  /** Timeouts of the retransmit timer in a row, and how often it was doubled. */
  retransmits = 0;
  backoff = 0;
  /** Time of the first of a series of retransmissions, for user timeouts; 0: none. */
  retransStamp = 0;
  /** Timeouts in all, and since when the present series runs (tcpi_total_rto). */
  totalRto = 0;
  totalRtoRecoveries = 0;
  totalRtoMs = 0;
  rtoStamp = 0;
  /** Since when a closed window is probed; 0: it is not. */
  probesStart = 0;
  pendingTimer = TIME_NONE;
  retransmitTimer: Timer | null = null;
  minRttStamp = 0;
  /** The least round trip of the last five minutes, once there is more than one sample. */
  rttFilter: WindowedMin | null = null;

  // How the window is used.
  sndCwndUsed = 0;
  maxPacketsOut = 0;
  cwndUsageSeq = 0;
  isCwndLimited = false;
  packetsOut = 0;
  sackedOut = 0;
  lostOut = 0;
  /** Packets ever marked lost. */
  lost = 0;
  retransOut = 0;
  highSeq = 0;
  /** Proportional rate reduction (RFC 6937). */
  prrDelivered = 0;
  prrOut = 0;
  priorCwnd = 0;
  reordSeen = 0;

  // What a reduction may be undone by; `undoMarked`: it still may be.
  undoMarked = false;
  undoMarker = 0;
  undoRetrans = 0;
  priorSsthresh = 0;
  /** F-RTO is finding out whether the timeout was spurious. */
  frto = false;
  dsackSeen = false;
  dsackDups = 0;
  /** End of the highest segment selected; valid while sackedOut > 0. */
  highestSack = 0;
  /** The blocks of the last ACK. */
  sackCache: Int32Array | null = null;
  /** The peer forgot what it had selected. */
  reneged = false;
  /** Packets delivered while the peer echoed marks. */
  deliveredCe = 0;
  /** The next new segment tells that the window was reduced (TCP_ECN_QUEUE_CWR). */
  queueCwr = false;

  // RACK-TLP (RFC 8985).
  rackUs = 0;
  rackOrder = 0;
  rackEndSeq = 0;
  rackRttUs = 0;
  rackAdvanced = false;
  rackDsackSeen = false;
  rackReoSteps = 1;
  rackReoPersist = 0;
  rackLastDelivered = 0;
  /** A loss probe is out; what was sent when it left; it was a retransmission. */
  tlpOut = false;
  tlpHighSeq = 0;
  tlpRetrans = false;

  // Delivery rate and pacing.
  firstTxUs = 0;
  deliveredUs = 0;
  /** Until `delivered` has passed it, the application was the limit; 0: it is not. */
  appLimited = 0;
  rateDelivered = 0;
  rateIntervalUs = 0;
  rateAppLimited = false;
  /** Bytes per second. */
  pacingRate = Infinity;
  /** The next segment may leave at this time: microseconds, and nanoseconds of them. */
  pacingUs = 0;
  pacingNs = 0;
  pacingTimer: Timer | null = null;

  // What TCP_INFO counts.
  chrono: Chrono | null = null;
  totalRetrans = 0;
  dataSegsOut = 0;
  bytesAcked = 0;
  bytesSent = 0;
  bytesRetrans = 0;

  /** Nothing is in the network any more, nor will what was be repaired (tcp_write_queue_purge). */
  purge(): void {
    this.packetsOut = 0;
    this.sackedOut = 0;
    this.lostOut = 0;
    this.retransOut = 0;
    this.undoMarked = false;
    this.tlpOut = false;
    this.frto = false;
    this.reneged = false;
    this.queueCwr = false;
    this.sackCache = null;
    this.backoff = 0;
  }
}

/** What a sock that has sent nothing has sent. Frozen: whoever writes must own one. */
export const UNSENT: SendState = Object.freeze(new SendState());
