// The control block of one connection or listener (struct tcp_sock, inet_connection_sock). Fields carry RFC 9293's and the
// kernel's names; all are initialised here so that every sock has one shape.

import type { Host } from '../core/host.js';
import type { Route } from '../ip/routes.js';
import { ByteQueue, QUEUE_RECEIVE } from '../memory/byte-queue.js';
import type { Timer } from '../time/timer-wheel.js';
import { IPPROTO_TCP, SOCK_STREAM } from '../uapi/socket.js';
import { TCP_CA_Open } from '../uapi/tcp.js';
import type { Backlog } from './backlog.js';
import { forgetCounts } from './byte-counts.js';
import type { CongestionControl } from './congestion/congestion.js';
import {
  TCP_DELACK_MAX,
  TCP_INFINITE_SSTHRESH,
  TCP_INIT_CWND,
  TCP_MSS_DEFAULT,
  TCP_RTO_MAX,
  TCP_RTO_MIN,
  TCP_TIMEOUT_INIT,
} from './constants.js';
import { FastOpenState } from './fastopen/fastopen.js';
import { FlaggedSock } from './flagged-sock.js';
import type { ListenState } from './listen/listen-state.js';
import { usualPacingRate } from './pacing.js';
import type { MtuProbing } from './path/mtu-probe.js';
import { tcpPoll, writeSpace } from './poll.js';
import { NOTHING_RARE, RareState } from './rare-state.js';
import { ReceiveState, UNRECEIVED } from './receive-state.js';
import { spaceFromWindow } from './scaling-ratio.js';
import { SendState, UNSENT } from './send-state.js';
import { sendQueueCharge } from './size-goal.js';
import type { TcpShared } from './tcp-shared.js';
import type { TcpTimer } from './tcp-timer.js';
import { NO_SEGMENTS, WriteQueue } from './write-queue.js';

/** Options that most sockets never touch, shared copy-on-write between a listener and its children. */
export class TcpTuning {
  /** Seconds; 0: the sysctl. */
  keepIdle = 0;
  keepIntvl = 0;
  keepCnt = 0;
  /** TCP_SYNCNT; 0: the sysctl. */
  synRetries = 0;
  /** TCP_LINGER2 in milliseconds; 0: the sysctl, negative: no FIN_WAIT2 at all. */
  linger2Ms = 0;
  userTimeoutMs = 0;
  /** Bytes; 0: the sysctl. */
  notsentLowat = 0;
  /** TCP_DEFER_ACCEPT as a number of SYN-ACK timeouts. */
  deferAccept = 0;
  userMss = 0;
  windowClamp = 0;
  /** TCP_RTO_MAX_MS; begins as the sysctl is when the socket is made. */
  rtoMaxMs = TCP_RTO_MAX;
  /** TCP_RTO_MIN_US; begins likewise. */
  rtoMinUs = TCP_RTO_MIN * 1000;
  /** TCP_DELACK_MAX_US, in milliseconds. */
  delackMaxMs = TCP_DELACK_MAX;
  thinLinearTimeouts = false;
  /** TCP_CONGESTION was set: children have this congestion control, too (icsk_ca_setsockopt). */
  controlChosen = false;

  clone(): TcpTuning {
    return Object.assign(new TcpTuning(), this);
  }
}

const DEFAULT_TUNING = Object.freeze(new TcpTuning());

/**
 * A TCP connection (struct tcp_sock). A congestion control reads it, and moves `sndCwnd` and `sndSsthresh`; names are the
 * kernel's in camel case.
 */
export class TcpSock extends FlaggedSock {
  readonly tcp: TcpShared;
  /** Hash of the four-tuple, and the chain in the demux table. */
  hash = 0;
  hashNext: TcpSock | null = null;
  route: Route | null = null;
  tuning: TcpTuning = DEFAULT_TUNING;
  /** What few have: a listener's queues, Fast Open, a backlog …; NOTHING_RARE, which must not be written to, until `ownRare`. */
  rare: RareState = NOTHING_RARE;

  // Send sequence space (RFC 9293 section 3.3.1).
  iss = 0;
  sndUna = 0;
  sndNxt = 0;
  sndWnd = 0;
  sndWl1 = 0;
  writeSeq = 0;
  maxWindow = 0;
  sndQueue: ByteQueue;
  /** Its segments, sent and unsent. */
  writeQueue: WriteQueue = NO_SEGMENTS;
  /** What it has in the network, and remembers of trouble; UNSENT, which must not be written to, before `ownTx` and after `fallQuiet`. */
  tx: SendState = UNSENT;
  mss = TCP_MSS_DEFAULT;
  /** Path MTU that `mss` was made for (icsk_pmtu_cookie). */
  pmtu = 0;
  advmss = 0;
  mssClamp = TCP_MSS_DEFAULT;

