// What TCP_INFO tells (tcp_get_info), in Linux's units: times in milliseconds or microseconds as named there.

import {
  TCP_LISTEN,
  TCP_SYN_SENT,
  TCPI_OPT_ECN,
  TCPI_OPT_ECN_SEEN,
  TCPI_OPT_SACK,
  TCPI_OPT_SYN_DATA,
  TCPI_OPT_TIMESTAMPS,
  TCPI_OPT_WSCALE,
} from '../uapi/tcp.js';
import { bytesAcked, bytesReceived, bytesSent } from './byte-counts.js';
import { CHRONO_BUSY, CHRONO_RWND_LIMITED, CHRONO_SNDBUF_LIMITED, chronoTotal } from './chrono.js';
import { ECN_ANY, ECN_SEEN } from './ecn/ecn.js';
import type { ListenState } from './listen/listen-state.js';
import type { TcpSock } from './sock.js';

/**
 * struct tcp_info, its names without `tcpi_` (tcp_get_info; in parentheses, the field of struct tcp_sock it shows). Segments are what
 * the wire carries: a large one that the device cuts counts for each of its parts.
 */
export interface TcpInfo {
  /** TCP_ESTABLISHED … TCP_CLOSING (sk_state). */
  state: number;
  /** TCP_CA_Open … TCP_CA_Loss (icsk_ca_state). */
  ca_state: number;
  /** Retransmission timeouts in a row (icsk_retransmits). */
  retransmits: number;
  /** Probes of a closed window, or of keepalive, that nobody has answered (icsk_probes_out). */
  probes: number;
  /** How often the timeout was doubled (icsk_backoff). */
  backoff: number;
  /** TCPI_OPT_*: what both ends agreed on, or have seen. */
  options: number;
  /** Shift of the windows that the peer announces (rx_opt.snd_wscale). */
  snd_wscale: number;
  /** Shift of those that we announce (rx_opt.rcv_wscale). */
  rcv_wscale: number;
  /** Retransmission timeout, microseconds (icsk_rto; RFC 6298). */
  rto: number;
  /** How long acknowledgements are put off, microseconds (icsk_ack.ato); 0: no data came yet. */
  ato: number;
  /** Largest payload of a segment that we send, bytes (mss_cache). */
  snd_mss: number;
  /** The peer's, bytes, as its segments let us think (icsk_ack.rcv_mss; tcp_measure_rcv_mss). */
  rcv_mss: number;
  /** Segments sent and not acknowledged (packets_out). Of a listener: connections waiting for accept() (sk_ack_backlog). */
  unacked: number;
  /** Of these, selected by SACK, or guessed from duplicate acknowledgements (sacked_out). Of a listener: its backlog (sk_max_ack_backlog). */
  sacked: number;
  /** Of these, thought lost (lost_out). */
  lost: number;
  /** Retransmissions thought to be in the network (retrans_out). */
  retrans: number;
  /** Milliseconds since data was sent, or the handshake was over (lsndtime); 0: neither yet. */
  last_data_sent: number;
  /** Milliseconds since data came, or the handshake was over (icsk_ack.lrcvtime); 0: neither yet. */
  last_data_recv: number;
  /** Milliseconds since an acknowledgement came (rcv_tstamp); 0: none yet. */
  last_ack_recv: number;
  /** Path MTU that `snd_mss` was made for, bytes (icsk_pmtu_cookie). */
  pmtu: number;
  /** Bound of the window that is announced, bytes; grows with well-filled segments (rcv_ssthresh; tcp_grow_window). */
  rcv_ssthresh: number;
  /** Smoothed round-trip time, microseconds (srtt_us >> 3); 0: not measured. */
  rtt: number;
  /** Its mean deviation, microseconds (mdev_us >> 2). */
  rttvar: number;
  /** Slow-start threshold, segments; 2^31 - 1: none yet. */
  snd_ssthresh: number;
  /** Congestion window, segments. */
  snd_cwnd: number;
  /** MSS that we announced, bytes, less the room for timestamps if they are agreed on. */
  advmss: number;
  /** By how many segments another may be overtaken before it counts as lost. */
  reordering: number;
  /** Round-trip time as the receiver sees it, microseconds (rcv_rtt_est; tcp_rcv_rtt_update); 0: not measured. */
  rcv_rtt: number;
  /** Most that the program has read in such a round trip, bytes; begins with the first window (rcvq_space.space; tcp_rcv_space_adjust). */
  rcv_space: number;
  /** Segments that were sent again. */
  total_retrans: number;
  /** Bytes that the peer acknowledged; a SYN or FIN counts as one (tcp_snd_una_update). */
  bytes_acked: number;
  /** Bytes received in order; a FIN counts as one (tcp_rcv_nxt_update). */
  bytes_received: number;
  /** Segments sent, of any kind. */
  segs_out: number;
  /** Segments received, of any kind (tcp_segs_in). */
  segs_in: number;
  /** Bytes written and not sent yet (write_seq - snd_nxt). */
  notsent_bytes: number;
  /** Least round-trip time of the last `tcp_min_rtt_wlen` seconds, microseconds; 2^32 - 1: not measured. */
  min_rtt: number;
  /** Segments received with data. */
  data_segs_in: number;
  /** Segments sent with data. */
  data_segs_out: number;
  /** Segments acknowledged or selected, the SYN among them, and those that arrived twice. */
  delivered: number;
  /** Of these, how many were marked on their way, as far as the peer tells: with RFC 3168's ECE, all of an acknowledgement that bears it. */
  delivered_ce: number;
  /** Bytes of data sent, each time they were. */
  bytes_sent: number;
  /** Bytes of data sent again. */
  bytes_retrans: number;
  /** The window that we announced last, bytes. */
  rcv_wnd: number;
  /** The window that the peer announced last, bytes. */
  snd_wnd: number;
  /** Bytes per second (sk_pacing_rate); -1: unlimited. */
  pacing_rate: number;
  /** SO_MAX_PACING_RATE, bytes per second; -1: unlimited. */
  max_pacing_rate: number;
  /** Bytes per second, as last measured (tcp_compute_delivery_rate). */
  delivery_rate: number;
  /** 1: that measurement was bounded by how much the program had to send (rate_app_limited); else 0. */
  delivery_rate_app_limited: number;
  /** Microseconds in which something was unacknowledged (tcp_chrono_start). */
  busy_time: number;
  /** Of these, held up by the peer's window. */
  rwnd_limited: number;
  /** Of these, held up by the send buffer. */
  sndbuf_limited: number;
  /** Segments that the peer said it had received twice (DSACK, RFC 2883). */
  dsack_dups: number;
  /** How often segments were seen to have overtaken each other. */
  reord_seen: number;
  /** Segments received out of order. */
  rcv_ooopack: number;
  /** Retransmission timeouts in all. */
  total_rto: number;
  /** Series of them, with one that is not over (tcp_update_rto_stats). */
  total_rto_recoveries: number;
  /** Milliseconds that these took, so far. */
  total_rto_time: number;
  /** Segments received with CE in the IP header, ECN agreed on or not; modulo 2^32. */
  received_ce: number;
  /** Bytes of payload received under ECT(1), likewise. */
  received_e1_bytes: number;
  /** Under ECT(0). */
  received_e0_bytes: number;
  /** Under CE. */
  received_ce_bytes: number;
  /** Bytes that the peer received from us under ECT(1), as its AccECN options tell (RFC 9768); modulo 2^32. */
  delivered_e1_bytes: number;
  /** Under ECT(0). */
  delivered_e0_bytes: number;
  /** Under CE. */
  delivered_ce_bytes: number;
  /** AccECN: bits of what does not get through, 2: the peer's ACE field, 8: its options. */
  accecn_fail_mode: number;
  /** AccECN: which option has come. 0: none, 1: an empty one, 2: one with counters, 3: one that was zeroed on its way. */
  accecn_opt_seen: number;
  /** Why the data of our SYN did not get through. 0: it did, or there was none; 1: no cookie, 2: not acknowledged, 3: the SYN went out again. */
  fastopen_client_fail: number;
}

