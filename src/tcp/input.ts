// A segment of a synchronised connection: is it acceptable, what does it acknowledge, where do its bytes go
// (tcp_rcv_established, tcp_validate_incoming, tcp_data_queue). Ends in `dataReady`, where epoll's callback hangs.

import { TcpExt } from '../core/mib.js';
import { RCV_SHUTDOWN } from '../core/sock.js';
import { ends, type TraceEvents, traceDataQueue, traceRcvEstablished } from '../core/trace.js';
import {
  TCP_CLOSE_WAIT,
  TCP_CLOSING,
  TCP_ESTABLISHED,
  TCP_FIN_WAIT1,
  TCP_FIN_WAIT2,
  TCP_LAST_ACK,
  TCP_SYN_RECV,
  TCP_TIME_WAIT,
} from '../uapi/tcp.js';
import { ACK_BAD, checkSpace, tcpAck } from './ack.js';
import { setState, tcpReset, timeWait } from './close.js';
import {
  ACK,
  ACK_NOW,
  ACK_SCHED,
  FIN,
  RST,
  SYN,
  TCP_MAX_QUICKACKS,
  TCP_PAWS_24DAYS_S,
  TCP_PINGPONG_THRESH,
  URG,
} from './constants.js';
import { dueAck, enterQuickAck, eventDataReceived } from './delayed-ack.js';
import { pushPendingFrames } from './output.js';
import { streamIsReadable } from './poll.js';
import { Reassembly } from './reassembly.js';
import type { Segment } from './segment.js';
import { after, before } from './seq.js';
import type { TcpSock } from './sock.js';
import { oowRateLimited, sendAck, sendChallengeAck } from './transmit.js';
import { receiveUrgent } from './urgent.js';
import { measureReceiverRtt, receiveWindow } from './window.js';

/** tcp_rcv_established */
export function receiveEstablished(sk: TcpSock, segment: Segment): void {
  if (traceRcvEstablished.on) traceRcvEstablished.emit(sk.host, ends(sk));
  if ((segment.flags & (ACK | RST | SYN)) === 0) return;
  if (!validateIncoming(sk, segment)) return;
  if ((segment.flags & ACK) === 0) return;
  if (tcpAck(sk, segment) === ACK_BAD) return;
  measureReceiverRtt(sk, segment);
  if ((segment.flags & URG) !== 0 || sk.urgData !== 0) receiveUrgent(sk, segment);
  queueData(sk, segment);
  pushPendingFrames(sk);
  checkSpace(sk);
  dueAck(sk);
}

/** tcp_validate_incoming: PAWS, sequence, RST and SYN in that order (RFC 9293 3.10.7.4, RFC 7323 5, RFC 5961). */
export function validateIncoming(sk: TcpSock, segment: Segment): boolean {
  const { mib } = sk.host;
  const isRst = (segment.flags & RST) !== 0;
  if (segment.hasTs && sk.tstampOk && sk.tsRecentStamp !== 0 && pawsRejects(sk, segment)) {
    if (!isRst) {
      mib.count(TcpExt.PAWSEstab);
      answerOutOfWindow(sk, segment, TcpExt.TCPACKSkippedPAWS);
      return false;
    }
    // A reset passes whatever its timestamp says.
  }
  if (!acceptable(sk, segment)) {
    if (!isRst) {
      if ((segment.flags & SYN) !== 0) {
        mib.count(TcpExt.TCPSYNChallenge);
        sendChallengeAck(sk);
      } else answerOutOfWindow(sk, segment, TcpExt.TCPACKSkippedSeq);
    } else if (resetAtFin(sk, segment)) tcpReset(sk);
    return false;
  }
  if (isRst) {
    if (segment.seq === sk.rcvNxt || resetAtFin(sk, segment) || resetAtSackEdge(sk, segment)) tcpReset(sk);
    else sendChallengeAck(sk);
    return false;
  }
  if ((segment.flags & SYN) !== 0) {
    // Simultaneous open: the peer's SYN-ACK repeats its SYN.
    if (
      sk.state === TCP_SYN_RECV &&
      (segment.flags & ACK) !== 0 &&
      ((segment.seq + 1) | 0) === segment.endSeq &&
      ((segment.seq + 1) | 0) === sk.rcvNxt &&
      segment.ackSeq === sk.sndNxt
    ) {
      return true;
    }
    mib.count(TcpExt.TCPSYNChallenge);
    sendChallengeAck(sk);
    return false;
  }
  return true;
}

/** tcp_paws_discard, with its exception for a pure ACK that merely overtook (tcp_disordered_ack). */
function pawsRejects(sk: TcpSock, segment: Segment): boolean {
  if (((sk.tsRecent - segment.tsVal) | 0) <= 1) return false;
  if (((sk.host.nowMs - sk.tsRecentStamp) | 0) >= TCP_PAWS_24DAYS_S * 1000) return false;
  const pureAck = (segment.flags & ACK) !== 0 && segment.seq === sk.rcvNxt && segment.seq === segment.endSeq;
  const noNews = segment.ackSeq === sk.sndUna && segment.window << sk.sndWscale === sk.sndWnd;
  return !(pureAck && noNews && ((sk.tsRecent - segment.tsVal) | 0) <= sk.rto);
}

