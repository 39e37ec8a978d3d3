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

/** struct tcp_info; rto, ato, rtt and rttvar are microseconds, last_* milliseconds, cwnd and counts segments. */
export interface TcpInfo {
  state: number;
  ca_state: number;
  retransmits: number;
  probes: number;
  backoff: number;
  options: number;
  snd_wscale: number;
  rcv_wscale: number;
  rto: number;
  ato: number;
  snd_mss: number;
  rcv_mss: number;
  unacked: number;
  sacked: number;
  lost: number;
  retrans: number;
  last_data_sent: number;
  last_data_recv: number;
  last_ack_recv: number;
  pmtu: number;
  rcv_ssthresh: number;
  rtt: number;
  rttvar: number;
  snd_ssthresh: number;
  snd_cwnd: number;
  advmss: number;
  reordering: number;
  rcv_rtt: number;
  rcv_space: number;
  total_retrans: number;
  bytes_acked: number;
  bytes_received: number;
  segs_out: number;
  segs_in: number;
  notsent_bytes: number;
  min_rtt: number;
  data_segs_in: number;
  data_segs_out: number;
  delivered: number;
  delivered_ce: number;
  bytes_sent: number;
  bytes_retrans: number;
  rcv_wnd: number;
  snd_wnd: number;
  /** Bytes per second; -1: unlimited. */
  pacing_rate: number;
  max_pacing_rate: number;
  /** Bytes per second, as last measured; `delivery_rate_app_limited`: the application was the limit then. */
  delivery_rate: number;
  delivery_rate_app_limited: number;
  /** Microseconds with unacknowledged data; of that, held up by the peer's window, and by the send buffer. */
  busy_time: number;
  rwnd_limited: number;
  sndbuf_limited: number;
  dsack_dups: number;
  reord_seen: number;
  rcv_ooopack: number;
  /** Timeouts, series of them that were got over, and milliseconds they took. */
  total_rto: number;
  total_rto_recoveries: number;
  total_rto_time: number;
  /** Segments received with CE in the IP header, and bytes of payload by what was there, ECN agreed on or not; modulo 2^32. */
  received_ce: number;
  received_e1_bytes: number;
  received_e0_bytes: number;
  received_ce_bytes: number;
  /** AccECN: the same of what the peer received from us, as its options tell. */
  delivered_e1_bytes: number;
  delivered_e0_bytes: number;
  delivered_ce_bytes: number;
  /** ACE_FAIL_* and OPT_FAIL_* of accecn.ts: what does not get through; OPT_*_SEEN: which option came first. */
  accecn_fail_mode: number;
  accecn_opt_seen: number;
  /** TFO_* of fastopen.ts: why the data of our SYN did not get through. */
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
