// BBR: a model of the path, bandwidth and least round trip, instead of losses (version 1; net/ipv4/tcp_bbr.c and
// draft-cardwell-iccrg-bbr-congestion-control-00). Called for every ACK with a delivery-rate sample; sets window and pace.

import { below } from '../../core/random.js';
import { TCP_CA_Loss, TCP_CA_Open, TCP_CA_Recovery } from '../../uapi/tcp.js';
import { GSO_MAX_SIZE, TCP_INFINITE_SSTHRESH, TCP_INIT_CWND } from '../constants.js';
import { minRtt, type RateSample } from '../rate.js';
import { before } from '../seq.js';
import type { TcpSock } from '../sock.js';
import { longTermExpired, resetLongTerm, sampleLongTerm } from './bbr-long-term.js';
import { BBR_DRAIN, BBR_PROBE_BW, BBR_PROBE_RTT, BBR_STARTUP, BbrState } from './bbr-state.js';
import { CA_EVENT_TX_START, CongestionControl } from './congestion.js';

const HIGH_GAIN = 739 / 256;
const DRAIN_GAIN = 88 / 256;
const CWND_GAIN = 2;
const CYCLE = [5 / 4, 3 / 4, 1, 1, 1, 1, 1, 1];
const CYCLE_RANDOM = 7;
const BANDWIDTH_ROUNDS = 10;
const MIN_RTT_WINDOW_MS = 10_000;
const PROBE_RTT_MS = 200;
const MIN_TARGET = 4;
const MARGIN = 0.99;
/** Below this rate, bytes per second, a burst of two segments is long. */
const MIN_TSO_RATE = 1_200_000 / 8;
const FULL_GROWTH = 1.25;
const FULL_ROUNDS = 3;
const EXTRA_ROUNDS = 5;
const EXTRA_MAX_US = 100_000;
const EPOCH_MAX = 1 << 20;

/** Made by `init`, or before that by a loss during the handshake. */
function stateOf(sk: TcpSock): BbrState {
  sk.caPriv ??= new BbrState();
  return sk.caPriv as BbrState;
}

export class Bbr extends CongestionControl {
  override readonly name: string = 'bbr';
  override readonly controls: boolean = true;

  override init(sk: TcpSock): void {
    const state = new BbrState();
    sk.caPriv = state;
    sk.sndSsthresh = TCP_INFINITE_SSTHRESH;
    state.priorCaState = TCP_CA_Open;
    state.nextRoundDelivered = sk.delivered | 0;
    state.minRttUs = sk.minRttUs === 0 ? Infinity : minRtt(sk);
    state.minRttMs = sk.host.nowMs;
    state.epochUs = sk.host.nowUs;
    paceByRtt(sk, state);
    resetLongTerm(sk, state);
    state.mode = BBR_STARTUP;
    settleGains(state);
    sk.pacingNeeded = true;
  }

  override release(sk: TcpSock): void {
    sk.caPriv = null;
    sk.pacingNeeded = false;
  }

  override ssthresh(sk: TcpSock): number {
    saveCwnd(sk, stateOf(sk));
    return sk.sndSsthresh;
  }

  override undoCwnd(sk: TcpSock): number {
    const state = stateOf(sk);
    state.fullBandwidth = 0;
    state.fullRounds = 0;
    resetLongTerm(sk, state);
    return sk.sndCwnd;
  }

  override setState(sk: TcpSock, caState: number): void {
    const state = stateOf(sk);
    if (caState !== TCP_CA_Loss) return;
    state.priorCaState = TCP_CA_Loss;
    state.fullBandwidth = 0;
    // A timeout ends the round.
    state.roundStart = true;
    sampleLongTerm(sk, state, 1, false);
  }

  override cwndEvent(sk: TcpSock, event: number): void {
    if (event !== CA_EVENT_TX_START || sk.tx.appLimited === 0 || sk.caPriv === null) return;
    const state = stateOf(sk);
    state.idleRestart = true;
    state.epochUs = sk.host.nowUs;
    state.epochAcked = 0;
    // After idleness there is no need to hurry.
    if (state.mode === BBR_PROBE_BW) setPace(sk, state, bandwidth(state), 1);
    else if (state.mode === BBR_PROBE_RTT) endProbeRtt(sk, state);
  }

  override minTsoSegments(sk: TcpSock): number {
    return sk.pacingRate < MIN_TSO_RATE ? 1 : 2;
  }

  override sendBufferExpand(): number {
    return 3;
  }

