// Where a segment enters TCP (tcp_v4_rcv): checksum verdict, four-tuple look-up, and on to whoever it is for: a connection,
// a request, a TIME_WAIT remnant, a listener; or a reset for what belongs to nobody.

import { TcpExt, Tcp as TcpMib } from '../core/mib.js';
import { dropped, ends, traceTcpV4Rcv } from '../core/trace.js';
import type { RxPacket } from '../ip/rx-packet.js';
import { RX_L4_BAD } from '../link/link.js';
import { macIsGroup } from '../packet/ethernet.js';
import { TCP_HLEN } from '../packet/tcp.js';
import { TCP_ESTABLISHED, TCP_FIN_WAIT2, TCP_LISTEN, TCP_TIME_WAIT } from '../uapi/tcp.js';
import { authAcceptable, SIGNED_HLEN } from './auth-option.js';
import { Backlog } from './backlog.js';
import { oowRateLimited } from './challenge.js';
import { endTimeWait } from './close.js';
import { ACK, FIN, RESET_PEER, RST, SYN, TCP_TIMEWAIT_LEN } from './constants.js';
import { tupleHash } from './demux.js';
import { receiveEstablished } from './input.js';
import { connectionRequest } from './listen/listener.js';
import { inWindow } from './listen/request-checks.js';
import type { RequestSock } from './listen/request-sock.js';
import { childWaits } from './listen/steering.js';
import { checkCookie, checkRequest } from './listen/syn-recv.js';
import { pawsRejects } from './paws.js';
import type { Segment } from './segment.js';
import { after, before } from './seq.js';
import type { TcpSock } from './sock.js';
import { receiveStateProcess } from './state.js';
import type { TcpShared } from './tcp-shared.js';
import type { TimeWaitSock } from './time-wait.js';
import { sendReset, sendTimeWaitAck } from './transmit-control.js';

/** A segment from the network. */
export function receiveSegment(tcp: TcpShared, packet: RxPacket): void {
  const { host, segment } = tcp;
  // A frame to a group is none of TCP's, and not even counted (pkt_type != PACKET_HOST).
  if (packet.broadcast && macIsGroup(host.memory.view.getUint16(packet.frame))) {
    dropped(host, 'NOT_SPECIFIED');
    return;
  }
  host.mib.count(TcpMib.InSegs);
  if (!segment.parse(host.memory.view, packet)) {
    dropped(host, 'PKT_TOO_SMALL');
    if (tooShortHeader(host.memory.view, packet)) host.mib.count(TcpMib.InErrs);
    return;
  }
  if ((packet.flags & RX_L4_BAD) !== 0) {
    dropped(host, 'TCP_CSUM');
    host.mib.count(TcpMib.InCsumErrors);
    host.mib.count(TcpMib.InErrs);
    return;
  }
  if (traceTcpV4Rcv.on) tellReceived(tcp, packet, segment);
  if (packet.broadcast) {
    dropped(host, 'NOT_SPECIFIED');
    return;
  }
  const hash = tupleHash(tcp.tableKey, packet.dst, segment.dport, packet.src, segment.sport);
  const sk = tcp.established.lookup(hash, packet.dst, segment.dport, packet.src, segment.sport);
  if (sk !== null) {
    deliver(sk, packet, segment);
    return;
  }
  const request = tcp.requests.lookup(hash, packet.dst, segment.dport, packet.src, segment.sport);
  if (request !== null) {
    receiveForRequest(request, packet, segment);
    return;
  }
  const tw = tcp.timeWaits.lookup(hash, packet.dst, segment.dport, packet.src, segment.sport);
  if (tw !== null) {
    receiveForTimeWait(tw, hash, packet, segment);
    return;
  }
  const listener = tcp.listeners.lookup(packet.dst, segment.dport, hash, packet.device);
  if (listener !== null) deliver(listener, packet, segment);
  else {
    dropped(host, 'NO_SOCKET');
    sendReset(tcp, packet, segment);
  }
}

function tellReceived(tcp: TcpShared, packet: RxPacket, segment: Segment): void {
  const { sport, dport, seq, ackSeq, flags, length } = segment;
  const about = ends({ saddr: packet.dst, sport: dport, daddr: packet.src, dport: sport });
  traceTcpV4Rcv.emit(tcp.host, { ...about, seq, ackSeq, flags, length });
}

