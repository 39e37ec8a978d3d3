// Builds segments in the transmit ring and hands them to IP (__tcp_transmit_skb): writeXmit → transmit → ip.begin, header,
// payload by reference, ip.send. Nothing here decides what to send; that is output.ts.

import { Tcp as TcpMib } from '../core/mib.js';
import { ends, traceTransmit } from '../core/trace.js';
import { DEFAULT_METRICS } from '../ip/route-metrics.js';
import type { Route } from '../ip/routes.js';
import { TX_ACCECN, TX_ECN } from '../link/tx-ring.js';
import type { IpAddress } from '../packet/address.js';
import { IPPROTO_TCP } from '../uapi/socket.js';
import { settleCompressed } from './ack-compression.js';
import { countSent } from './byte-counts.js';
import { CA_EVENT_TX_START } from './congestion/congestion.js';
import {
  ACK,
  ACK_SCHED,
  AE,
  CWR,
  DST_CONFIRM,
  ECE,
  FIN,
  PSH,
  RST,
  SYN,
  TCP_ATO_MIN,
  TCPOLEN_TSTAMP_ALIGNED,
  URG,
} from './constants.js';
import { enterCwr } from './cwnd.js';
import { ACE_FAIL_RECV, aceToSend, ECN_MODE_ACCECN, reflectorFlags } from './ecn/accecn.js';
import { fieldsOfSynAck } from './ecn/accecn-fields.js';
import { accEcnLength, writeAccEcn } from './ecn/accecn-option.js';
import { ECN_OK, ecnFlagsToSend, ecnSynFlags, INET_ECN_ECT_0, INET_ECN_MASK } from './ecn/ecn.js';
import type { FastOpenRequest } from './fastopen/fastopen.js';
import { checkRoute } from './path/route-hints.js';
import { sackLength, writeSack } from './sack-option.js';
import { writeFastOpen, writeSynOptions, writeTimestamp } from './segment.js';
import { after, before } from './seq.js';
import type { TcpSock } from './sock.js';
import type { TcpShared } from './tcp-shared.js';
import { clearDelack } from './tcp-timer.js';
import { stampSent } from './tx-marks.js';
import { initialWindow, selectInitialWindow, selectWindow } from './window.js';

/** Offset of the checksum in the TCP header. */
export const CSUM_OFFSET = 16;

/** Our timestamp clock: milliseconds, shifted per connection so that it tells nothing about uptime (RFC 7323 section 7.1). */
export function tcpTimestamp(sk: TcpSock): number {
  return (sk.host.nowMs + sk.tsOffset) | 0;
}

export function writeHeader(
  view: DataView,
  at: number,
  sport: number,
  dport: number,
  seq: number,
  ack: number,
  headerLength: number,
  flags: number,
  window: number,
): void {
  view.setUint32(at, (sport << 16) | dport);
  view.setInt32(at + 4, seq);
  view.setInt32(at + 8, ack);
  view.setUint16(at + 12, (headerLength << 10) | flags);
  view.setUint16(at + 14, window);
  view.setUint32(at + 16, 0);
}

/** Hands the segment whose header was written at `at` to IP; the NIC completes the checksum from the pseudo-header's sum. */
export function sendSegment(
  tcp: TcpShared,
  route: Route,
  saddr: IpAddress,
  daddr: IpAddress,
  at: number,
  headerLength: number,
  payloadLength: number,
  tos: number,
  ttl: number,
  gsoSize: number,
  df: boolean,
  gsoFlags = 0,
): number {
  const sum = tcp.ip.pseudoSum(saddr, daddr, IPPROTO_TCP, (headerLength + payloadLength) | 0);
  tcp.host.memory.view.setUint16(at + CSUM_OFFSET, sum);
  if (traceTransmit.on) tellTransmitted(tcp, saddr, daddr, at, payloadLength);
  return tcp.ip.send(
    route,
    saddr,
    daddr,
    IPPROTO_TCP,
    headerLength,
    payloadLength,
    tos,
    ttl,
    df,
    CSUM_OFFSET,
    gsoSize,
    gsoFlags,
  );
}

