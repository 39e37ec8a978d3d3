// The first half of the passive open (tcp_conn_request): a SYN becomes a request in the SYN queue, or a cookie when that is
// full. The third segment then goes to syn-recv.ts.

import { TcpExt, Tcp as TcpMib } from '../../core/mib.js';
import { dropped, ends, traceConnRequest, traceSynQueueAdd, traceSynQueueDrop } from '../../core/trace.js';
import type { RxPacket } from '../../ip/rx-packet.js';
import { TCP_LISTEN } from '../../uapi/tcp.js';
import { TCP_RTO_MAX, TCP_TIMEOUT_INIT, TCPOLEN_TSTAMP_ALIGNED } from '../constants.js';
import { tupleHash } from '../demux.js';
import { ecnRequested } from '../ecn/ecn.js';
import { tryFastOpen } from '../fastopen/fastopen-server.js';
import { initialSequence, timestampOffset } from '../isn.js';
import { advertisedMss } from '../path/mss.js';
import type { Segment } from '../segment.js';
import type { TcpSock } from '../sock.js';
import { peerMss } from '../transfer.js';
import { sendReset, transmitSynAck } from '../transmit-control.js';
import { initialWindow, selectInitialWindow } from '../window.js';
import { queueChild } from './child.js';
import type { ListenState } from './listen-state.js';
import { RequestSock } from './request-sock.js';
import {
  acceptQueueFull,
  childWaits,
  judgeSyn,
  SYN_ACCEPTED,
  SYN_COOKIE,
  SYN_GONE,
  standIn,
  synQueueFull,
} from './steering.js';
import { cookieTimestamp } from './syncookies.js';

/** tcp_conn_request: a SYN for a listener. `iss`: our initial sequence number if a TIME_WAIT remnant settled it, else 0. */
export function connectionRequest(sk: TcpSock, packet: RxPacket, segment: Segment, iss: number): void {
  const { tcp, host } = sk;
  const { mib, sysctl } = host;
  const listener = sk.listener as ListenState;
  if (traceConnRequest.on) traceConnRequest.emit(host, ends(sk));
  if (packet.broadcast) return;
  const { steering } = listener;
  const other = steering === null ? null : standIn(sk, steering, packet, segment);
  if (other !== null) {
    connectionRequest(other, packet, segment, iss);
    return;
  }
  const verdict = steering === null ? SYN_ACCEPTED : judgeSyn(sk, steering, packet, segment, iss !== 0);
  if (verdict === SYN_GONE) return;
  const syncookies = steering === null ? sysctl.tcpSyncookies : steering.syncookies(sysctl.tcpSyncookies);
  const chosen = verdict === SYN_COOKIE;
  // A peer that was just connected is evidently real, and gets a place in any case.
  const full = !chosen && iss === 0 && (listener.synFull || syncookies === 2);
  if (full) {
    synFlood(sk, syncookies !== 0);
    if (steering !== null) synQueueFull(sk, steering, packet, segment);
    if (syncookies === 0) return;
  }
  const cookie = chosen || full;
  if (listener.acceptFull) {
    if (listenOverflow(sk, packet, segment, false)) sendReset(tcp, packet, segment);
    return;
  }
  const request = newRequest(sk, packet, segment);
  const reserved =
    request !== null && !cookie && iss === 0 && syncookies === 0 && reservedForKnown(sk, request);
  if (request === null || reserved) {
    dropped(host, 'NOT_SPECIFIED');
    mib.count(TcpExt.ListenDrops);
    if (reserved && steering !== null) synQueueFull(sk, steering, packet, segment);
    return;
  }
  request.irs = segment.seq;
  request.rcvNxt = (segment.seq + 1) | 0;
  request.mss = peerMss(segment.mss, sk.tuning.userMss);
  // A cookie keeps options in the timestamp; without one it knows none.
  if (!cookie || segment.hasTs) learnOptions(request, segment);
  openWindow(request);
  if (cookie) {
    listener.lastCookieMs = host.nowMs;
    tcp.cookies.issue(request);
    mib.count(TcpExt.SyncookiesSent);
    transmitSynAck(request, cookieTimestamp(request, host.nowMs));
    return;
  }
  request.iss =
    iss !== 0 ? iss : initialSequence(tcp, request.saddr, request.sport, request.daddr, request.dport);
  request.synackUs = host.nowUs;
  request.firstSynackMs = host.nowMs;
  if (sk.extras !== null && sk.extras.saveSyn !== 0) recordSyn(request, sk.extras.saveSyn, packet, segment);
  let answer: Uint8Array | null = null;
  if (segment.cookieLength >= 0 || segment.length > 0) {
    const offer = tryFastOpen(request, segment);
    if (offer.child !== null) {
      transmitSynAck(request, host.nowMs, offer.cookie, segment.cookieExp);
      queueChild(offer.child, sk);
      childWaits(sk);
      return;
    }
    answer = offer.cookie;
  }
  queueRequest(request, listener);
  transmitSynAck(request, host.nowMs, answer, segment.cookieExp);
}

