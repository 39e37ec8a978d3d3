// Fast Open's passive side (RFC 7413 section 4.2): a SYN with a good cookie makes a child at once, which takes the data it bears
// and may answer before the handshake is over. listener.ts asks here for each SYN that could be one.

import { TcpExt, Tcp as TcpMib } from '../../core/mib.js';
import { SEND_SHUTDOWN } from '../../core/sock.js';
import { dropped } from '../../core/trace.js';
import { ETIMEDOUT } from '../../uapi/errno.js';
import { TCP_CA_Loss, TCP_ESTABLISHED } from '../../uapi/tcp.js';
import { oowRateLimited } from '../challenge.js';
import { doneWithError, removeFastOpen, setState, tcpReset, tcpShutdown } from '../close.js';
import { ACK, GO_ON, HANDLED, RESET_PEER, RST, SYN, TCP_TIMEOUT_INIT, TIME_RETRANS } from '../constants.js';
import { ecnThirdAck } from '../ecn/ecn.js';
import { newChild } from '../listen/child.js';
import { misfit, oldTimestamp, synAckRtt } from '../listen/request-checks.js';
import type { RequestSock } from '../listen/request-sock.js';
import { countTimeout, enterLoss, updateRtoTime } from '../recovery/recovery.js';
import { tryUndoRecovery } from '../recovery/undo.js';
import { firstRtt } from '../rtt.js';
import type { Segment } from '../segment.js';
import { before } from '../seq.js';
import type { TcpSock } from '../sock.js';
import { armRetransmit, clearRetransmit, startRetransmit } from '../tcp-timer.js';
import { firstPacingRate, initializeRcvMss, initTransfer } from '../transfer.js';
import { sendRequestAck, transmitSynAck } from '../transmit-control.js';
import { TFO_SERVER_COOKIE_NOT_REQD, TFO_SERVER_ENABLE } from './fastopen.js';
import { addSynData } from './fastopen-data.js';

/** What comes of a SYN: a child, or not; and the cookie that the SYN-ACK shall bear, or null. */
interface Offer {
  child: TcpSock | null;
  cookie: Uint8Array | null;
}

const NO_OFFER: Readonly<Offer> = Object.freeze({ child: null, cookie: null });

/** tcp_try_fastopen: a SYN that bears data, a cookie or the wish for one. */
export function tryFastOpen(request: RequestSock, segment: Segment): Offer {
  const sk = request.listener;
  const { host, fastopen } = sk;
  const { mib, sysctl } = host;
  const { cookieLength } = segment;
  if (cookieLength === 0) mib.count(TcpExt.TCPFastOpenCookieReqd);
  if ((sysctl.tcpFastopen & TFO_SERVER_ENABLE) === 0) return NO_OFFER;
  if (fastopen === null || fastopen.queue === null || !fastopen.queue.hasRoom(host)) return NO_OFFER;
  if ((sysctl.tcpFastopen & TFO_SERVER_COOKIE_NOT_REQD) !== 0 || fastopen.noCookie) {
    return bear(request, segment, null);
  }
  const context = fastopen.queue.context ?? sk.tcp.fastopen.context;
  if (context === null || cookieLength < 0) return NO_OFFER;
  const { daddr: client, saddr: server } = request;
  const good = context.cookie(client, server);
  if (cookieLength === 0) return { child: null, cookie: good };
  const shown = host.memory.bytes.slice(segment.cookie, segment.cookie + cookieLength);
  const which = context.check(client, server, shown);
  if (which === 0) {
    // A wrong cookie is answered by the right one.
    mib.count(TcpExt.TCPFastOpenPassiveFail);
    return { child: null, cookie: good };
  }
  if (which === 1) return bear(request, segment, null);
  // The key is being changed: the client shall have the new one's cookie.
  mib.count(TcpExt.TCPFastOpenPassiveAltKey);
  return bear(request, segment, good);
}

function bear(request: RequestSock, segment: Segment, cookie: Uint8Array | null): Offer {
  const child = createChild(request, segment);
  request.listener.host.mib.count(TcpExt.TCPFastOpenPassive);
  return { child, cookie };
}

/** tcp_fastopen_create_child */
function createChild(request: RequestSock, segment: Segment): TcpSock {
  const listener = request.listener;
  const sk = newChild(request, segment);
  const state = sk.ownFastOpen();
  state.rsk = request;
  const queue = listener.fastopen?.queue;
  if (queue) queue.length++;
  // A SYN's window is not scaled (RFC 7323 section 2.2). What it bounds segments to is settled when a larger one is offered.
  sk.sndWnd = segment.window;
  sk.maxWindow = 0;
  startRetransmit(sk, TIME_RETRANS, TCP_TIMEOUT_INIT);
  initTransfer(sk);
  sk.maxWindow = segment.window;
  initializeRcvMss(sk, sk.rcvWnd);
  addSynData(sk, segment);
  request.rcvNxt = sk.rcvNxt;
  sk.rcvWup = sk.rcvNxt;
  return sk;
}