function tellTransmitted(
  tcp: TcpShared,
  saddr: IpAddress,
  daddr: IpAddress,
  at: number,
  length: number,
): void {
  const { host } = tcp;
  const { view } = host.memory;
  const about = ends({ saddr, sport: view.getUint16(at), daddr, dport: view.getUint16(at + 2) });
  const seq = view.getInt32(at + 4);
  const ackSeq = view.getInt32(at + 8);
  traceTransmit.emit(host, { ...about, seq, ackSeq, flags: view.getUint8(at + 13), length });
}

/**
 * Sends one segment of a connection: `length` bytes of the send queue from sequence `seq` (0: none), in packets of `size` bytes (0: as
 * one, however large).
 * False: nothing was sent, because the transmit ring is full, or with `tcp.congested` the device's own queue.
 */
export function transmit(sk: TcpSock, seq: number, length: number, flags: number, size = 0): boolean {
  const tcp = sk.tcp;
  const route = checkRoute(sk);
  // Where no way leads it is lost here, as it might be on any hop, and the timers try again.
  if (route === null) return sk.route !== null;
  tcp.congested = false;
  const at = tcp.ip.begin(route);
  if (at < 0) return false;
  const view = sk.host.memory.view;
  let headerLength = 20;
  if (sk.tstampOk) {
    writeTimestamp(view, at + 20, tcpTimestamp(sk), sk.tsRecent);
    headerLength = 32;
  }
  const accecn = (sk.ecnFlags & ECN_MODE_ACCECN) !== 0 ? sk.rare.accecn : null;
  const extra = accecn === null ? sackLength(sk) : accEcnLength(sk, accecn);
  if (accecn !== null) writeAccEcn(sk, accecn, view, at + headerLength);
  else if (extra > 0) writeSack(sk, view, at + headerLength, (extra - 4) >> 3);
  headerLength += extra;
  // Of the size that was reckoned with, though the options that took its room have left with an earlier one.
  const room = sk.mss - extra;
  const cut = size < room ? size : room;
  const gsoSize = size !== 0 && length > cut ? cut : 0;
  const segments = gsoSize === 0 ? 1 : Math.ceil(length / gsoSize);
  if (length > 0) {
    placePayload(sk, route, (seq - sk.tx.sndQueueSeq) | 0, length);
    if (gsoSize !== 0) flags |= PSH;
    sk.dataSegsOut += segments;
    countSent(sk, length);
    dataSent(sk);
  }
  let { tos } = sk;
  if ((sk.ecnFlags & ECN_OK) !== 0) {
    // Only data that goes out for the first time may be marked (RFC 3168 sections 6.1.4 to 6.1.6).
    const isNewData = length > 0 && !before(seq, sk.sndNxt);
    if (isNewData || sk.cc.needsEcn) tos = (tos & ~INET_ECN_MASK) | INET_ECN_ECT_0;
    flags |= ecnFlagsToSend(sk, isNewData);
  } else if (accecn !== null) {
    // All that is sent may be marked, and counts for the ACE field; only an ACK of a SYN has another use for it.
    accecn.marking ||= (accecn.failMode & ACE_FAIL_RECV) === 0;
    if (accecn.marking) tos = (tos & ~INET_ECN_MASK) | INET_ECN_ECT_0;
    if ((flags & (AE | CWR | ECE)) === 0) flags |= aceToSend(sk, accecn);
  }
  writeHeader(view, at, sk.sport, sk.dport, seq, sk.rcvNxt, headerLength, flags, selectWindow(sk));
  if (sk.tx.urgMode && before(seq, sk.tx.sndUp)) writeUrgent(sk, view, at, seq);
  if ((sk.ackPending & DST_CONFIRM) !== 0) route.confirm();
  if ((flags & ACK) !== 0) ackSent(sk);
  sk.segsOut += segments;
  // What only repeats is not among OutSegs (RFC 4022).
  if ((length === 0 && (flags & FIN) === 0) || !before(seq, sk.sndNxt))
    sk.host.mib.add(TcpMib.OutSegs, segments);
  // What comes back over loopback may claim the next slot before this call is over.
  const frame = sk.extras === null ? 0 : route.device.frame;
  const result = sendSegment(
    tcp,
    route,
    sk.saddr,
    sk.daddr,
    at,
    headerLength,
    length,
    tos,
    sk.ttl,
    gsoSize,
    route.dontFragment(sk.mtuDiscover),
    (flags & CWR) === 0 ? 0 : accecn === null ? TX_ECN : TX_ACCECN,
  );
  if (result > 0) {
    // The device's own queue is full (net_xmit_eval): it was not sent, and that is congestion, if near.
    tcp.congested = true;
    enterCwr(sk);
    return false;
  }
  if (length > 0) {
    sk.tx.txMark = route.device.tx.mark;
    if (sk.extras !== null) stampSent(sk, sk.extras, seq, length, frame, at + headerLength);
  }
  return true;
}

