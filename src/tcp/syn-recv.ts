// The second half of the passive open: the third segment turns a request, or the cookie it brings back, into a child in the
// accept queue (tcp_check_req, cookie_v4_check, tcp_v4_syn_recv_sock). accept() only takes what stands ready there.

import { TcpExt, Tcp as TcpMib } from '../core/mib.js';
import { SEND_SHUTDOWN, SOCK_BINDPORT_LOCK } from '../core/sock.js';
import { ends, traceAcceptQueueAdd, traceKfreeSkb, traceSynRecvSock } from '../core/trace.js';
import type { RxPacket } from '../ip/rx-packet.js';
import { TCP_ESTABLISHED, TCP_SYN_RECV } from '../uapi/tcp.js';
import { timestampRtt } from './ack.js';
import { tcpShutdown } from './close.js';
import { ACK, FIN, RST, SYN, TCP_TIMEOUT_INIT } from './constants.js';
import { tupleHash } from './demux.js';
import type { ListenState } from './listen-state.js';
import { armRequest, dropRequest, newRequest, openWindow, repeatSynAck } from './listener.js';
import { pawsRejects } from './paws.js';
import type { RequestSock } from './request-sock.js';
import { chooseControl } from './route-hints.js';
import { updateRtt } from './rtt.js';
import type { Segment } from './segment.js';
import { before, between } from './seq.js';
import { TcpSock } from './sock.js';
import { initializeRcvMss, initTransfer } from './state.js';
import { cookiesAreOut, decodeCookieTimestamp } from './syncookies.js';
import { oowRateLimited } from './transmit.js';
import { sendRequestAck, sendReset } from './transmit-control.js';

/**
 * tcp_check_req: a segment for a request. The child to hand the segment to, or null when it was dealt with here.
 */
