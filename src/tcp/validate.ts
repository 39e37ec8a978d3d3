// Is a segment of a synchronised connection acceptable at all (tcp_validate_incoming)? Old timestamps, sequence numbers
// outside the window, resets and SYNs that may be forged end here; input.ts and state.ts see what is left.

import type { DropReason } from '../core/drop-reason.js';
import { TcpExt, Tcp as TcpMib } from '../core/mib.js';
import { dropped } from '../core/trace.js';
import { TCP_CLOSE_WAIT, TCP_CLOSING, TCP_ESTABLISHED, TCP_LAST_ACK, TCP_SYN_RECV } from '../uapi/tcp.js';
import { mayUpdateWindow } from './ack.js';
import { oowRateLimited, sendChallengeAck } from './challenge.js';
import { tcpReset } from './close.js';
import { ACK, FIN, RST, SYN, TCP_MAX_QUICKACKS, TCP_PAWS_WINDOW } from './constants.js';
import { enterQuickAck } from './delayed-ack.js';
import { ecnSynAgain } from './ecn/ecn.js';
import { pawsPasses } from './paws.js';
import type { Segment } from './segment.js';
import { after, before } from './seq.js';
import type { TcpSock } from './sock.js';
import { sendAck } from './transmit.js';
import { receiveWindow } from './window.js';

const PAWS_OK = 0;
const PAWS_REJECTED = 1;
/** A pure ACK that was overtaken: common, and no reason to answer. */
const PAWS_OLD_ACK = 2;

/** PAWS, sequence, RST and SYN in that order (RFC 9293 section 3.10.7.4, RFC 7323 section 5, RFC 5961). */
export function validateIncoming(sk: TcpSock, segment: Segment): boolean {
  const { flags } = segment;
  const isRst = (flags & RST) !== 0;
  // A reset passes whatever its timestamp says.
  const paws = isRst ? PAWS_OK : pawsVerdict(sk, segment);
  const isSyn = (flags & SYN) !== 0;
  if (paws !== PAWS_OK && !isSyn) {
    dropped(sk.host, paws === PAWS_OLD_ACK ? 'TCP_RFC7323_PAWS_ACK' : 'TCP_RFC7323_PAWS');
    if (paws === PAWS_OLD_ACK) {
      sk.host.mib.count(TcpExt.PAWSOldAck);
    } else {
      sk.host.mib.count(TcpExt.PAWSEstab);
      answerOutOfWindow(sk, segment, TcpExt.TCPACKSkippedPAWS);
    }
    return false;
  }
  const misplaced = paws === PAWS_OK ? unacceptable(sk, segment) : null;
  if (misplaced !== null) {
    if (isRst || !isSyn) dropped(sk.host, misplaced);
    if (isRst) {
      if (resetAtFin(sk, segment)) tcpReset(sk);
      return false;
    }
    if (!isSyn) {
      // What lies before the window is old; what reaches beyond it was never asked for.
      if (!before(segment.endSeq, sk.rcvWup)) sk.host.mib.count(TcpExt.BeyondWindow);
      answerOutOfWindow(sk, segment, TcpExt.TCPACKSkippedSeq);
      return false;
    }
  } else if (isRst) {
    dropped(sk.host, 'TCP_RESET');
    if (segment.seq === sk.rcvNxt || resetAtFin(sk, segment) || resetAtSackEdge(sk, segment)) tcpReset(sk);
    else {
      // Out of order, and nothing but it ever came: a box on the way ends what was opened with data.
      const suspect = sk.fastopen?.synFastopen && sk.dataSegsIn === 0 && sk.state === TCP_ESTABLISHED;
      if (suspect) sk.tcp.fastopen.disableActive();
      sendChallengeAck(sk);
    }
    return false;
  } else if (!isSyn || (paws === PAWS_OK && isCrossedSynAck(sk, segment))) {
    return true;
  }
  // RFC 5961 section 4: the true peer answers a challenge by a reset if it has started anew.
  dropped(sk.host, 'TCP_INVALID_SYN');
  if (sk.state === TCP_ESTABLISHED) sk.host.mib.count(TcpMib.InErrs);
  sk.host.mib.count(TcpExt.TCPSYNChallenge);
  ecnSynAgain(sk, segment);
  sendChallengeAck(sk, true);
  return false;
}

