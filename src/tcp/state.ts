// Segments for a sock that is neither established nor listening (tcp_rcv_state_process): the rest of the active open, the
// simultaneous open, and the closing states. What each transition wakes, and in which order, is Linux's.

import { TcpExt } from '../core/mib.js';
import { RCV_SHUTDOWN, SEND_SHUTDOWN } from '../core/sock.js';
import { dropped, ends, traceRcvStateProcess } from '../core/trace.js';
import {
  TCP_CLOSE,
  TCP_CLOSE_WAIT,
  TCP_CLOSING,
  TCP_ESTABLISHED,
  TCP_FIN_WAIT1,
  TCP_FIN_WAIT2,
  TCP_LAST_ACK,
  TCP_SYN_RECV,
  TCP_SYN_SENT,
  TCP_TIME_WAIT,
} from '../uapi/tcp.js';
import { ACK_BAD, ACK_GOOD, checkSpace, tcpAck } from './ack.js';
import { sendChallengeAck } from './challenge.js';
import { finTimeout, setState, tcpDone, tcpReset, tcpShutdown, timeWait } from './close.js';
import {
  ACK,
  ACK_SCHED,
  ACK_TIMER,
  DST_CONFIRM,
  FIN,
  GO_ON,
  HANDLED,
  RESET_PEER,
  RST,
  SYN,
  TCP_DELACK_MAX,
  TCP_MAX_QUICKACKS,
  TCP_TIMEOUT_MIN,
  TCP_TIMEWAIT_LEN,
  TIME_RETRANS,
  URG,
} from './constants.js';
import { dueAck, enterQuickAck, pingpong } from './delayed-ack.js';
import { ecnCrossingSyn, ecnSynAckReceived, ecnThirdAck } from './ecn/ecn.js';
import { fastOpenSynAck } from './fastopen/fastopen-client.js';
import { checkFastOpen, fastOpenAcked, fastOpenFinished } from './fastopen/fastopen-server.js';
import { queueData } from './input.js';
import { pushPendingFrames } from './output.js';
import { readvertiseMss, syncMss } from './path/mss.js';
import { initMtuProbing } from './path/mtu-probe.js';
import { updateMetrics } from './path/save-metrics.js';
import type { Segment } from './segment.js';
import { after, before, between } from './seq.js';
import type { TcpSock } from './sock.js';
import { armDelack, armKeepalive, armRetransmit } from './tcp-timer.js';
import { firstPacingRate, initializeRcvMss, initTransfer, peerMss, undoSpuriousSyn } from './transfer.js';
import { sendReflectingAck, transmitSyn } from './transmit.js';
import { receiveUrgent } from './urgent.js';
import { validateIncoming } from './validate.js';

export function receiveStateProcess(sk: TcpSock, segment: Segment): number {
  if (traceRcvStateProcess.on) traceRcvStateProcess.emit(sk.host, { ...ends(sk), state: sk.state });
  if (sk.state === TCP_CLOSE) {
    dropped(sk.host, 'TCP_CLOSE');
    return HANDLED;
  }
  if (sk.state === TCP_SYN_SENT) return receiveSynSent(sk, segment);
  const { fastopen } = sk;
  const rsk = fastopen === null ? null : fastopen.rsk;
  if (rsk !== null) {
    const result = checkFastOpen(sk, rsk, segment);
    if (result !== GO_ON) return result;
  }
  if ((segment.flags & (ACK | RST | SYN)) === 0) {
    dropped(sk.host, 'TCP_FLAGS');
    return HANDLED;
  }
  if (!validateIncoming(sk, segment)) return HANDLED;
  if ((segment.flags & ACK) === 0) {
    dropped(sk.host, 'TCP_FLAGS');
    return HANDLED;
  }
  // Old and future acknowledgements of our SYN are answered by a reset (RFC 9293 section 3.10.7.4).
  if (sk.state === TCP_SYN_RECV && !(after(segment.ackSeq, sk.iss) && !after(segment.ackSeq, sk.sndNxt))) {
    dropped(sk.host, 'TCP_INVALID_ACK_SEQUENCE');
    return RESET_PEER;
  }
  const verdict = tcpAck(sk, segment);
  if (verdict !== ACK_GOOD) {
    if (verdict === ACK_BAD) {
      sendChallengeAck(sk);
      return HANDLED;
    }
  }
  switch (sk.state) {
    case TCP_SYN_RECV:
      if (rsk !== null) fastOpenAcked(sk, rsk, segment);
      else synReceivedAcked(sk, segment);
      break;
    case TCP_FIN_WAIT1: {
      if (rsk !== null) fastOpenFinished(sk);
      const result = finWait1Acked(sk, segment);
      if (result !== GO_ON) return result;
      break;
    }
    case TCP_CLOSING:
      if (finAcked(sk)) {
        timeWait(sk, TCP_TIME_WAIT, 0);
        return HANDLED;
      }
      break;
    case TCP_LAST_ACK:
      if (finAcked(sk)) {
        updateMetrics(sk);
        tcpDone(sk);
        return HANDLED;
      }
      break;
    default:
      break;
  }
  if ((segment.flags & URG) !== 0 || sk.rx.urgData !== 0) receiveUrgent(sk, segment);
  return receiveText(sk, segment);
}

