// CUBIC: after a loss the window returns to where the loss was along a cubic curve of time, whatever the round trip, and then
// feels its way beyond (RFC 9438; net/ipv4/tcp_cubic.c, whose constants and rounding these are). The default.

import { TCP_CA_Loss } from '../../uapi/tcp.js';
import type { TcpSock } from '../sock.js';
import { CA_EVENT_TX_START, CongestionControl, isCwndLimited } from './congestion.js';
import { HyStart } from './hystart.js';
import { additiveIncrease, slowStart } from './reno.js';

/** Fixed point of beta. */
const BETA_SCALE = 1024;
/** Ticks of the curve in a second. */
const CURVE_HZ = 1024;
/** C = 0.4 of RFC 9438, as 410 / 1024, on a curve whose time counts in 1024ths: 2^-40 * 410 per tick cubed. */
const RTT_SCALE = 410;
const CUBE_FACTOR = 2 ** 40 / RTT_SCALE;
/**
 * While it stays the same the window is looked at anew once a round trip, or 32 times a second, whichever is more often. Linux looks
 * 32 times a second: across a LAN that is after dozens of round trips, and a loss every 30 ms would never let it grow.
 */
const PERIOD_MS = 31;
/** Round-trip times right after a recovery tell of the queue that caused it. */
const SETTLE_MS = 1000;

class CubicState {
  readonly hystart = new HyStart();
  /** Segments to acknowledge for one more in the window. */
  count = 0;
  lastMaxCwnd = 0;
  lastCwnd = 0;
  lastMs = 0;
  origin = 0;
  k = 0;
  /** Least round trip, microseconds; 0: none yet. */
  delayMinUs = 0;
  /** The curve's origin in time; `running`: there is one. */
  running = false;
  epochMs = 0;
  acked = 0;
  /** The window that Reno would have. */
  renoCwnd = 0;

  /** It has left slow start once. */
  get used(): boolean {
    return this.running || this.hystart.found || this.lastMaxCwnd !== 0 || this.lastMs !== 0;
  }

  reset(): void {
    this.hystart.found = false;
    this.count = 0;
    this.lastMaxCwnd = 0;
    this.lastCwnd = 0;
    this.lastMs = 0;
    this.origin = 0;
    this.k = 0;
    this.delayMinUs = 0;
    this.running = false;
    this.acked = 0;
    this.renoCwnd = 0;
  }
}

/** States of connections that fell quiet in slow start, as good as new but for HyStart's round, which begins with the next ACK. */
const spares: CubicState[] = [];
const MOST_SPARES = 256;

/** Made with the first ACK, so that an idle connection carries none. */
function stateOf(sk: TcpSock): CubicState {
  if (sk.caPriv === null) {
    const state = spares.pop() ?? new CubicState();
    state.hystart.beginRound(sk);
    state.delayMinUs = sk.minRttUs;
    sk.caPriv = state;
  }
  return sk.caPriv as CubicState;
}

/** CUBIC (RFC 9438) with HyStart, the default; a class of its own may build on it. */
export class Cubic extends CongestionControl {
  override readonly name: string = 'cubic';

  override init(sk: TcpSock): void {
    sk.caPriv = null;
  }

  override release(sk: TcpSock): void {
    sk.caPriv = null;
  }

  /** cubictcp_recalc_ssthresh: 0.7 of the window; who lost below the last maximum makes room for others (section 4.7). */
  override ssthresh(sk: TcpSock): number {
    const state = stateOf(sk);
    const { tcpCubicBeta: beta, tcpCubicFastConvergence: fast } = sk.host.sysctl;
    state.running = false;
    state.lastMaxCwnd =
      sk.sndCwnd < state.lastMaxCwnd && fast !== 0
        ? Math.floor((sk.sndCwnd * (BETA_SCALE + beta)) / (2 * BETA_SCALE))
        : sk.sndCwnd;
    return Math.max(Math.floor((sk.sndCwnd * beta) / BETA_SCALE), 2);
  }

  override quiet(sk: TcpSock): void {
    if (sk.caPriv === null) return;
    const state = sk.caPriv as CubicState;
    // HyStart++ compares rounds; who has left slow start has its curve to remember.
    if (state.used || sk.host.sysctl.tcpCubicHystart === 2) return;
    sk.caPriv = null;
    state.reset();
    if (spares.length < MOST_SPARES) spares.push(state);
  }