/** tcp_v4_do_rcv, or into the backlog while a syscall is inside the sock. */
function deliver(sk: TcpSock, packet: RxPacket, segment: Segment): void {
  if (sk.extras !== null && packet.ttl < sk.extras.minTtl) {
    dropped(sk.host, 'TCP_MINTTL');
    sk.host.mib.count(TcpExt.TCPMinTTLDrop);
    return;
  }
  if (segment.headerLength >= SIGNED_HLEN && !authAcceptable(sk.tcp, segment)) return;
  countSegments(sk, segment);
  if (!sk.owned) {
    receiveNow(sk, packet, segment);
    return;
  }
  const rare = sk.ownRare();
  rare.backlog ??= new Backlog(sk.host.memory);
  const bound = sk.rcvbuf + sk.sndbuf + 65536;
  if (rare.backlog.bytes > bound || !rare.backlog.push(packet)) {
    dropped(sk.host, 'SOCKET_BACKLOG');
    sk.host.mib.count(TcpExt.TCPBacklogDrop);
  }
}

/** tcp_segs_in: whatever comes of them. */
function countSegments(sk: TcpSock, segment: Segment): void {
  sk.segsIn += segment.segments;
  if (segment.length > 0) sk.dataSegsIn += segment.segments;
}

function receiveNow(sk: TcpSock, packet: RxPacket, segment: Segment): void {
  if (sk.state === TCP_ESTABLISHED) receiveEstablished(sk, segment, false);
  else if (sk.state === TCP_LISTEN) receiveForListener(sk, packet, segment, 0);
  else if (receiveStateProcess(sk, segment) === RESET_PEER) sendReset(sk.tcp, packet, segment);
}

/** The syscall has let go of the sock: what came meanwhile is dealt with now (__release_sock). */
export function runBacklog(sk: TcpSock): void {
  const backlog = sk.backlog;
  if (backlog === null) return;
  const { backlogPacket: packet, backlogSegment: segment } = sk.tcp;
  const { memory } = sk.host;
  for (let chunk = backlog.shift(packet); chunk !== 0; chunk = backlog.shift(packet)) {
    if (segment.parse(memory.view, packet)) receiveNow(sk, packet, segment);
    memory.free(chunk);
  }
}

function receiveForListener(sk: TcpSock, packet: RxPacket, segment: Segment, iss: number): void {
  const { flags } = segment;
  if ((flags & RST) !== 0) {
    dropped(sk.host, 'TCP_RESET');
    return;
  }
  if ((flags & ACK) !== 0) {
    const child = checkCookie(sk, packet, segment);
    if (child === sk) {
      dropped(sk.host, 'TCP_FLAGS');
      sendReset(sk.tcp, packet, segment);
    } else if (child !== null) receiveForChild(sk, child, packet, segment);
  } else if ((flags & (SYN | FIN)) === SYN) connectionRequest(sk, packet, segment, iss);
  else dropped(sk.host, 'TCP_FLAGS');
}

function receiveForRequest(request: RequestSock, packet: RxPacket, segment: Segment): void {
  const parent = request.listener;
  if (parent.state !== TCP_LISTEN) {
    sendReset(parent.tcp, packet, segment);
    return;
  }
  if (segment.headerLength >= SIGNED_HLEN && !authAcceptable(parent.tcp, segment)) return;
  const child = checkRequest(request, packet, segment);
  if (child !== null) receiveForChild(parent, child, packet, segment);
}

/** tcp_child_process */
function receiveForChild(parent: TcpSock, child: TcpSock, packet: RxPacket, segment: Segment): void {
  countSegments(child, segment);
  if (child.state === TCP_ESTABLISHED) receiveEstablished(child, segment, true);
  else receiveNow(child, packet, segment);
  // The listener's readers are told once the child has taken what came with the third segment.
  childWaits(parent);
}

