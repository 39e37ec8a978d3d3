// Accurate ECN (RFC 9768; include/net/tcp_ecn.h): the three ECN flags as a counter of marked packets (ACE), and what a handshake says
// in them instead. accecn-ack.ts reads the peer's counters, accecn-option.ts writes ours. Only a sock that agreed on it has a record.

import { ACK_NOW } from '../constants.js';
import type { Segment } from '../segment.js';
import type { TcpSock } from '../sock.js';

/** Bits of `sk.ecnFlags`: AccECN is agreed on. While a SYN that asks for it waits for its answer, ECN_OK is set, too (PENDING). */
export const ECN_MODE_ACCECN = 16;

/** What both counters begin with, so that a zeroed field is not taken for a count (TCP_ACCECN_*_INIT_OFFSET). */
export const CEP_INIT_OFFSET = 5;
export const ACE_MASK = 7;
/** As many marks untold, and the ACE field is about to come round (TCP_ACCECN_ACE_MAX_DELTA). */
const ACE_MAX_DELTA = 6;

/** Bits of `failMode`: the path spoils the ACE field, or the option, as we see it. */
export const ACE_FAIL_RECV = 2;
export const OPT_FAIL_RECV = 8;

/** `optSeen`: no option came, an empty one, one with counters, one that was zeroed on its way (TCP_ACCECN_OPT_*). */
export const OPT_NOT_SEEN = 0;
export const OPT_EMPTY_SEEN = 1;
export const OPT_COUNTER_SEEN = 2;
export const OPT_FAIL_SEEN = 3;

const NOT_ECT = 0;
const ECT_1 = 1;
const ECT_0 = 2;
const CE = 3;

/** In the ACE field of a SYN-ACK and of the third segment: how the other's SYN or SYN-ACK came (RFC 9768 table 2). */
const ACE_OF_SYN = [0b010, 0b011, 0b100, 0b110];
const SYN_OF_ACE = [ECT_0, ECT_1, NOT_ECT, ECT_1, ECT_0, ECT_1, CE, ECT_1];
/** How many fields an option has at least that tells of bytes with this mark: ECT(1), CE, ECT(0) in order. */
const FIELDS_FOR = [0, 1, 3, 2];
/** A counter of bytes that crosses this is told of in any case: the option has 24 bits of it. */
const TELL_AT = -(1 << 22);

/** What AccECN remembers of a connection, or of a handshake at a listener. */
export class AccEcn {
  /** The ECN field of our SYN or SYN-ACK, and of the peer's. */
  synEctSnt = 0;
  synEctRcv = 0;
  failMode = 0;
  optSeen = OPT_NOT_SEEN;
  /** Our packets have been marked ECT(0) since the first that was sent without a reason not to (INET_ECN_xmit). */
  marking = false;
  /** The least number of fields of our next option; how many packets must bear one; and when one was last sent, in microseconds. */
  minlen = 0;
  demand = 0;
  optUs = 0;
  /** The ECN field of the packet before. */
  prevEcn = 0;
  /** Marks received and not told of yet, up to 15; and packets of data received since anything was sent. */
  pendingCe = 0;
  unanswered = 0;
  /** Bytes that the peer received, by mark: ECT(1), ECT(0), CE; and the mark that those of an ACK without option seem to have had. */
  readonly delivered = new Uint32Array(3);
  estimate = 0;
  /** Packets that an ACK acknowledges, in 64ths, smoothed. */
  ackedEwma = 0;
}

/** The three flags as one number: AE, CWR, ECE. */
export function aceOf(segment: Segment): number {
  return ((segment.reserved & 1) << 2) | ((segment.flags >> 6) & 3);
}

/** The header flags (AE, CWR, ECE) that make this number. */
export function aceFlags(ace: number): number {
  return (ace & ACE_MASK) << 6;
}

/** tcp_accecn_reflector_flags: the flags that tell how a SYN or SYN-ACK came. */
export function reflectorFlags(ect: number): number {
  return aceFlags(ACE_OF_SYN[ect]);
}

/** tcp_accecn_syn_requested: whatever is neither no ECN nor RFC 3168's asks for AccECN, or for what may come after it. */
export function accEcnAsked(segment: Segment): boolean {
  const ace = aceOf(segment);
  return ace !== 0 && ace !== 3;
}

/** tcp_accecn_set_ace: the flags of a packet: the count of marks, and none that is not told of. */
export function aceToSend(sk: TcpSock, state: AccEcn): number {
  state.pendingCe = 0;
  state.unanswered = 0;
  return aceFlags(sk.rx.receivedCe + CEP_INIT_OFFSET);
}