  /** bbr_main */
  override control(sk: TcpSock, sample: RateSample): void {
    const state = stateOf(sk);
    updateBandwidth(sk, state, sample);
    updateAggregation(sk, state, sample);
    if (state.mode === BBR_PROBE_BW && isNextPhase(sk, state, sample)) advancePhase(sk, state);
    checkFull(state, sample);
    checkDrain(sk, state);
    updateMinRtt(sk, state, sample);
    settleGains(state);
    const bw = bandwidth(state);
    setPace(sk, state, bw, state.pacingGain);
    setCwnd(sk, state, sample, bw);
  }

  /** As TCP_CC_INFO's struct tcp_bbr_info: bytes per second, microseconds, gains in 256ths. */
  override info(sk: TcpSock): Readonly<Record<string, number>> | null {
    if (sk.caPriv === null) return null;
    const state = stateOf(sk);
    return {
      bw: Math.floor(bandwidth(state) * sk.mss * 1e6),
      min_rtt: state.minRttUs === Infinity ? 0xffffffff : state.minRttUs,
      pacing_gain: Math.floor(state.pacingGain * 256),
      cwnd_gain: Math.floor(state.cwndGain * 256),
    };
  }
}

function bandwidth(state: BbrState): number {
  return state.ltInUse ? state.ltBandwidth : state.bandwidth.value;
}

function bytesPerSecond(sk: TcpSock, bw: number): number {
  const rate = bw * sk.mss * 1e6 * MARGIN;
  return sk.maxPacingRate >= 0 && rate > sk.maxPacingRate ? sk.maxPacingRate : rate;
}

/** bbr_init_pacing_rate_from_rtt: the window over the handshake's round trip, or over a millisecond. */
function paceByRtt(sk: TcpSock, state: BbrState): void {
  let rttUs = 1000;
  if (sk.srttUs !== 0) {
    rttUs = Math.max(sk.srttUs >> 3, 1);
    state.hasSeenRtt = true;
  }
  sk.pacingRate = bytesPerSecond(sk, (sk.sndCwnd / rttUs) * HIGH_GAIN);
}

/** bbr_set_pacing_rate: in startup the pace never comes down. */
function setPace(sk: TcpSock, state: BbrState, bw: number, gain: number): void {
  const rate = bytesPerSecond(sk, bw * gain);
  if (!state.hasSeenRtt && sk.srttUs !== 0) paceByRtt(sk, state);
  if (state.fullReached || rate > sk.pacingRate) sk.pacingRate = rate;
}

/** bbr_save_cwnd: the window to return to after recovery or PROBE_RTT. */
function saveCwnd(sk: TcpSock, state: BbrState): void {
  const fresh = state.priorCaState < TCP_CA_Recovery && state.mode !== BBR_PROBE_RTT;
  state.priorCwnd = fresh ? sk.sndCwnd : Math.max(state.priorCwnd, sk.sndCwnd);
}

/** bbr_bdp: packets that fill the path `gain` times. */
function product(state: BbrState, bw: number, gain: number): number {
  // No round trip yet: as careful as anybody.
  return state.minRttUs === Infinity ? TCP_INIT_CWND : Math.ceil(bw * state.minRttUs * gain);
}

function segmentsGoal(sk: TcpSock): number {
  const bytes = Math.min(sk.pacingRate / 1024, GSO_MAX_SIZE);
  return Math.min(Math.max(Math.floor(bytes / sk.mss), sk.cc.minTsoSegments(sk)), 127);
}

/** bbr_quantization_budget: room for large segments being made, sent and acknowledged. */
function withBudget(sk: TcpSock, state: BbrState, packets: number): number {
  let cwnd = packets + 3 * segmentsGoal(sk);
  cwnd = (cwnd + 1) & ~1;
  return state.mode === BBR_PROBE_BW && state.cycleIndex === 0 ? cwnd + 2 : cwnd;
}

function inflightFor(sk: TcpSock, state: BbrState, bw: number, gain: number): number {
  return withBudget(sk, state, product(state, bw, gain));
}

/** bbr_packets_in_net_at_edt: what will be in flight when the next segment may leave. */
function inflightThen(sk: TcpSock, state: BbrState, now: number): number {
  const wait = Math.max(0, (sk.tx.pacingUs - sk.host.nowUs) | 0);
  const then = state.pacingGain > 1 ? now + segmentsGoal(sk) : now;
  return Math.max(0, then - Math.floor(bandwidth(state) * wait));
}

