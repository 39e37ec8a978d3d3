// Options of level IPPROTO_TCP (do_tcp_setsockopt, do_tcp_getsockopt): clamps and units are Linux's, and two of them act at
// once: TCP_NODELAY and TCP_CORK send what waited, TCP_NOTSENT_LOWAT may make the socket writable.

import type { CongestionControl } from '../tcp/congestion/congestion.js';
import {
  ACK_PUSHED,
  ACK_SCHED,
  MAX_TCP_WINDOW,
  NAGLE_CORK,
  NAGLE_OFF,
  NAGLE_PUSH,
  TCP_MIN_MSS,
  TCP_RTO_MAX,
  TCP_TIMEOUT_INIT,
} from '../tcp/constants.js';
import { afterRead, enterPingpong, pingpong } from '../tcp/delayed-ack.js';
import { pushPendingFrames } from '../tcp/output.js';
import { UNSENT } from '../tcp/send-state.js';
import type { TcpSock } from '../tcp/sock.js';
import type { Tcp } from '../tcp/tcp.js';
import { armKeepalive, keepaliveElapsedMs } from '../tcp/tcp-timer.js';
import { EINVAL, ENOENT, EPERM } from '../uapi/errno.js';
import {
  TCP_CLOSE,
  TCP_CLOSE_WAIT,
  TCP_CONGESTION,
  TCP_CORK,
  TCP_DEFER_ACCEPT,
  TCP_ESTABLISHED,
  TCP_FASTOPEN_KEY,
  TCP_INFO,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_LINGER2,
  TCP_LISTEN,
  TCP_MAXSEG,
  TCP_NODELAY,
  TCP_NOTSENT_LOWAT,
  TCP_QUICKACK,
  TCP_SYNCNT,
  TCP_ULP,
  TCP_USER_TIMEOUT,
  TCP_WINDOW_CLAMP,
} from '../uapi/tcp.js';
import { INT_SIZE, intOf } from './option-values.js';
import type { OptionResult, OptionValue } from './proto-ops.js';
import { SOCK_MIN_RCVBUF } from './sol-socket.js';
import { getFastOpen, isFastOpenOption, setFastOpen, setFastOpenKey } from './sol-tcp-fastopen.js';
import { getRareTcp, setRareTcp } from './sol-tcp-rare.js';
import { streamWriteSpace } from './stream-space.js';

const MAX_TCP_KEEPIDLE = 32767;
const MAX_TCP_KEEPINTVL = 32767;
const MAX_TCP_KEEPCNT = 127;
const MAX_TCP_SYNCNT = 127;
/** TCP_FIN_TIMEOUT_MAX, seconds. */
const FIN_TIMEOUT_MAX = 120;

const within = (value: number, low: number, high: number): boolean => value >= low && value <= high;

/** 0 or -errno. The caller holds the sock's lock. */
export function setTcpOption(
  tcp: Tcp,
  sk: TcpSock,
  name: number,
  value: OptionValue,
  length: number,
): number {
  if (name === TCP_CONGESTION) return setCongestion(tcp, sk, value, length);
  // No upper-layer protocol can be had.
  if (name === TCP_ULP) return length < 1 ? -EINVAL : -ENOENT;
  if (name === TCP_FASTOPEN_KEY) return setFastOpenKey(sk, value, length);
  if (length < INT_SIZE) return -EINVAL;
  const int = intOf(value);
  if (isFastOpenOption(name)) return setFastOpen(tcp, sk, name, int);
  switch (name) {
    case TCP_NODELAY:
      return setNodelay(sk, int !== 0);
    case TCP_CORK:
      return setCork(sk, int !== 0);
    case TCP_MAXSEG:
      if (int !== 0 && !within(int, TCP_MIN_MSS, MAX_TCP_WINDOW)) return -EINVAL;
      sk.ownTuning().userMss = int;
      return 0;
    case TCP_KEEPIDLE:
      return setKeepIdle(sk, int);
    case TCP_KEEPINTVL:
      if (!within(int, 1, MAX_TCP_KEEPINTVL)) return -EINVAL;
      sk.ownTuning().keepIntvl = int;
      return 0;
    case TCP_KEEPCNT:
      if (!within(int, 1, MAX_TCP_KEEPCNT)) return -EINVAL;
      sk.ownTuning().keepCnt = int;
      return 0;
    case TCP_SYNCNT:
      if (!within(int, 1, MAX_TCP_SYNCNT)) return -EINVAL;
      sk.ownTuning().synRetries = int;
      return 0;
    case TCP_LINGER2:
      sk.ownTuning().linger2Ms = int < 0 ? -1 : Math.min(int, FIN_TIMEOUT_MAX) * 1000;
      return 0;
    case TCP_DEFER_ACCEPT:
      sk.ownTuning().deferAccept = secondsToRetrans(int);
      return 0;
    case TCP_WINDOW_CLAMP:
      return setWindowClamp(sk, int);
    case TCP_QUICKACK:
      setQuickAck(sk, int);
      return 0;
    case TCP_USER_TIMEOUT:
      if (int < 0) return -EINVAL;
      sk.ownTuning().userTimeoutMs = int;
      return 0;
    case TCP_NOTSENT_LOWAT:
      sk.ownTuning().notsentLowat = int >>> 0;
      streamWriteSpace(sk);
      return 0;
    default:
      return setRareTcp(sk, name, int);
  }
}