/** tcp_accecn_option_init: what the first option says of the path. `at`: where it is. */
export function optionVerdict(view: DataView, at: number): number {
  const length = view.getUint8(at + 1) - 2;
  if (length < 3) return OPT_EMPTY_SEEN;
  if (view.getUint32(at + 1) << 8 === 0) return OPT_FAIL_SEEN;
  return length >= 9 && view.getUint32(at + 7) << 8 === 0 ? OPT_FAIL_SEEN : OPT_COUNTER_SEEN;
}

/** tcp_accecn_saw_opt_fail_recv */
export function optionSeen(state: AccEcn, verdict: number): void {
  state.optSeen = verdict;
  if (verdict === OPT_FAIL_SEEN) state.failMode |= OPT_FAIL_RECV;
}

/** tcp_accecn_opt_demand_min */
export function demandOption(state: AccEcn, packets: number): void {
  if (state.demand < packets) state.demand = packets;
}

/** tcp_ecn_rcv_synack of a peer that agrees: its flags tell how our SYN came. */
export function accEcnAgreed(sk: TcpSock, state: AccEcn, segment: Segment): void {
  state.synEctRcv = segment.ecn;
  if (segment.accecn !== 0 && state.optSeen < OPT_COUNTER_SEEN) {
    optionSeen(state, optionVerdict(sk.host.memory.view, segment.accecn));
    state.demand = 2;
  }
  if (segment.ecn === CE && feedbackIsValid(sk, state, aceOf(segment))) {
    const rx = sk.ownRx();
    rx.receivedCe = (rx.receivedCe + 1) >>> 0;
    state.pendingCe++;
  }
}

/** tcp_ect_transition_valid: what a router may do to the field is to mark what may be marked. */
function transitionIsValid(sent: number, received: number): boolean {
  if (received === sent) return true;
  return sent !== NOT_ECT && received !== NOT_ECT && sent !== CE;
}

/** tcp_accecn_validate_syn_feedback */
function feedbackIsValid(sk: TcpSock, state: AccEcn, ace: number): boolean {
  if (sk.host.sysctl.tcpEcnFallback === 0) return true;
  if (transitionIsValid(state.synEctSnt, SYN_OF_ACE[ace])) return true;
  state.failMode |= ACE_FAIL_RECV;
  return false;
}

/** tcp_accecn_third_ack: it tells how our SYN-ACK came, unless data came first (RFC 9768 table 4). */
export function thirdAck(sk: TcpSock, state: AccEcn, segment: Segment): void {
  const ace = aceOf(segment);
  if (ace === 0) state.failMode |= ACE_FAIL_RECV;
  if (ace === 0 || ace === 1 || ace === 5 || ace === 7) return;
  if (segment.seq !== segment.endSeq || segment.sackCount > 0) return;
  if (!feedbackIsValid(sk, state, ace)) return;
  if (SYN_OF_ACE[ace] === CE && sk.tx.deliveredCe === 0) sk.ownTx().deliveredCe = 1;
}

/** tcp_ecn_received_counters, what only AccECN wants: a packet of any mark came, with `before` and `after` bytes so marked. */
export function accEcnReceived(
  sk: TcpSock,
  state: AccEcn,
  segment: Segment,
  before: number,
  after: number,
): void {
  const { ecn } = segment;
  if (segment.length > 0) state.unanswered += segment.segments;
  if (ecn === CE) state.pendingCe = Math.min(state.pendingCe + segment.segments, 15);
  if (before !== after) {
    if (state.minlen < FIELDS_FOR[ecn]) state.minlen = FIELDS_FOR[ecn];
    if (((before ^ after) & TELL_AT) !== 0) demandOption(state, 1);
  }
  const edge = state.prevEcn !== ecn;
  if (!edge && ecn !== CE) return;
  state.prevEcn = ecn;
  if (edge) sk.ackPending |= ACK_NOW;
  // Two: the first has two counters that grew, and only the second tells which of them it is now.
  state.demand = 2;
}

/**
 * One ACK for a whole batch would be of more packets, or marks, than the field counts, and the sender would have to think that it came
 * round, or not notice: one is due before this segment. Linux, which answers each, has no need to ask.
 */
export function aceWouldWrap(state: AccEcn, segment: Segment): boolean {
  const { segments } = segment;
  if (state.unanswered + segments > ACE_MASK) return true;
  return segment.ecn === CE && state.pendingCe + segments > ACE_MASK;
}

/** So many marks wait to be told of that one more round of the field could pass unseen. */
export function aceIsFull(state: AccEcn): boolean {
  return state.pendingCe >= ACE_MAX_DELTA;
}