  override congestionAvoidance(sk: TcpSock, _ack: number, acked: number): void {
    if (!isCwndLimited(sk)) return;
    const state = stateOf(sk);
    let left = acked;
    if (sk.sndCwnd < sk.sndSsthresh) {
      left = slowStart(sk, state.hystart.counted(acked));
      if (left === 0) return;
    }
    update(sk, state, left);
    additiveIncrease(sk, state.count, left);
  }

  override setState(sk: TcpSock, caState: number): void {
    if (caState !== TCP_CA_Loss) return;
    const state = stateOf(sk);
    state.reset();
    state.hystart.beginRound(sk);
  }

  override cwndEvent(sk: TcpSock, event: number): void {
    if (event !== CA_EVENT_TX_START || sk.caPriv === null) return;
    const state = sk.caPriv as CubicState;
    const { nowMs } = sk.host;
    const idle = (nowMs - sk.lsndtime) | 0;
    // Time without data does not count for the curve.
    if (!state.running || idle <= 0) return;
    state.epochMs = (state.epochMs + idle) | 0;
    if (((state.epochMs - nowMs) | 0) > 0) state.epochMs = nowMs;
  }

  override packetsAcked(sk: TcpSock, _acked: number, rttUs: number): void {
    if (rttUs < 0) return;
    const state = stateOf(sk);
    if (state.running && ((sk.host.nowMs - state.epochMs) | 0) < SETTLE_MS) return;
    const delay = rttUs === 0 ? 1 : rttUs;
    if (state.delayMinUs === 0 || state.delayMinUs > delay) state.delayMinUs = delay;
    const { hystart } = state;
    if (!hystart.found && sk.sndCwnd < sk.sndSsthresh && sk.host.sysctl.tcpCubicHystart !== 0) {
      hystart.update(sk, delay, state.delayMinUs);
    }
  }
}

/** bictcp_update: settles how many segments must be acknowledged for one more in the window. */
function update(sk: TcpSock, state: CubicState, acked: number): void {
  const { nowMs } = sk.host;
  const cwnd = sk.sndCwnd;
  state.acked += acked;
  const since = (nowMs - state.lastMs) | 0;
  if (state.lastCwnd === cwnd && since <= Math.min(PERIOD_MS, (sk.srttUs >> 3) / 1000)) return;
  if (!state.running || since !== 0) follow(state, cwnd, acked, nowMs);
  if (sk.host.sysctl.tcpCubicTcpFriendliness !== 0) keepUpWithReno(state, cwnd, sk.host.sysctl.tcpCubicBeta);
  // One more for every two acknowledged is the most.
  if (state.count < 2) state.count = 2;
}

/** The curve's target one round trip from now (sections 4.2, 4.4, 4.5). */
function follow(state: CubicState, cwnd: number, acked: number, nowMs: number): void {
  state.lastCwnd = cwnd;
  state.lastMs = nowMs;
  if (!state.running) {
    state.running = true;
    state.epochMs = nowMs;
    state.acked = acked;
    state.renoCwnd = cwnd;
    if (state.lastMaxCwnd <= cwnd) {
      state.k = 0;
      state.origin = cwnd;
    } else {
      state.k = Math.floor(Math.cbrt(CUBE_FACTOR * (state.lastMaxCwnd - cwnd)));
      state.origin = state.lastMaxCwnd;
    }
  }
  const elapsedMs = ((nowMs - state.epochMs) | 0) + Math.ceil(state.delayMinUs / 1000);
  const t = Math.floor((elapsedMs * CURVE_HZ) / 1000);
  const offset = Math.abs(t - state.k);
  const delta = Math.floor((RTT_SCALE * offset * offset * offset) / 2 ** 40);
  const target = t < state.k ? state.origin - delta : state.origin + delta;
  state.count = target > cwnd ? Math.floor(cwnd / (target - cwnd)) : 100 * cwnd;
  // Before the first loss nothing is known: five percent a round trip at least.
  if (state.lastMaxCwnd === 0 && state.count > 20) state.count = 20;
}

/** Never slower than Reno with the same reduction would be (section 4.3). */
function keepUpWithReno(state: CubicState, cwnd: number, beta: number): void {
  const scale = Math.floor((8 * (BETA_SCALE + beta)) / 3 / (BETA_SCALE - beta));
  const perSegment = (cwnd * scale) >> 3;
  if (perSegment > 0 && state.acked > perSegment) {
    // As often as it goes in, and never all of it (ack_cnt > delta).
    const steps = Math.ceil(state.acked / perSegment) - 1;
    state.acked -= steps * perSegment;
    state.renoCwnd += steps;
  }
  if (state.renoCwnd <= cwnd) return;
  const most = Math.floor(cwnd / (state.renoCwnd - cwnd));
  if (state.count > most) state.count = most;
}
