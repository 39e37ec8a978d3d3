// The second half of the passive open: the third segment turns a request, or the cookie it brings back, into a child in the
// accept queue (tcp_check_req, cookie_v4_check, tcp_v4_syn_recv_sock). accept() only takes what stands ready there.

import { TcpExt, Tcp as TcpMib } from '../../core/mib.js';
import { SEND_SHUTDOWN } from '../../core/sock.js';
import { dropped } from '../../core/trace.js';
import type { RxPacket } from '../../ip/rx-packet.js';
import { TCP_ESTABLISHED } from '../../uapi/tcp.js';
import { oowRateLimited } from '../challenge.js';
import { tcpShutdown } from '../close.js';
import { ACK, FIN, RST, SYN } from '../constants.js';
import { ecnOfCookie, ecnOptionOfRequest } from '../ecn/ecn.js';
import { firstRtt } from '../rtt.js';
import type { Segment } from '../segment.js';
import { before } from '../seq.js';
import type { TcpSock } from '../sock.js';
import { firstPacingRate, initializeRcvMss, initTransfer, undoSpuriousSyn } from '../transfer.js';
import { sendRequestAck, sendReset } from '../transmit-control.js';
import { newChild, queueChild } from './child.js';
import type { ListenState } from './listen-state.js';
import { armRequest, dropRequest, listenOverflow, newRequest, openWindow, repeatSynAck } from './listener.js';
import { misfit, oldTimestamp, synAckRtt } from './request-checks.js';
import type { RequestSock } from './request-sock.js';
import { cookiesAreOut, decodeCookieTimestamp } from './syncookies.js';

/**
 * tcp_check_req: a segment for a request. The child to hand the segment to, or null when it was dealt with here.
 */
export function checkRequest(request: RequestSock, packet: RxPacket, segment: Segment): TcpSock | null {
  const sk = request.listener;
  const { tcp, host } = sk;
  const listener = sk.listener as ListenState;
  const { flags } = segment;
  const isRst = (flags & RST) !== 0;
  const paws = oldTimestamp(request, segment);
  const { rcvNxt } = request;
  if (segment.seq === request.irs && (flags & (RST | SYN | ACK)) === SYN && !paws) {
    synAgain(request);
    return null;
  }
  if (!isRst && (flags & ACK) !== 0 && segment.ackSeq !== ((request.iss + 1) | 0)) {
    // RFC 9293 section 3.10.7.4, SYN-RECEIVED: an unacceptable acknowledgement. A reset counts whatever it acknowledges.
    // It may bring a cookie back that was sent before there was room.
    const child = checkCookie(sk, packet, segment);
    if (child === sk) {
      dropped(host, 'TCP_FLAGS');
      sendReset(tcp, packet, segment);
      return null;
    }
    if (child !== null) dropRequest(request);
    return child;
  }
  const reason = misfit(request, segment, paws);
  if (reason !== null) {
    dropped(host, reason);
    if (!isRst) answer(request, segment, segment.endSeq !== segment.seq && (flags & SYN) === 0);
    return null;
  }
  if (isRst && segment.seq !== rcvNxt) {
    // RFC 5961 section 3.2, in SYN-RECEIVED as well (Linux 6.18).
    dropped(host, 'TCP_RESET');
    challenge(request, segment);
    return null;
  }
  const isNewSyn = (flags & SYN) !== 0 && segment.seq !== request.irs;
  if (isRst || isNewSyn) {
    dropped(host, isRst ? 'TCP_RESET' : 'TCP_INVALID_SYN');
    host.mib.count(TcpMib.AttemptFails);
    embryonicReset(request, packet, segment);
    return null;
  }
  if ((flags & ACK) === 0) {
    dropped(host, 'TCP_FLAGS');
    return null;
  }
  ecnOptionOfRequest(request, segment);
  const bare = segment.endSeq === rcvNxt && (flags & FIN) === 0;
  if (request.timeouts < sk.tuning.deferAccept && bare) {
    request.acked = true;
    host.mib.count(TcpExt.TCPDeferAcceptDrop);
    return null;
  }
  if (listener.acceptFull) {
    if (listenOverflow(sk, packet, segment, host.sysctl.tcpAbortOnOverflow !== 0))
      embryonicReset(request, packet, segment);
    else request.acked = true;
    return null;
  }
  if (segment.hasTs && request.tstampOk && !before(rcvNxt, segment.seq)) request.tsRecent = segment.tsVal;
  dropRequest(request);
  return createChild(request, segment);
}

