// Explicit congestion notification (RFC 3168; tcp_ecn_* of tcp_input.c and tcp_output.c): who may mark, who was marked, who has
// been told. receive, transmit, listener and connect pass by here; what an echo costs the window is recovery.ts's, and what is
// otherwise where both ends know Accurate ECN is accecn.ts's.

import { CA_EVENT_ECN_IS_CE, CA_EVENT_ECN_NO_CE } from '../congestion/congestion.js';
import { ACK_NOW, AE, CWR, ECE, FIN, SYN } from '../constants.js';
import type { RequestSock } from '../listen/request-sock.js';
import type { Segment } from '../segment.js';
import type { TcpSock } from '../sock.js';
import {
  AccEcn,
  accEcnAgreed,
  accEcnAsked,
  accEcnReceived,
  aceOf,
  demandOption,
  ECN_MODE_ACCECN,
  OPT_COUNTER_SEEN,
  optionSeen,
  optionVerdict,
  thirdAck,
} from './accecn.js';

/**
 * Bits of `sk.ecnFlags` (TCP_ECN_*): both ends agreed on RFC 3168; a mark must be echoed until the peer says CWR; marks are possible
 * here; ECN of either kind is agreed on, or asked for.
 */
export const ECN_OK = 1;
export const ECN_DEMAND_CWR = 4;
export const ECN_SEEN = 8;
export const ECN_ANY = ECN_OK | ECN_MODE_ACCECN;

/** Values of tcp_ecn: what is agreed to, and what is asked for (TCP_ECN_IN_ACCECN_OUT_*). */
const IN_ACCECN_OUT_ACCECN = 3;
const IN_ACCECN_OUT_ECN = 4;

/** The ECN field of an IP header. */
export const INET_ECN_MASK = 3;
export const INET_ECN_NOT_ECT = 0;
export const INET_ECN_ECT_1 = 1;
export const INET_ECN_ECT_0 = 2;
export const INET_ECN_CE = 3;

/** tcp_ecn_send_syn: flags that ask for it; `repeated`: an earlier SYN may have been dropped for them (tcp_ecn_fallback). */
export function ecnSynFlags(sk: TcpSock, repeated: boolean): number {
  const { tcpEcn, tcpEcnFallback } = sk.host.sysctl;
  if (!repeated) {
    const accurate = tcpEcn === IN_ACCECN_OUT_ACCECN;
    const asks = accurate || tcpEcn === 1 || tcpEcn === IN_ACCECN_OUT_ECN || sk.cc.needsEcn;
    sk.ecnFlags = asks ? ECN_OK : 0;
    if (accurate) beginAccEcn(sk).synEctSnt = sk.tos & INET_ECN_MASK;
  }
  if ((sk.ecnFlags & ECN_OK) === 0 || (repeated && tcpEcnFallback !== 0)) return 0;
  return (sk.ecnFlags & ECN_MODE_ACCECN) !== 0 ? AE | ECE | CWR : ECE | CWR;
}

function beginAccEcn(sk: TcpSock): AccEcn {
  sk.ecnFlags |= ECN_MODE_ACCECN;
  const rare = sk.ownRare();
  rare.accecn = new AccEcn();
  return rare.accecn;
}

/** tcp_ecn_rcv_synack (RFC 9768 table 2): what is asked for by RFC 3168 may be answered by more. */
export function ecnSynAckReceived(sk: TcpSock, segment: Segment): void {
  if ((sk.ecnFlags & ECN_ANY) === 0) return;
  const ace = aceOf(segment);
  if (ace === 0 || ace === 7) setMode(sk, 0);
  else if (ace === 1 || ace === 5) setMode(sk, ECN_OK);
  else {
    const state = sk.rare.accecn ?? beginAccEcn(sk);
    setMode(sk, ECN_MODE_ACCECN);
    accEcnAgreed(sk, state, segment);
  }
}

/** tcp_ecn_rcv_syn: the peer's SYN crosses ours. */
export function ecnCrossingSyn(sk: TcpSock, segment: Segment): void {
  const state = sk.rare.accecn;
  if ((sk.ecnFlags & ECN_MODE_ACCECN) !== 0 && state !== null && accEcnAsked(segment)) {
    state.synEctRcv = segment.ecn;
    state.prevEcn = segment.ecn;
    setMode(sk, ECN_MODE_ACCECN);
  } else setMode(sk, (sk.ecnFlags & ECN_ANY) !== 0 && aceOf(segment) % 4 === 3 ? ECN_OK : 0);
}

function setMode(sk: TcpSock, mode: number): void {
  sk.ecnFlags = (sk.ecnFlags & ~ECN_ANY) | mode;
  if (mode !== ECN_MODE_ACCECN && sk.rare.accecn !== null) sk.rare.accecn = null;
}

/**
 * tcp_ecn_create_request: does a SYN ask for it, and do we allow it? A SYN that is itself marked came over a path that does not
 * know what the field means.
 */
export function ecnRequested(request: RequestSock, segment: Segment): void {
  const sk = request.listener;
  const { tcpEcn } = sk.host.sysctl;
  if (tcpEcn >= IN_ACCECN_OUT_ACCECN && accEcnAsked(segment)) {
    request.ecnOk = true;
    request.accecn = new AccEcn();
    request.accecn.synEctRcv = segment.ecn;
    return;
  }
  if ((segment.flags & (ECE | CWR)) !== (ECE | CWR)) return;
  const unmarked = segment.ecn === INET_ECN_NOT_ECT;
  request.ecnOk = ((unmarked || segment.reserved !== 0) && tcpEcn !== 0) || sk.cc.needsEcn;
}