/** bbr_set_cwnd_to_recover_or_restore: true if the window is settled by packet conservation (first round of recovery). */
function recoverOrRestore(sk: TcpSock, state: BbrState, sample: RateSample): boolean {
  const prior = state.priorCaState;
  let cwnd = sample.losses > 0 ? Math.max(sk.sndCwnd - sample.losses, 1) : sk.sndCwnd;
  if (sk.caState === TCP_CA_Recovery && prior !== TCP_CA_Recovery) {
    state.packetConservation = true;
    state.nextRoundDelivered = sk.delivered | 0;
    cwnd = sk.inFlight + sample.ackedSacked;
  } else if (prior >= TCP_CA_Recovery && sk.caState < TCP_CA_Recovery) {
    cwnd = Math.max(cwnd, state.priorCwnd);
    state.packetConservation = false;
  }
  state.priorCaState = sk.caState;
  sk.sndCwnd = state.packetConservation ? Math.max(cwnd, sk.inFlight + sample.ackedSacked) : cwnd;
  return state.packetConservation;
}

/** bbr_set_cwnd */
function setCwnd(sk: TcpSock, state: BbrState, sample: RateSample, bw: number): void {
  const acked = sample.ackedSacked;
  if (acked > 0 && !recoverOrRestore(sk, state, sample)) {
    let target = product(state, bw, state.cwndGain);
    if (state.fullReached) {
      target += Math.min(Math.max(state.extraNow, state.extraBefore), Math.floor(bw * EXTRA_MAX_US));
    }
    target = withBudget(sk, state, target);
    if (state.fullReached) sk.sndCwnd = Math.min(sk.sndCwnd + acked, target);
    else if (sk.sndCwnd < target || sk.delivered < TCP_INIT_CWND) sk.sndCwnd += acked;
    sk.sndCwnd = Math.max(sk.sndCwnd, MIN_TARGET);
  }
  sk.sndCwnd = Math.min(sk.sndCwnd, sk.sndCwndClamp);
  if (state.mode === BBR_PROBE_RTT) sk.sndCwnd = Math.min(sk.sndCwnd, MIN_TARGET);
}

/** bbr_is_next_cycle_phase */
function isNextPhase(sk: TcpSock, state: BbrState, sample: RateSample): boolean {
  // Unsigned: after half an hour of silence the phase is over, too.
  const full = (sk.tx.deliveredUs - state.cycleUs) >>> 0 > state.minRttUs;
  if (state.pacingGain === 1) return full;
  const inflight = inflightThen(sk, state, sample.priorInFlight);
  const bw = state.bandwidth.value;
  // Probing lasts until it filled the path that much more, or lost; draining until the queue is gone.
  if (state.pacingGain > 1)
    return full && (sample.losses > 0 || inflight >= inflightFor(sk, state, bw, state.pacingGain));
  return full || inflight <= inflightFor(sk, state, bw, 1);
}

function advancePhase(sk: TcpSock, state: BbrState): void {
  state.cycleIndex = (state.cycleIndex + 1) % CYCLE.length;
  state.cycleUs = sk.tx.deliveredUs;
}

/** bbr_reset_probe_bw_mode: begins anywhere but in the draining phase. */
function probeBandwidth(sk: TcpSock, state: BbrState): void {
  state.mode = BBR_PROBE_BW;
  state.cycleIndex = CYCLE.length - 1 - below(sk.host.random, CYCLE_RANDOM);
  advancePhase(sk, state);
}

/** bbr_update_bw */
function updateBandwidth(sk: TcpSock, state: BbrState, sample: RateSample): void {
  state.roundStart = false;
  if (sample.delivered < 0 || sample.intervalUs <= 0) return;
  if (!before(sample.priorDelivered, state.nextRoundDelivered)) {
    state.nextRoundDelivered = sk.delivered | 0;
    state.rounds++;
    state.roundStart = true;
    state.packetConservation = false;
  }
  if (longTermExpired(sk, state)) probeBandwidth(sk, state);
  else sampleLongTerm(sk, state, sample.losses, sample.isAppLimited);
  const bw = sample.delivered / sample.intervalUs;
  // What an application did not use proves no lack of bandwidth.
  if (!sample.isAppLimited || bw >= state.bandwidth.value) {
    state.bandwidth.update(BANDWIDTH_ROUNDS, state.rounds, bw);
  }
}

