// How connections end: by close, shutdown, disconnect, a reset from either side, or TIME_WAIT (tcp_close, tcp_done,
// tcp_reset, tcp_time_wait). The order of wake-ups here is what epoll users see.

import { TcpExt, Tcp as TcpMib } from '../core/mib.js';
import { SEND_SHUTDOWN, SHUTDOWN_MASK, SOCK_BINDADDR_LOCK, SOCK_BINDPORT_LOCK } from '../core/sock.js';
import { ends, traceSetState } from '../core/trace.js';
import { ANY_V4 } from '../packet/address.js';
import { ECONNREFUSED, ECONNRESET, EPIPE } from '../uapi/errno.js';
import {
  TCP_CA_Open,
  TCP_CLOSE,
  TCP_CLOSE_WAIT,
  TCP_CLOSING,
  TCP_ESTABLISHED,
  TCP_FIN_WAIT1,
  TCP_FIN_WAIT2,
  TCP_LAST_ACK,
  TCP_LISTEN,
  TCP_SYN_RECV,
  TCP_SYN_SENT,
  TCP_TIME_WAIT,
} from '../uapi/tcp.js';
import {
  TCP_DELACK_MAX,
  TCP_INFINITE_SSTHRESH,
  TCP_INIT_CWND,
  TCP_MIN_MSS,
  TCP_RTO_MIN,
  TCP_TIMEOUT_INIT,
  TCP_TIMEWAIT_LEN,
} from './constants.js';
import { initDelayedAck } from './delayed-ack.js';
import type { FastOpenState } from './fastopen/fastopen.js';
import { migrateQueues } from './listen/migrate.js';
import { checkOom } from './memory.js';
import { sendFin } from './output.js';
import { updateMetrics } from './path/save-metrics.js';
import { giveBack } from './quiet.js';
import { UNSENT } from './send-state.js';
import type { TcpSock } from './sock.js';
import { armKeepalive, clearTimers } from './tcp-timer.js';
import { TimeWaitSock } from './time-wait.js';
import { sendActiveReset } from './transmit.js';
import { dropMarks } from './tx-marks.js';

/** tcp_set_state: entering CLOSE leaves the tables, and the port unless it was asked for by number. */
export function setState(sk: TcpSock, state: number): void {
  const old = sk.state;
  if (traceSetState.on) traceSetState.emit(sk.host, { ...ends(sk), from: old, to: state });
  if (state === TCP_CLOSE) {
    if (old === TCP_CLOSE_WAIT || old === TCP_ESTABLISHED) sk.host.mib.count(TcpMib.EstabResets);
    unhash(sk);
    if ((sk.userlocks & SOCK_BINDPORT_LOCK) === 0) sk.tcp.ports.release(sk);
  }
  sk.state = state;
}

function unhash(sk: TcpSock): void {
  if (sk.state === TCP_LISTEN) {
    sk.tcp.listeners.remove(sk);
  } else if (sk.hashed) {
    sk.tcp.established.remove(sk);
    sk.hashed = false;
  }
}

function purge(sk: TcpSock): void {
  if (sk.extras !== null) dropMarks(sk, sk.extras);
  if (sk.tx !== UNSENT) {
    sk.sndQueue.clear();
    sk.writeQueue.clear();
    sk.tx.purge();
  }
  sk.caState = TCP_CA_Open;
  sk.cc.release(sk);
}

/** What came out of order will not be wanted any more. */
export function dropOutOfOrder(sk: TcpSock): void {
  if (sk.rx.reassembly === null) return;
  sk.rx.reassembly.clear();
  sk.rx.reassembly = null;
}

/** reqsk_fastopen_remove: a child's handshake is over, one way or the other. `reset`: the peer ended it. */
export function removeFastOpen(sk: TcpSock, reset: boolean): void {
  const rsk = sk.fastopen === null ? null : sk.fastopen.rsk;
  if (sk.fastopen === null || rsk === null) return;
  sk.fastopen.rsk = null;
  const { listener } = rsk;
  // One that accept() has not returned yet still counts there.
  const hold = reset && !sk.acceptQueued && listener.state === TCP_LISTEN;
  listener.fastopen?.queue?.remove(sk.host, hold);
}