/** tcp_syn_flood_action: what is counted of it. */
function synFlood(sk: TcpSock, withCookies: boolean): void {
  const { host } = sk;
  host.mib.count(withCookies ? TcpExt.TCPReqQFullDoCookies : TcpExt.TCPReqQFullDrop);
  if (withCookies) return;
  dropped(host, 'NOT_SPECIFIED');
  host.mib.count(TcpExt.ListenDrops);
}

/**
 * listen_overflow: the accept queue is full, and the segment is dropped, so that a client may believe that it is connected. True: it
 * shall be reset instead, as `abort` says (tcp_abort_on_overflow) where the listener has no rules of its own.
 */
export function listenOverflow(sk: TcpSock, packet: RxPacket, segment: Segment, abort: boolean): boolean {
  const { host } = sk;
  dropped(host, 'TCP_LISTEN_OVERFLOW');
  host.mib.count(TcpExt.ListenOverflows);
  host.mib.count(TcpExt.ListenDrops);
  const { steering } = sk.listener as ListenState;
  return steering === null ? abort : acceptQueueFull(sk, steering, packet, segment, abort);
}

/** tcp_openreq_init, tcp_ecn_create_request: what the SYN's options offer, of that what we want. */
function learnOptions(request: RequestSock, segment: Segment): void {
  const { sysctl } = request.listener.host;
  request.tsRecent = segment.hasTs ? segment.tsVal : 0;
  request.tstampOk = segment.hasTs && sysctl.tcpTimestamps !== 0;
  request.sackOk = segment.sackPermitted && sysctl.tcpSack !== 0;
  request.wscaleOk = segment.wscale >= 0 && sysctl.tcpWindowScaling !== 0;
  request.sndWscale = request.wscaleOk ? segment.wscale : 0;
  ecnRequested(request, segment);
}

/** inet_csk_reqsk_queue_hash_add: into the SYN queue, and the timer of its SYN-ACK. */
function queueRequest(request: RequestSock, listener: ListenState): void {
  const { tcp, host } = request.listener;
  const { saddr, sport, daddr, dport } = request;
  tcp.requests.insert(request, tupleHash(tcp.tableKey, saddr, sport, daddr, dport));
  listener.add(request);
  if (traceSynQueueAdd.on) traceSynQueueAdd.emit(host, { ...ends(request), length: listener.synLength });
  host.wheel.arm(request, TCP_TIMEOUT_INIT);
}

/** tcp_reqsk_record_syn: its headers, from IP's on (1) or from Ethernet's (2). */
function recordSyn(request: RequestSock, mode: number, packet: RxPacket, segment: Segment): void {
  const { bytes } = request.listener.host.memory;
  request.savedSyn = bytes.slice(mode === 2 ? packet.frame : packet.network, segment.data);
}

