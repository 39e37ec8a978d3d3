// What happens when a connection's timers come round: retransmission with backoff (RFC 6298 section 5), zero-window probes,
// delayed ACKs, keepalive and the orphan's FIN_WAIT2 (net/ipv4/tcp_timer.c).

import { TcpExt } from '../core/mib.js';
import { ETIMEDOUT } from '../uapi/errno.js';
import {
  TCP_CA_Disorder,
  TCP_CA_Loss,
  TCP_CA_Recovery,
  TCP_CLOSE,
  TCP_ESTABLISHED,
  TCP_FIN_WAIT2,
  TCP_LISTEN,
  TCP_SYN_RECV,
  TCP_SYN_SENT,
} from '../uapi/tcp.js';
import { doneWithError, finTimeout, tcpDone, timeWait } from './close.js';
import {
  ACK,
  FIN,
  PSH,
  TCP_INFINITE_SSTHRESH,
  TCP_RESOURCE_PROBE_INTERVAL,
  TCP_THIN_LINEAR_RETRIES,
  TCP_TIMEOUT_INIT,
  TCP_TIMEWAIT_LEN,
  TIME_LOSS_PROBE,
  TIME_NONE,
  TIME_PROBE0,
  TIME_REO_TIMEOUT,
  TIME_RETRANS,
} from './constants.js';
import { delackExpired, sendWaitingAck } from './delayed-ack.js';
import { detectBlackHole } from './fastopen/fastopen-client.js';
import { fastOpenTimer } from './fastopen/fastopen-server.js';
import { checkOom } from './memory.js';
import { newDataSent, probe0Bound, probe0When } from './output.js';
import { currentMss } from './path/mss.js';
import { blackHole } from './path/mtu-probe.js';
import { rtoMinUs } from './path/route-hints.js';
import { reorderingTimeout, sendLossProbe } from './recovery/loss-probe.js';
import { countTimeout, enterLoss } from './recovery/recovery.js';
import { resumeSending, retransmitRow, stillInHostQueue } from './recovery/retransmit.js';
import { rowLength } from './row-packets.js';
import { setRto } from './rtt.js';
import { before, between } from './seq.js';
import type { TcpSock } from './sock.js';
import {
  armKeepalive,
  armRetransmit,
  clearDelack,
  keepaliveElapsedMs,
  keepaliveIdleMs,
  TIMER_COMPRESSED_ACK,
  TIMER_DELACK,
  TIMER_PACING,
  TIMER_RETRANSMIT,
} from './tcp-timer.js';
import { sendActiveReset, sendProbe, transmit } from './transmit.js';
import { ROW_END, ROW_FIN, ROW_FLAGS, ROW_PSH, ROW_SENT_US, ROW_SEQ } from './write-queue.js';

/** One of a sock's timers is due. */
export function timerExpired(sk: TcpSock, kind: number): void {
  if (sk.state === TCP_CLOSE || sk.state === TCP_LISTEN) return;
  if (kind === TIMER_DELACK) {
    clearDelack(sk);
    delackExpired(sk);
    return;
  }
  if (kind === TIMER_COMPRESSED_ACK) {
    sendWaitingAck(sk);
    return;
  }
  if (kind === TIMER_PACING) {
    resumeSending(sk);
    return;
  }
  if (kind === TIMER_RETRANSMIT) {
    const what = sk.tx.pendingTimer;
    // The other two stood in for the retransmission timer, and what is left of that is reckoned from it (tcp_rearm_rto).
    if (what === TIME_REO_TIMEOUT) reorderingTimeout(sk);
    else if (what === TIME_LOSS_PROBE) sendLossProbe(sk);
    else {
      sk.tx.pendingTimer = TIME_NONE;
      if (what === TIME_RETRANS) retransmitTimer(sk);
      else if (what === TIME_PROBE0) probeTimer(sk);
    }
    return;
  }
  keepaliveTimer(sk);
}

function handshaking(sk: TcpSock): boolean {
  return sk.state === TCP_SYN_SENT || sk.state === TCP_SYN_RECV;
}