/** tcp_fastopen_active_disable_ofo_check: of a connection that we opened so, nothing but the FIN came, or data came. */
function checkBlackHole(sk: TcpSock, state: FastOpenState): void {
  if (!state.synFastopen) return;
  if (sk.dataSegsIn === 0) {
    const runs = sk.rx.reassembly?.runs;
    if (runs?.length === 1 && runs[0].fin) sk.tcp.fastopen.disableActive();
  } else if (state.synFastopenCh && sk.route?.local === false) sk.tcp.fastopen.proveActive();
}

/** tcp_done: the connection is over; whoever waits is told, and an orphan is destroyed. */
export function tcpDone(sk: TcpSock): void {
  if (sk.state === TCP_SYN_SENT || sk.state === TCP_SYN_RECV) sk.host.mib.count(TcpMib.AttemptFails);
  setState(sk, TCP_CLOSE);
  removeFastOpen(sk, false);
  clearTimers(sk);
  sk.shutdown = SHUTDOWN_MASK;
  if (!sk.orphan) sk.stateChange();
  else destroy(sk);
}

/** tcp_done_with_error: everything in flight is given up; STATE, then ERR. */
export function doneWithError(sk: TcpSock, errno: number): void {
  sk.err = errno;
  purge(sk);
  tcpDone(sk);
  if (!sk.orphan) sk.errorReport();
}

/** tcp_reset: the peer aborted. */
export function tcpReset(sk: TcpSock): void {
  if (sk.state === TCP_CLOSE) return;
  if (sk.state === TCP_SYN_SENT) doneWithError(sk, ECONNREFUSED);
  else doneWithError(sk, sk.state === TCP_CLOSE_WAIT ? EPIPE : ECONNRESET);
}

/** What tcp_disconnect and tcp_v4_destroy_sock do about Fast Open. */
function endFastOpen(sk: TcpSock, state: FastOpenState): void {
  checkBlackHole(sk, state);
  removeFastOpen(sk, false);
  state.forget();
}

/** inet_csk_destroy_sock */
export function destroy(sk: TcpSock): void {
  purge(sk);
  if (sk.fastopen !== null) endFastOpen(sk, sk.fastopen);
  sk.rcvQueue.clear();
  dropOutOfOrder(sk);
  sk.backlog?.clear();
  clearTimers(sk);
  giveBack(sk);
  sk.tcp.ports.release(sk);
  sk.route = null;
  if (sk.orphan) sk.tcp.orphans--;
}

/** A remnant that is to last no longer counts among TWKilled instead (__inet_twsk_schedule). */
const TW_KILLED_MS = 4000;

/** tcp_time_wait: a minisock takes the connection's place; the sock itself is done. */
export function timeWait(sk: TcpSock, substate: number, timeoutMs: number): void {
  const { tcp, route, host } = sk;
  if (route !== null && tcp.timeWaits.count < host.sysctl.tcpMaxTwBuckets) {
    const tw = new TimeWaitSock(sk, route, substate);
    const hash = sk.hash;
    tcp.ports.inherit(tw, sk);
    tcp.timeWaits.insert(tw, hash);
    const rto = (sk.rto << 2) - (sk.rto >> 1);
    const wait = substate === TCP_TIME_WAIT ? TCP_TIMEWAIT_LEN : Math.max(timeoutMs, rto);
    host.wheel.arm(tw, wait);
    host.mib.count(wait <= TW_KILLED_MS ? TcpExt.TWKilled : TcpExt.TW);
  } else {
    host.mib.count(TcpExt.TCPTimeWaitOverflow);
  }
  updateMetrics(sk);
  tcpDone(sk);
}

/** inet_twsk_deschedule_put */
export function endTimeWait(tw: TimeWaitSock): void {
  tw.tcp.host.wheel.cancel(tw);
  tw.tcp.timeWaits.remove(tw);
  tw.tcp.ports.release(tw);
}

/** tcp_fin_time: how long an orphan stays in FIN_WAIT2, in milliseconds. */
export function finTimeout(sk: TcpSock): number {
  const timeout = sk.tuning.linger2Ms !== 0 ? sk.tuning.linger2Ms : sk.host.sysctl.tcpFinTimeout * 1000;
  return Math.max(timeout, (sk.rto << 2) - (sk.rto >> 1));
}

