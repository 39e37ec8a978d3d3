// The congestion window outside of the algorithm's own growth: how it comes down (RFC 6937), when its size has been proved by
// use (RFC 2861, 7661 as Linux has them), and what a pause costs. ack.ts, output.ts and sendmsg.ts call it.

import {
  TCP_CA_CWR,
  TCP_CA_Disorder,
  TCP_CA_Open,
  TCP_CA_Recovery,
  TCP_CLOSE_WAIT,
  TCP_ESTABLISHED,
} from '../uapi/tcp.js';
import { CHRONO_SNDBUF_LIMITED, chronoStart } from './chrono.js';
import { CA_EVENT_COMPLETE_CWR, CA_EVENT_CWND_RESTART, isCwndLimited } from './congestion/congestion.js';
import { TCP_INFINITE_SSTHRESH } from './constants.js';
import { initialCwnd } from './path/save-metrics.js';
import { before } from './seq.js';
import type { TcpSock } from './sock.js';
import { ROW_FLAGS, TCPCB_EVER_RETRANS } from './write-queue.js';

/** tcp_in_cwnd_reduction */
export function inCwndReduction(sk: TcpSock): boolean {
  return sk.caState === TCP_CA_CWR || sk.caState === TCP_CA_Recovery;
}

/** tcp_current_ssthresh: three quarters of the window, so that a mere pause does not end slow start. */
export function currentSsthresh(sk: TcpSock): number {
  if (inCwndReduction(sk)) return sk.sndSsthresh;
  return Math.max(sk.sndSsthresh, (sk.sndCwnd >> 1) + (sk.sndCwnd >> 2));
}

/** tcp_set_ca_state */
export function setCaState(sk: TcpSock, state: number): void {
  sk.cc.setState(sk, state);
  sk.caState = state;
}

/** tcp_init_cwnd_reduction */
export function initCwndReduction(sk: TcpSock): void {
  sk.tx.highSeq = sk.sndNxt;
  sk.tx.tlpOut = false;
  sk.sndCwndCnt = 0;
  sk.tx.priorCwnd = sk.sndCwnd;
  sk.tx.prrDelivered = 0;
  sk.tx.prrOut = 0;
  sk.sndSsthresh = sk.cc.ssthresh(sk);
  sk.tx.queueCwr = true;
}

/** tcp_cwnd_reduction (RFC 6937): the window comes down in step with what leaves the network. */
export function reduceCwnd(sk: TcpSock, delivered: number, newlyLost: number, advanced: boolean): void {
  if (delivered <= 0 || sk.tx.priorCwnd === 0) return;
  const flight = sk.inFlight;
  const delta = sk.sndSsthresh - flight;
  sk.tx.prrDelivered += delivered;
  let count: number;
  if (delta < 0) {
    count = Math.ceil((sk.sndSsthresh * sk.tx.prrDelivered) / sk.tx.priorCwnd) - sk.tx.prrOut;
  } else {
    count = Math.max(sk.tx.prrDelivered - sk.tx.prrOut, delivered);
    if (advanced && newlyLost <= 0) count++;
    if (count > delta) count = delta;
  }
  // Force a fast retransmit upon entering recovery.
  const least = sk.tx.prrOut === 0 ? 1 : 0;
  sk.sndCwnd = flight + Math.max(count, least);
}

/** tcp_end_cwnd_reduction */
export function endCwndReduction(sk: TcpSock): void {
  if (sk.cc.controls) return;
  if (sk.sndSsthresh < TCP_INFINITE_SSTHRESH && (sk.caState === TCP_CA_CWR || sk.tx.undoMarked)) {
    sk.sndCwnd = sk.sndSsthresh;
    sk.sndCwndStamp = sk.host.nowMs;
  }
  sk.cc.cwndEvent(sk, CA_EVENT_COMPLETE_CWR);
}

/** tcp_enter_cwr: the window shrinks although nothing was lost (ECN, a lost tail that its probe repaired). */
export function enterCwr(sk: TcpSock): void {
  const tx = sk.ownTx();
  tx.priorSsthresh = 0;
  if (sk.caState >= TCP_CA_CWR) return;
  tx.undoMarked = false;
  initCwndReduction(sk);
  setCaState(sk, TCP_CA_CWR);
}

