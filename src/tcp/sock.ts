// The control block of one connection or listener (struct tcp_sock, inet_connection_sock). Fields carry RFC 9293's and the
// kernel's names; all are initialised here so that every sock has one shape.

import type { Host } from '../core/host.js';
import type { Route } from '../ip/routes.js';
import { ByteQueue, QUEUE_RECEIVE } from '../memory/byte-queue.js';
import { IPPROTO_TCP, SOCK_STREAM } from '../uapi/socket.js';
import { TCP_CA_Open } from '../uapi/tcp.js';
import { forgetCounts } from './byte-counts.js';
import type { CongestionControl } from './congestion/congestion.js';
import { TCP_INFINITE_SSTHRESH, TCP_INIT_CWND, TCP_MSS_DEFAULT, TCP_TIMEOUT_INIT } from './constants.js';
import { usualPacingRate } from './pacing.js';
import { tcpPoll, writeSpace } from './poll.js';
import { RareSock } from './rare-sock.js';
import { ReceiveState, UNRECEIVED } from './receive-state.js';
import { spaceFromWindow } from './scaling-ratio.js';
import { SendState, UNSENT } from './send-state.js';
import { sendQueueCharge } from './size-goal.js';
import type { TcpShared } from './tcp-shared.js';
import type { TcpTimer } from './tcp-timer.js';
import { DEFAULT_TUNING, type TcpTuning } from './tuning.js';
import { NO_SEGMENTS, WriteQueue } from './write-queue.js';

/**
 * A TCP connection (struct tcp_sock). A congestion control reads it, and moves `sndCwnd` and `sndSsthresh`; names are the
 * kernel's in camel case.
 */
export class TcpSock extends RareSock {
  /** What it shares with the other TCP socks of its stack. */
  readonly tcp: TcpShared;
  /** Hash of the four-tuple, by which the demux table has it. */
  hash = 0;
  /** The next of its chain there (sk_nulls_node). */
  hashNext: TcpSock | null = null;
  /** Its way to the peer (sk_dst_cache); null: none is known. */
  route: Route | null = null;
  /** Options that most never set; `ownTuning` before writing. */
  tuning: TcpTuning = DEFAULT_TUNING;

  // Send sequence space (RFC 9293 section 3.3.1).
  /** Our initial sequence number (ISS). */
  iss = 0;
  /** snd_una: first sequence number that is not acknowledged. */
  sndUna = 0;
  /** snd_nxt: the next to be sent. */
  sndNxt = 0;
  /** snd_wnd: the window that the peer announced, bytes. */
  sndWnd = 0;
  /** snd_wl1: sequence number of the segment that announced it. */
  sndWl1 = 0;
  /** write_seq: end of what was written, FIN included. */
  writeSeq = 0;
  /** max_window: the largest that the peer announced, bytes. */
  maxWindow = 0;
  /** Bytes written and not acknowledged. */
  sndQueue: ByteQueue;
  /** Its segments, sent and unsent. */
  writeQueue: WriteQueue = NO_SEGMENTS;
  /** What it has in the network, and remembers of trouble; UNSENT, which must not be written to, before `ownTx` and after `fallQuiet`. */
  tx: SendState = UNSENT;
  /** mss_cache: largest payload of a segment that we send, bytes. */
  mss = TCP_MSS_DEFAULT;
  /** Path MTU that `mss` was made for (icsk_pmtu_cookie). */
  pmtu = 0;
  /** advmss: MSS that we announce, bytes; once established, less the room for timestamps. */
  advmss = 0;
  /** rx_opt.mss_clamp: MSS that the peer announced, bytes. */
  mssClamp = TCP_MSS_DEFAULT;

  // Receive sequence space.
  /** The peer's initial sequence number (IRS). */
  irs = 0;
  /** rcv_nxt: the next that is expected. */
  rcvNxt = 0;
  /** copied_seq: the next that a program reads. */
  copiedSeq = 0;
  /** rcv_wup: rcv_nxt when the window was last announced. */
  rcvWup = 0;
  /** rcv_wnd: the window announced then, bytes. */
  rcvWnd = 0;
  /** rcv_ssthresh: bound of the next one, bytes. */
  rcvSsthresh = 0;
  /** window_clamp: bound of them all, bytes. */
  windowClamp = 0;
  /** Bytes received in order and not read (sk_receive_queue). */
  rcvQueue: ByteQueue;
  /** What it remembers of trouble with what it received; UNRECEIVED, which must not be written to, until `ownRx`. */
  rx: ReceiveState = UNRECEIVED;
  /** icsk_ack.rcv_mss: the peer's segment size as estimated, bytes. */
  rcvMss = 0;
  /** icsk_ack.last_seg_size: of the last segment if that was smaller, bytes; what comes twice in a row is the new estimate. */
  lastRcvSize = 0;

  /** rx_opt.ts_recent: the timestamp that we echo (RFC 7323). */
  tsRecent = 0;
  /** Milliseconds of stack time at which tsRecent was taken; 0: never. */
  tsRecentStamp = 0;
  /** tsoffset: added to the time in our timestamps, milliseconds. */
  tsOffset = 0;