/** tcp_retransmit_timer */
export function retransmitTimer(sk: TcpSock): void {
  if (sk.fastopen !== null && sk.fastopen.rsk !== null) {
    fastOpenTimer(sk, sk.fastopen.rsk);
    return;
  }
  if (sk.tx.packetsOut === 0) return;
  const { host } = sk;
  if (sk.sndWnd === 0 && !sk.orphan && !handshaking(sk)) {
    // The peer shrank its window to nothing while data was in flight: the head serves as the probe.
    if (closedWindowTimedOut(sk)) {
      writeError(sk);
      return;
    }
    enterLoss(sk);
    retransmitRow(sk, 0, 1);
    backOff(sk);
    return;
  }
  host.mib.count(TcpExt.TCPTimeouts);
  if (writeTimedOut(sk)) return;
  if (sk.tx.retransmits === 0) countFailure(sk);
  enterLoss(sk);
  countTimeout(sk);
  if (!retransmitRow(sk, 0, 1) && !stillInHostQueue(sk, 0)) {
    armRetransmit(sk, TIME_RETRANS, TCP_RESOURCE_PROBE_INTERVAL);
    return;
  }
  // The first few timeouts of a SYN do not double (tcp_syn_linear_timeouts).
  if (sk.state === TCP_SYN_SENT && sk.tx.retransmits <= sk.host.sysctl.tcpSynLinearTimeouts)
    armRetransmit(sk, TIME_RETRANS, userTimeoutBound(sk));
  else backOff(sk);
}

/** Which kind of recovery the timeout ends, for the counters. */
function countFailure(sk: TcpSock): void {
  const { mib } = sk.host;
  if (sk.caState === TCP_CA_Recovery) {
    mib.count(sk.sackOk ? TcpExt.TCPSackRecoveryFail : TcpExt.TCPRenoRecoveryFail);
  } else if (sk.caState === TCP_CA_Loss) {
    mib.count(TcpExt.TCPLossFailures);
  } else if (sk.caState === TCP_CA_Disorder || sk.tx.sackedOut > 0) {
    mib.count(sk.sackOk ? TcpExt.TCPSackFailures : TcpExt.TCPRenoFailures);
  }
}

/** tcp_rtx_probe0_timed_out: nobody has answered for longer than a closed window excuses. */
function closedWindowTimedOut(sk: TcpSock): boolean {
  const limit = sk.tuning.userTimeoutMs;
  const trying = sk.tx.retransStamp === 0 ? sentMsAgo(sk) : (sk.host.nowMs - sk.tx.retransStamp) | 0;
  // More than the limit, in Linux; but its timers are late, where this one comes to the millisecond.
  if (limit !== 0 && trying >= limit) return true;
  const patience = 2 * sk.tuning.rtoMaxMs;
  const most = limit !== 0 && limit < patience ? limit : patience;
  return ((sk.host.nowMs - sk.rcvTstamp) | 0) > most && trying > most;
}

/** Milliseconds since the head of the write queue went out. */
function sentMsAgo(sk: TcpSock): number {
  const queue = sk.writeQueue;
  return Math.floor(((sk.host.nowUs - queue.rows[queue.at(0) + ROW_SENT_US]) | 0) / 1000);
}

/** Karn's backoff: doubled, up to two minutes or what TCP_RTO_MAX_MS says; of thin streams only after a few more of the same. */
function backOff(sk: TcpSock): void {
  if (timeoutsAreLinear(sk)) {
    sk.tx.backoff = 0;
    setRto(sk);
    sk.rto = Math.max(sk.rto, Math.ceil(rtoMinUs(sk) / 1000));
  } else {
    sk.tx.backoff++;
    sk.rto = Math.min(sk.rto * 2, sk.tuning.rtoMaxMs);
  }
  armRetransmit(sk, TIME_RETRANS, userTimeoutBound(sk));
}

/**
 * tcp_thin_linear_timeouts: who has too little under way for duplicate ACKs to tell of a loss (tcp_stream_is_thin) cannot be what
 * congests the network, and waits for repetitions of the same length first.
 */
function timeoutsAreLinear(sk: TcpSock): boolean {
  if (sk.host.sysctl.tcpThinLinearTimeouts === 0 && !sk.tuning.thinLinearTimeouts) return false;
  const thin = sk.tx.packetsOut < 4 && sk.sndSsthresh < TCP_INFINITE_SSTHRESH;
  return sk.state === TCP_ESTABLISHED && thin && sk.tx.retransmits <= TCP_THIN_LINEAR_RETRIES;
}

/** tcp_clamp_rto_to_user_timeout */
function userTimeoutBound(sk: TcpSock): number {
  const limit = sk.tuning.userTimeoutMs;
  if (limit === 0 || sk.tx.retransStamp === 0) return sk.rto;
  const left = limit - ((sk.host.nowMs - sk.tx.retransStamp) | 0);
  return left <= 0 ? 1 : Math.min(sk.rto, left);
}