/** 0, with the answer in `out.value`; or -errno. */
export function getTcpOption(tcp: Tcp, sk: TcpSock, name: number, out: OptionResult): number {
  const { sysctl } = sk.host;
  const { tuning } = sk;
  if (name === TCP_FASTOPEN_KEY || isFastOpenOption(name)) return getFastOpen(tcp, sk, name, out);
  switch (name) {
    case TCP_NODELAY:
      out.value = (sk.nonagle & NAGLE_OFF) !== 0 ? 1 : 0;
      return 0;
    case TCP_CORK:
      out.value = (sk.nonagle & NAGLE_CORK) !== 0 ? 1 : 0;
      return 0;
    case TCP_MAXSEG: {
      const passive = sk.state === TCP_CLOSE || sk.state === TCP_LISTEN;
      out.value = tuning.userMss !== 0 && passive ? tuning.userMss : sk.mss;
      return 0;
    }
    case TCP_KEEPIDLE:
      out.value = tuning.keepIdle || sysctl.tcpKeepaliveTime;
      return 0;
    case TCP_KEEPINTVL:
      out.value = tuning.keepIntvl || sysctl.tcpKeepaliveIntvl;
      return 0;
    case TCP_KEEPCNT:
      out.value = tuning.keepCnt || sysctl.tcpKeepaliveProbes;
      return 0;
    case TCP_SYNCNT:
      out.value = tuning.synRetries || sysctl.tcpSynRetries;
      return 0;
    case TCP_LINGER2:
      out.value = tuning.linger2Ms < 0 ? -1 : tuning.linger2Ms / 1000 || sysctl.tcpFinTimeout;
      return 0;
    case TCP_DEFER_ACCEPT:
      out.value = retransToSeconds(tuning.deferAccept);
      return 0;
    case TCP_WINDOW_CLAMP:
      out.value = sk.state === TCP_CLOSE || sk.state === TCP_LISTEN ? tuning.windowClamp : sk.windowClamp;
      return 0;
    case TCP_QUICKACK:
      out.value = pingpong(sk) ? 0 : 1;
      return 0;
    case TCP_USER_TIMEOUT:
      out.value = tuning.userTimeoutMs;
      return 0;
    case TCP_NOTSENT_LOWAT:
      out.value = tuning.notsentLowat | 0;
      return 0;
    case TCP_CONGESTION:
      out.value = sk.cc.name;
      return 0;
    case TCP_INFO:
      out.value = tcp.info(sk);
      return 0;
    default:
      return getRareTcp(sk, name, out);
  }
}

/** __tcp_sock_set_nodelay */
function setNodelay(sk: TcpSock, on: boolean): number {
  if (on) {
    sk.nonagle |= NAGLE_OFF | NAGLE_PUSH;
    pushPendingFrames(sk);
  } else {
    sk.nonagle &= ~NAGLE_OFF;
  }
  return 0;
}

