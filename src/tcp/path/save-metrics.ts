// What a connection leaves to the next one to the same peer, and what it begins with (tcp_update_metrics, tcp_init_metrics,
// tcp_init_cwnd): from close.ts when it ended well, from state.ts when it is established.

import { TCP_CA_Open } from '../../uapi/tcp.js';
import { DST_CONFIRM, TCP_INFINITE_SSTHRESH, TCP_INIT_CWND, TCP_TIMEOUT_FALLBACK } from '../constants.js';
import type { TcpSock } from '../sock.js';
import { rtoMinUs } from './route-hints.js';
import type { TcpMetrics } from './tcp-metrics.js';

/** Segments to begin with: the route's initcwnd, else ten (RFC 6928). */
export function initialCwnd(sk: TcpSock): number {
  const wanted = sk.route === null ? 0 : sk.route.metrics.initcwnd;
  return Math.min(wanted === 0 ? TCP_INIT_CWND : wanted, sk.sndCwndClamp);
}

/** tcp_init_metrics: the threshold, the degree of reordering and the first timeout of a new connection. */
export function initMetrics(sk: TcpSock): void {
  const { route, host } = sk;
  // Whatever the handshake's retransmissions did to it.
  sk.sndSsthresh = TCP_INFINITE_SSTHRESH;
  let rttUs = 0;
  if (route !== null) {
    sk.ackPending |= DST_CONFIRM;
    const known = sk.tcp.metrics.lookup(sk.saddr, sk.daddr, route.metrics);
    if (known !== null) {
      if (known.route.cwndLocked) sk.sndCwndClamp = known.cwnd;
      const ssthresh = host.sysctl.tcpNoSsthreshMetricsSave !== 0 ? 0 : known.ssthresh;
      if (ssthresh !== 0) sk.sndSsthresh = Math.min(ssthresh, sk.sndCwndClamp);
      if (known.reordering !== 0) sk.reordering = known.reordering;
      rttUs = known.rttUs;
    }
  }
  if (rttUs > sk.srttUs) {
    // The handshake's packets were small; data may take longer, as it did before.
    const rtt = Math.floor(rttUs / 8000);
    sk.rto = rtt + Math.max(2 * rtt, Math.ceil(rtoMinUs(sk) / 1000));
  } else if (sk.srttUs === 0) {
    // RFC 6298 section 5.7: the handshake told nothing about the path, so be careful.
    sk.rttvarUs = TCP_TIMEOUT_FALLBACK * 1000;
    sk.mdevUs = sk.rttvarUs;
    sk.mdevMaxUs = sk.rttvarUs;
    sk.rto = TCP_TIMEOUT_FALLBACK;
  }
}

/** tcp_update_metrics: the connection ended well, in TIME_WAIT or with the last ACK. */
export function updateMetrics(sk: TcpSock): void {
  const { route, host } = sk;
  if (route === null) return;
  const { sysctl } = host;
  if (sysctl.tcpNoMetricsSave !== 0) return;
  const table = sk.tcp.metrics;
  if (sk.tx.backoff !== 0 || sk.srttUs === 0) {
    // It could not measure the round trip: what was known of it is in doubt.
    const known = table.lookup(sk.saddr, sk.daddr, route.metrics);
    if (known !== null && !known.route.rttLocked) known.rttUs = 0;
    return;
  }
  const entry = table.lookupOrCreate(sk.saddr, sk.daddr, route.metrics);
  saveRtt(sk, entry);
  saveWindows(sk, entry, sysctl.tcpNoSsthreshMetricsSave === 0 && !entry.route.ssthreshLocked);
  entry.stamp = host.nowMs;
}

/** A longer round trip counts at once, a shorter one by an eighth: too long is always better than too short. */
function saveRtt(sk: TcpSock, entry: TcpMetrics): void {
  const difference = entry.rttUs - sk.srttUs;
  if (!entry.route.rttLocked) entry.rttUs = difference <= 0 ? sk.srttUs : entry.rttUs - (difference >> 3);
  if (entry.route.rttvarLocked) return;
  const deviation = Math.max(Math.abs(difference) >> 1, sk.mdevUs);
  if (deviation >= entry.rttvarUs) entry.rttvarUs = deviation;
  else entry.rttvarUs -= (entry.rttvarUs - deviation) >> 2;
}

function saveWindows(sk: TcpSock, entry: TcpMetrics, saveSsthresh: boolean): void {
  const saveCwnd = !entry.route.cwndLocked;
  if (sk.sndSsthresh >= TCP_INFINITE_SSTHRESH) {
    // Slow start has not found its end yet.
    if (saveSsthresh && entry.ssthresh !== 0 && sk.sndCwnd >> 1 > entry.ssthresh)
      entry.ssthresh = sk.sndCwnd >> 1;
    if (saveCwnd && sk.sndCwnd > entry.cwnd) entry.cwnd = sk.sndCwnd;
  } else if (sk.sndCwnd >= sk.sndSsthresh && sk.caState === TCP_CA_Open) {
    if (saveSsthresh) entry.ssthresh = Math.max(sk.sndCwnd >> 1, sk.sndSsthresh);
    if (saveCwnd) entry.cwnd = (entry.cwnd + sk.sndCwnd) >>> 1;
  } else {
    // A window in recovery says little; half of what the threshold says.
    if (saveCwnd) entry.cwnd = (entry.cwnd + sk.sndSsthresh) >>> 1;
    if (saveSsthresh && entry.ssthresh !== 0 && sk.sndSsthresh > entry.ssthresh)
      entry.ssthresh = sk.sndSsthresh;
    const unusual = sk.reordering > entry.reordering && sk.reordering !== sk.host.sysctl.tcpReordering;
    if (unusual && !entry.route.reorderingLocked) entry.reordering = sk.reordering;
  }
}