  // Receive sequence space.
  irs = 0;
  rcvNxt = 0;
  copiedSeq = 0;
  rcvWup = 0;
  rcvWnd = 0;
  rcvSsthresh = 0;
  windowClamp = 0;
  rcvQueue: ByteQueue;
  /** What it remembers of trouble with what it received; UNRECEIVED, which must not be written to, until `ownRx`. */
  rx: ReceiveState = UNRECEIVED;
  rcvMss = 0;
  lastRcvSize = 0;

  // Negotiated options (RFC 7323, 2018).
  tsRecent = 0;
  /** Milliseconds of stack time at which tsRecent was taken; 0: never. */
  tsRecentStamp = 0;
  tsOffset = 0;

  // Acknowledgement state (inet_csk.icsk_ack).
  ackPending = 0;
  ackQuick = 0;
  ackPingpong = 0;
  ackAto = 0;
  lrcvtime = 0;
  /** When the last acknowledgement came; keepalive counts idleness from it. */
  rcvTstamp = 0;
  lsndtime = 0;

  // Round-trip time (RFC 6298): srtt << 3, mdev << 2, microseconds.
  srttUs = 0;
  mdevUs = TCP_TIMEOUT_INIT * 1000;
  mdevMaxUs = 0;
  rttvarUs = 0;
  rttSeq = 0;
  minRttUs = 0;
  minRttStamp = 0;
  rto = TCP_TIMEOUT_INIT;
  probesOut = 0;

  // Congestion state.
  caState = TCP_CA_Open;
  cc: CongestionControl;
  /** What the congestion control remembers of this sock; it knows the type. */
  caPriv: object | null = null;
  sndCwnd = TCP_INIT_CWND;
  sndCwndCnt = 0;
  sndCwndUsed = 0;
  sndSsthresh = TCP_INFINITE_SSTHRESH;
  sndCwndStamp = 0;
  reordering = 3;

  /** ECN_* of ecn.ts. */
  ecnFlags = 0;

  // Receive-buffer autotuning (tcp_rcv_space_adjust).
  rcvRttUs = 0;
  rcvRttSeq = 0;
  rcvRttTime = 0;
  /** The echoed timestamp that was measured last. */
  rcvRttTsEcr = 0;
  rcvSpace = 0;
  rcvSpaceSeq = 0;
  rcvSpaceTime = 0;

  delackTimer: TcpTimer | null = null;

  // What TCP_INFO counts.
  dataSegsOut = 0;
  dataSegsIn = 0;
  ackedLow = 0;
  sentLow = 0;
  receivedLow = 0;
  /** What `tx.chrono` had counted when it was let go of. */
  busyUs = 0;
  /** The last delivery rate measured. */
  rateDelivered = 0;
  rateIntervalUs = 0;
  segsIn = 0;
  segsOut = 0;
  delivered = 0;

  constructor(host: Host, tcp: TcpShared, cc: CongestionControl) {
    super(host, host.sysctl.tcpRmem[1], host.sysctl.tcpWmem[1]);
    this.tcp = tcp;
    this.cc = cc;
    this.sndQueue = tcp.noBytes;
    this.rcvQueue = tcp.noBytes;
    this.reordering = host.sysctl.tcpReordering;
    // Nothing was measured yet, and nothing sent (tcp_init_sock).
    this.rateAppLimited = true;
  }

  override get type(): number {
    return SOCK_STREAM;
  }

  override get protocol(): number {
    return IPPROTO_TCP;
  }

  /** Its own memory of what it sends, and queues for it: something is about to be sent. */
  ownTx(): SendState {
    if (this.tx !== UNSENT) return this.tx;
    const { host, tcp } = this;
    const tx =
      tcp.spare.sends.pop() ?? new SendState(new ByteQueue(host.memory, tcp.memory), new WriteQueue());
    const { sndNxt } = this;
    tx.sndUp = sndNxt;
    tx.cwndUsageSeq = sndNxt;
    tx.pushedSeq = sndNxt;
    tx.sndSml = sndNxt;
    tx.sndQueueSeq = sndNxt;
    // That of a handshake at a listener is good from here on.
    if (this.minRttStamp === 0) this.minRttStamp = host.nowMs;
    tx.pacingRate = this.pacingRate;
    if (tx.retransmitTimer !== null) tx.retransmitTimer.sk = this;
    this.tx = tx;
    tcp.spare.taken(tx);
    this.sndQueue = tx.bytes as ByteQueue;
    this.writeQueue = tx.segments as WriteQueue;
    return tx;
  }

  /** Its own memory of trouble with what it received, made now if it had none. */
  ownRx(): ReceiveState {
    if (this.rx === UNRECEIVED) this.rx = new ReceiveState();
    return this.rx;
  }