/** bbr_update_ack_aggregation */
function updateAggregation(sk: TcpSock, state: BbrState, sample: RateSample): void {
  if (sample.ackedSacked <= 0 || sample.delivered < 0 || sample.intervalUs <= 0) return;
  if (state.roundStart && ++state.extraRounds >= EXTRA_ROUNDS) {
    state.extraRounds = 0;
    state.extraBefore = state.extraNow;
    state.extraNow = 0;
  }
  let expected = bandwidth(state) * ((sk.tx.deliveredUs - state.epochUs) | 0);
  if (state.epochAcked <= expected || state.epochAcked + sample.ackedSacked >= EPOCH_MAX) {
    state.epochAcked = 0;
    state.epochUs = sk.tx.deliveredUs;
    expected = 0;
  }
  state.epochAcked += sample.ackedSacked;
  const extra = Math.min(Math.floor(state.epochAcked - expected), sk.sndCwnd);
  if (extra > state.extraNow) state.extraNow = extra;
}

/** bbr_check_full_bw_reached: three rounds without a quarter more. */
function checkFull(state: BbrState, sample: RateSample): void {
  if (state.fullReached || !state.roundStart || sample.isAppLimited) return;
  if (state.bandwidth.value >= state.fullBandwidth * FULL_GROWTH) {
    state.fullBandwidth = state.bandwidth.value;
    state.fullRounds = 0;
    return;
  }
  state.fullReached = ++state.fullRounds >= FULL_ROUNDS;
}

function checkDrain(sk: TcpSock, state: BbrState): void {
  if (state.mode === BBR_STARTUP && state.fullReached) {
    state.mode = BBR_DRAIN;
    sk.sndSsthresh = inflightFor(sk, state, state.bandwidth.value, 1);
  }
  if (state.mode !== BBR_DRAIN) return;
  if (inflightThen(sk, state, sk.inFlight) <= inflightFor(sk, state, state.bandwidth.value, 1)) {
    probeBandwidth(sk, state);
  }
}

function endProbeRtt(sk: TcpSock, state: BbrState): void {
  const { nowMs } = sk.host;
  if (!state.draining || ((nowMs - state.probeRttDoneMs) | 0) <= 0) return;
  state.minRttMs = nowMs;
  sk.sndCwnd = Math.max(sk.sndCwnd, state.priorCwnd);
  state.draining = false;
  if (state.fullReached) probeBandwidth(sk, state);
  else state.mode = BBR_STARTUP;
}

/** bbr_update_min_rtt: once in ten seconds the path is left almost empty for a moment, to see how short it is. */
function updateMinRtt(sk: TcpSock, state: BbrState, sample: RateSample): void {
  const { nowMs } = sk.host;
  const expired = ((nowMs - state.minRttMs) | 0) > MIN_RTT_WINDOW_MS;
  if (sample.rttUs >= 0 && (sample.rttUs < state.minRttUs || (expired && !sample.isAckDelayed))) {
    state.minRttUs = sample.rttUs;
    state.minRttMs = nowMs;
  }
  if (expired && !state.idleRestart && state.mode !== BBR_PROBE_RTT) {
    state.mode = BBR_PROBE_RTT;
    saveCwnd(sk, state);
    state.draining = false;
  }
  if (state.mode === BBR_PROBE_RTT) {
    // So small a window says nothing of the bandwidth.
    sk.tx.appLimited = (sk.delivered + sk.inFlight) | 0 || 1;
    if (!state.draining && sk.inFlight <= MIN_TARGET) {
      state.draining = true;
      state.probeRttDoneMs = (nowMs + PROBE_RTT_MS) | 0;
      state.probeRttRoundDone = false;
      state.nextRoundDelivered = sk.delivered | 0;
    } else if (state.draining) {
      if (state.roundStart) state.probeRttRoundDone = true;
      if (state.probeRttRoundDone) endProbeRtt(sk, state);
    }
  }
  if (sample.delivered > 0) state.idleRestart = false;
}

function settleGains(state: BbrState): void {
  switch (state.mode) {
    case BBR_STARTUP:
      state.pacingGain = HIGH_GAIN;
      state.cwndGain = HIGH_GAIN;
      break;
    case BBR_DRAIN:
      state.pacingGain = DRAIN_GAIN;
      state.cwndGain = HIGH_GAIN;
      break;
    case BBR_PROBE_BW:
      state.pacingGain = state.ltInUse ? 1 : CYCLE[state.cycleIndex];
      state.cwndGain = CWND_GAIN;
      break;
    default:
      state.pacingGain = 1;
      state.cwndGain = 1;
  }
}
