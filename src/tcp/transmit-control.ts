// Segments that belong to no sock: SYN-ACKs of requests, ACKs of requests and TIME_WAIT remnants, and the RST for what
// belongs to nobody (tcp_make_synack, tcp_v4_send_ack, tcp_v4_send_reset).

import { Tcp as TcpMib } from '../core/mib.js';
import { TX_NO_ID } from '../ip/ipv4-output.js';
import type { RxPacket } from '../ip/rx-packet.js';
import { ACK, ECE, RST, SYN } from './constants.js';
import { reflectorFlags } from './ecn/accecn.js';
import { fieldsOfSynAck, synOptionsLength } from './ecn/accecn-fields.js';
import { INET_ECN_MASK } from './ecn/ecn.js';
import type { RequestSock } from './listen/request-sock.js';
import {
  fastOpenOptionLength,
  type Segment,
  writeFastOpen,
  writeSynOptions,
  writeTimestamp,
} from './segment.js';
import type { TcpShared } from './tcp-shared.js';
import type { TimeWaitSock } from './time-wait.js';
import { sendSegment, writeHeader } from './transmit.js';

/** What a header's options can take up. */
const MAX_OPTIONS = 40;

/**
 * tcp_make_synack and its sending. `clockMs`: the time that its timestamp tells. `cookie`: Fast Open's for the client, in the
 * experimental option if `exp`; null: none.
 */
export function transmitSynAck(
  request: RequestSock,
  clockMs: number,
  cookie: Uint8Array | null = null,
  exp = false,
): void {
  const listener = request.listener;
  const { tcp, host } = listener;
  request.lastSynackMs = clockMs;
  const at = tcp.ip.begin(request.route);
  if (at < 0) return;
  const view = host.memory.view;
  const { sackOk, tstampOk, wscaleOk, accecn } = request;
  const others = synOptionsLength(sackOk, tstampOk, wscaleOk);
  const room = cookie === null ? 0 : fastOpenOptionLength(cookie.length, exp);
  const bearsCookie = cookie !== null && others + room <= MAX_OPTIONS;
  let length = writeSynOptions(
    view,
    at + 20,
    request.advmss,
    sackOk,
    tstampOk,
    (clockMs + request.tsOffset) | 0,
    request.tsRecent,
    wscaleOk ? request.rcvWscale : -1,
    // Not when it timed out twice: a box on the way may drop what it does not know.
    accecn === null || request.timeouts > 0 || host.sysctl.tcpEcnOption === 0
      ? -1
      : fieldsOfSynAck(sackOk, tstampOk, wscaleOk, bearsCookie ? room : 0),
  );
  if (bearsCookie) length += writeFastOpen(view, at + 20 + length, cookie, exp);
  let flags = SYN | ACK;
  if (accecn !== null) {
    flags |= reflectorFlags(accecn.synEctRcv);
    accecn.synEctSnt = listener.tos & INET_ECN_MASK;
  } else if (request.ecnOk) flags |= ECE;
  host.mib.count(TcpMib.OutSegs);
  const window = Math.min(request.rcvWnd, 65535);
  const headerLength = 20 + length;
  writeHeader(
    view,
    at,
    request.sport,
    request.dport,
    request.iss,
    request.rcvNxt,
    headerLength,
    flags,
    window,
  );
  sendSegment(
    tcp,
    request.route,
    request.saddr,
    request.daddr,
    at,
    headerLength,
    0,
    host.sysctl.tcpReflectTos !== 0 ? withoutEcn(request.tos) | (listener.tos & INET_ECN_MASK) : listener.tos,
    listener.ttl,
    0,
    request.route.dontFragment(listener.mtuDiscover),
    TX_NO_ID,
  );
}

function withoutEcn(tos: number): number {
  return tos & ~INET_ECN_MASK;
}

/** A segment without options that answers for no sock in particular: the packet's addresses, turned round. */
function reply(
  tcp: TcpShared,
  packet: RxPacket,
  segment: Segment,
  seq: number,
  ack: number,
  flags: number,
): void {
  const route = tcp.ip.route(packet.src);
  if (route === null) return;
  const at = tcp.ip.begin(route);
  if (at < 0) return;
  tcp.host.mib.count(TcpMib.OutSegs);
  writeHeader(tcp.host.memory.view, at, segment.dport, segment.sport, seq, ack, 20, flags, 0);
  sendSegment(
    tcp,
    route,
    packet.dst.clone(),
    packet.src.clone(),
    at,
    20,
    0,
    withoutEcn(segment.tos),
    0,
    0,
    true,
    TX_NO_ID,
  );
}

/** tcp_v4_send_reset: the RST that RFC 9293 section 3.10.7.1 prescribes for a segment that belongs to nobody. */
export function sendReset(tcp: TcpShared, packet: RxPacket, segment: Segment): void {
  if ((segment.flags & RST) !== 0 || packet.broadcast || !tcp.ip.isLocal(packet.dst)) return;
  tcp.host.mib.count(TcpMib.OutRsts);
  if ((segment.flags & ACK) !== 0) reply(tcp, packet, segment, segment.ackSeq, 0, RST);
  else reply(tcp, packet, segment, 0, segment.endSeq, RST | ACK);
}

/** tcp_v4_reqsk_send_ack: the request's side of an unacceptable segment; of a Fast Open child, `seq` is its next. */
export function sendRequestAck(
  request: RequestSock,
  segment: Segment,
  seq: number = (request.iss + 1) | 0,
): void {
  const { tcp, host } = request.listener;
  controlAck(
    tcp,
    request,
    seq,
    request.rcvNxt,
    Math.min(request.rcvWnd, 65535) >>> request.rcvWscale,
    request.tstampOk,
    (host.nowMs + request.tsOffset) | 0,
    request.tsRecent,
    withoutEcn(segment.tos),
  );
}

/** tcp_v4_timewait_ack */
export function sendTimeWaitAck(tw: TimeWaitSock): void {
  const tcp = tw.tcp;
  const now = (tcp.host.nowMs + tw.tsOffset) | 0;
  controlAck(
    tcp,
    tw,
    tw.sndNxt,
    tw.rcvNxt,
    tw.rcvWnd >>> tw.rcvWscale,
    tw.tstampOk,
    now,
    tw.tsRecent,
    tw.tos,
  );
}

function controlAck(
  tcp: TcpShared,
  from: RequestSock | TimeWaitSock,
  seq: number,
  ack: number,
  window: number,
  timestamps: boolean,
  tsVal: number,
  tsEcr: number,
  tos: number,
): void {
  const at = tcp.ip.begin(from.route);
  if (at < 0) return;
  const view = tcp.host.memory.view;
  const headerLength = timestamps ? 32 : 20;
  if (timestamps) writeTimestamp(view, at + 20, tsVal, tsEcr);
  tcp.host.mib.count(TcpMib.OutSegs);
  writeHeader(view, at, from.sport, from.dport, seq, ack, headerLength, ACK, Math.min(window, 65535));
  sendSegment(tcp, from.route, from.saddr, from.daddr, at, headerLength, 0, tos, 0, 0, true, TX_NO_ID);
}