/** The payload by reference: `length` bytes from `from` in the send queue, in as many pieces as they lie in. */
function placePayload(sk: TcpSock, route: Route, from: number, length: number): void {
  const queue = sk.sndQueue;
  const memory = queue.memory;
  const ring = route.device.tx;
  let chunk = queue.seek(from);
  let position = (memory.start[chunk] + from - queue.seekAt) | 0;
  for (let left = length; left > 0; ) {
    const size = memory.end[chunk] - position;
    const part = size < left ? size : left;
    ring.piece(position, part);
    left -= part;
    if (left > 0) {
      chunk = memory.next[chunk];
      position = memory.start[chunk];
    }
  }
}

/** The urgent pointer, as far as its 16 bits reach (RFC 9293 section 3.8.5). */
function writeUrgent(sk: TcpSock, view: DataView, at: number, seq: number): void {
  const distance = (sk.tx.sndUp - seq) | 0;
  view.setUint16(at + 18, distance < 0xffff ? distance : 0xffff);
  if (distance <= 0xffff || after((seq + 0xffff) | 0, sk.sndNxt)) {
    view.setUint8(at + 13, view.getUint8(at + 13) | URG);
  }
}

/** tcp_event_data_sent */
function dataSent(sk: TcpSock): void {
  // The first after all was acknowledged.
  if (sk.inFlight === 0) sk.cc.cwndEvent(sk, CA_EVENT_TX_START);
  sk.lsndtime = sk.host.nowMs;
  // Answering within the delayed-ACK time makes the session interactive.
  const answers = ((sk.lsndtime - sk.lrcvtime) | 0) < sk.ackAto && sk.lrcvtime !== 0;
  if (answers && sk.ackPingpong < 255) sk.ackPingpong++;
}

/** tcp_event_ack_sent: whatever was owed is paid. */
function ackSent(sk: TcpSock): void {
  if (sk.rx.compression !== null) settleCompressed(sk, sk.rx.compression);
  if (sk.ackQuick > 0 && (sk.ackPending & ACK_SCHED) !== 0) {
    // Leaving quick-ack mode deflates the delay (tcp_dec_quickack_mode).
    if (--sk.ackQuick === 0) sk.ackAto = TCP_ATO_MIN;
  }
  sk.ackPending = 0;
  sk.ackDeferred = false;
  if (sk.delackTimer?.pending) clearDelack(sk);
}

/** __tcp_send_ack: a bare ACK, now. If the ring is full, it stays owed and is tried again at the next flush. */
export function sendAck(sk: TcpSock, flags = ACK): void {
  if (transmit(sk, sendSeq(sk), 0, flags) || sk.tcp.congested) return;
  sk.ackDeferred = true;
  sk.tcp.defer(sk);
}

/** tcp_send_ack_reflect_ect: the ACK of a SYN-ACK, or of a SYN that comes again; with AccECN its flags tell how that came. */
export function sendReflectingAck(sk: TcpSock): void {
  const accecn = (sk.ecnFlags & ECN_MODE_ACCECN) !== 0 ? sk.rare.accecn : null;
  sendAck(sk, accecn === null ? ACK : ACK | reflectorFlags(accecn.synEctRcv));
}

/** tcp_acceptable_seq: next to be sent, or the peer's right edge after it shrank its window. */
function sendSeq(sk: TcpSock): number {
  const edge = (sk.sndUna + sk.sndWnd) | 0;
  // What rounding to our own scale can explain is no shrinking.
  return ((sk.sndNxt - edge) | 0) >= 1 << sk.rcvWscale ? edge : sk.sndNxt;
}

