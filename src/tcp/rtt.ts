// Round-trip time and retransmission timeout (RFC 6298 with Linux's variance rules; tcp_rtt_estimator, tcp_set_rto).

import { WindowedMin } from '../core/windowed-min.js';
import { rtoMinUs } from './path/route-hints.js';
import { after } from './seq.js';
import type { TcpSock } from './sock.js';

/** As much as can be kept in 31 bits, shifted by 3. A peer may echo a timestamp of any age; no timeout is as long in any case. */
const RTT_MOST_US = 0xfffffff;

/** Feeds one sample, in microseconds. srtt is kept shifted by 3, mdev by 2. */
export function rttEstimator(sk: TcpSock, sampleUs: number): void {
  const sample = sampleUs < 1 ? 1 : sampleUs > RTT_MOST_US ? RTT_MOST_US : sampleUs;
  const floor = rtoMinUs(sk);
  if (sk.srttUs === 0) {
    sk.srttUs = sample << 3;
    sk.mdevUs = sample << 1;
    sk.rttvarUs = Math.max(sk.mdevUs, floor);
    sk.mdevMaxUs = sk.rttvarUs;
    sk.rttSeq = sk.sndNxt;
    return;
  }
  let error = sample - (sk.srttUs >> 3);
  sk.srttUs += error;
  if (error < 0) {
    error = -error - (sk.mdevUs >> 2);
    // A falling round-trip time must not raise the variance as fast as a rising one does.
    if (error > 0) error >>= 3;
  } else {
    error -= sk.mdevUs >> 2;
  }
  sk.mdevUs += error;
  if (sk.mdevUs > sk.mdevMaxUs) {
    sk.mdevMaxUs = sk.mdevUs;
    if (sk.mdevMaxUs > sk.rttvarUs) sk.rttvarUs = sk.mdevMaxUs;
  }
  if (after(sk.sndUna, sk.rttSeq)) {
    if (sk.mdevMaxUs < sk.rttvarUs) sk.rttvarUs -= (sk.rttvarUs - sk.mdevMaxUs) >> 2;
    sk.rttSeq = sk.sndNxt;
    sk.mdevMaxUs = floor;
  }
}

/** __tcp_set_rto: milliseconds, rounded up. */
export function setRto(sk: TcpSock): void {
  const rto = Math.ceil(((sk.srttUs >> 3) + sk.rttvarUs) / 1000);
  const most = sk.tuning.rtoMaxMs;
  sk.rto = rto < most ? rto : most;
}

/** tcp_update_rtt_min: the least of the last tcp_min_rtt_wlen seconds; an ACK that may have been held back does not raise it. */
export function updateMinRtt(sk: TcpSock, rttUs: number, maybeDelayed: boolean): void {
  if (maybeDelayed && sk.minRttUs !== 0 && rttUs > sk.minRttUs) return;
  const sample = rttUs < 1 ? 1 : rttUs;
  const { nowMs, sysctl } = sk.host;
  if (sk.minRttUs === 0) {
    sk.minRttUs = sample;
    sk.minRttStamp = nowMs;
    return;
  }
  const { tx } = sk;
  if (tx.rttFilter === null) tx.rttFilter = new WindowedMin(sk.minRttStamp, sk.minRttUs);
  else if (!tx.filtered) tx.rttFilter.restart(sk.minRttStamp, sk.minRttUs);
  tx.filtered = true;
  sk.minRttUs = tx.rttFilter.update(sysctl.tcpMinRttWlen * 1000, nowMs, sample);
  sk.minRttStamp = tx.rttFilter.stamp;
}

/** The handshake's sample, if there is one: it begins the least round trip, too (tcp_synack_rtt_meas). */
export function firstRtt(sk: TcpSock, sampleUs: number): void {
  if (sampleUs < 0) return;
  sk.minRttUs = sampleUs < 1 ? 1 : sampleUs;
  updateRtt(sk, sampleUs);
}

/** A sample for the estimator and the timeout, if it is one; resets the backoff (tcp_ack_update_rtt). */
export function updateRtt(sk: TcpSock, sampleUs: number): void {
  if (sampleUs < 0) return;
  rttEstimator(sk, sampleUs);
  setRto(sk);
  if (sk.tx.backoff !== 0) sk.tx.backoff = 0;
}
