// What a connection starts from once both SYNs are known (tcp_init_transfer): segment sizes, windows and buffers.

import { SOCK_SNDBUF_LOCK } from '../core/sock.js';
import { expandSendBuffer } from './ack.js';
import { TCP_MIN_MSS, TCP_MSS_DEFAULT, TCPOLEN_TSTAMP_ALIGNED } from './constants.js';
import { usualPacingRate } from './pacing.js';
import { syncMss } from './path/mss.js';
import { initMtuProbing } from './path/mtu-probe.js';
import { initialCwnd, initMetrics } from './path/save-metrics.js';
import type { Segment } from './segment.js';
import { UNSENT } from './send-state.js';
import type { TcpSock } from './sock.js';
import { armKeepalive, keepaliveIdleMs } from './tcp-timer.js';
import { initBufferSpace } from './window.js';

/** The peer's MSS option, 536 without one (RFC 9293 MUST-15), never above what TCP_MAXSEG asked for. */
export function peerMss(option: number, userMss: number): number {
  const mss = option === 0 ? TCP_MSS_DEFAULT : option;
  return userMss !== 0 && userMss < mss ? userMss : mss;
}

/** tcp_initialize_rcv_mss */
export function initializeRcvMss(sk: TcpSock, window: number): void {
  const hint = Math.min(sk.advmss, sk.mss, window >> 1, TCP_MSS_DEFAULT);
  sk.rcvMss = Math.max(hint, TCP_MIN_MSS);
}

/**
 * tcp_update_pacing_rate, of a passive end, which may not have sent anything: then it is reckoned when it does. An active one's rate
 * is that of its SYN's acknowledgement, before a route's initcwnd or a cached metric has set its window.
 */
export function firstPacingRate(sk: TcpSock): void {
  if (!sk.cc.controls && sk.tx !== UNSENT) sk.tx.pacingRate = usualPacingRate(sk);
}

/** tcp_try_undo_spurious_syn: the first SYN, or SYN-ACK, has arrived in time, by the timestamp echoed (RFC 3522). */
export function undoSpuriousSyn(sk: TcpSock, segment: Segment): void {
  const { tx } = sk;
  if (!tx.undoMarked || tx.retransStamp === 0) return;
  if (segment.hasTs && sk.tstampOk && ((segment.tsEcr - sk.tsOffset) | 0) === tx.retransStamp)
    tx.undoMarked = false;
}

/** tcp_init_transfer: congestion control and buffers start from what was agreed. */
export function initTransfer(sk: TcpSock): void {
  if (sk.tstampOk) sk.advmss -= TCPOLEN_TSTAMP_ALIGNED;
  // An active end has an MTU that it reckons with, until it sends.
  syncMss(sk, sk.pmtu !== 0 ? sk.pmtu : undefined);
  initMtuProbing(sk);
  initMetrics(sk);
  // A SYN that was lost twice tells of congestion (RFC 5681 section 3.1), unless it turned out not to have been lost.
  sk.sndCwnd = sk.tx.totalRetrans > 1 && sk.tx.undoMarked ? 1 : initialCwnd(sk);
  sk.sndCwndStamp = sk.host.nowMs;
  sk.lsndtime = sk.host.nowMs;
  sk.cc.init(sk);
  initBufferSpace(sk);
  if ((sk.userlocks & SOCK_SNDBUF_LOCK) === 0) expandSendBuffer(sk);
  sk.lrcvtime = sk.host.nowMs;
  if (sk.keepOpen) armKeepalive(sk, keepaliveIdleMs(sk));
}
