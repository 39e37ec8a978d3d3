// The receive window: what we announce, how it grows with what the application reads (tcp_select_window,
// tcp_rcv_space_adjust), and never takes back what was once offered (RFC 9293 section 3.8.6).

import type { Host } from '../core/host.js';
import { TcpExt } from '../core/mib.js';
import { SOCK_RCVBUF_LOCK } from '../core/sock.js';
import type { RouteMetrics } from '../ip/route-metrics.js';
import { MAX_TCP_WSCALE, TCP_INIT_CWND } from './constants.js';
import type { Segment } from './segment.js';
import { before } from './seq.js';
import type { TcpSock } from './sock.js';

/** tcp_full_space: the window an empty receive buffer is worth. */
export function fullSpace(sk: TcpSock): number {
  return sk.rcvbuf >> 1;
}

/** tcp_space */
export function freeSpace(sk: TcpSock): number {
  const free = sk.rcvbuf - sk.rmemAlloc;
  return free > 0 ? free >> 1 : 0;
}

/** tcp_receive_window: what the peer may still send. */
export function receiveWindow(sk: TcpSock): number {
  const window = (sk.rcvWup + sk.rcvWnd - sk.rcvNxt) | 0;
  return window > 0 ? window : 0;
}

/** Result of `selectInitialWindow`. */
export const initialWindow = { window: 0, clamp: 0, wscale: 0 };

/** tcp_select_initial_window: the window of a SYN or SYN-ACK and the scale announced with it, into `initialWindow`. */
export function selectInitialWindow(
  host: Host,
  sk: TcpSock,
  mss: number,
  scaling: boolean,
  metrics: RouteMetrics,
): void {
  let clamp = sk.tuning.windowClamp !== 0 ? sk.tuning.windowClamp : metrics.window;
  if (clamp === 0) clamp = 65535 << MAX_TCP_WSCALE;
  let space = Math.min(clamp, fullSpace(sk));
  if (space > mss) space -= space % mss;
  let wscale = 0;
  if (scaling) {
    let most = Math.max(space, host.sysctl.tcpRmem[2], host.sysctl.rmemMax);
    most = Math.min(most, clamp);
    wscale = Math.max(0, Math.min(31 - Math.clz32(most) - 15, MAX_TCP_WSCALE));
  }
  clamp = Math.min(65535 * 2 ** wscale, clamp);
  initialWindow.window = metrics.initrwnd === 0 ? space : Math.min(space, metrics.initrwnd * mss);
  initialWindow.clamp = clamp;
  initialWindow.wscale = wscale;
}

/** __tcp_select_window: what to offer now, in bytes. */
export function offerWindow(sk: TcpSock): number {
  let free = freeSpace(sk);
  const allowed = fullSpace(sk);
  const full = sk.windowClamp < allowed ? sk.windowClamp : allowed;
  let mss = sk.rcvMss;
  if (mss > full) {
    mss = full;
    if (mss <= 0) return 0;
  }
  if (free < full >> 1) {
    sk.ackQuick = 0;
    if (sk.tcp.memory.pressure) underPressure(sk);
    // A window below one segment invites silly windows (RFC 1122 section 4.2.3.3), so it counts as closed.
    free -= free & ((1 << sk.rcvWscale) - 1);
    if (free < allowed >> 4 || free < mss) return 0;
  }
  if (free > sk.rcvSsthresh) free = sk.rcvSsthresh;
  if (sk.rcvWscale > 0) {
    const unit = 1 << sk.rcvWscale;
    return (free + unit - 1) & ~(unit - 1);
  }
  const window = sk.rcvWnd;
  if (window <= free - mss || window > free) return free - (free % mss);
  if (mss === full && free > window + (full >> 1)) return free;
  return window;
}

/** tcp_adjust_rcv_ssthresh: memory is short, so the offer falls to a few segments. */
export function underPressure(sk: TcpSock): void {
  const few = 4 * sk.advmss;
  if (sk.rcvSsthresh > few) sk.rcvSsthresh = few;
}