/** tcp_sequence: some of it must lie in the window, and all of it while unread data is waiting. */
function acceptable(sk: TcpSock, segment: Segment): boolean {
  if (before(segment.endSeq, sk.rcvWup)) return false;
  const edge = (sk.rcvNxt + receiveWindow(sk)) | 0;
  if (!after(segment.endSeq, edge)) return true;
  return !after(segment.seq, edge) && sk.rcvQueue.length === 0;
}

/** tcp_reset_check: after a FIN some stacks reset with the sequence number before it. */
function resetAtFin(sk: TcpSock, segment: Segment): boolean {
  return (
    segment.seq === ((sk.rcvNxt - 1) | 0) &&
    (sk.state === TCP_CLOSE_WAIT || sk.state === TCP_LAST_ACK || sk.state === TCP_CLOSING)
  );
}

/** The peer's next byte, seen from what it knows we selected (RFC 5961 with SACK). */
function resetAtSackEdge(sk: TcpSock, segment: Segment): boolean {
  if (!sk.sackOk || sk.reassembly === null) return false;
  const runs = sk.reassembly.runs;
  return runs.length > 0 && segment.seq === runs[runs.length - 1].end;
}

/** tcp_send_dupack for a segment outside the window, at most one in 500 ms if it carries nothing. */
function answerOutOfWindow(sk: TcpSock, segment: Segment, skipped: number): void {
  const carries = segment.length > 0;
  if (oowRateLimited(sk.tcp, sk.lastOowAckTime, carries, skipped)) return;
  if (!carries) sk.lastOowAckTime = sk.host.nowMs || 1;
  if (segment.endSeq !== segment.seq && before(segment.seq, sk.rcvNxt)) {
    sk.host.mib.count(TcpExt.DelayedACKLost);
    enterQuickAck(sk, TCP_MAX_QUICKACKS);
    if (sk.sackOk && sk.host.sysctl.tcpDsack !== 0) {
      setDsack(sk, segment.seq, after(segment.endSeq, sk.rcvNxt) ? sk.rcvNxt : segment.endSeq);
    }
  }
  sendAck(sk);
}

function setDsack(sk: TcpSock, start: number, end: number): void {
  sk.host.mib.count(before(start, sk.rcvNxt) ? TcpExt.TCPDSACKOldSent : TcpExt.TCPDSACKOfoSent);
  sk.dsackPending = true;
  sk.dsackStart = start;
  sk.dsackEnd = end;
}

/** tcp_data_queue */
export function queueData(sk: TcpSock, segment: Segment): void {
  if (segment.seq === segment.endSeq) return;
  if (traceDataQueue.on) tellQueued(sk, segment);
  if (segment.seq === sk.rcvNxt) {
    // A bare FIN needs no room; some stacks send one into a closed window.
    if (receiveWindow(sk) === 0 && segment.length > 0) {
      sk.host.mib.count(TcpExt.TCPZeroWindowDrop);
      outOfWindow(sk);
      return;
    }
    queueInOrder(sk, segment, 0);
    return;
  }
  if (!after(segment.endSeq, sk.rcvNxt)) {
    // All of it was here before: our ACK was lost.
    sk.host.mib.count(TcpExt.DelayedACKLost);
    if (sk.sackOk && sk.host.sysctl.tcpDsack !== 0) setDsack(sk, segment.seq, segment.endSeq);
    outOfWindow(sk);
    return;
  }
  if (!before(segment.seq, (sk.rcvNxt + receiveWindow(sk)) | 0)) {
    outOfWindow(sk);
    return;
  }
  if (before(segment.seq, sk.rcvNxt)) {
    if (sk.sackOk && sk.host.sysctl.tcpDsack !== 0) setDsack(sk, segment.seq, sk.rcvNxt);
    if (receiveWindow(sk) === 0) outOfWindow(sk);
    else queueInOrder(sk, segment, (sk.rcvNxt - segment.seq) | 0);
    return;
  }
  queueOutOfOrder(sk, segment);
}

function tellQueued(sk: TcpSock, segment: Segment): void {
  const { seq, endSeq, length } = segment;
  let verdict: TraceEvents['tcp_data_queue']['verdict'] = 'in order';
  if (!after(endSeq, sk.rcvNxt)) verdict = 'old';
  else if (!before(seq, (sk.rcvNxt + receiveWindow(sk)) | 0)) verdict = 'window';
  else if (after(seq, sk.rcvNxt)) verdict = 'out of order';
  traceDataQueue.emit(sk.host, { ...ends(sk), seq, length, verdict });
}

function outOfWindow(sk: TcpSock): void {
  enterQuickAck(sk, TCP_MAX_QUICKACKS);
  sk.ackPending |= ACK_SCHED;
}