/** A request between the ends of this packet; null where no route leads back. */
export function newRequest(sk: TcpSock, packet: RxPacket, segment: Segment): RequestSock | null {
  const route = sk.tcp.ip.routeOf(sk, packet.src);
  if (route === null) return null;
  // The route has both already, in most cases: its connections share them.
  const saddr = route.source.equals(packet.dst) ? route.source : packet.dst.clone();
  const daddr = route.destination.equals(packet.src) ? route.destination : packet.src.clone();
  const request = new RequestSock(sk, route, saddr, segment.dport, daddr, segment.sport);
  request.tsOffset = timestampOffset(sk.tcp, saddr, daddr);
  request.tos = packet.tos;
  return request;
}

/** tcp_openreq_init_rwin: the window to offer; the same again when a cookie comes back. */
export function openWindow(request: RequestSock): void {
  const sk = request.listener;
  request.advmss = advertisedMss(sk, request.route);
  const usable = request.advmss - (request.tstampOk ? TCPOLEN_TSTAMP_ALIGNED : 0);
  selectInitialWindow(sk.host, sk, usable, request.wscaleOk, request.route.metrics);
  request.rcvWnd = initialWindow.window;
  request.windowClamp = initialWindow.clamp;
  request.rcvWscale = initialWindow.wscale;
}

/** Without cookies the last quarter of tcp_max_syn_backlog is for peers known to be alive (tcp_peer_is_proven). */
function reservedForKnown(sk: TcpSock, request: RequestSock): boolean {
  const { tcpMaxSynBacklog } = sk.host.sysctl;
  const size = sk.listener === null ? 0 : sk.listener.synLength;
  if (tcpMaxSynBacklog - size >= tcpMaxSynBacklog >> 2) return false;
  const known = sk.tcp.metrics.lookup(request.saddr, request.daddr, request.route.metrics);
  return known === null || known.rttUs === 0;
}

/** inet_csk_reqsk_queue_drop */
export function dropRequest(request: RequestSock): void {
  const { tcp, host, listener } = request.listener;
  host.wheel.cancel(request);
  tcp.requests.remove(request);
  listener?.delete(request);
  if (traceSynQueueDrop.on) {
    traceSynQueueDrop.emit(host, { ...ends(request), length: listener?.synLength ?? 0 });
  }
}

/** reqsk_timer_handler: the SYN-ACK again, after 1, 3, 7 … seconds, until tcp_synack_retries are used up. */
export function requestExpired(request: RequestSock): void {
  const sk = request.listener;
  const { host, tuning } = sk;
  if (sk.state !== TCP_LISTEN) {
    dropRequest(request);
    return;
  }
  const listener = sk.listener as ListenState;
  const retries = listener.retries(tuning.synRetries || host.sysctl.tcpSynackRetries);
  const defer = tuning.deferAccept;
  // syn_ack_recalc: an acknowledged request that waits for data is not asked again until its last period.
  host.mib.count(TcpExt.TCPTimeouts);
  const expired = defer === 0 ? request.timeouts >= retries : expiredDeferred(request, retries, defer);
  if (expired) {
    dropRequest(request);
    return;
  }
  const resend = defer === 0 || !request.acked || request.timeouts >= defer - 1;
  // Before it is counted: what the SYN-ACK bears depends on how often it was in vain (tcp_synack_options).
  if (resend) repeatSynAck(request);
  if (request.timeouts++ === 0) listener.young--;
  armRequest(request);
}

/** tcp_rtx_synack */
export function repeatSynAck(request: RequestSock): void {
  const { host } = request.listener;
  transmitSynAck(request, host.nowMs);
  request.retransmitted++;
  host.mib.count(TcpMib.RetransSegs);
  host.mib.count(TcpExt.TCPSynRetrans);
}

/** tcp_reqsk_timeout */
export function armRequest(request: RequestSock): void {
  const wait = Math.min(request.timeoutMs, TCP_RTO_MAX);
  request.listener.host.wheel.arm(request, wait);
}

function expiredDeferred(request: RequestSock, retries: number, defer: number): boolean {
  return request.timeouts >= retries && (!request.acked || request.timeouts >= defer);
}
