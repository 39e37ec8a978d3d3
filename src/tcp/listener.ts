// The passive open: a SYN becomes a request in the SYN queue, the third segment turns it into a child in the accept queue
// (tcp_conn_request, tcp_check_req, tcp_v4_syn_recv_sock). accept() only takes what stands ready here.

import { TcpExt, Tcp as TcpMib } from '../core/mib.js';
import { SOCK_BINDPORT_LOCK } from '../core/sock.js';
import {
  ends,
  traceAcceptQueueAdd,
  traceConnRequest,
  traceKfreeSkb,
  traceSynQueueAdd,
  traceSynQueueDrop,
  traceSynRecvSock,
} from '../core/trace.js';
import type { RxPacket } from '../ip/rx-packet.js';
import { TCP_ESTABLISHED, TCP_LISTEN, TCP_SYN_RECV } from '../uapi/tcp.js';
import { ACK, FIN, RST, SYN, TCP_RTO_MAX, TCP_TIMEOUT_INIT, TCPOLEN_TSTAMP_ALIGNED } from './constants.js';
import { tupleHash } from './demux.js';
import { initialSequence, timestampOffset } from './isn.js';
import type { ListenState } from './listen-state.js';
import { advertisedMss } from './mss.js';
import { RequestSock } from './request-sock.js';
import { updateRtt } from './rtt.js';
import type { Segment } from './segment.js';
import { before, between } from './seq.js';
import { TcpSock } from './sock.js';
import { initializeRcvMss, initTransfer, peerMss } from './state.js';
import { oowRateLimited } from './transmit.js';
import { sendRequestAck, sendReset, transmitSynAck } from './transmit-control.js';
import { initialWindow, selectInitialWindow } from './window.js';

/** tcp_conn_request: a SYN for a listener. `iss`: our initial sequence number if a TIME_WAIT remnant settled it, else 0. */
export function connectionRequest(sk: TcpSock, packet: RxPacket, segment: Segment, iss: number): void {
  const { tcp, host } = sk;
  const listener = sk.listener as ListenState;
  if (traceConnRequest.on) traceConnRequest.emit(host, ends(sk));
  if (packet.broadcast) return;
  if (listener.synFull && host.sysctl.tcpSyncookies !== 2) {
    // Without cookies a full SYN queue drops (RFC 4987 section 3.1: the client will try again).
    host.mib.count(TcpExt.TCPReqQFullDrop);
    host.mib.count(TcpExt.ListenDrops);
    return;
  }
  if (listener.acceptFull) {
    if (traceKfreeSkb.on) traceKfreeSkb.emit(host, { reason: 'TCP_LISTEN_OVERFLOW' });
    host.mib.count(TcpExt.ListenOverflows);
    host.mib.count(TcpExt.ListenDrops);
    return;
  }
  const route = tcp.ip.route(packet.src);
  if (route === null) {
    host.mib.count(TcpExt.ListenDrops);
    return;
  }
  const request = new RequestSock(
    sk,
    route,
    packet.dst.clone(),
    segment.dport,
    packet.src.clone(),
    segment.sport,
  );
  request.irs = segment.seq;
  request.tsRecent = segment.hasTs ? segment.tsVal : 0;
  request.tstampOk = segment.hasTs && host.sysctl.tcpTimestamps !== 0;
  request.sackOk = segment.sackPermitted && host.sysctl.tcpSack !== 0;
  request.wscaleOk = segment.wscale >= 0 && host.sysctl.tcpWindowScaling !== 0;
  request.sndWscale = request.wscaleOk ? segment.wscale : 0;
  request.mss = peerMss(segment.mss, sk.tuning.userMss);
  request.sndWnd = segment.window;
  request.tsOffset = timestampOffset(tcp, request.saddr, request.daddr);
  request.iss =
    iss !== 0 ? iss : initialSequence(tcp, request.saddr, request.sport, request.daddr, request.dport);
  request.advmss = advertisedMss(sk, route);
  const usable = request.advmss - (request.tstampOk ? TCPOLEN_TSTAMP_ALIGNED : 0);
  selectInitialWindow(host, sk, usable, request.wscaleOk);
  request.rcvWnd = initialWindow.window;
  request.windowClamp = initialWindow.clamp;
  request.rcvWscale = initialWindow.wscale;
  request.synackUs = host.nowUs;
  const hash = tupleHash(tcp.tableKey, request.saddr, request.sport, request.daddr, request.dport);
  tcp.requests.insert(request, hash);
  listener.requests.add(request);
  if (traceSynQueueAdd.on) traceSynQueueAdd.emit(host, { ...ends(request), length: listener.requests.size });
  host.wheel.arm(request, TCP_TIMEOUT_INIT);
  transmitSynAck(request);
}