/** Seventh step of RFC 9293: the segment's text, as far as the state takes any. */
function receiveText(sk: TcpSock, segment: Segment): number {
  const { state } = sk;
  const afterFin = state === TCP_CLOSE_WAIT || state === TCP_CLOSING || state === TCP_LAST_ACK;
  if (state !== TCP_SYN_RECV && (!afterFin || before(segment.seq, sk.rcvNxt))) {
    // RFC 1122 section 4.2.2.13: data for an application that will never read, or after the peer's own FIN, is answered by a
    // reset; a FIN behind a hole as well, for what fills the hole will find nobody.
    const unwanted = state !== TCP_ESTABLISHED && (sk.shutdown & RCV_SHUTDOWN) !== 0;
    if (unwanted && segment.endSeq !== segment.seq && after(dataEnd(segment), sk.rcvNxt)) {
      dropped(sk.host, 'TCP_ABORT_ON_DATA');
      sk.host.mib.count(TcpExt.TCPAbortOnData);
      tcpReset(sk);
      return RESET_PEER;
    }
    queueData(sk, segment, false);
  }
  if (sk.state !== TCP_CLOSE) {
    pushPendingFrames(sk);
    checkSpace(sk);
    dueAck(sk);
  }
  return HANDLED;
}

function dataEnd(segment: Segment): number {
  return (segment.endSeq - ((segment.flags & FIN) !== 0 ? 1 : 0)) | 0;
}

function finAcked(sk: TcpSock): boolean {
  return sk.sndUna === sk.writeSeq;
}

/** SYN_RECV, simultaneous open: our SYN is acknowledged. */
function synReceivedAcked(sk: TcpSock, segment: Segment): void {
  // Counted here besides what the acknowledgement of our SYN counts, as Linux does.
  sk.delivered++;
  undoSpuriousSyn(sk, segment);
  sk.tx.retransStamp = 0;
  initTransfer(sk);
  // Only here the handshake is not taken for something received, so that a first write is no answer to anything.
  sk.lrcvtime = 0;
  setState(sk, TCP_ESTABLISHED);
  if (!sk.orphan) sk.stateChange();
  sk.sndWnd = segment.window << sk.sndWscale;
  sk.sndWl1 = segment.seq;
  syncMss(sk, sk.pmtu);
  firstPacingRate(sk);
  initializeRcvMss(sk, sk.rcvWnd);
  ecnThirdAck(sk, segment);
  if ((sk.shutdown & SEND_SHUTDOWN) !== 0) tcpShutdown(sk, SEND_SHUTDOWN);
}

/** FIN_WAIT1: is our FIN acknowledged, and is the sock done with then? */
function finWait1Acked(sk: TcpSock, segment: Segment): number {
  if (!finAcked(sk)) return GO_ON;
  setState(sk, TCP_FIN_WAIT2);
  sk.shutdown |= SEND_SHUTDOWN;
  sk.ackPending |= DST_CONFIRM;
  if (!sk.orphan) {
    sk.stateChange();
    return GO_ON;
  }
  if (sk.tuning.linger2Ms < 0) {
    tcpDone(sk);
    sk.host.mib.count(TcpExt.TCPAbortOnData);
    return RESET_PEER;
  }
  if (segment.endSeq !== segment.seq && after(dataEnd(segment), sk.rcvNxt)) {
    // A FIN behind a hole, of a connection that was opened with data: a box on the way may be why.
    if ((segment.flags & FIN) !== 0 && sk.fastopen?.synFastopen) sk.tcp.fastopen.disableActive();
    tcpDone(sk);
    dropped(sk.host, 'TCP_ABORT_ON_DATA');
    sk.host.mib.count(TcpExt.TCPAbortOnData);
    return RESET_PEER;
  }
  const timeout = finTimeout(sk);
  if (timeout > TCP_TIMEWAIT_LEN) {
    armKeepalive(sk, timeout - TCP_TIMEWAIT_LEN);
    return GO_ON;
  }
  if ((segment.flags & FIN) !== 0) {
    // Its FIN comes with this very segment and is dealt with below.
    armKeepalive(sk, timeout);
    return GO_ON;
  }
  timeWait(sk, TCP_FIN_WAIT2, timeout);
  return HANDLED;
}