export function tcpInfo(sk: TcpSock): TcpInfo {
  const { listener } = sk;
  if (sk.state === TCP_LISTEN && listener !== null) return listenerInfo(sk, listener);
  return connectionInfo(sk);
}

/** What means something for a listener; its accept queue and backlog stand in for counts. The rest is 0. */
function listenerInfo(sk: TcpSock, listener: ListenState): TcpInfo {
  const info = connectionInfo(sk);
  const { state, pacing_rate, max_pacing_rate, reordering, snd_cwnd } = info;
  for (const name of Object.keys(info) as (keyof TcpInfo)[]) info[name] = 0;
  const { acceptLength: unacked, backlog: sacked } = listener;
  return Object.assign(info, { state, pacing_rate, max_pacing_rate, reordering, snd_cwnd, unacked, sacked });
}

function connectionInfo(sk: TcpSock): TcpInfo {
  const { host } = sk;
  const { accecn } = sk.rare;
  const since = (stamp: number): number => (stamp === 0 ? 0 : (host.nowMs - stamp) >>> 0);
  // What our SYN offers is agreed on when the peer's has come.
  const agreed = sk.state !== TCP_SYN_SENT && sk.rcvNxt !== 0;
  return {
    state: sk.state,
    ca_state: sk.caState,
    retransmits: sk.tx.retransmits,
    probes: sk.probesOut,
    backoff: sk.tx.backoff,
    options:
      (agreed && sk.tstampOk ? TCPI_OPT_TIMESTAMPS : 0) |
      (agreed && sk.sackOk ? TCPI_OPT_SACK : 0) |
      (agreed && sk.wscaleOk ? TCPI_OPT_WSCALE : 0) |
      ((sk.ecnFlags & ECN_ANY) !== 0 ? TCPI_OPT_ECN : 0) |
      ((sk.ecnFlags & ECN_SEEN) !== 0 ? TCPI_OPT_ECN_SEEN : 0) |
      (sk.fastopen?.synDataAcked ? TCPI_OPT_SYN_DATA : 0),
    snd_wscale: agreed && sk.wscaleOk ? sk.sndWscale : 0,
    rcv_wscale: agreed && sk.wscaleOk ? sk.rcvWscale : 0,
    rto: sk.rto * 1000,
    ato: sk.ackAto * 1000,
    snd_mss: sk.mss,
    rcv_mss: sk.rcvMss,
    unacked: sk.tx.packetsOut,
    sacked: sk.tx.sackedOut,
    lost: sk.tx.lostOut,
    retrans: sk.tx.retransOut,
    last_data_sent: since(sk.lsndtime),
    last_data_recv: since(sk.lrcvtime),
    last_ack_recv: since(sk.rcvTstamp),
    pmtu: Math.min(sk.pmtu, 65535),
    rcv_ssthresh: sk.rcvSsthresh,
    rtt: sk.srttUs >> 3,
    rttvar: sk.mdevUs >> 2,
    snd_ssthresh: sk.sndSsthresh,
    snd_cwnd: sk.sndCwnd,
    advmss: sk.advmss,
    reordering: sk.reordering,
    rcv_rtt: sk.rcvRttUs >> 3,
    rcv_space: sk.rcvSpace,
    total_retrans: sk.tx.totalRetrans,
    bytes_acked: bytesAcked(sk),
    bytes_received: bytesReceived(sk),
    segs_out: sk.segsOut,
    segs_in: sk.segsIn,
    notsent_bytes: Math.max(0, sk.notsent),
    min_rtt: sk.minRttUs === 0 ? 0xffffffff : sk.minRttUs,
    data_segs_in: sk.dataSegsIn,
    data_segs_out: sk.dataSegsOut,
    delivered: sk.delivered,
    delivered_ce: sk.tx.deliveredCe,
    bytes_sent: bytesSent(sk),
    bytes_retrans: sk.tx.bytesRetrans,
    rcv_wnd: sk.rcvWnd,
    snd_wnd: sk.sndWnd,
    pacing_rate: pacingRateOf(sk),
    max_pacing_rate: sk.maxPacingRate,
    delivery_rate: deliveryRateOf(sk),
    delivery_rate_app_limited: sk.rateAppLimited ? 1 : 0,
    busy_time: chronoTotal(sk, CHRONO_BUSY),
    rwnd_limited: chronoTotal(sk, CHRONO_RWND_LIMITED),
    sndbuf_limited: chronoTotal(sk, CHRONO_SNDBUF_LIMITED),
    dsack_dups: sk.tx.dsackDups,
    reord_seen: sk.tx.reordSeen,
    rcv_ooopack: sk.rx.rcvOooPack,
    total_rto: sk.tx.totalRto,
    total_rto_recoveries: sk.tx.totalRtoRecoveries,
    total_rto_time: sk.tx.totalRtoMs + since(sk.tx.rtoStamp),
    received_ce: sk.rx.receivedCe,
    received_e1_bytes: sk.rx.receivedEct1Bytes,
    received_e0_bytes: sk.rx.receivedEct0Bytes,
    received_ce_bytes: sk.rx.receivedCeBytes,
    delivered_e1_bytes: accecn === null ? 0 : accecn.delivered[0],
    delivered_e0_bytes: accecn === null ? 0 : accecn.delivered[1],
    delivered_ce_bytes: accecn === null ? 0 : accecn.delivered[2],
    accecn_fail_mode: accecn === null ? 0 : accecn.failMode,
    accecn_opt_seen: accecn === null ? 0 : accecn.optSeen,
    fastopen_client_fail: sk.fastopen === null ? 0 : sk.fastopen.clientFail,
  };
}

/** sk_pacing_rate: bytes per second; -1: unlimited. */
export function pacingRateOf(sk: TcpSock): number {
  return sk.pacingRate === Infinity ? -1 : Math.floor(sk.pacingRate);
}

/** tcp_compute_delivery_rate: bytes per second, as last measured. */
export function deliveryRateOf(sk: TcpSock): number {
  if (sk.rateIntervalUs === 0) return 0;
  return Math.floor((sk.rateDelivered * sk.mss * 1e6) / sk.rateIntervalUs);
}
