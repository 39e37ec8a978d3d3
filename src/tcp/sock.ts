// The control block of one connection or listener (struct tcp_sock, inet_connection_sock). Fields carry RFC 9293's and the
// kernel's names; all are initialised here so that every sock has one shape.

import type { Host } from '../core/host.js';
import { Sock } from '../core/sock.js';
import type { WindowedMin } from '../core/windowed-min.js';
import type { Route } from '../ip/routes.js';
import { ByteQueue } from '../memory/byte-queue.js';
import type { Timer } from '../time/timer-wheel.js';
import { AF_INET, IPPROTO_TCP, SOCK_STREAM } from '../uapi/socket.js';
import { TCP_CA_Open } from '../uapi/tcp.js';
import type { AckCompression } from './ack-compression.js';
import type { Backlog } from './backlog.js';
import type { Chrono } from './chrono.js';
import type { CongestionControl } from './congestion/congestion.js';
import { TCP_INFINITE_SSTHRESH, TCP_INIT_CWND, TCP_MSS_DEFAULT, TCP_TIMEOUT_INIT } from './constants.js';
import { FastOpenState } from './fastopen.js';
import type { ListenState } from './listen-state.js';
import type { MtuProbing } from './mtu-probe.js';
import { tcpPoll, writeSpace } from './poll.js';
import type { Reassembly } from './reassembly.js';
import type { TcpShared } from './shared.js';
import { sendQueueCharge } from './size-goal.js';
import { WriteQueue } from './write-queue.js';

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

  clone(): TcpTuning {
    return Object.assign(new TcpTuning(), this);
  }
}

const DEFAULT_TUNING = Object.freeze(new TcpTuning());

export class TcpSock extends Sock {
  readonly tcp: TcpShared;
  /** Hash of the four-tuple, and the chain in the demux table. */
  hash = 0;
  hashNext: TcpSock | null = null;
  hashed = false;
  route: Route | null = null;
  tuning: TcpTuning = DEFAULT_TUNING;
  /** Segments that came while a syscall was inside (sk_backlog). */
  backlog: Backlog | null = null;
  /** Listener's queues; null unless LISTEN. */
  listener: ListenState | null = null;
  fastopen: FastOpenState | null = null;
  /** The listener whose accept queue this child stands in, and the child behind it. */
  parent: TcpSock | null = null;
  acceptNext: TcpSock | null = null;

  // Send sequence space (RFC 9293 section 3.3.1).
  iss = 0;
  sndUna = 0;
  sndNxt = 0;
  sndWnd = 0;
  sndWl1 = 0;
  writeSeq = 0;
  pushedSeq = 0;
  maxWindow = 0;
  /** End of the last small segment sent (Minshall's variant of Nagle). */
  sndSml = 0;
  readonly sndQueue: ByteQueue;
  /** Sequence number of the first byte of `sndQueue`. */
  sndQueueSeq = 0;
  /** Its segments, sent and unsent. */
  readonly writeQueue = new WriteQueue();
  /** Nothing before this sequence number wants to be sent again (retransmit_skb_hint). */
  rtxHint = 0;
  finQueued = false;
  nonagle = 0;
  sndWscale = 0;
  mss = TCP_MSS_DEFAULT;
  /** Path MTU that `mss` was made for (icsk_pmtu_cookie). */
  pmtu = 0;
  /** While the path is searched for larger packets (RFC 4821). */
  mtup: MtuProbing | null = null;
  advmss = TCP_MSS_DEFAULT;
  mssClamp = TCP_MSS_DEFAULT;
  urgMode = false;
  sndUp = 0;

  // Receive sequence space.
  irs = 0;
  rcvNxt = 0;
  copiedSeq = 0;
  rcvWup = 0;
  rcvWnd = 0;
  rcvSsthresh = 0;
  windowClamp = 0;
  rcvWscale = 0;
  readonly rcvQueue: ByteQueue;
  reassembly: Reassembly | null = null;
  /** SOCK_DONE: the peer's FIN was received. */
  done = false;
  urgData = 0;
  urgSeq = 0;
  rcvMss = TCP_MSS_DEFAULT;
  lastRcvSize = 0;
  dsackStart = 0;
  dsackEnd = 0;
  dsackPending = false;

  // Negotiated options (RFC 7323, 2018).
  tstampOk = false;
  sackOk = false;
  wscaleOk = false;
  tsRecent = 0;
  /** Seconds of stack time at which tsRecent was taken; 0: never. */
  tsRecentStamp = 0;
  tsOffset = 0;

  // Acknowledgement state (inet_csk.icsk_ack).
  ackPending = 0;
  ackQuick = 0;
  ackPingpong = 0;
  ackAto = 0;
  /** Where the transmit ring stood when data was last put into it. */
  txMark = 0;
  /** An ACK leaves with this batch. */
  ackDeferred = false;
  /** Made when duplicate acknowledgements may wait for each other. */
  compression: AckCompression | null = null;
  /** It stands in the list of those that the end of the batch looks at. */
  deferred = false;
  lrcvtime = 0;
  /** When the last acknowledgement came; keepalive counts idleness from it. */
  rcvTstamp = 0;
  lsndtime = 0;
  lastOowAckTime = 0;
  lastAckSent = 0;