/** The SYN comes again: our answer was lost. */
function synAgain(request: RequestSock): void {
  const { tcp, host } = request.listener;
  if (oowRateLimited(tcp, request.lastOowAckTime, false, TcpExt.TCPACKSkippedSynRecv)) return;
  request.lastOowAckTime = host.nowMs || 1;
  repeatSynAck(request);
  armRequest(request);
}

/** A challenge: whoever meant that reset says so again, with the number that is expected. */
function challenge(request: RequestSock, segment: Segment): void {
  const { tcp, host } = request.listener;
  if (oowRateLimited(tcp, request.lastOowAckTime, false, TcpExt.TCPACKSkippedChallenge)) return;
  request.lastOowAckTime = host.nowMs || 1;
  host.mib.count(TcpExt.TCPChallengeACK);
  sendRequestAck(request, segment);
}

/** embryonic_reset: the handshake is over, by the peer's reset or by ours. */
function embryonicReset(request: RequestSock, packet: RxPacket, segment: Segment): void {
  const { tcp, host } = request.listener;
  host.mib.count(TcpExt.EmbryonicRsts);
  if ((segment.flags & RST) === 0) sendReset(tcp, packet, segment);
  dropRequest(request);
}

/** An ACK for a segment that has no place here; one in tcp_invalid_ratelimit, but for what `carries` data. */
function answer(request: RequestSock, segment: Segment, carries: boolean): void {
  const { tcp, host } = request.listener;
  if (oowRateLimited(tcp, request.lastOowAckTime, carries, TcpExt.TCPACKSkippedSynRecv)) return;
  if (!carries) request.lastOowAckTime = host.nowMs || 1;
  sendRequestAck(request, segment);
}

/**
 * cookie_v4_check: an ACK that belongs to nobody may bring a cookie back. The child, null if the segment was dropped here,
 * or the listener itself if there is no cookie in it.
 */
export function checkCookie(sk: TcpSock, packet: RxPacket, segment: Segment): TcpSock | null {
  const { tcp, host } = sk;
  const listener = sk.listener as ListenState;
  const { steering } = listener;
  const off = host.sysctl.tcpSyncookies === 0 && (steering === null || !steering.cookies);
  if (off || (segment.flags & (SYN | RST)) !== 0) return sk;
  if (listener.lastCookieMs === null || !cookiesAreOut(host, listener.lastCookieMs)) return sk;
  const request = newRequest(sk, packet, segment);
  if (request === null) return null;
  request.irs = (segment.seq - 1) | 0;
  request.rcvNxt = segment.seq;
  request.iss = (segment.ackSeq - 1) | 0;
  request.mss = tcp.cookies.check(request);
  if (request.mss === 0) {
    host.mib.count(TcpExt.SyncookiesFailed);
    return sk;
  }
  host.mib.count(TcpExt.SyncookiesRecv);
  if (!decodeCookieTimestamp(request, segment)) return sk;
  if (listener.acceptFull) {
    // tcp_abort_on_overflow does not concern cookies.
    if (listenOverflow(sk, packet, segment, false)) sendReset(tcp, packet, segment);
    return null;
  }
  ecnOfCookie(request, segment);
  openWindow(request);
  return createChild(request, segment);
}

/** The child of a handshake that is over. */
function createChild(request: RequestSock, segment: Segment): TcpSock {
  const sk = newChild(request, segment);
  firstRtt(sk, synAckRtt(sk, request, segment));
  // The SYN-ACK was delivered.
  sk.delivered = 1;
  if (sk.tx.undoMarked) {
    undoSpuriousSyn(sk, segment);
    sk.tx.retransStamp = 0;
  }
  initTransfer(sk);
  firstPacingRate(sk);
  initializeRcvMss(sk, sk.rcvWnd);
  sk.state = TCP_ESTABLISHED;
  queueChild(sk, request.listener);
  // Its listener was shut down before it listened: the child has the bits from birth (tcp_rcv_state_process).
  if ((sk.shutdown & SEND_SHUTDOWN) !== 0) tcpShutdown(sk, SEND_SHUTDOWN);
  return sk;
}