/** tcp_close_state: the state after our FIN; whether a FIN is to be sent. */
function closeState(sk: TcpSock): boolean {
  switch (sk.state) {
    case TCP_ESTABLISHED:
    case TCP_SYN_RECV:
      setState(sk, TCP_FIN_WAIT1);
      return true;
    case TCP_CLOSE_WAIT:
      setState(sk, TCP_LAST_ACK);
      return true;
    case TCP_SYN_SENT:
    case TCP_LISTEN:
      setState(sk, TCP_CLOSE);
      return false;
    default:
      return false;
  }
}

/** tcp_shutdown */
export function tcpShutdown(sk: TcpSock, how: number): void {
  if ((how & SEND_SHUTDOWN) === 0) return;
  if (sk.state === TCP_ESTABLISHED || sk.state === TCP_SYN_SENT || sk.state === TCP_CLOSE_WAIT) {
    if (closeState(sk)) sendFin(sk);
  }
}

/** tcp_need_reset */
function needsReset(state: number): boolean {
  return (
    state === TCP_ESTABLISHED ||
    state === TCP_CLOSE_WAIT ||
    state === TCP_FIN_WAIT1 ||
    state === TCP_FIN_WAIT2 ||
    state === TCP_SYN_RECV
  );
}

/** inet_csk_listen_stop: every child that nobody accepted, nor inherits, is reset, oldest first; half-open requests vanish. */
function listenStop(sk: TcpSock): void {
  const listener = sk.listener;
  if (listener === null) return;
  migrateQueues(sk, listener);
  for (const request of listener.requests()) {
    sk.host.wheel.cancel(request);
    sk.tcp.requests.remove(request);
    listener.delete(request);
  }
  for (let child = listener.shift(); child !== null; child = listener.shift()) {
    child.orphan = true;
    sk.tcp.orphans++;
    tcpDisconnect(child);
    destroy(child);
  }
  sk.listener = null;
}

/** tcp_disconnect: back to a clean, unconnected socket, resetting the peer where it must know. */
export function tcpDisconnect(sk: TcpSock): number {
  const old = sk.state;
  if (old !== TCP_CLOSE) setState(sk, TCP_CLOSE);
  if (old === TCP_LISTEN) {
    listenStop(sk);
  } else if (
    needsReset(old) ||
    (sk.sndNxt !== sk.writeSeq && (old === TCP_CLOSING || old === TCP_LAST_ACK))
  ) {
    sendActiveReset(sk);
    sk.err = ECONNRESET;
  } else if (old === TCP_SYN_SENT) {
    sk.err = ECONNRESET;
  }
  clearTimers(sk);
  sk.rcvQueue.clear();
  purge(sk);
  if (sk.fastopen !== null) endFastOpen(sk, sk.fastopen);
  dropOutOfOrder(sk);
  sk.dport = 0;
  sk.daddr = ANY_V4;
  if ((sk.userlocks & SOCK_BINDADDR_LOCK) === 0) {
    sk.laddr = ANY_V4;
    sk.saddr = ANY_V4;
  }
  sk.route = null;
  forget(sk);
  sk.errorReport();
  return 0;
}