/** tcp_select_window: settles the window for the segment about to leave, and returns the header's field. */
export function selectWindow(sk: TcpSock): number {
  const { mib } = sk.host;
  const old = sk.rcvWnd;
  const current = receiveWindow(sk);
  let window = offerWindow(sk);
  if (window < current) {
    if (window === 0) mib.count(TcpExt.TCPWantZeroWindowAdv);
    const unit = 1 << sk.rcvWscale;
    window = (current + unit - 1) & ~(unit - 1);
  }
  const most = sk.rcvWscale === 0 ? 65535 : 65535 << sk.rcvWscale;
  if (window > most) window = most;
  sk.rcvWnd = window;
  sk.rcvWup = sk.rcvNxt;
  const field = window >>> sk.rcvWscale;
  if (field === 0) {
    if (old !== 0) mib.count(TcpExt.TCPToZeroWindowAdv);
  } else if (old === 0) mib.count(TcpExt.TCPFromZeroWindowAdv);
  return field;
}

/** tcp_grow_window: the offer opens as in-order data proves that the peer sends well-filled segments. */
export function growWindow(sk: TcpSock, length: number): void {
  if (sk.tcp.memory.pressure) {
    underPressure(sk);
    return;
  }
  const space = freeSpace(sk);
  const room = (sk.windowClamp < space ? sk.windowClamp : space) - sk.rcvSsthresh;
  if (room <= 0) return;
  let increment = 2 * sk.advmss;
  if (2 * length > increment) increment = 2 * length;
  sk.rcvSsthresh += room < increment ? room : increment;
  sk.ackQuick |= 1;
}

/** tcp_init_buffer_space: once connected, sizes follow the segments that were agreed on. */
export function initBufferSpace(sk: TcpSock): void {
  sk.rcvSpace = Math.min(sk.rcvWnd, TCP_INIT_CWND * sk.advmss);
  sk.rcvSpaceSeq = sk.copiedSeq;
  sk.rcvSpaceTime = sk.host.nowUs;
  const full = fullSpace(sk);
  if (sk.windowClamp >= full) sk.windowClamp = full;
  if (sk.rcvSsthresh > sk.windowClamp) sk.rcvSsthresh = sk.windowClamp;
}

/** tcp_rcv_rtt_measure_ts and tcp_rcv_rtt_measure: the receiver's own idea of the round trip, for autotuning only. */
export function measureReceiverRtt(sk: TcpSock, segment: Segment): void {
  const host = sk.host;
  if (sk.tstampOk && segment.hasTs && segment.tsEcr !== 0) {
    if (segment.length < sk.rcvMss) return;
    const ms = (host.nowMs + sk.tsOffset - segment.tsEcr) | 0;
    if (ms >= 0 && ms < 60_000) smoothReceiverRtt(sk, Math.max(ms, 1) * 1000);
    return;
  }
  if (sk.rcvRttTime !== 0) {
    if (before(sk.rcvNxt, sk.rcvRttSeq)) return;
    smoothReceiverRtt(sk, (host.nowUs - sk.rcvRttTime) | 0 || 1);
  }
  sk.rcvRttSeq = (sk.rcvNxt + sk.rcvWnd) | 0;
  sk.rcvRttTime = host.nowUs;
}

function smoothReceiverRtt(sk: TcpSock, sampleUs: number): void {
  sk.rcvRttUs = sk.rcvRttUs === 0 ? sampleUs << 3 : sk.rcvRttUs + sampleUs - (sk.rcvRttUs >> 3);
}

/** tcp_rcv_space_adjust: dynamic right-sizing. If the application read more this round trip than last, let the buffer grow. */
export function adjustReceiveSpace(sk: TcpSock): void {
  const host = sk.host;
  const elapsed = (host.nowUs - sk.rcvSpaceTime) | 0;
  if (sk.rcvRttUs === 0 || elapsed < sk.rcvRttUs >> 3) return;
  const copied = (sk.copiedSeq - sk.rcvSpaceSeq) | 0;
  if (copied > sk.rcvSpace) {
    if (host.sysctl.tcpModerateRcvbuf !== 0 && (sk.userlocks & SOCK_RCVBUF_LOCK) === 0) {
      let window = copied * 2 + 16 * sk.advmss;
      window += 2 * Math.floor((window * (copied - sk.rcvSpace)) / sk.rcvSpace);
      const buffer = Math.min(window * 2, host.sysctl.tcpRmem[2]);
      if (buffer > sk.rcvbuf) {
        sk.rcvbuf = buffer;
        sk.windowClamp = buffer >> 1;
      }
    }
    sk.rcvSpace = copied;
  }
  sk.rcvSpaceSeq = sk.copiedSeq;
  sk.rcvSpaceTime = host.nowUs;
}