/** Simultaneous open: the peer's SYN-ACK repeats its SYN. */
function isCrossedSynAck(sk: TcpSock, segment: Segment): boolean {
  return (
    sk.state === TCP_SYN_RECV &&
    (segment.flags & ACK) !== 0 &&
    ((segment.seq + 1) | 0) === segment.endSeq &&
    segment.endSeq === sk.rcvNxt &&
    segment.ackSeq === sk.sndNxt
  );
}

/** tcp_disordered_ack_check: a pure ACK without news may be a little late. */
function pawsVerdict(sk: TcpSock, segment: Segment): number {
  if (!segment.hasTs || !sk.tstampOk || sk.tsRecentStamp === 0) return PAWS_OK;
  const { nowMs } = sk.host;
  if (pawsPasses(sk.tsRecent, sk.tsRecentStamp, nowMs, segment.tsVal, TCP_PAWS_WINDOW)) return PAWS_OK;
  if ((segment.flags & ACK) === 0 || segment.seq !== segment.endSeq) return PAWS_REJECTED;
  if (segment.seq !== sk.rcvNxt) return before(segment.seq, sk.rcvNxt) ? PAWS_OLD_ACK : PAWS_REJECTED;
  if (segment.ackSeq !== sk.sndUna) return PAWS_REJECTED;
  if (mayUpdateWindow(sk, segment, segment.window << sk.sndWscale)) return PAWS_REJECTED;
  return ((sk.tsRecent - segment.tsVal) | 0) > sk.rto * 1.2 ? PAWS_REJECTED : PAWS_OK;
}

/** tcp_sequence: some of it must lie in the window, and all of it but a FIN while unread data is waiting. Null: so it does. */
function unacceptable(sk: TcpSock, segment: Segment): DropReason | null {
  if (before(segment.endSeq, sk.rcvWup)) return 'TCP_OLD_SEQUENCE';
  const edge = (sk.rcvNxt + receiveWindow(sk)) | 0;
  const fin = (segment.flags & FIN) !== 0 ? 1 : 0;
  if (!after((segment.endSeq - fin) | 0, edge)) return null;
  if (after(segment.seq, edge)) return 'TCP_INVALID_SEQUENCE';
  return sk.rcvQueue.length === 0 ? null : 'TCP_INVALID_END_SEQUENCE';
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
  if (!sk.sackOk || sk.rx.reassembly === null) return false;
  const { sacks, sackEnd } = sk.rx.reassembly;
  if (sacks === 0) return false;
  let most = sackEnd[0];
  for (let i = 1; i < sacks; i++) if (after(sackEnd[i], most)) most = sackEnd[i];
  return segment.seq === most;
}

/** tcp_send_dupack for a segment outside the window; without data or FIN at most one in 500 ms. */
function answerOutOfWindow(sk: TcpSock, segment: Segment, skipped: number): void {
  const carries = segment.endSeq !== segment.seq;
  if (oowRateLimited(sk.tcp, sk.lastOowAckTime, carries, skipped)) return;
  if (!carries) sk.lastOowAckTime = sk.host.nowMs || 1;
  if (carries && before(segment.seq, sk.rcvNxt)) {
    sk.host.mib.count(TcpExt.DelayedACKLost);
    enterQuickAck(sk, TCP_MAX_QUICKACKS);
    setDsack(sk, segment.seq, after(segment.endSeq, sk.rcvNxt) ? sk.rcvNxt : segment.endSeq);
  }
  sendAck(sk);
}

/** tcp_dsack_set: the next ACK reports [start, end) as a duplicate (RFC 2883). */
export function setDsack(sk: TcpSock, start: number, end: number): void {
  if (!sk.sackOk || sk.host.sysctl.tcpDsack === 0) return;
  sk.host.mib.count(before(start, sk.rcvNxt) ? TcpExt.TCPDSACKOldSent : TcpExt.TCPDSACKOfoSent);
  const rx = sk.ownRx();
  rx.dsackPending = true;
  rx.dsackStart = start;
  rx.dsackEnd = end;
}

/** tcp_dsack_extend: so does this one, if none is waiting to be reported, or if it touches that. */
export function extendDsack(sk: TcpSock, start: number, end: number): void {
  const { rx } = sk;
  if (!rx.dsackPending) setDsack(sk, start, end);
  else if (!after(start, rx.dsackEnd) && !after(rx.dsackStart, end)) {
    if (before(start, rx.dsackStart)) rx.dsackStart = start;
    if (after(end, rx.dsackEnd)) rx.dsackEnd = end;
  }
}