/** tcp_write_timeout: has it been tried for long enough? Then the connection has failed. */
function writeTimedOut(sk: TcpSock): boolean {
  const { sysctl } = sk.host;
  let until: number;
  if (handshaking(sk)) {
    until = sk.tuning.synRetries || sysctl.tcpSynRetries;
    const most = sk.state === TCP_SYN_SENT ? until + sysctl.tcpSynLinearTimeouts : until;
    if (sk.tx.retransmits >= most) {
      if (sk.fastopen !== null) detectBlackHole(sk, sk.fastopen, true);
      writeError(sk);
      return true;
    }
  } else {
    if (retransmitsTimedOut(sk, sysctl.tcpRetries1, 0)) blackHole(sk);
    until = sysctl.tcpRetries2;
  }
  if (sk.orphan && !handshaking(sk)) {
    const alive = sk.rto < sk.tuning.rtoMaxMs;
    until = orphanRetries(sk, alive);
    if (outOfResources(sk, alive || !retransmitsTimedOut(sk, until, 0))) return true;
  }
  const expired = retransmitsTimedOut(sk, until, sk.tuning.userTimeoutMs);
  if (sk.fastopen !== null) detectBlackHole(sk, sk.fastopen, expired);
  if (!expired) return false;
  writeError(sk);
  return true;
}

/** tcp_out_of_resources: an orphan whose peer does not answer is the first to go when there are too many, or too little memory. */
function outOfResources(sk: TcpSock, reset: boolean): boolean {
  const idle = (sk.host.nowMs - sk.lsndtime) | 0;
  let shift = 0;
  // A window closed for long, or nothing sent for long; and a complaint by ICMP: each makes it count twice.
  if (idle > 2 * sk.tuning.rtoMaxMs || !reset) shift++;
  if (sk.errSoft !== 0) shift++;
  if (!checkOom(sk, shift)) return false;
  if (reset || idle <= TCP_TIMEWAIT_LEN || (sk.sndWnd === 0 && sk.tx.packetsOut === 0)) sendActiveReset(sk);
  tcpDone(sk);
  sk.host.mib.count(TcpExt.TCPAbortOnMemory);
  return true;
}

/** tcp_orphan_retries */
function orphanRetries(sk: TcpSock, alive: boolean): number {
  const retries = sk.host.sysctl.tcpOrphanRetries;
  if (sk.errSoft !== 0 && !alive) return 0;
  return retries === 0 && alive ? 8 : retries;
}

/** retransmits_timed_out: `boundary` retransmissions' worth of time, at plain doubling, since the first one. */
function retransmitsTimedOut(sk: TcpSock, boundary: number, limitMs: number): boolean {
  if (sk.tx.retransmits === 0 || sk.tx.retransStamp === 0) return false;
  let limit = limitMs;
  if (limit === 0) {
    const base = handshaking(sk) ? TCP_TIMEOUT_INIT : 200;
    const most = sk.tuning.rtoMaxMs;
    const doubling = Math.floor(Math.log2(most / base));
    limit =
      boundary <= doubling
        ? (2 ** (boundary + 1) - 1) * base
        : (2 ** (doubling + 1) - 1) * base + (boundary - doubling) * most;
  }
  return ((sk.host.nowMs - sk.tx.retransStamp) | 0) >= limit;
}

/** tcp_write_err */
function writeError(sk: TcpSock): void {
  sk.host.mib.count(TcpExt.TCPAbortOnTimeout);
  doneWithError(sk, sk.errSoft !== 0 ? sk.errSoft : ETIMEDOUT);
}

/** tcp_probe_timer */
function probeTimer(sk: TcpSock): void {
  const { host, tuning } = sk;
  if (sk.tx.packetsOut > 0 || sk.sndNxt === sk.writeSeq) {
    sk.probesOut = 0;
    sk.tx.probesStart = 0;
    return;
  }
  if (sk.tx.probesStart === 0) {
    sk.tx.probesStart = host.nowMs || 1;
  } else if (tuning.userTimeoutMs !== 0 && ((host.nowMs - sk.tx.probesStart) | 0) >= tuning.userTimeoutMs) {
    writeError(sk);
    return;
  }
  let most = host.sysctl.tcpRetries2;
  if (sk.orphan) {
    const alive = sk.rto * 2 ** sk.tx.backoff < sk.tuning.rtoMaxMs;
    most = orphanRetries(sk, alive);
    if (!alive && sk.tx.backoff >= most) {
      writeError(sk);
      return;
    }
    if (outOfResources(sk, true)) return;
  }
  if (sk.probesOut >= most) writeError(sk);
  else sendProbe0(sk);
}

