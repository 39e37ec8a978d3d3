// What tcp_check_req asks of a segment for a handshake at a listener, be the request still alone (syn-recv.ts) or the child of a
// Fast Open born already (fastopen-server.ts).

import type { DropReason } from '../../core/drop-reason.js';
import { TcpExt } from '../../core/mib.js';
import { echoRtt } from '../clean-rtx-queue.js';
import { RST } from '../constants.js';
import { pawsRejects } from '../paws.js';
import type { Segment } from '../segment.js';
import { before, between } from '../seq.js';
import type { TcpSock } from '../sock.js';
import type { RequestSock } from './request-sock.js';

/** PAWS, with the time since the SYN reckoned from the time-outs. */
export function oldTimestamp(request: RequestSock, segment: Segment): boolean {
  if (!segment.hasTs) return false;
  const { nowMs } = request.listener.host;
  const stamp = (nowMs - request.timeoutMs) | 0;
  return pawsRejects(request.tsRecent, stamp, nowMs, segment.tsVal, (segment.flags & RST) !== 0);
}

/** The timestamp echoed is none of those that our SYN-ACKs bore. */
function foreignEcho(request: RequestSock, segment: Segment): boolean {
  if (!segment.hasTs || !request.tstampOk || segment.tsEcr === 0) return false;
  const echoed = (segment.tsEcr - request.tsOffset) | 0;
  return !between(echoed, request.firstSynackMs, request.lastSynackMs);
}

/** tcp_in_window */
export function inWindow(segment: Segment, start: number, end: number): boolean {
  if (segment.seq === start) return true;
  if (before(start, segment.endSeq) && before(segment.seq, end)) return true;
  return segment.seq === end && segment.seq === segment.endSeq && between(segment.seq, start, end);
}

/**
 * Why there is no use for a segment, counted; null: there is. `paws`: its timestamp is old. `fastOpen`: the child is there already, and may
 * have sent what the timestamp echoes.
 */
export function misfit(
  request: RequestSock,
  segment: Segment,
  paws: boolean,
  fastOpen = false,
): DropReason | null {
  const { mib } = request.listener.host;
  if (paws) {
    mib.count(TcpExt.PAWSEstab);
    return 'TCP_RFC7323_PAWS';
  }
  if (!fastOpen && foreignEcho(request, segment)) {
    mib.count(TcpExt.TSEcrRejected);
    return 'TCP_RFC7323_TSECR';
  }
  const edge = (request.rcvNxt + Math.min(request.rcvWnd, 65535)) | 0;
  return inWindow(segment, request.rcvNxt, edge) ? null : 'TCP_OVERWINDOW';
}

/**
 * tcp_synack_rtt_meas: the handshake's round trip in microseconds. A cookie remembers no time, and a repeated SYN-ACK cannot tell
 * which one was answered (RFC 6298 section 3); then only the timestamp that came back tells. -1: nothing does.
 */
export function synAckRtt(sk: TcpSock, request: RequestSock, segment: Segment): number {
  const timed = request.synackUs !== 0 && request.retransmitted === 0;
  return timed
    ? (sk.host.nowUs - request.synackUs) | 0
    : echoRtt(sk, segment.hasTs && sk.tstampOk, segment.tsEcr);
}