/** cookie_accecn_ok: a cookie does not tell of AccECN, but the flags of the segment that brought it back do. */
export function ecnOfCookie(request: RequestSock, segment: Segment): void {
  if (request.ecnOk && aceOf(segment) > 1) request.accecn = new AccEcn();
}

/** The part of tcp_check_req: an option on the third segment. */
export function ecnOptionOfRequest(request: RequestSock, segment: Segment): void {
  const state = request.accecn;
  if (state === null || segment.accecn === 0 || state.optSeen >= OPT_COUNTER_SEEN) return;
  // Found zeroed, it is not believed, but unlike later ones it does not end what the peer's options are read for.
  state.optSeen = optionVerdict(request.listener.host.memory.view, segment.accecn);
}

/** tcp_ecn_openreq_child: `segment` is what it is born of, the third one, or with Fast Open the SYN. */
export function ecnInherit(sk: TcpSock, request: RequestSock, segment: Segment): void {
  const state = request.accecn;
  if (state === null) {
    sk.ecnFlags = request.ecnOk ? ECN_OK : 0;
    return;
  }
  sk.ecnFlags = ECN_MODE_ACCECN;
  sk.ownRare().accecn = state;
  thirdAck(sk, state, segment);
  state.prevEcn = state.synEctRcv;
  state.demand = 1;
  ecnCountReceived(sk, segment);
}

/** SYN_RECV, and our SYN is acknowledged: of a Fast Open child, or where two SYNs crossed. */
export function ecnThirdAck(sk: TcpSock, segment: Segment): void {
  const state = sk.rare.accecn;
  if (state !== null && (sk.ecnFlags & ECN_MODE_ACCECN) !== 0) thirdAck(sk, state, segment);
}

/** The part of tcp_validate_incoming: a SYN of a connection that stands already may still bear the first option. */
export function ecnSynAgain(sk: TcpSock, segment: Segment): void {
  const state = sk.rare.accecn;
  if (state === null || segment.accecn === 0 || state.optSeen >= OPT_COUNTER_SEEN) return;
  optionSeen(state, optionVerdict(sk.host.memory.view, segment.accecn));
  demandOption(state, 1);
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

/** tcp_ecn_received_counters: a segment of an established connection; marked ones are counted, be ECN agreed on or not. */
export function ecnCountReceived(sk: TcpSock, segment: Segment): void {
  const { ecn, length } = segment;
  let before = 0;
  let after = 0;
  if (ecn !== INET_ECN_NOT_ECT) {
    const rx = sk.ownRx();
    // With RFC 3168 only marks on data count as seen (tcp_data_ecn_check).
    if ((sk.ecnFlags & ECN_OK) === 0) sk.ecnFlags |= ECN_SEEN;
    if (ecn === INET_ECN_ECT_1) {
      before = rx.receivedEct1Bytes;
      after = (before + length) >>> 0;
      rx.receivedEct1Bytes = after;
    } else if (ecn === INET_ECN_ECT_0) {
      before = rx.receivedEct0Bytes;
      after = (before + length) >>> 0;
      rx.receivedEct0Bytes = after;
    } else {
      rx.receivedCe = (rx.receivedCe + segment.segments) >>> 0;
      before = rx.receivedCeBytes;
      after = (before + length) >>> 0;
      rx.receivedCeBytes = after;
    }
  }
  const state = sk.rare.accecn;
  if (state !== null && (sk.ecnFlags & ECN_MODE_ACCECN) !== 0)
    accEcnReceived(sk, state, segment, before, after);
}

/** tcp_data_ecn_check: data came, marked or not. True: acknowledge it quickly. */
export function ecnDataReceived(sk: TcpSock, segment: Segment): boolean {
  switch (segment.ecn) {
    case INET_ECN_NOT_ECT:
      // Most likely a retransmission, as those are not marked.
      return (sk.ecnFlags & ECN_SEEN) !== 0;
    case INET_ECN_CE: {
      if (sk.cc.needsEcn) sk.cc.cwndEvent(sk, CA_EVENT_ECN_IS_CE);
      if ((sk.ecnFlags & ECN_OK) === 0) return false;
      const first = (sk.ecnFlags & ECN_DEMAND_CWR) === 0;
      sk.ecnFlags |= ECN_DEMAND_CWR | ECN_SEEN;
      return first;
    }
    default:
      if (sk.cc.needsEcn) sk.cc.cwndEvent(sk, CA_EVENT_ECN_NO_CE);
      if ((sk.ecnFlags & ECN_OK) !== 0) sk.ecnFlags |= ECN_SEEN;
      return false;
  }
}

/** tcp_ecn_accept_cwr: the peer has reduced its window, perhaps to one segment: no delay for its ACK. */
export function ecnAcceptCwr(sk: TcpSock, segment: Segment): void {
  if ((segment.flags & CWR) === 0) return;
  sk.ecnFlags &= ~ECN_DEMAND_CWR;
  if (segment.length > 0 || (segment.flags & FIN) !== 0) sk.ackPending |= ACK_NOW;
}