/** __tcp_sock_set_cork */
function setCork(sk: TcpSock, on: boolean): number {
  if (on) {
    sk.nonagle |= NAGLE_CORK;
    return 0;
  }
  sk.nonagle &= ~NAGLE_CORK;
  if ((sk.nonagle & NAGLE_OFF) !== 0) sk.nonagle |= NAGLE_PUSH;
  pushPendingFrames(sk);
  return 0;
}

/** tcp_sock_set_keepidle_locked: a running keepalive timer is set to the new time. */
function setKeepIdle(sk: TcpSock, seconds: number): number {
  if (!within(seconds, 1, MAX_TCP_KEEPIDLE)) return -EINVAL;
  sk.ownTuning().keepIdle = seconds;
  if (sk.keepOpen && sk.state !== TCP_CLOSE && sk.state !== TCP_LISTEN) {
    armKeepalive(sk, Math.max(seconds * 1000 - keepaliveElapsedMs(sk), 0));
  }
  return 0;
}

/** tcp_set_window_clamp */
function setWindowClamp(sk: TcpSock, wanted: number): number {
  if (wanted === 0) {
    if (sk.state !== TCP_CLOSE) return -EINVAL;
    sk.ownTuning().windowClamp = 0;
    return 0;
  }
  const clamp = Math.max(wanted, SOCK_MIN_RCVBUF >> 1);
  sk.ownTuning().windowClamp = clamp;
  if (sk.state === TCP_CLOSE || sk.state === TCP_LISTEN) return 0;
  if (clamp < sk.windowClamp) sk.rcvSsthresh = Math.min(sk.rcvSsthresh, clamp);
  else sk.rcvSsthresh = Math.max(sk.rcvSsthresh, Math.min(sk.rcvWnd, clamp));
  sk.windowClamp = clamp;
  return 0;
}

/** __tcp_sock_set_quickack: even values turn quick acknowledgement off, and an owed ACK goes out first if it is on. */
function setQuickAck(sk: TcpSock, value: number): void {
  if (value === 0) {
    enterPingpong(sk);
    return;
  }
  sk.ackPingpong = 0;
  const connected = sk.state === TCP_ESTABLISHED || sk.state === TCP_CLOSE_WAIT;
  if (connected && (sk.ackPending & ACK_SCHED) !== 0) {
    sk.ackPending |= ACK_PUSHED;
    afterRead(sk, 1);
    if ((value & 1) === 0) enterPingpong(sk);
  }
}

/** tcp_set_congestion_control */
function setCongestion(tcp: Tcp, sk: TcpSock, value: OptionValue, length: number): number {
  if (length < 1) return -EINVAL;
  const control = typeof value === 'string' ? tcp.congestionControl(value) : null;
  // Asking for what it has changes nothing, and needs no right.
  if (control !== sk.cc) {
    if (control === null) return -ENOENT;
    if (sk.uid !== 0 && !tcp.controls.allowed(control.name)) return -EPERM;
    changeControl(sk, control);
  }
  if (!sk.tuning.controlChosen) sk.ownTuning().controlChosen = true;
  return 0;
}

/** tcp_reinit_congestion_control: a connection that is there already goes on under the new one. */
function changeControl(sk: TcpSock, control: CongestionControl): void {
  sk.cc.release(sk);
  sk.cc = control;
  sk.caPriv = null;
  sk.pacingNeeded = false;
  if (sk.tx !== UNSENT) sk.tx.priorSsthresh = 0;
  if (sk.state !== TCP_CLOSE && sk.state !== TCP_LISTEN) control.init(sk);
}

/** secs_to_retrans: how many SYN-ACK time-outs it takes until so many seconds are over. */
function secondsToRetrans(seconds: number): number {
  if (seconds <= 0) return 0;
  let timeout = TCP_TIMEOUT_INIT / 1000;
  let period = timeout;
  let retrans = 1;
  while (seconds > period && retrans < 255) {
    retrans++;
    timeout = Math.min(timeout * 2, TCP_RTO_MAX / 1000);
    period += timeout;
  }
  return retrans;
}

/** retrans_to_secs */
function retransToSeconds(retrans: number): number {
  let timeout = TCP_TIMEOUT_INIT / 1000;
  let period = retrans > 0 ? timeout : 0;
  for (let left = retrans; left > 1; left--) {
    timeout = Math.min(timeout * 2, TCP_RTO_MAX / 1000);
    period += timeout;
  }
  return period;
}
