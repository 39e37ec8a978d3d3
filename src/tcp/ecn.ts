// Explicit congestion notification (RFC 3168; tcp_ecn_* of tcp_input.c and tcp_output.c): who may mark, who was marked, who has
// been told. receive, transmit, listener and connect pass by here; what an echo costs the window is recovery.ts's.

import { TCP_SYN_RECV } from '../uapi/tcp.js';
import { CA_EVENT_ECN_IS_CE, CA_EVENT_ECN_NO_CE } from './congestion/congestion.js';
import { ACK_NOW, CWR, ECE, FIN, SYN } from './constants.js';
import type { RequestSock } from './request-sock.js';
import type { Segment } from './segment.js';
import type { TcpSock } from './sock.js';

/** Bits of `sk.ecnFlags` (TCP_ECN_*): both ends agreed; a mark must be echoed until the peer says CWR; marks are possible here. */
export const ECN_OK = 1;
export const ECN_DEMAND_CWR = 4;
export const ECN_SEEN = 8;

/** The ECN field of an IP header. */
export const INET_ECN_MASK = 3;
export const INET_ECN_NOT_ECT = 0;
export const INET_ECN_ECT_1 = 1;
export const INET_ECN_ECT_0 = 2;
export const INET_ECN_CE = 3;

/** tcp_ecn_send_syn: flags that ask for it; `repeated`: an earlier SYN may have been dropped for them (tcp_ecn_fallback). */
export function ecnSynFlags(sk: TcpSock, repeated: boolean): number {
  const { tcpEcn, tcpEcnFallback } = sk.host.sysctl;
  if (!repeated) sk.ecnFlags = tcpEcn === 1 || sk.cc.needsEcn ? ECN_OK : 0;
  if ((sk.ecnFlags & ECN_OK) === 0 || (repeated && tcpEcnFallback !== 0)) return 0;
  return ECE | CWR;
}

/** tcp_ecn_rcv_synack and tcp_ecn_rcv_syn: what the peer's SYN makes of our wish. */
export function ecnSynReceived(sk: TcpSock, segment: Segment): void {
  const both = segment.flags & (ECE | CWR);
  const agreed = sk.state === TCP_SYN_RECV ? both === (ECE | CWR) : both === ECE;
  if (!agreed) sk.ecnFlags = 0;
}

/**
 * tcp_ecn_create_request: does a SYN ask for it, and do we allow it? A SYN that is itself marked came over a path that does not
 * know what the field means. One that asks for AccECN (RFC 9768) is answered as by a server that knows only RFC 3168.
 */
export function ecnRequested(sk: TcpSock, segment: Segment): boolean {
  if ((segment.flags & (ECE | CWR)) !== (ECE | CWR)) return false;
  const unmarked = segment.ecn === INET_ECN_NOT_ECT;
  return ((unmarked || segment.reserved !== 0) && sk.host.sysctl.tcpEcn !== 0) || sk.cc.needsEcn;
}

/** tcp_ecn_openreq_child */
export function ecnInherit(sk: TcpSock, request: RequestSock): void {
  sk.ecnFlags = request.ecnOk ? ECN_OK : 0;
}

/** tcp_ecn_send, the flags: an echo that is owed, and with new data the news that the window was reduced. */
export function ecnFlagsToSend(sk: TcpSock, isNewData: boolean): number {
  let flags = (sk.ecnFlags & ECN_DEMAND_CWR) !== 0 ? ECE : 0;
  if (isNewData && sk.tx.queueCwr) {
    sk.tx.queueCwr = false;
    flags |= CWR;
  }
  return flags;
}

/** tcp_ecn_rcv_ecn_echo */
export function ecnEchoReceived(sk: TcpSock, segment: Segment): boolean {
  return (segment.flags & (ECE | SYN)) === ECE && (sk.ecnFlags & ECN_OK) !== 0;
}

/** tcp_ecn_received_counters: a marked segment of an established connection, be ECN agreed on or not; TCP_INFO tells. */
export function ecnCountReceived(sk: TcpSock, segment: Segment): void {
  const rx = sk.ownRx();
  const { ecn, length } = segment;
  // With ECN only marks on data count as seen (tcp_data_ecn_check).
  if ((sk.ecnFlags & ECN_OK) === 0) sk.ecnFlags |= ECN_SEEN;
  if (ecn === INET_ECN_ECT_1) rx.receivedEct1Bytes = (rx.receivedEct1Bytes + length) >>> 0;
  else if (ecn === INET_ECN_ECT_0) rx.receivedEct0Bytes = (rx.receivedEct0Bytes + length) >>> 0;
  else {
    rx.receivedCe = (rx.receivedCe + segment.segments) >>> 0;
    rx.receivedCeBytes = (rx.receivedCeBytes + length) >>> 0;
  }
}

/** tcp_data_ecn_check: data came, marked or not. True: acknowledge it quickly. */
export function ecnDataReceived(sk: TcpSock, segment: Segment): boolean {
  switch (segment.ecn) {
    case INET_ECN_NOT_ECT:
      // Most likely a retransmission, as those are not marked.
      return (sk.ecnFlags & ECN_SEEN) !== 0;
    case INET_ECN_CE: {
      if (sk.cc.needsEcn) sk.cc.cwndEvent(sk, CA_EVENT_ECN_IS_CE);
      const first = (sk.ecnFlags & ECN_DEMAND_CWR) === 0;
      sk.ecnFlags |= ECN_DEMAND_CWR | ECN_SEEN;
      return first;
    }
    default:
      if (sk.cc.needsEcn) sk.cc.cwndEvent(sk, CA_EVENT_ECN_NO_CE);
      sk.ecnFlags |= ECN_SEEN;
      return false;
  }
}

/** tcp_ecn_accept_cwr: the peer has reduced its window, perhaps to one segment: no delay for its ACK. */
export function ecnAcceptCwr(sk: TcpSock, segment: Segment): void {
  if ((segment.flags & CWR) === 0) return;
  sk.ecnFlags &= ~ECN_DEMAND_CWR;
  if (segment.length > 0 || (segment.flags & FIN) !== 0) sk.ackPending |= ACK_NOW;
}