/** An ACK is due with this batch: an answer may carry it. On loopback there is no batch to wait for. */
export function deferAck(sk: TcpSock): void {
  if (sk.ackDeferred) return;
  if (sk.route?.local) {
    sendAck(sk);
    return;
  }
  sk.ackDeferred = true;
  sk.tcp.defer(sk);
}

/** A segment that elicits an ACK and carries nothing: keepalive and window probe (tcp_xmit_probe_skb). */
export function sendProbe(sk: TcpSock, urgent: boolean): void {
  transmit(sk, (sk.sndUna - (urgent ? 0 : 1)) | 0, 0, ACK);
}

/** tcp_send_active_reset: RST of a synchronised connection that we abort. */
export function sendActiveReset(sk: TcpSock): void {
  sk.host.mib.count(TcpMib.OutRsts);
  transmit(sk, sendSeq(sk), 0, ACK | RST);
}

/**
 * The SYN of an active open, and its repetitions. `fastopen`: with the option if it has a cookie, and with the first `length`
 * bytes of the send queue.
 */
export function transmitSyn(
  sk: TcpSock,
  synAck: boolean,
  fastopen: FastOpenRequest | null = null,
  length = 0,
): boolean {
  const { tcp, host } = sk;
  const route = checkRoute(sk);
  if (route === null) return sk.route !== null;
  const at = tcp.ip.begin(route);
  if (at < 0) return false;
  const view = host.memory.view;
  const accecn = synAck && (sk.ecnFlags & ECN_MODE_ACCECN) !== 0 ? sk.rare.accecn : null;
  const wscale = sk.wscaleOk ? sk.rcvWscale : -1;
  let options = writeSynOptions(
    view,
    at + 20,
    sk.advmss,
    sk.sackOk,
    sk.tstampOk,
    tcpTimestamp(sk),
    sk.tsRecent,
    wscale,
    accecn === null || sk.tx.retransmits >= 2 || host.sysctl.tcpEcnOption === 0
      ? -1
      : fieldsOfSynAck(sk.sackOk, sk.tstampOk, wscale >= 0, 0),
  );
  if (fastopen !== null && fastopen.cookie !== null)
    options += writeFastOpen(view, at + 20 + options, fastopen.cookie, fastopen.exp);
  if (length > 0) {
    placePayload(sk, route, 0, length);
    sk.dataSegsOut++;
    countSent(sk, length);
    sk.lsndtime = host.nowMs;
  }
  // Accepted with ECE alone in a SYN-ACK, asked for with both flags in a SYN.
  const agreed = (sk.ecnFlags & ECN_OK) !== 0;
  let flags = SYN;
  if (!synAck) flags |= ecnSynFlags(sk, sk.tx.retransmits > 0);
  else if (accecn !== null) flags |= ACK | reflectorFlags(accecn.synEctRcv);
  else flags |= agreed ? ACK | ECE : ACK;
  // A SYN's window is never scaled (RFC 7323 section 2.2).
  const window = Math.min(sk.rcvWnd, 65535);
  writeHeader(view, at, sk.sport, sk.dport, sk.iss, synAck ? sk.rcvNxt : 0, 20 + options, flags, window);
  sk.segsOut++;
  sendSegment(
    tcp,
    route,
    sk.saddr,
    sk.daddr,
    at,
    20 + options,
    length,
    sk.tos,
    sk.ttl,
    0,
    route.dontFragment(sk.mtuDiscover),
  );
  return true;
}

/** tcp_connect_init's window and options. */
export function prepareSyn(sk: TcpSock): void {
  const { host } = sk;
  sk.tstampOk = host.sysctl.tcpTimestamps !== 0;
  sk.sackOk = host.sysctl.tcpSack !== 0;
  sk.wscaleOk = host.sysctl.tcpWindowScaling !== 0;
  // Whether timestamps will take room is known only when the peer was talked to before.
  const options = sk.tsRecentStamp !== 0 ? TCPOLEN_TSTAMP_ALIGNED : 0;
  const metrics = sk.route === null ? DEFAULT_METRICS : sk.route.metrics;
  selectInitialWindow(host, sk, sk.advmss - options, sk.wscaleOk, metrics);
  sk.rcvWnd = initialWindow.window;
  sk.windowClamp = initialWindow.clamp;
  sk.rcvWscale = initialWindow.wscale;
  sk.rcvSsthresh = sk.rcvWnd;
}