/** What tcp_disconnect clears so that the sock can connect again as if it were new. */
function forget(sk: TcpSock): void {
  sk.forgetTransfers();
  sk.segsOut = 0;
  sk.segsIn = 0;
  // They stand among what the connection came to know, and are forgotten with that.
  if (sk.tuning.userMss !== 0) sk.ownTuning().userMss = 0;
  if (sk.tuning.windowClamp !== 0) sk.ownTuning().windowClamp = 0;
  // Not what tcp_rto_min_us says.
  if (sk.tuning.rtoMinUs !== TCP_RTO_MIN * 1000) sk.ownTuning().rtoMinUs = TCP_RTO_MIN * 1000;
  if (sk.tuning.delackMaxMs !== TCP_DELACK_MAX) sk.ownTuning().delackMaxMs = TCP_DELACK_MAX;
  if (sk.extras !== null) sk.extras.peekOff = -1;
  sk.windowClamp = 0;
  sk.shutdown = 0;
  sk.done = false;
  sk.srttUs = 0;
  sk.mdevUs = TCP_TIMEOUT_INIT * 1000;
  sk.rttvarUs = 0;
  sk.minRttUs = 0;
  // Far from the old sequence space, so that late segments of it are not mistaken (tcp_disconnect). That the
  // jump shows in SIOCOUTQNSD is Linux's way, too.
  sk.writeSeq = (sk.writeSeq + sk.maxWindow + 2) | 0 || 1;
  sk.finQueued = false;
  sk.probesOut = 0;
  sk.rto = TCP_TIMEOUT_INIT;
  sk.sndSsthresh = TCP_INFINITE_SSTHRESH;
  sk.sndCwnd = TCP_INIT_CWND;
  sk.sndCwndClamp = TCP_INFINITE_SSTHRESH;
  sk.sndCwndCnt = 0;
  initDelayedAck(sk);
  sk.copiedSeq = sk.rcvNxt;
  sk.rcvWup = sk.rcvNxt;
  sk.rcvMss = TCP_MIN_MSS;
  sk.tsRecentStamp = 0;
  sk.tsRecent = 0;
  sk.tstampOk = false;
  sk.sackOk = false;
  sk.wscaleOk = false;
}

/**
 * First half of __tcp_close: everything that goes to the peer. True when SO_LINGER asks the caller to wait, up to
 * `sk.lingerMs`, until our data and FIN are acknowledged, before `finishClose`.
 */
export function startClose(sk: TcpSock): boolean {
  const { mib } = sk.host;
  sk.shutdown = SHUTDOWN_MASK;
  if (sk.state === TCP_LISTEN) {
    setState(sk, TCP_CLOSE);
    listenStop(sk);
    return false;
  }
  const unread = sk.rcvQueue.length > 0;
  sk.rcvQueue.clear();
  if (sk.state === TCP_CLOSE) return false;
  if (unread) {
    // RFC 2525 section 2.17: the peer must learn that its data did not arrive at the application.
    mib.count(TcpExt.TCPAbortOnClose);
    setState(sk, TCP_CLOSE);
    sendActiveReset(sk);
  } else if (sk.lingerOn && sk.lingerMs === 0) {
    tcpDisconnect(sk);
    mib.count(TcpExt.TCPAbortOnData);
  } else if (closeState(sk)) {
    sendFin(sk);
  }
  return sk.lingerOn && sk.lingerMs > 0 && closing(sk);
}

/** sk_stream_closing */
export function closing(sk: TcpSock): boolean {
  return sk.state === TCP_FIN_WAIT1 || sk.state === TCP_CLOSING || sk.state === TCP_LAST_ACK;
}

/** Second half of __tcp_close: the sock becomes an orphan, and goes at once if nothing is left to do. */
export function finishClose(sk: TcpSock, runBacklog: (sk: TcpSock) => void): void {
  const { tcp, host } = sk;
  const state = sk.state;
  sk.wq = null;
  sk.orphan = true;
  tcp.orphans++;
  runBacklog(sk);
  // Its last act may have happened in the backlog: then it is destroyed already.
  if (state !== TCP_CLOSE && sk.state === TCP_CLOSE) return;
  if (sk.state === TCP_FIN_WAIT2) {
    if (sk.tuning.linger2Ms < 0) {
      setState(sk, TCP_CLOSE);
      sendActiveReset(sk);
      host.mib.count(TcpExt.TCPAbortOnLinger);
    } else {
      const timeout = finTimeout(sk);
      if (timeout > TCP_TIMEWAIT_LEN) {
        armKeepalive(sk, timeout - TCP_TIMEWAIT_LEN);
      } else {
        timeWait(sk, TCP_FIN_WAIT2, timeout);
        return;
      }
    }
  }
  if (sk.state !== TCP_CLOSE && checkOom(sk, 0)) {
    setState(sk, TCP_CLOSE);
    sendActiveReset(sk);
    host.mib.count(TcpExt.TCPAbortOnMemory);
  }
  if (sk.state === TCP_CLOSE) destroy(sk);
}