/** The next bytes of the stream, less `skip` that are here already. */
function queueInOrder(sk: TcpSock, segment: Segment, skip: number): void {
  const count = segment.length - skip;
  if (count > 0) {
    const full = sk.rmemAlloc > sk.rcvbuf && sk.rcvQueue.length > 0;
    if ((full && !pruneForRoom(sk)) || !sk.rcvQueue.appendFrom(segment.data + skip, count)) {
      sk.host.mib.count(TcpExt.TCPRcvQDrop);
      sk.ackPending |= ACK_SCHED | ACK_NOW;
      sk.dataReady();
      return;
    }
    sk.rcvNxt = (sk.rcvNxt + count) | 0;
    sk.bytesReceived += count;
    sk.dataSegsIn++;
    eventDataReceived(sk, segment, count);
  }
  if ((segment.flags & FIN) !== 0) {
    sk.rcvNxt = (sk.rcvNxt + 1) | 0;
    receiveFin(sk);
  }
  if (sk.reassembly !== null) takeReassembled(sk);
  tellReader(sk);
}

/** tcp_prune_queue: make room by giving up what came out of order, furthest first. */
function pruneForRoom(sk: TcpSock): boolean {
  sk.host.mib.count(TcpExt.PruneCalled);
  const ooo = sk.reassembly;
  while (ooo !== null && sk.rmemAlloc > sk.rcvbuf && ooo.pruneLast()) sk.host.mib.count(TcpExt.OfoPruned);
  if (sk.rmemAlloc <= sk.rcvbuf) return true;
  sk.host.mib.count(TcpExt.RcvPruned);
  return false;
}

/** tcp_ofo_queue: the hole is filled; what stood behind it moves to the receive queue. */
function takeReassembled(sk: TcpSock): void {
  const ooo = sk.reassembly as Reassembly;
  for (let run = ooo.ready(sk.rcvNxt); run !== null; run = ooo.ready(sk.rcvNxt)) {
    ooo.shift();
    const known = (sk.rcvNxt - run.start) | 0;
    if (!after(run.end, sk.rcvNxt)) {
      run.bytes.clear();
      continue;
    }
    if (known > 0) run.bytes.drop(Math.min(known, run.bytes.length));
    sk.bytesReceived += run.bytes.length;
    sk.rcvQueue.splice(run.bytes);
    sk.rcvNxt = run.end;
    if (run.fin) receiveFin(sk);
  }
  if (ooo.runs.length === 0) {
    sk.reassembly = null;
    // RFC 5681 section 4.2: the segment that fills a gap is acknowledged at once.
    sk.ackPending |= ACK_NOW | ACK_SCHED;
  }
}

/** tcp_data_ready */
function tellReader(sk: TcpSock): void {
  if (!sk.orphan && (sk.done || streamIsReadable(sk, sk.rcvlowat))) sk.dataReady();
}

/** tcp_data_queue_ofo */
function queueOutOfOrder(sk: TcpSock, segment: Segment): void {
  const { mib, memory } = sk.host;
  sk.ackPending |= ACK_SCHED;
  if (sk.rmemAlloc > sk.rcvbuf && !pruneForRoom(sk)) {
    mib.count(TcpExt.TCPOFODrop);
    return;
  }
  mib.count(TcpExt.TCPOFOQueue);
  sk.reassembly ??= new Reassembly(memory);
  const held = sk.reassembly.bytes;
  const fin = (segment.flags & FIN) !== 0;
  if (!sk.reassembly.insert(segment.seq, segment.endSeq, fin, segment.data)) mib.count(TcpExt.TCPOFODrop);
  else if (sk.reassembly.bytes === held && segment.length > 0) {
    mib.count(TcpExt.TCPOFOMerge);
    if (sk.sackOk && sk.host.sysctl.tcpDsack !== 0) setDsack(sk, segment.seq, segment.endSeq);
  }
  if (sk.reassembly.runs.length === 0) sk.reassembly = null;
  sk.dataSegsIn++;
}

/** tcp_fin: the peer will send no more. */
function receiveFin(sk: TcpSock): void {
  sk.ackPending |= ACK_SCHED;
  sk.shutdown |= RCV_SHUTDOWN;
  sk.done = true;
  switch (sk.state) {
    case TCP_SYN_RECV:
    case TCP_ESTABLISHED:
      setState(sk, TCP_CLOSE_WAIT);
      sk.ackPingpong = TCP_PINGPONG_THRESH;
      break;
    case TCP_FIN_WAIT1:
      sendAck(sk);
      setState(sk, TCP_CLOSING);
      break;
    case TCP_FIN_WAIT2:
      sendAck(sk);
      timeWait(sk, TCP_TIME_WAIT, 0);
      break;
    default:
      break;
  }
  sk.reassembly?.clear();
  sk.reassembly = null;
  if (!sk.orphan) sk.stateChange();
}