/** inet_csk_reqsk_queue_drop */
export function dropRequest(request: RequestSock): void {
  const { tcp, host, listener } = request.listener;
  host.wheel.cancel(request);
  tcp.requests.remove(request);
  listener?.requests.delete(request);
  if (traceSynQueueDrop.on) {
    traceSynQueueDrop.emit(host, { ...ends(request), length: listener?.requests.size ?? 0 });
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
  const retries = tuning.synRetries || host.sysctl.tcpSynackRetries;
  const defer = tuning.deferAccept;
  // syn_ack_recalc: an acknowledged request that waits for data is not asked again until its last period.
  const expired = defer === 0 ? request.timeouts >= retries : expiredDeferred(request, retries, defer);
  if (expired) {
    dropRequest(request);
    return;
  }
  const resend = defer === 0 || !request.acked || request.timeouts >= defer - 1;
  request.timeouts++;
  if (resend) {
    transmitSynAck(request);
    request.retransmitted++;
    host.mib.count(TcpMib.RetransSegs);
    host.mib.count(TcpExt.TCPSynRetrans);
  }
  host.wheel.arm(request, Math.min(TCP_TIMEOUT_INIT * 2 ** request.timeouts, TCP_RTO_MAX));
}

function expiredDeferred(request: RequestSock, retries: number, defer: number): boolean {
  return request.timeouts >= retries && (!request.acked || request.timeouts >= defer);
}

/**
 * tcp_check_req: a segment for a request. The child to hand the segment to, or null when it was dealt with here.
 */
export function checkRequest(request: RequestSock, packet: RxPacket, segment: Segment): TcpSock | null {
  const sk = request.listener;
  const { tcp, host } = sk;
  const listener = sk.listener as ListenState;
  const { flags } = segment;
  const paws =
    segment.hasTs &&
    request.tstampOk &&
    request.tsRecent !== 0 &&
    ((request.tsRecent - segment.tsVal) | 0) > 1;
  const rcvNxt = (request.irs + 1) | 0;
  if (segment.seq === request.irs && (flags & (RST | SYN | ACK)) === SYN && !paws) {
    // The SYN again: our answer was lost.
    if (!oowRateLimited(tcp, request.lastOowAckTime, false, TcpExt.TCPACKSkippedSynRecv)) {
      request.lastOowAckTime = host.nowMs || 1;
      transmitSynAck(request);
      request.retransmitted++;
      host.mib.count(TcpExt.TCPSynRetrans);
    }
    return null;
  }
  if ((flags & ACK) !== 0 && segment.ackSeq !== ((request.iss + 1) | 0)) {
    // RFC 9293 section 3.10.7.4, SYN-RECEIVED: an unacceptable acknowledgement.
    sendReset(tcp, packet, segment);
    return null;
  }
  if (paws || !inWindow(segment, rcvNxt, (rcvNxt + request.rcvWnd) | 0)) {
    if ((flags & RST) === 0) {
      const carries = segment.length > 0;
      if (!oowRateLimited(tcp, request.lastOowAckTime, carries, TcpExt.TCPACKSkippedSynRecv)) {
        request.lastOowAckTime = host.nowMs || 1;
        sendRequestAck(request);
      }
    }
    if (paws) host.mib.count(TcpExt.PAWSEstab);
    return null;
  }
  if (segment.hasTs && request.tstampOk && !before(rcvNxt, segment.seq)) request.tsRecent = segment.tsVal;
  if (segment.seq === request.irs) segment.flags &= ~SYN;
  if ((flags & (RST | SYN)) !== 0) {
    host.mib.count(TcpMib.AttemptFails);
    host.mib.count(TcpExt.EmbryonicRsts);
    if ((flags & RST) === 0) sendReset(tcp, packet, segment);
    dropRequest(request);
    return null;
  }
  if ((flags & ACK) === 0) return null;
  const bare = segment.endSeq === rcvNxt && (flags & FIN) === 0;
  if (request.timeouts < sk.tuning.deferAccept && bare) {
    request.acked = true;
    host.mib.count(TcpExt.TCPDeferAcceptDrop);
    return null;
  }
  if (listener.acceptFull) {
    if (traceKfreeSkb.on) traceKfreeSkb.emit(host, { reason: 'TCP_LISTEN_OVERFLOW' });
    // The accept queue is full: the ACK is dropped and the client believes it is connected (or is reset, if so wished).
    host.mib.count(TcpExt.ListenOverflows);
    host.mib.count(TcpExt.ListenDrops);
    if (host.sysctl.tcpAbortOnOverflow !== 0) {
      host.mib.count(TcpExt.EmbryonicRsts);
      sendReset(tcp, packet, segment);
      dropRequest(request);
    } else request.acked = true;
    return null;
  }
  return createChild(request, segment);
}

/** tcp_in_window */
function inWindow(segment: Segment, start: number, end: number): boolean {
  if (segment.seq === start) return true;
  if (before(start, segment.endSeq) && before(segment.seq, end)) return true;
  return segment.seq === end && segment.seq === segment.endSeq && between(segment.seq, start, end);
}

/** tcp_v4_syn_recv_sock and tcp_create_openreq_child: the sock that accept() will return. */
function createChild(request: RequestSock, segment: Segment): TcpSock {
  const parent = request.listener;
  const { tcp, host } = parent;
  const listener = parent.listener as ListenState;
  dropRequest(request);
  const sk = new TcpSock(host, tcp, parent.cc, parent.family);
  inherit(sk, parent);
  sk.route = request.route;
  sk.laddr = request.saddr;
  sk.saddr = request.saddr;
  sk.daddr = request.daddr;
  sk.sport = request.sport;
  sk.dport = request.dport;
  sk.state = TCP_SYN_RECV;
  sk.iss = request.iss;
  const sndNxt = (request.iss + 1) | 0;
  sk.sndUna = sndNxt;
  sk.sndNxt = sndNxt;
  sk.writeSeq = sndNxt;
  sk.pushedSeq = sndNxt;
  sk.sndSml = sndNxt;
  sk.sndUp = sndNxt;
  sk.sndQueueSeq = sndNxt;
  sk.rttSeq = sndNxt;
  sk.cwndUsageSeq = sndNxt;
  sk.irs = request.irs;
  sk.rcvNxt = (request.irs + 1) | 0;
  sk.copiedSeq = sk.rcvNxt;
  sk.rcvWup = sk.rcvNxt;
  sk.rcvWnd = request.rcvWnd;
  sk.rcvSsthresh = request.rcvWnd;
  sk.windowClamp = request.wscaleOk ? request.windowClamp : Math.min(request.windowClamp, 65535);
  sk.rcvWscale = request.rcvWscale;
  sk.sndWscale = request.sndWscale;
  sk.wscaleOk = request.wscaleOk;
  sk.tstampOk = request.tstampOk;
  sk.sackOk = request.sackOk;
  sk.tsRecent = request.tsRecent;
  sk.tsRecentStamp = request.tstampOk ? host.nowMs || 1 : 0;
  sk.tsOffset = request.tsOffset;
  sk.advmss = request.advmss;
  sk.mssClamp = request.mss;
  sk.totalRetrans = request.retransmitted;
  sk.sndWnd = segment.window << sk.sndWscale;
  sk.sndWl1 = segment.seq;
  sk.maxWindow = sk.sndWnd;
  if (traceSynRecvSock.on) traceSynRecvSock.emit(host, ends(sk));
  host.mib.count(TcpMib.PassiveOpens);
  tcp.ports.inherit(sk, parent);
  tcp.established.insert(sk, tupleHash(tcp.tableKey, sk.saddr, sk.sport, sk.daddr, sk.dport));
  sk.hashed = true;
  if (request.retransmitted === 0) updateRtt(sk, (host.nowUs - request.synackUs) | 0);
  initTransfer(sk);
  initializeRcvMss(sk);
  sk.state = TCP_ESTABLISHED;
  sk.parent = parent;
  listener.push(sk);
  if (traceAcceptQueueAdd.on) {
    const { acceptLength: length, backlog } = listener;
    traceAcceptQueueAdd.emit(host, { ...ends(sk), length, backlog });
  }
  return sk;
}

/** What a child has from its listener, as of the final ACK (sk_clone_lock). */
function inherit(sk: TcpSock, parent: TcpSock): void {
  sk.shutdown = parent.shutdown;
  sk.keepOpen = parent.keepOpen;
  sk.oobInline = parent.oobInline;
  sk.rcvbuf = parent.rcvbuf;
  sk.sndbuf = parent.sndbuf;
  sk.userlocks = parent.userlocks & ~SOCK_BINDPORT_LOCK;
  sk.rcvlowat = parent.rcvlowat;
  sk.lingerOn = parent.lingerOn;
  sk.lingerMs = parent.lingerMs;
  sk.rcvTimeoMs = parent.rcvTimeoMs;
  sk.sndTimeoMs = parent.sndTimeoMs;
  sk.reuse = parent.reuse;
  sk.reusePort = parent.reusePort;
  sk.uid = parent.uid;
  sk.boundDevice = parent.boundDevice;
  sk.mark = parent.mark;
  sk.tos = parent.tos;
  sk.ttl = parent.ttl;
  sk.nonagle = parent.nonagle;
  sk.ackPingpong = parent.ackPingpong;
  if (parent.tuning.deferAccept !== 0) {
    sk.tuning = parent.tuning;
    sk.ownTuning().deferAccept = 0;
  } else sk.tuning = parent.tuning;
}