/** tcp_timewait_state_process */
function receiveForTimeWait(tw: TimeWaitSock, hash: number, packet: RxPacket, segment: Segment): void {
  const { tcp } = tw;
  const { host } = tcp;
  const isRst = (segment.flags & RST) !== 0;
  const old =
    segment.hasTs &&
    tw.tsRecentStamp !== 0 &&
    pawsRejects(tw.tsRecent, tw.tsRecentStamp, host.nowMs, segment.tsVal, isRst);
  if (tw.substate === TCP_FIN_WAIT2) {
    finWait2Remnant(tw, packet, segment, old);
    return;
  }
  if (!old && segment.seq === tw.rcvNxt && (segment.seq === segment.endSeq || isRst)) {
    if (isRst && host.sysctl.tcpRfc1337 === 0) {
      endTimeWait(tw);
      return;
    }
    host.wheel.arm(tw, TCP_TIMEWAIT_LEN);
    if (segment.hasTs) noteTimestamp(tw, segment);
    return;
  }
  const newer =
    after(segment.seq, tw.rcvNxt) ||
    (segment.hasTs && tw.tsRecentStamp !== 0 && before(tw.tsRecent, segment.tsVal));
  if ((segment.flags & (SYN | RST | ACK)) === SYN && !old && newer) {
    // RFC 6191 and RFC 1122 section 4.2.2.13: the same ends begin anew.
    const listener = tcp.listeners.lookup(packet.dst, segment.dport, hash, packet.device);
    if (listener !== null) {
      endTimeWait(tw);
      receiveForListener(listener, packet, segment, (tw.sndNxt + 65535 + 2) | 0 || 1);
    } else sendTimeWaitAck(tw);
    return;
  }
  if (old) {
    dropped(host, 'TCP_RFC7323_TW_PAWS');
    host.mib.count(TcpExt.PAWSTimewait);
  }
  if (isRst) return;
  if (old || (segment.flags & ACK) !== 0) host.wheel.arm(tw, TCP_TIMEWAIT_LEN);
  timeWaitAck(tw, segment, TcpExt.TCPACKSkippedTimeWait);
}

/** An orphan's FIN_WAIT2 without a sock: it waits for the FIN and takes nothing else. */
function finWait2Remnant(tw: TimeWaitSock, packet: RxPacket, segment: Segment, old: boolean): void {
  const edge = (tw.rcvNxt + tw.rcvWnd) | 0;
  if (old || !inWindow(segment, tw.rcvNxt, edge)) {
    dropped(tw.tcp.host, old ? 'TCP_RFC7323_TW_PAWS' : 'TCP_OVERWINDOW');
    timeWaitAck(tw, segment, TcpExt.TCPACKSkippedFinWait2);
    return;
  }
  if ((segment.flags & RST) !== 0) {
    endTimeWait(tw);
    return;
  }
  const isSyn = (segment.flags & SYN) !== 0 && !before(segment.seq, tw.rcvNxt);
  const news =
    (segment.flags & ACK) !== 0 && after(segment.endSeq, tw.rcvNxt) && segment.endSeq !== segment.seq;
  if (!isSyn && !news) return;
  if (isSyn || (segment.flags & FIN) === 0 || segment.endSeq !== ((tw.rcvNxt + 1) | 0)) {
    // New data after a half-duplex close (RFC 1122 section 4.2.2.13).
    dropped(tw.tcp.host, 'TCP_ABORT_ON_DATA');
    sendReset(tw.tcp, packet, segment);
    endTimeWait(tw);
    return;
  }
  tw.substate = TCP_TIME_WAIT;
  tw.rcvNxt = segment.endSeq;
  if (segment.hasTs) {
    noteTimestamp(tw, segment);
    tw.entryStamp = tw.tcp.host.nowMs;
  }
  tw.tcp.host.wheel.arm(tw, TCP_TIMEWAIT_LEN);
  sendTimeWaitAck(tw);
}

function noteTimestamp(tw: TimeWaitSock, segment: Segment): void {
  tw.tsRecent = segment.tsVal;
  tw.tsRecentStamp = tw.tcp.host.nowMs || 1;
}

/** tcp_timewait_check_oow_rate_limit */
function timeWaitAck(tw: TimeWaitSock, segment: Segment, skipped: number): void {
  const carries = segment.endSeq !== segment.seq && (segment.flags & SYN) === 0;
  if (oowRateLimited(tw.tcp, tw.lastOowAckTime, carries, skipped)) return;
  if (!carries) tw.lastOowAckTime = tw.tcp.host.nowMs || 1;
  sendTimeWaitAck(tw);
}

/** Its header says that it is shorter than any; one that is cut off is not counted. */
function tooShortHeader(view: DataView, packet: RxPacket): boolean {
  return packet.length >= TCP_HLEN && view.getUint8(packet.transport + 12) >> 4 < TCP_HLEN >> 2;
}