  /** icsk_ack.pending: ACK_* bits of what is owed, and DST_CONFIRM (sk_dst_pending_confirm). */
  ackPending = 0;
  /** icsk_ack.quick: how many more acknowledgements are not delayed. */
  ackQuick = 0;
  /** icsk_ack.pingpong: how often an answer went out within the delay; from tcp_pingpong_thresh on, interactive. */
  ackPingpong = 0;
  /** icsk_ack.ato: delay of acknowledgements, milliseconds. */
  ackAto = 0;
  /** icsk_ack.lrcvtime: when data last came, milliseconds of stack time. */
  lrcvtime = 0;
  /** When the last acknowledgement came; keepalive counts idleness from it. */
  rcvTstamp = 0;
  /** lsndtime: when data was last sent, milliseconds of stack time. */
  lsndtime = 0;

  // Round-trip time (RFC 6298): srtt << 3, mdev << 2, microseconds.
  /** srtt_us: smoothed round-trip time, eighths of a microsecond; 0: not measured. */
  srttUs = 0;
  /** mdev_us: its mean deviation, quarters of a microsecond. */
  mdevUs = TCP_TIMEOUT_INIT * 1000;
  /** mdev_max_us: the most of that in this round trip, not below the least timeout. */
  mdevMaxUs = 0;
  /** rttvar_us: what the timeout adds to the round trip, microseconds. */
  rttvarUs = 0;
  /** rtt_seq: once this is acknowledged, `rttvarUs` may fall. */
  rttSeq = 0;
  /** rtt_min: the least of the last `tcp_min_rtt_wlen` seconds, microseconds; 0: not measured. */
  minRttUs = 0;
  /** When that was measured, milliseconds of stack time. */
  minRttStamp = 0;
  /** icsk_rto: retransmission timeout, milliseconds. */
  rto = TCP_TIMEOUT_INIT;
  /** icsk_probes_out: probes without an answer. */
  probesOut = 0;

  /** icsk_ca_state: TCP_CA_Open … TCP_CA_Loss. */
  caState = TCP_CA_Open;
  /** icsk_ca_ops: its congestion control. */
  cc: CongestionControl;
  /** What the congestion control remembers of this sock; it knows the type. */
  caPriv: object | null = null;
  /** snd_cwnd: congestion window, segments. */
  sndCwnd = TCP_INIT_CWND;
  /** snd_cwnd_cnt: segments acknowledged since the window last grew, in congestion avoidance. */
  sndCwndCnt = 0;
  /** snd_cwnd_used: most segments that were out since the window was last full. */
  sndCwndUsed = 0;
  /** snd_ssthresh: slow-start threshold, segments. */
  sndSsthresh = TCP_INFINITE_SSTHRESH;
  /** snd_cwnd_stamp: when the window was last full, or moved; milliseconds of stack time. */
  sndCwndStamp = 0;
  /** reordering: how many segments may overtake another before it counts as lost. */
  reordering = 3;

  /** ECN_* of ecn.ts. */
  ecnFlags = 0;

  // Receive-buffer autotuning (tcp_rcv_space_adjust).
  /** rcv_rtt_est.rtt_us: round trip as the receiver sees it, eighths of a microsecond; 0: not measured. */
  rcvRttUs = 0;
  /** rcv_rtt_est.seq: the measurement by the window ends when this has come. */
  rcvRttSeq = 0;
  /** rcv_rtt_est.time: when it began, microseconds of stack time; 0: never. */
  rcvRttTime = 0;
  /** The echoed timestamp that was measured last. */
  rcvRttTsEcr = 0;
  /** rcvq_space.space: most that was read in a round trip, bytes. */
  rcvSpace = 0;
  /** rcvq_space.seq: `copiedSeq` when this round trip began. */
  rcvSpaceSeq = 0;
  /** rcvq_space.time: when it began, microseconds of stack time. */
  rcvSpaceTime = 0;

  /** icsk_delack_timer, once it was needed. */
  delackTimer: TcpTimer | null = null;

  /** data_segs_out: segments sent with data. */
  dataSegsOut = 0;
  /** data_segs_in: segments received with data. */
  dataSegsIn = 0;
  /** bytes_acked, but for whole gibibytes (byte-counts.ts). */
  ackedLow = 0;
  /** bytes_sent, likewise. */
  sentLow = 0;
  /** bytes_received, likewise. */
  receivedLow = 0;
  /** What `tx.chrono` had counted when it was let go of. */
  busyUs = 0;
  /** rate_delivered: segments delivered, when the rate was last measured. */
  rateDelivered = 0;
  /** rate_interval_us: in how many microseconds they were; 0: not measured yet. */
  rateIntervalUs = 0;
  /** segs_in: segments received. */
  segsIn = 0;
  /** segs_out: segments sent. */
  segsOut = 0;
  /** delivered: segments acknowledged or selected. */
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

  /** SOCK_STREAM */
  override get type(): number {
    return SOCK_STREAM;
  }

  /** IPPROTO_TCP */
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
