// What a sock remembers of what it has in the network, or had trouble with: loss recovery, rate, pacing. It gets one with the
// first byte or FIN that is queued (`sk.ownTx`), and lets go of it when all was acknowledged without trouble (quiet.ts).
// In between socks share UNSENT, which only reads: of many idle connections but a few carry any of it.

import type { WindowedMin } from '../core/windowed-min.js';
import type { ByteQueue } from '../memory/byte-queue.js';
import type { Timer } from '../time/timer-wheel.js';
import type { Chrono } from './chrono.js';
import { TIME_NONE } from './constants.js';
import type { TcpTimer } from './tcp-timer.js';
import type { WriteQueue } from './write-queue.js';

export class SendState {
  /** The queues of whoever owns it; null in UNSENT. */
  readonly bytes: ByteQueue | null;
  readonly segments: WriteQueue | null;

  /** Sequence number of the first byte of `bytes`. */
  sndQueueSeq = 0;
  pushedSeq = 0;
  /** End of the last small segment sent (Minshall's variant of Nagle). */
  sndSml = 0;
  /** Where the transmit ring stood when data was last put into it. */
  txMark = 0;
  /** Nothing before this sequence number wants to be sent again (retransmit_skb_hint). */
  rtxHint = 0;
  urgMode = false;
  sndUp = 0;

  /** Timeouts of the retransmit timer in a row, and how often it was doubled. */
  retransmits = 0;
  backoff = 0;
  /** Time of the first of a series of retransmissions, for user timeouts; 0: none (and moment 0 is -1: echoes must not be before). */
  retransStamp = 0;
  /** Timeouts in all, and since when the present series runs (tcpi_total_rto). */
  totalRto = 0;
  totalRtoRecoveries = 0;
  totalRtoMs = 0;
  rtoStamp = 0;
  /** Since when a closed window is probed; 0: it is not. */
  probesStart = 0;
  /** A sock has it (SpareStates counts). */
  inUse = false;
  pendingTimer = TIME_NONE;
  retransmitTimer: TcpTimer | null = null;
  /** The least round trip of the last five minutes, once there is more than one sample; valid if `filtered`. */
  rttFilter: WindowedMin | null = null;
  filtered = false;

  // How the window is used.
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
  /** Bytes per second. */
  pacingRate = Infinity;
  /** The next segment may leave at this time: microseconds, and nanoseconds of them. */
  pacingUs = 0;
  pacingNs = 0;
  pacingTimer: Timer | null = null;

  // What TCP_INFO counts.
  chrono: Chrono | null = null;
  totalRetrans = 0;
  bytesRetrans = 0;

  constructor(bytes: ByteQueue | null = null, segments: WriteQueue | null = null) {
    this.bytes = bytes;
    this.segments = segments;
  }

  /** Nothing is in the network, and nothing ever went wrong: what is left can be forgotten, or `reuse` clears it. */
  get calm(): boolean {
    const counts =
      this.packetsOut | this.lost | this.totalRetrans | this.totalRto | this.retransmits | this.backoff;
    const marks = this.highSeq | this.priorCwnd | this.retransStamp | this.probesStart | this.deliveredCe;
    const order = this.sackedOut | this.reordSeen | this.dsackDups;
    const flags = this.urgMode || this.undoMarked || this.dsackSeen || this.queueCwr || this.tlpOut;
    return (
      (counts | marks | order) === 0 &&
      !flags &&
      this.sackCache === null &&
      this.pendingTimer === TIME_NONE &&
      (this.chrono === null || this.chrono.plain)
    );
  }

  /** Makes a calm one as new, for the next sock. */
  reuse(): void {
    this.filtered = false;
    this.maxPacketsOut = 0;
    this.isCwndLimited = false;
    this.highestSack = 0;
    this.rackUs = 0;
    this.rackOrder = 0;
    this.rackEndSeq = 0;
    this.rackRttUs = 0;
    this.rackAdvanced = false;
    this.tlpHighSeq = 0;
    this.tlpRetrans = false;
    this.firstTxUs = 0;
    this.deliveredUs = 0;
    this.appLimited = 0;
    this.pacingUs = 0;
    this.pacingNs = 0;
  }

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