export function checkRequest(request: RequestSock, packet: RxPacket, segment: Segment): TcpSock | null {
  const sk = request.listener;
  const { tcp, host } = sk;
  const listener = sk.listener as ListenState;
  const { flags } = segment;
  const isRst = (flags & RST) !== 0;
  const stamp = (host.nowMs - TCP_TIMEOUT_INIT * 2 ** request.timeouts) | 0;
  const paws = segment.hasTs && pawsRejects(request.tsRecent, stamp, host.nowMs, segment.tsVal, isRst);
  // The timestamp echoed must be one of those that our SYN-ACKs bore.
  const foreignEcho =
    segment.hasTs &&
    request.tstampOk &&
    segment.tsEcr !== 0 &&
    !between((segment.tsEcr - request.tsOffset) | 0, request.firstSynackMs, request.lastSynackMs);
  const rcvNxt = (request.irs + 1) | 0;
  if (segment.seq === request.irs && (flags & (RST | SYN | ACK)) === SYN && !paws) {
    // The SYN again: our answer was lost.
    if (!oowRateLimited(tcp, request.lastOowAckTime, false, TcpExt.TCPACKSkippedSynRecv)) {
      request.lastOowAckTime = host.nowMs || 1;
      repeatSynAck(request);
      armRequest(request);
    }
    return null;
  }
  if ((flags & ACK) !== 0 && segment.ackSeq !== ((request.iss + 1) | 0)) {
    // RFC 9293 section 3.10.7.4, SYN-RECEIVED: an unacceptable acknowledgement.
    sendReset(tcp, packet, segment);
    return null;
  }
  const edge = (rcvNxt + Math.min(request.rcvWnd, 65535)) | 0;
  if (paws || foreignEcho || !inWindow(segment, rcvNxt, edge)) {
    if (!isRst) {
      const carries = segment.endSeq !== segment.seq && (flags & SYN) === 0;
      if (!oowRateLimited(tcp, request.lastOowAckTime, carries, TcpExt.TCPACKSkippedSynRecv)) {
        if (!carries) request.lastOowAckTime = host.nowMs || 1;
        sendRequestAck(request);
      }
    }
    if (paws) host.mib.count(TcpExt.PAWSEstab);
    return null;
  }
  if (segment.hasTs && request.tstampOk && !before(rcvNxt, segment.seq)) request.tsRecent = segment.tsVal;
  const isNewSyn = (flags & SYN) !== 0 && segment.seq !== request.irs;
  if (isRst || isNewSyn) {
    host.mib.count(TcpMib.AttemptFails);
    host.mib.count(TcpExt.EmbryonicRsts);
    if (!isRst) sendReset(tcp, packet, segment);
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
  dropRequest(request);
  return createChild(request, segment);
}

/**
 * cookie_v4_check: an ACK that belongs to nobody may bring a cookie back. The child, null if the segment was dropped here,
 * or the listener itself if there is no cookie in it.
 */
export function checkCookie(sk: TcpSock, packet: RxPacket, segment: Segment): TcpSock | null {
  const { tcp, host } = sk;
  const listener = sk.listener as ListenState;
  if (host.sysctl.tcpSyncookies === 0 || (segment.flags & (SYN | RST)) !== 0) return sk;
  if (listener.lastCookieMs === null || !cookiesAreOut(host, listener.lastCookieMs)) return sk;
  const request = newRequest(sk, packet, segment);
  if (request === null) return null;
  request.irs = (segment.seq - 1) | 0;
  request.iss = (segment.ackSeq - 1) | 0;
  request.mss = tcp.cookies.check(request);
  if (request.mss === 0) {
    host.mib.count(TcpExt.SyncookiesFailed);
    return sk;
  }
  host.mib.count(TcpExt.SyncookiesRecv);
  if (!decodeCookieTimestamp(request, segment)) return sk;
  if (listener.acceptFull) {
    host.mib.count(TcpExt.ListenOverflows);
    host.mib.count(TcpExt.ListenDrops);
    return null;
  }
  openWindow(request);
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
  const sk = new TcpSock(host, tcp, parent.cc, parent.family);
  inherit(sk, parent);
  sk.route = request.route;
  chooseControl(sk, request.route);
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
  if (request.savedSyn !== null) sk.ownExtras().savedSyn = request.savedSyn;
  if (traceSynRecvSock.on) traceSynRecvSock.emit(host, ends(sk));
  host.mib.count(TcpMib.PassiveOpens);
  tcp.ports.inherit(sk, parent);
  tcp.established.insert(sk, tupleHash(tcp.tableKey, sk.saddr, sk.sport, sk.daddr, sk.dport));
  sk.hashed = true;
  // tcp_synack_rtt_meas: a cookie remembers no time, and a repeated SYN-ACK cannot tell which one was answered (RFC 6298
  // section 3); then only the timestamp that came back tells.
  const timed = request.synackUs !== 0 && request.retransmitted === 0;
  updateRtt(sk, timed ? (host.nowUs - request.synackUs) | 0 : timestampRtt(sk, segment));
  initTransfer(sk);
  initializeRcvMss(sk);
  sk.state = TCP_ESTABLISHED;
  sk.parent = parent;
  listener.push(sk);
  if (traceAcceptQueueAdd.on) {
    const { acceptLength: length, backlog } = listener;
    traceAcceptQueueAdd.emit(host, { ...ends(sk), length, backlog });
  }
  // Its listener was shut down before it listened: the child has the bits from birth (tcp_rcv_state_process).
  if ((sk.shutdown & SEND_SHUTDOWN) !== 0) tcpShutdown(sk, SEND_SHUTDOWN);
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
  sk.mtuDiscover = parent.mtuDiscover;
  sk.maxPacingRate = parent.maxPacingRate;
  if (parent.extras !== null) sk.extras = parent.extras.clone();
  sk.nonagle = parent.nonagle;
  sk.ackPingpong = parent.ackPingpong;
  if (parent.tuning.deferAccept !== 0) {
    sk.tuning = parent.tuning;
    sk.ownTuning().deferAccept = 0;
  } else sk.tuning = parent.tuning;
}
