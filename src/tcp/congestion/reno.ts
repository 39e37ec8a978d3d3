// Reno: slow start, then one segment per round trip; half after a loss (RFC 5681; net/ipv4/tcp_cong.c).

import type { TcpSock } from '../sock.js';
import { CongestionControl, isCwndLimited } from './congestion.js';

/** tcp_slow_start: returns what of `acked` is left once the threshold is reached. */
export function slowStart(sk: TcpSock, acked: number): number {
  const cwnd = Math.min(sk.sndCwnd + acked, sk.sndSsthresh);
  const left = acked - (cwnd - sk.sndCwnd);
  sk.sndCwnd = Math.min(cwnd, sk.sndCwndClamp);
  return left;
}

/** tcp_cong_avoid_ai: one segment more for each `w` segments acknowledged. */
export function additiveIncrease(sk: TcpSock, w: number, acked: number): void {
  if (sk.sndCwndCnt >= w) {
    sk.sndCwndCnt = 0;
    sk.sndCwnd++;
  }
  sk.sndCwndCnt += acked;
  if (sk.sndCwndCnt >= w) {
    const delta = Math.floor(sk.sndCwndCnt / w);
    sk.sndCwndCnt -= delta * w;
    sk.sndCwnd += delta;
  }
  if (sk.sndCwnd > sk.sndCwndClamp) sk.sndCwnd = sk.sndCwndClamp;
}

/** Reno (RFC 5681): slow start, then one segment more in each round trip; half after a loss. */
export class Reno extends CongestionControl {
  override readonly name: string = 'reno';

  override ssthresh(sk: TcpSock): number {
    return Math.max(sk.sndCwnd >> 1, 2);
  }

  override congestionAvoidance(sk: TcpSock, _ack: number, acked: number): void {
    if (!isCwndLimited(sk)) return;
    let left = acked;
    if (sk.sndCwnd < sk.sndSsthresh) {
      left = slowStart(sk, acked);
      if (left === 0) return;
    }
    additiveIncrease(sk, sk.sndCwnd, left);
  }
}