  // Round-trip time (RFC 6298): srtt << 3, mdev << 2, microseconds.
  srttUs = 0;
  mdevUs = 0;
  mdevMaxUs = 0;
  rttvarUs = 0;
  rttSeq = 0;
  minRttUs = 0;
  minRttStamp = 0;
  /** The least round trip of the last five minutes, once there is more than one sample. */
  rttFilter: WindowedMin | null = null;
  rto = TCP_TIMEOUT_INIT;
  backoff = 0;
  retransmits = 0;
  /** Time of the first of a series of retransmissions, for user timeouts; 0: none. */
  retransStamp = 0;
  /** Timeouts in all, and since when the present series runs (tcpi_total_rto). */
  totalRto = 0;
  totalRtoRecoveries = 0;
  totalRtoMs = 0;
  rtoStamp = 0;
  probesOut = 0;
  probesStart = 0;

  // Congestion state.
  caState = TCP_CA_Open;
  cc: CongestionControl;
  /** What the congestion control remembers of this sock; it knows the type. */
  caPriv: object | null = null;
  sndCwnd = TCP_INIT_CWND;
  sndCwndCnt = 0;
  /** Bound of sndCwnd, if the route has one. */
  sndCwndClamp = TCP_INFINITE_SSTHRESH;
  sndSsthresh = TCP_INFINITE_SSTHRESH;
  sndCwndStamp = 0;
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
  reordering = 3;
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
  /** ECN_* of ecn.ts. */
  ecnFlags = 0;
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
  /** The congestion control wants its segments spread over time. */
  pacingNeeded = false;
  /** The next segment may leave at this time: microseconds, and nanoseconds of them. */
  pacingUs = 0;
  pacingNs = 0;
  pacingTimer: Timer | null = null;

  // Receive-buffer autotuning (tcp_rcv_space_adjust).
  rcvRttUs = 0;
  rcvRttSeq = 0;
  rcvRttTime = 0;
  rcvSpace = 0;
  rcvSpaceSeq = 0;
  rcvSpaceTime = 0;

  // Timers, made when first needed.
  pendingTimer = 0;
  retransmitTimer: Timer | null = null;
  delackTimer: Timer | null = null;
  keepaliveTimer: Timer | null = null;

  // What TCP_INFO counts.
  chrono: Chrono | null = null;
  rcvOooPack = 0;
  totalRetrans = 0;
  segsIn = 0;
  segsOut = 0;
  dataSegsIn = 0;
  dataSegsOut = 0;
  bytesAcked = 0;
  bytesReceived = 0;
  bytesSent = 0;
  bytesRetrans = 0;
  delivered = 0;

  constructor(host: Host, tcp: TcpShared, cc: CongestionControl, family = AF_INET) {
    super(host, family, SOCK_STREAM, IPPROTO_TCP, host.sysctl.tcpRmem[1], host.sysctl.tcpWmem[1]);
    this.tcp = tcp;
    this.cc = cc;
    this.sndQueue = new ByteQueue(host.memory, tcp.memory);
    this.rcvQueue = new ByteQueue(host.memory, tcp.memory);
    this.reordering = host.sysctl.tcpReordering;
  }

  /** The tuning of this sock alone, to be written. */
  ownTuning(): TcpTuning {
    this.tuning = this.tuning.clone();
    return this.tuning;
  }

  /** What it has to do with Fast Open, made now if there was nothing yet. */
  ownFastOpen(): FastOpenState {
    this.fastopen ??= new FastOpenState();
    return this.fastopen;
  }

  /** Bytes charged to the send queue (sk_wmem_queued). */
  get wmemQueued(): number {
    return sendQueueCharge(this);
  }

  /**
   * What received bytes are charged (sk_rmem_alloc): twice their number, as the kernel's packets weigh on average
   * (TCP_DEFAULT_SCALING_RATIO), so that SO_RCVBUF and tcp_rmem mean what they mean there. Runs out of order weigh at
   * least the memory that they hold.
   */
  get rmemAlloc(): number {
    const told = this.extras === null ? 0 : this.extras.errorQueue.charged;
    return this.rcvQueue.length * 2 + (this.reassembly === null ? 0 : this.reassembly.charge) + told;
  }

  /** Bytes written and not yet sent (tcp_notsent). */
  get notsent(): number {
    return (this.writeSeq - this.sndNxt) | 0;
  }

  /** Packets thought to be in the network (tcp_packets_in_flight). */
  get inFlight(): number {
    return this.packetsOut - this.sackedOut - this.lostOut + this.retransOut;
  }

  override poll(): number {
    return tcpPoll(this);
  }

  /** Packet memory was exhausted when this sock wanted some; now there is room. */
  memoryAvailable(): void {
    if (this.noSpace && !this.orphan) writeSpace(this);
  }
}
