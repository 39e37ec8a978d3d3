// Pacing: segments spread over the round trip instead of sent in bursts (tcp_update_pacing_rate, tcp_pacing_check). The timer
// wheel has a millisecond, so what falls due within one leaves together, and a timer is armed at most once in one.

import type { TcpSock } from './sock.js';
import { armPacing } from './tcp-timer.js';

/** What is due this soon need not wait for the next tick. */
const SLACK_US = 1000;
/** Farther ahead than any delay: the clock has come round since the last segment. */
const BEYOND_US = 0x3fffffff;
/** The first segments go out at once (tcp_update_skb_after_send). */
const UNPACED_SEGMENTS = 10;

function isPaced(sk: TcpSock): boolean {
  return sk.pacingNeeded || sk.maxPacingRate >= 0;
}

/** tcp_update_pacing_rate: twice the window per round trip in slow start, else 1.2 times; bytes per second. */
export function usualPacingRate(sk: TcpSock): number {
  const { sysctl } = sk.host;
  const ratio = sk.sndCwnd < sk.sndSsthresh >> 1 ? sysctl.tcpPacingSsRatio : sysctl.tcpPacingCaRatio;
  const packets = sk.sndCwnd > sk.tx.packetsOut ? sk.sndCwnd : sk.tx.packetsOut;
  // srttUs is eight times the round trip.
  const rate = (sk.mss * packets * ratio * 80_000) / (sk.srttUs === 0 ? 1 : sk.srttUs);
  return sk.maxPacingRate >= 0 && rate > sk.maxPacingRate ? sk.maxPacingRate : rate;
}

/** tcp_pacing_check: true if the next segment has to wait; then a timer will send it. */
export function pacingHolds(sk: TcpSock): boolean {
  if (!isPaced(sk)) return false;
  const delay = (sk.tx.pacingUs - sk.host.nowUs) | 0;
  if (delay < SLACK_US || delay > BEYOND_US) return false;
  armPacing(sk, Math.ceil(delay / 1000));
  return true;
}

/** tcp_update_skb_after_send: `length` bytes have left, and the next ones are due when the rate has made room for them. */
export function pacingSent(sk: TcpSock, length: number): void {
  if (!isPaced(sk) || sk.dataSegsOut < UNPACED_SEGMENTS) return;
  if (!(sk.pacingRate > 0) || sk.pacingRate === Infinity) return;
  const { nowUs } = sk.host;
  let wait = (length * 1e9) / sk.pacingRate;
  const late = (nowUs - sk.tx.pacingUs) | 0;
  if (late > 0 || late < -BEYOND_US) {
    // A late timer is made good by up to half of the wait.
    wait -= Math.min(wait / 2, late > 0 ? late * 1000 : 0);
    sk.tx.pacingUs = nowUs;
    sk.tx.pacingNs = 0;
  }
  const ns = sk.tx.pacingNs + Math.min(wait, 1e12);
  const us = Math.floor(ns / 1000);
  sk.tx.pacingUs = (sk.tx.pacingUs + us) | 0;
  sk.tx.pacingNs = Math.floor(ns - us * 1000);
}