/** tcp_rcv_synsent_state_process */
function receiveSynSent(sk: TcpSock, segment: Segment): number {
  const { flags } = segment;
  const isRst = (flags & RST) !== 0;
  if ((flags & ACK) !== 0) {
    if (!after(segment.ackSeq, sk.sndUna) || after(segment.ackSeq, sk.sndNxt)) {
      // An old connection of the peer's answers: try again as soon as our reset has cleared it.
      if (sk.tx.retransmits === 0) armRetransmit(sk, TIME_RETRANS, TCP_TIMEOUT_MIN);
      dropped(sk.host, 'TCP_INVALID_ACK_SEQUENCE');
      return isRst ? HANDLED : RESET_PEER;
    }
    if (segment.hasTs && segment.tsEcr !== 0 && sk.tstampOk && !echoIsOurs(sk, segment)) {
      sk.host.mib.count(TcpExt.PAWSActive);
      dropped(sk.host, 'TCP_RFC7323_PAWS');
      return isRst ? HANDLED : RESET_PEER;
    }
    if (isRst) tcpReset(sk);
    else if ((flags & SYN) !== 0) synAckReceived(sk, segment);
    else dropped(sk.host, 'TCP_FLAGS');
  } else if (isRst) dropped(sk.host, 'TCP_RESET');
  else if ((flags & SYN) === 0) dropped(sk.host, 'TCP_FLAGS');
  // A SYN that waits for its data (TCP_FASTOPEN_CONNECT) has no number yet. The peer's comes again, and crosses it then.
  else if (sk.fastopen?.deferred && sk.writeQueue.sent === 0) dropped(sk.host, 'NOT_SPECIFIED');
  else simultaneousOpen(sk, segment);
  return HANDLED;
}

/** The timestamp echoed is one that we have sent since the first SYN. */
function echoIsOurs(sk: TcpSock, segment: Segment): boolean {
  return between(segment.tsEcr, (sk.tx.retransStamp + sk.tsOffset) | 0, (sk.host.nowMs + sk.tsOffset) | 0);
}

/** Data that rides on a SYN-ACK is not taken, unless our SYN was a Fast Open; the peer sends it again. */
function synAckReceived(sk: TcpSock, segment: Segment): void {
  learnFromSyn(sk, segment);
  undoSpuriousSyn(sk, segment);
  tcpAck(sk, segment);
  sk.tx.retransStamp = 0;
  initTransfer(sk);
  setState(sk, TCP_ESTABLISHED);
  const { fastopen } = sk;
  const repeated =
    fastopen !== null && (fastopen.synFastopen || fastopen.synData) && fastOpenSynAck(sk, fastopen, segment);
  if (!sk.orphan) sk.stateChange();
  if (repeated) {
    // The data that went out again has acknowledged the SYN-ACK.
  } else if (
    fastopen?.writePending ||
    sk.sndNxt !== sk.writeSeq ||
    sk.tuning.deferAccept !== 0 ||
    pingpong(sk)
  ) {
    // Somebody is about to write: the first data carries the ACK.
    enterQuickAck(sk, TCP_MAX_QUICKACKS);
    sk.ackPending |= ACK_SCHED | ACK_TIMER;
    armDelack(sk, TCP_DELACK_MAX);
  } else {
    sendReflectingAck(sk);
  }
  if ((segment.flags & URG) !== 0) receiveUrgent(sk, segment);
  pushPendingFrames(sk);
}

/** Both ends sent a SYN (RFC 9293 figure 8). */
function simultaneousOpen(sk: TcpSock, segment: Segment): void {
  setState(sk, TCP_SYN_RECV);
  learnFromSyn(sk, segment);
  readvertiseMss(sk);
  transmitSyn(sk, true);
}

/** What both ends now know of each other. */
function learnFromSyn(sk: TcpSock, segment: Segment): void {
  sk.irs = segment.seq;
  sk.rcvNxt = (segment.seq + 1) | 0;
  sk.rcvWup = sk.rcvNxt;
  sk.copiedSeq = sk.rcvNxt;
  sk.tstampOk = sk.tstampOk && segment.hasTs;
  if (sk.tstampOk) {
    sk.tsRecent = segment.tsVal;
    sk.tsRecentStamp = sk.host.nowMs || 1;
  }
  if (sk.state === TCP_SYN_RECV) ecnCrossingSyn(sk, segment);
  else ecnSynAckReceived(sk, segment);
  sk.sackOk = sk.sackOk && segment.sackPermitted;
  sk.wscaleOk = sk.wscaleOk && segment.wscale >= 0;
  if (sk.wscaleOk) {
    sk.sndWscale = segment.wscale;
  } else {
    sk.sndWscale = 0;
    sk.rcvWscale = 0;
    sk.windowClamp = Math.min(sk.windowClamp, 65535);
  }
  // Without an MSS option it stays what it was for the SYN: 536, or what TCP_MAXSEG asked for.
  if (segment.mss !== 0) sk.mssClamp = peerMss(segment.mss, sk.tuning.userMss);
  sk.sndWl1 = segment.seq;
  sk.sndWnd = segment.window;
  sk.maxWindow = sk.sndWnd;
  initMtuProbing(sk);
  syncMss(sk, sk.pmtu);
  initializeRcvMss(sk, sk.rcvWnd);
}
