// The receive window: what we announce, how it grows with what the application reads (tcp_select_window,
// tcp_rcv_space_adjust), and never takes back what was once offered (RFC 9293 section 3.8.6).

import type { Host } from '../core/host.js';
import { TcpExt } from '../core/mib.js';
import { SOCK_RCVBUF_LOCK } from '../core/sock.js';
import type { RouteMetrics } from '../ip/route-metrics.js';
import { MAX_TCP_WINDOW, MAX_TCP_WSCALE, TCP_INIT_CWND } from './constants.js';
import { spaceFromWindow, windowFromSpace } from './scaling-ratio.js';
import type { Segment } from './segment.js';
import { before } from './seq.js';
import type { TcpSock } from './sock.js';

const RCV_RTT_MIN_US = 1000;

/** tcp_full_space: the window an empty receive buffer is worth. */
export function fullSpace(sk: TcpSock): number {
  return windowFromSpace(sk.rcvMss, sk.rcvbuf);
}

/** tcp_space */
export function freeSpace(sk: TcpSock): number {
  const free = sk.rcvbuf - sk.rmemAlloc;
  return free > 0 ? windowFromSpace(sk.rcvMss, free) : 0;
}

/** tcp_set_window_clamp, once it is known how large the peer's segments are: what the buffer is worth has changed. */
export function segmentSizeKnown(sk: TcpSock): void {
  const user = sk.tuning.windowClamp;
  const full = fullSpace(sk);
  const clamp = user !== 0 && user < full ? user : full;
  if (clamp === sk.windowClamp) return;
  const grows = clamp > sk.windowClamp;
  sk.windowClamp = clamp;
  const threshold = grows && sk.rcvWnd < clamp ? sk.rcvWnd : clamp;
  if (grows ? threshold > sk.rcvSsthresh : threshold < sk.rcvSsthresh) sk.rcvSsthresh = threshold;
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
  // A receive buffer that the program has set bounds the scale, too (tcp_openreq_init_rwin, tcp_connect_init).
  const full = fullSpace(sk);
  if ((sk.userlocks & SOCK_RCVBUF_LOCK) !== 0 && (clamp === 0 || clamp > full)) clamp = full;
  if (clamp === 0) clamp = 65535 << MAX_TCP_WSCALE;
  let space = Math.min(clamp, full);
  if (space > mss) space -= space % mss;
  let wscale = 0;
  if (scaling) {
    let most = Math.max(space, host.sysctl.tcpRmem[2], host.sysctl.rmemMax);
    most = Math.min(most, clamp);
    wscale = Math.max(0, Math.min(31 - Math.clz32(most) - 15, MAX_TCP_WSCALE));
  }
  clamp = Math.min(65535 << wscale, clamp);
  // What a peer that reads it as a signed number may misunderstand (tcp_workaround_signed_windows).
  const most = host.sysctl.tcpWorkaroundSignedWindows !== 0 ? Math.min(space, MAX_TCP_WINDOW) : space;
  initialWindow.window = metrics.initrwnd === 0 ? most : Math.min(most, metrics.initrwnd * mss);
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
  if (mayShrink(sk)) return shrinkingOffer(sk, free, full, allowed, mss);
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

/** The right edge may be taken back where memory asks for it (tcp_shrink_window); with scaled windows only. */
function mayShrink(sk: TcpSock): boolean {
  return sk.host.sysctl.tcpShrinkWindow !== 0 && sk.rcvWscale > 0;
}

/** Its second half, when the window may shrink: what is free and no more, rounded down to what the header can tell. */
function shrinkingOffer(sk: TcpSock, space: number, full: number, allowed: number, mss: number): number {
  const unit = 1 << sk.rcvWscale;
  const free = space & -unit;
  if (free < full >> 1) {
    sk.ackQuick = 0;
    if (sk.tcp.memory.pressure) underPressure(sk);
    if (free < allowed >> 4 || free < mss || free < unit) return 0;
  }
  return free > sk.rcvSsthresh ? (sk.rcvSsthresh + unit - 1) & -unit : free;
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
  if (window < current && !mayShrink(sk)) {
    if (window === 0) mib.count(TcpExt.TCPWantZeroWindowAdv);
    const unit = 1 << sk.rcvWscale;
    window = (current + unit - 1) & ~(unit - 1);
  }
  // Kept as it was offered, although the field may not hold it: else it would look half as large as it could be after each read.
  sk.rcvWnd = window;
  sk.rcvWup = sk.rcvNxt;
  const most = 65535 << sk.rcvWscale;
  if (window > most) window = most;
  if (sk.rcvWscale === 0 && window > MAX_TCP_WINDOW && sk.host.sysctl.tcpWorkaroundSignedWindows !== 0)
    window = MAX_TCP_WINDOW;
  const field = window >>> sk.rcvWscale;
  if (field === 0) {
    if (old !== 0) mib.count(TcpExt.TCPToZeroWindowAdv);
  } else if (old === 0) mib.count(TcpExt.TCPFromZeroWindowAdv);
  return field;
}

/** Bytes of a segment that a window may open for. */
export const WELL_FILLED = 128;

/** tcp_grow_window: the offer opens as data proves that the peer sends well-filled segments. */
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

/**
 * tcp_init_buffer_space: once connected, sizes follow the segments that were agreed on. Some of what the buffer is worth is kept
 * back from the window (tcp_app_win): a part of it, and at least one segment.
 */
export function initBufferSpace(sk: TcpSock): void {
  const { advmss, host } = sk;
  const part = host.sysctl.tcpAppWin;
  const full = fullSpace(sk);
  let clamp = sk.windowClamp;
  if (clamp >= full) {
    clamp = full;
    if (part !== 0 && full > 4 * advmss) clamp = Math.max(full - (full >> part), 4 * advmss);
  }
  if (part !== 0 && clamp > 2 * advmss && clamp + advmss > full) clamp = Math.max(2 * advmss, full - advmss);
  sk.windowClamp = clamp;
  if (sk.rcvSsthresh > clamp) sk.rcvSsthresh = clamp;
  sk.rcvSpace = Math.min(sk.rcvSsthresh, sk.rcvWnd, TCP_INIT_CWND * advmss) || 1;
  sk.rcvSpaceSeq = sk.copiedSeq;
  sk.rcvSpaceTime = host.nowUs;
}

/** tcp_rcv_rtt_measure_ts: how long ago we sent the timestamp that full-sized data echoes; once for each timestamp. */
export function measureRttByTimestamp(sk: TcpSock, segment: Segment): void {
  if (!sk.tstampOk || !segment.hasTs || segment.tsEcr === 0 || segment.tsEcr === sk.rcvRttTsEcr) return;
  sk.rcvRttTsEcr = segment.tsEcr;
  if (segment.length < sk.rcvMss) return;
  const ms = (sk.host.nowMs + sk.tsOffset - segment.tsEcr) | 0;
  if (ms > 0 && ms < 60_000) noteReceiverRtt(sk, ms * 1000, false);
}

/** tcp_rcv_rtt_measure: how long it took to receive all that the window allowed when the measurement began. */
export function measureRttByWindow(sk: TcpSock): void {
  const now = sk.host.nowUs;
  if (sk.rcvRttTime !== 0) {
    if (before(sk.rcvNxt, sk.rcvRttSeq)) return;
    const elapsed = (now - sk.rcvRttTime) | 0;
    // Negative: it took longer than the clock's word can tell, which is no round trip.
    if (elapsed >= 0) noteReceiverRtt(sk, elapsed, true);
  }
  sk.rcvRttSeq = (sk.rcvNxt + sk.rcvWnd) | 0;
  sk.rcvRttTime = now;
}

/**
 * tcp_rcv_rtt_update: the least that was seen. Longer ones count only if told by timestamps, averaged, and while nothing waits to
 * be read: otherwise it is the program that is slow, not the path. Never below a millisecond: batches come and programs read at
 * the pace of an event loop, however near the peer is, and a whole window may come in one batch.
 */
function noteReceiverRtt(sk: TcpSock, sampleUs: number, byWindow: boolean): void {
  const old = sk.rcvRttUs;
  const sample = sampleUs > RCV_RTT_MIN_US ? sampleUs : RCV_RTT_MIN_US;
  if (old === 0 || sample << 3 < old) sk.rcvRttUs = sample << 3;
  else if (!byWindow && sk.rcvNxt === sk.copiedSeq) sk.rcvRttUs = old - (old >> 3) + sample;
}

/**
 * tcp_rcv_space_adjust: dynamic right-sizing. If the program read more this round trip than ever before, less what it let lie, the
 * buffer grows.
 */
export function adjustReceiveSpace(sk: TcpSock): void {
  const now = sk.host.nowUs;
  if (sk.rcvRttUs === 0 || (now - sk.rcvSpaceTime) >>> 0 < sk.rcvRttUs >> 3) return;
  const unread = (sk.rcvNxt - sk.copiedSeq) | 0;
  const copied = ((sk.copiedSeq - sk.rcvSpaceSeq) | 0) - unread;
  if (copied > sk.rcvSpace) growReceiveBuffer(sk, copied);
  sk.rcvSpaceSeq = sk.copiedSeq;
  sk.rcvSpaceTime = now;
}

/** tcp_rcvbuf_grow: room for twice what is read in a round trip, more while that grows, and for what stands behind a hole. */
export function growReceiveBuffer(sk: TcpSock, space: number): void {
  const { sysctl } = sk.host;
  const grown = space - sk.rcvSpace;
  const old = sk.rcvSpace;
  sk.rcvSpace = space;
  if (sysctl.tcpModerateRcvbuf === 0 || (sk.userlocks & SOCK_RCVBUF_LOCK) !== 0) return;
  // One round trip late at best, and a sender in slow start doubles meanwhile.
  let window = space * 2;
  window += 2 * Math.floor((window * grown) / old);
  const runs = sk.rx.reassembly?.runs;
  if (runs !== undefined && runs.length > 0) window += (runs[runs.length - 1].end - sk.rcvNxt) | 0;
  const buffer = Math.min(spaceFromWindow(sk.rcvMss, window), sysctl.tcpRmem[2]);
  if (buffer <= sk.rcvbuf) return;
  sk.rcvbuf = buffer;
  sk.windowClamp = fullSpace(sk);
}