/** tcp_send_probe0 */
function sendProbe0(sk: TcpSock): void {
  writeWakeup(sk, TcpExt.TCPWinProbe);
  if (sk.tx.packetsOut > 0 || sk.sndNxt === sk.writeSeq) {
    sk.probesOut = 0;
    sk.tx.backoff = 0;
    sk.tx.probesStart = 0;
    return;
  }
  sk.probesOut++;
  if (sk.tcp.congested) {
    // It did not leave this host: try again soon, and do not take it for the peer's silence.
    armRetransmit(sk, TIME_PROBE0, probe0Bound(sk, TCP_RESOURCE_PROBE_INTERVAL));
    return;
  }
  if (sk.tx.backoff < sk.host.sysctl.tcpRetries2) sk.tx.backoff++;
  armRetransmit(sk, TIME_PROBE0, probe0When(sk));
}

/** tcp_write_wakeup: as much as the window takes, or an old sequence number that must be answered. */
function writeWakeup(sk: TcpSock, counter: number): void {
  const edge = (sk.sndUna + sk.sndWnd) | 0;
  const queue = sk.writeQueue;
  const i = queue.sent;
  if (i < queue.count && before(sk.sndNxt, edge) && rowLength(sk, i) > 0) {
    const seq = queue.rows[queue.at(i) + ROW_SEQ];
    const room = (edge - seq) | 0;
    const mss = currentMss(sk);
    const length = Math.min(room, rowLength(sk, i), mss);
    queue.rows[queue.at(i) + ROW_FLAGS] |= ROW_PSH;
    // A FIN counts, too: it waits for room of its own.
    if (length < rowLength(sk, i) || room < ((queue.rows[queue.at(i) + ROW_END] - seq) | 0)) {
      queue.split(i, (seq + length) | 0);
      queue.rows[queue.at(i) + ROW_FLAGS] |= ROW_PSH;
    }
    const fin = (queue.rows[queue.at(i) + ROW_FLAGS] & ROW_FIN) !== 0 ? FIN : 0;
    if (transmit(sk, seq, length, ACK | PSH | fin)) newDataSent(sk, mss);
    return;
  }
  const { mib } = sk.host;
  if (sk.tx.urgMode && between(sk.tx.sndUp, (sk.sndUna + 1) | 0, (sk.sndUna + 0xffff) | 0)) {
    mib.count(counter);
    sendProbe(sk, true);
  }
  mib.count(counter);
  sendProbe(sk, false);
}

/** tcp_keepalive_timer */
function keepaliveTimer(sk: TcpSock): void {
  const { host, tuning } = sk;
  if (sk.state === TCP_FIN_WAIT2 && sk.orphan) {
    const left = finTimeout(sk) - TCP_TIMEWAIT_LEN;
    if (tuning.linger2Ms >= 0 && left > 0) {
      timeWait(sk, TCP_FIN_WAIT2, left);
      return;
    }
    sendActiveReset(sk);
    tcpDone(sk);
    return;
  }
  if (!sk.keepOpen || sk.state === TCP_SYN_SENT) return;
  const idle = keepaliveIdleMs(sk);
  if (sk.tx.packetsOut > 0 || sk.sndNxt !== sk.writeSeq) {
    armKeepalive(sk, idle);
    return;
  }
  const elapsed = keepaliveElapsedMs(sk);
  if (elapsed < idle) {
    armKeepalive(sk, idle - elapsed);
    return;
  }
  const limit = tuning.userTimeoutMs;
  const most = tuning.keepCnt || host.sysctl.tcpKeepaliveProbes;
  if (limit !== 0 ? elapsed >= limit && sk.probesOut > 0 : sk.probesOut >= most) {
    sendActiveReset(sk);
    writeError(sk);
    return;
  }
  writeWakeup(sk, TcpExt.TCPKeepAlive);
  if (sk.tcp.congested) {
    // It did not leave this host: that is not the peer's silence.
    armKeepalive(sk, TCP_RESOURCE_PROBE_INTERVAL);
    return;
  }
  sk.probesOut++;
  armKeepalive(sk, (tuning.keepIntvl || host.sysctl.tcpKeepaliveIntvl) * 1000);
}