/** tcp_any_retrans_done */
export function anyRetransDone(sk: TcpSock): boolean {
  if (sk.tx.retransOut > 0) return true;
  const queue = sk.writeQueue;
  return queue.sent > 0 && (queue.rows[queue.at(0) + ROW_FLAGS] & TCPCB_EVER_RETRANS) !== 0;
}

/** tcp_try_keep_open */
export function tryKeepOpen(sk: TcpSock): void {
  const state = sk.tx.sackedOut + sk.tx.lostOut > 0 || anyRetransDone(sk) ? TCP_CA_Disorder : TCP_CA_Open;
  if (sk.caState === state) return;
  setCaState(sk, state);
  sk.tx.highSeq = sk.sndNxt;
}

/** tcp_cwnd_validate: after sending. Was the window the limit, and if not, for how long has it not been? */
export function validateCwnd(sk: TcpSock, limited: boolean): void {
  const newWindow = !before(sk.sndUna, sk.tx.cwndUsageSeq);
  if (newWindow || limited || (!sk.tx.isCwndLimited && sk.tx.packetsOut > sk.tx.maxPacketsOut)) {
    sk.tx.isCwndLimited = limited;
    sk.tx.maxPacketsOut = sk.tx.packetsOut;
    sk.tx.cwndUsageSeq = sk.sndNxt;
  }
  const { nowMs, sysctl } = sk.host;
  if (isCwndLimited(sk)) {
    sk.sndCwndUsed = 0;
    sk.sndCwndStamp = nowMs;
    return;
  }
  if (sk.tx.packetsOut > sk.sndCwndUsed) sk.sndCwndUsed = sk.tx.packetsOut;
  if (sysctl.tcpSlowStartAfterIdle !== 0 && ((nowMs - sk.sndCwndStamp) | 0) >= sk.rto && !sk.cc.controls) {
    applicationLimited(sk);
  }
  // Nothing waits although the program would write more, were there room.
  const queue = sk.writeQueue;
  const open = sk.state === TCP_ESTABLISHED || sk.state === TCP_CLOSE_WAIT;
  if (queue.sent === queue.count && sk.noSpace && open) chronoStart(sk, CHRONO_SNDBUF_LIMITED);
}

/** tcp_cwnd_application_limited: a window unused for a timeout comes half way down to what was used. */
function applicationLimited(sk: TcpSock): void {
  if (sk.caState === TCP_CA_Open && !sk.noSpace) {
    const used = Math.max(sk.sndCwndUsed, initialCwnd(sk));
    if (used < sk.sndCwnd) {
      sk.sndSsthresh = currentSsthresh(sk);
      sk.sndCwnd = (sk.sndCwnd + used) >> 1;
    }
    sk.sndCwndUsed = 0;
  }
  sk.sndCwndStamp = sk.host.nowMs;
}

/** tcp_slow_start_after_idle_check: before the first data after a pause longer than the timeout. */
export function slowStartAfterIdleCheck(sk: TcpSock): void {
  if (sk.tx.packetsOut > 0 || sk.lsndtime === 0 || sk.cc.controls) return;
  if (sk.host.sysctl.tcpSlowStartAfterIdle === 0) return;
  const idle = (sk.host.nowMs - sk.lsndtime) | 0;
  if (idle > sk.rto) restartCwnd(sk, idle);
}

/** tcp_cwnd_restart: half for each timeout of silence, not below the initial window (RFC 2861 section 3). */
function restartCwnd(sk: TcpSock, idle: number): void {
  sk.cc.cwndEvent(sk, CA_EVENT_CWND_RESTART);
  sk.sndSsthresh = currentSsthresh(sk);
  let cwnd = sk.sndCwnd;
  const least = Math.min(initialCwnd(sk), cwnd);
  for (let left = idle - sk.rto; left > 0 && cwnd > least; left -= sk.rto) cwnd >>= 1;
  sk.sndCwnd = Math.max(cwnd, least);
  sk.sndCwndStamp = sk.host.nowMs;
  sk.sndCwndUsed = 0;
}
