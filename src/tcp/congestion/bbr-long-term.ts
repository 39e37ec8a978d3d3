// BBR against policers (bbr_lt_bw_sampling): where heavy loss and an even throughput go together for two intervals, the rate that
// is let through is used for a while instead of what the filter says.

import type { TcpSock } from '../sock.js';
import { BBR_PROBE_BW, type BbrState } from './bbr-state.js';

const LT_ROUNDS = 4;
const LT_LOSS = 50 / 256;
const LT_RATIO = 1 / 8;
const LT_DIFFERENCE = 4000 / 8;
const LT_MAX_ROUNDS = 48;

function resetLongTermInterval(sk: TcpSock, state: BbrState): void {
  state.ltUs = sk.tx.deliveredUs;
  state.ltDelivered = sk.delivered;
  state.ltLost = sk.tx.lost;
  state.ltRounds = 0;
}

export function resetLongTerm(sk: TcpSock, state: BbrState): void {
  state.ltBandwidth = 0;
  state.ltInUse = false;
  state.ltSampling = false;
  resetLongTermInterval(sk, state);
}

/** The policer's rate has been used for long enough; true: probe again. */
export function longTermExpired(sk: TcpSock, state: BbrState): boolean {
  if (!state.ltInUse || state.mode !== BBR_PROBE_BW || !state.roundStart) return false;
  if (++state.ltRounds < LT_MAX_ROUNDS) return false;
  resetLongTerm(sk, state);
  return true;
}

/** bbr_lt_bw_sampling: two intervals of heavy loss and equal throughput are a policer, and its rate is used for a while. */
export function sampleLongTerm(sk: TcpSock, state: BbrState, losses: number, appLimited: boolean): void {
  if (state.ltInUse) return;
  if (!state.ltSampling) {
    if (losses === 0) return;
    resetLongTermInterval(sk, state);
    state.ltSampling = true;
  }
  if (appLimited) {
    resetLongTerm(sk, state);
    return;
  }
  if (state.roundStart) state.ltRounds++;
  if (state.ltRounds < LT_ROUNDS) return;
  if (state.ltRounds > 4 * LT_ROUNDS) {
    resetLongTerm(sk, state);
    return;
  }
  if (losses === 0) return;
  const delivered = sk.delivered - state.ltDelivered;
  if (delivered <= 0 || sk.tx.lost - state.ltLost < LT_LOSS * delivered) return;
  const elapsed = (sk.tx.deliveredUs - state.ltUs) | 0;
  if (elapsed < 1000) return;
  const bw = delivered / elapsed;
  const difference = Math.abs(bw - state.ltBandwidth);
  const alike =
    difference <= LT_RATIO * state.ltBandwidth || difference * sk.mss * 1e6 * 0.99 <= LT_DIFFERENCE;
  if (state.ltBandwidth > 0 && alike) {
    state.ltBandwidth = (bw + state.ltBandwidth) / 2;
    state.ltInUse = true;
    state.pacingGain = 1;
    state.ltRounds = 0;
    return;
  }
  state.ltBandwidth = bw;
  resetLongTermInterval(sk, state);
}