  /** A receive queue of its own: data has come. */
  ownRcvQueue(): ByteQueue {
    const { tcp } = this;
    if (this.rcvQueue === tcp.noBytes)
      this.rcvQueue = tcp.spare.queues.pop() ?? new ByteQueue(tcp.host.memory, tcp.memory, QUEUE_RECEIVE);
    return this.rcvQueue;
  }

  /** Everything was read. */
  emptyRcvQueue(): void {
    if (this.rcvQueue === this.tcp.noBytes) return;
    this.tcp.spare.queues.push(this.rcvQueue);
    this.rcvQueue = this.tcp.noBytes;
  }

  /** As if nothing had been sent nor received (tcp_disconnect). The queues are empty. */
  forgetTransfers(): void {
    this.tcp.spare.left(this.tx);
    this.tx = UNSENT;
    this.rx = UNRECEIVED;
    if (this.rare.accecn !== null) this.rare.accecn = null;
    this.sndQueue = this.tcp.noBytes;
    this.rcvQueue = this.tcp.noBytes;
    this.writeQueue = NO_SEGMENTS;
    this.delivered = 0;
    forgetCounts(this);
    this.busyUs = 0;
    this.rcvRttUs = 0;
    this.rcvRttTsEcr = 0;
    this.rateAppLimited = true;
  }

  /** Bytes per second. */
  get pacingRate(): number {
    if (this.tx !== UNSENT) return this.tx.pacingRate;
    return this.srttUs === 0 || this.cc.controls ? Infinity : usualPacingRate(this);
  }

  set pacingRate(rate: number) {
    this.ownTx().pacingRate = rate;
  }

  /** The tuning of this sock alone, to be written. */
  ownTuning(): TcpTuning {
    this.tuning = this.tuning.clone();
    return this.tuning;
  }

  /** Its own record of what few have, made now if it had none. */
  ownRare(): RareState {
    if (this.rare === NOTHING_RARE) this.rare = new RareState();
    return this.rare;
  }

  get backlog(): Backlog | null {
    return this.rare.backlog;
  }

  get listener(): ListenState | null {
    return this.rare.listener;
  }

  set listener(listener: ListenState | null) {
    if (listener !== this.rare.listener) this.ownRare().listener = listener;
  }

  get fastopen(): FastOpenState | null {
    return this.rare.fastopen;
  }

  /** What it has to do with Fast Open, made now if there was nothing yet. */
  ownFastOpen(): FastOpenState {
    const rare = this.ownRare();
    rare.fastopen ??= new FastOpenState();
    return rare.fastopen;
  }

  get mtup(): MtuProbing | null {
    return this.rare.mtup;
  }

  set mtup(mtup: MtuProbing | null) {
    if (mtup !== this.rare.mtup) this.ownRare().mtup = mtup;
  }

  get sndCwndClamp(): number {
    return this.rare.sndCwndClamp;
  }

  set sndCwndClamp(clamp: number) {
    if (clamp !== this.rare.sndCwndClamp) this.ownRare().sndCwndClamp = clamp;
  }

  get keepaliveTimer(): Timer | null {
    return this.rare.keepaliveTimer;
  }

  /** When an acknowledgement was last sent for a segment outside the window, or a challenge; 0: never. */
  get lastOowAckTime(): number {
    return this.rx.lastOowAckTime;
  }

  set lastOowAckTime(ms: number) {
    this.ownRx().lastOowAckTime = ms;
  }

  /** Bytes charged to the send queue (sk_wmem_queued). */
  get wmemQueued(): number {
    return sendQueueCharge(this);
  }

  /**
   * What received bytes are charged (sk_rmem_alloc): as the kernel's packets weigh (scaling-ratio.ts), so that SO_RCVBUF
   * and tcp_rmem mean what they mean there. Runs out of order weigh at least the memory that they hold.
   */
  get rmemAlloc(): number {
    const told = this.extras === null ? 0 : this.extras.errorQueue.charged;
    const { reassembly } = this.rx;
    const queued = spaceFromWindow(this.rcvMss, this.rcvQueue.length);
    return queued + (reassembly === null ? 0 : reassembly.charge) + told;
  }

  /** Bytes written and not yet sent (tcp_notsent). */
  get notsent(): number {
    return (this.writeSeq - this.sndNxt) | 0;
  }

  /** Packets thought to be in the network (tcp_packets_in_flight). */
  get inFlight(): number {
    const { tx } = this;
    return tx.packetsOut - tx.sackedOut - tx.lostOut + tx.retransOut;
  }

  override poll(): number {
    return tcpPoll(this);
  }

  /** Packet memory was exhausted when this sock wanted some; now there is room. */
  memoryAvailable(): void {
    if (this.noSpace && !this.orphan) writeSpace(this);
  }
}