/** tcp_check_req for a child that is there already: a segment before its handshake is over. */
export function checkFastOpen(sk: TcpSock, request: RequestSock, segment: Segment): number {
  const { tcp, host } = sk;
  const { flags } = segment;
  const isRst = (flags & RST) !== 0;
  const paws = oldTimestamp(request, segment);
  if (segment.seq === request.irs && (flags & (RST | SYN | ACK)) === SYN && !paws) {
    if (!oowRateLimited(tcp, request.lastOowAckTime, false, TcpExt.TCPACKSkippedSynRecv)) {
      request.lastOowAckTime = host.nowMs || 1;
      repeatSynAck(sk, request);
    }
    return HANDLED;
  }
  const reason = misfit(request, segment, paws, true);
  if (reason !== null) {
    dropped(host, reason);
    const carries = segment.endSeq !== segment.seq && (flags & SYN) === 0;
    if (!isRst && !oowRateLimited(tcp, request.lastOowAckTime, carries, TcpExt.TCPACKSkippedSynRecv)) {
      if (!carries) request.lastOowAckTime = host.nowMs || 1;
      sendRequestAck(request, segment, sk.sndNxt);
    }
    return HANDLED;
  }
  if (isRst && segment.seq !== request.rcvNxt) {
    // RFC 5961 section 3.2, as for a request.
    dropped(host, 'TCP_RESET');
    if (!oowRateLimited(tcp, request.lastOowAckTime, false, TcpExt.TCPACKSkippedChallenge)) {
      request.lastOowAckTime = host.nowMs || 1;
      host.mib.count(TcpExt.TCPChallengeACK);
      sendRequestAck(request, segment, sk.sndNxt);
    }
    return HANDLED;
  }
  if (segment.hasTs && request.tstampOk && !before(request.rcvNxt, segment.seq)) {
    request.tsRecent = segment.tsVal;
  }
  if (isRst || ((flags & SYN) !== 0 && segment.seq !== request.irs)) {
    dropped(host, isRst ? 'TCP_RESET' : 'TCP_INVALID_SYN');
    host.mib.count(TcpMib.AttemptFails);
    // A bad SYN is no reason to give up a connection that a program may have by now.
    if (!isRst) return RESET_PEER;
    removeFastOpen(sk, true);
    tcpReset(sk);
    return HANDLED;
  }
  if ((flags & ACK) !== 0) return GO_ON;
  dropped(host, 'TCP_FLAGS');
  return HANDLED;
}

/** SYN_RECV, and the third segment is here (tcp_rcv_state_process). */
export function fastOpenAcked(sk: TcpSock, request: RequestSock, segment: Segment): void {
  sk.delivered++;
  if (sk.srttUs === 0) firstRtt(sk, synAckRtt(sk, request, segment));
  fastOpenFinished(sk);
  setState(sk, TCP_ESTABLISHED);
  if (!sk.orphan) sk.stateChange();
  sk.sndWnd = segment.window << sk.sndWscale;
  sk.sndWl1 = segment.seq;
  firstPacingRate(sk);
  sk.lsndtime = sk.host.nowMs;
  initializeRcvMss(sk, sk.rcvWnd);
  ecnThirdAck(sk, segment);
  if ((sk.shutdown & SEND_SHUTDOWN) !== 0) tcpShutdown(sk, SEND_SHUTDOWN);
}

/** tcp_rcv_synrecv_state_fastopen: the request has done its work; the timer is free for the data. */
export function fastOpenFinished(sk: TcpSock): void {
  if (sk.caState === TCP_CA_Loss && sk.tx.packetsOut === 0) tryUndoRecovery(sk, sk.tcp.ackState);
  updateRtoTime(sk);
  sk.tx.retransmits = 0;
  if (sk.tx.retransOut === 0) sk.tx.retransStamp = 0;
  removeFastOpen(sk, false);
  if (sk.tx.packetsOut === 0) clearRetransmit(sk);
  else armRetransmit(sk, TIME_RETRANS, sk.rto);
}

/** tcp_fastopen_synack_timer: the SYN-ACK again, without the cookie; until it is acknowledged nothing else is repeated. */
export function fastOpenTimer(sk: TcpSock, request: RequestSock): void {
  const { host } = sk;
  host.mib.count(TcpExt.TCPTimeouts);
  const most = sk.tuning.synRetries || host.sysctl.tcpSynackRetries + 1;
  if (request.timeouts >= most) {
    host.mib.count(TcpExt.TCPAbortOnTimeout);
    doneWithError(sk, sk.errSoft !== 0 ? sk.errSoft : ETIMEDOUT);
    return;
  }
  if (sk.tx.retransmits === 1) enterLoss(sk);
  repeatSynAck(sk, request);
  request.timeouts++;
  countTimeout(sk);
  if (sk.tx.retransStamp === 0) sk.tx.retransStamp = host.nowMs || -1;
  startRetransmit(sk, TIME_RETRANS, request.timeoutMs);
}

/** tcp_rtx_synack */
function repeatSynAck(sk: TcpSock, request: RequestSock): void {
  const { host } = sk;
  transmitSynAck(request, host.nowMs);
  request.retransmitted++;
  sk.tx.totalRetrans++;
  host.mib.count(TcpMib.RetransSegs);
  host.mib.count(TcpExt.TCPSynRetrans);
}
