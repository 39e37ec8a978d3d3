// What an acknowledgement tells by Accurate ECN (tcp_accecn_process): how many of our packets arrived marked, by the ACE field, which
// counts modulo 8, and by the option's counters of bytes. ack.ts asks for each ACK of a connection that agreed on it.

import { TCP_CA_CWR, TCP_CA_Open } from '../../uapi/tcp.js';
import {
  type AckState,
  FLAG_ACKED,
  FLAG_DATA_SACKED,
  FLAG_ECE,
  FLAG_FORWARD_PROGRESS,
  FLAG_SYN_ACKED,
  FLAG_TS_PROGRESS,
} from '../ack-state.js';
import { bytesSent } from '../byte-counts.js';
import { ACK_NOW } from '../constants.js';
import type { Segment } from '../segment.js';
import type { TcpSock } from '../sock.js';
import { ROW_SEQ } from '../write-queue.js';
import {
  ACE_MASK,
  type AccEcn,
  aceIsFull,
  aceOf,
  CEP_INIT_OFFSET,
  OPT_COUNTER_SEEN,
  OPT_FAIL_RECV,
  OPT_FAIL_SEEN,
  OPT_NOT_SEEN,
  optionSeen,
  optionVerdict,
} from './accecn.js';
import { E0B_INIT, E1B_INIT } from './accecn-fields.js';

const OPT_ACCECN1 = 174;
/** Which counter a field of the option is, and what it begins with, in either order; counters are numbered by mark, less 1. */
const ORDER_0 = [1, 2, 0];
const ORDER_1 = [0, 2, 1];
const INIT = [E1B_INIT, E0B_INIT, 0];
const CE_BYTES = 2;
const BITS_24 = 0xffffff;

/** So much was sent without an option coming back that its counters may have come round. */
const TOO_LATE = (1 << 23) - 1;
/** ackedEwma: new samples count a 64th. */
const EWMA_SHIFT = 6;
/** ACKs of more packets than this on average are thinned on their way, and a round of the field is not suspected each time. */
const THINNED = 4 << 6;

/** tcp_accecn_process: the packets newly known to have been marked. `packets` were delivered by this ACK. */
export function accEcnAcked(
  sk: TcpSock,
  state: AccEcn,
  segment: Segment,
  ack: AckState,
  packets: number,
): number {
  // An ACK that was overtaken must not turn the counter back.
  if ((ack.flag & (FLAG_FORWARD_PROGRESS | FLAG_TS_PROGRESS)) === 0) return 0;
  const marked = newlyMarked(sk, state, segment, ack, packets);
  if (marked > 0) {
    const tx = sk.ownTx();
    tx.deliveredCe = (tx.deliveredCe + marked) >>> 0;
    ack.flag |= FLAG_ECE;
  }
  return marked;
}

function newlyMarked(sk: TcpSock, state: AccEcn, segment: Segment, ack: AckState, packets: number): number {
  const bytes = deliveredBytes(sk, ack);
  const ceBefore = state.delivered[CE_BYTES];
  const known = takeOption(sk, state, segment, bytes);
  if (packets > 0) {
    const ewma =
      state.ackedEwma === 0
        ? packets << EWMA_SHIFT
        : ((state.ackedEwma << EWMA_SHIFT) - state.ackedEwma + (packets << EWMA_SHIFT)) >>> EWMA_SHIFT;
    state.ackedEwma = Math.min(ewma, 0xffff);
  }
  // The field of what acknowledges a SYN tells something else.
  if ((ack.flag & FLAG_SYN_ACKED) !== 0) return 0;
  if (aceIsFull(state)) sk.ackPending |= ACK_NOW;
  const least = (aceOf(segment) - CEP_INIT_OFFSET - sk.tx.deliveredCe) & ACE_MASK;
  if (packets <= ACE_MASK) return least;
  // It may have come round: as often as it can have, unless the bytes say otherwise (RFC 9768 appendix A.2).
  const most = packets - ((packets - least) & ACE_MASK);
  if (!known) return state.ackedEwma > THINNED ? least : most;
  const ceBytes = (state.delivered[CE_BYTES] - ceBefore) >>> 0;
  if (ceBytes === 0) return least;
  if (
    packets >= (ACE_MASK + 1) * 2 &&
    (sk.sackOk || sk.caState === TCP_CA_Open || sk.caState === TCP_CA_CWR)
  ) {
    if (bytes <= ceBytes) return most;
    return Math.min(most, least + (Math.ceil((ceBytes * packets) / bytes) & ~ACE_MASK));
  }
  if (ceBytes > least * sk.mss) return most;
  return ceBytes < (most * sk.mss) >>> 1 ? least : most;
}

/** What left the network by this ACK: what it acknowledges, or else what it selects. */
function deliveredBytes(sk: TcpSock, ack: AckState): number {
  if ((ack.flag & FLAG_ACKED) !== 0) {
    const queue = sk.writeQueue;
    const end = queue.sent > 0 ? queue.rows[queue.at(0) + ROW_SEQ] : sk.sndUna;
    return (end - ack.priorUna) >>> 0;
  }
  return (ack.flag & FLAG_DATA_SACKED) !== 0 ? ack.selectedBytes : 0;
}

/** tcp_accecn_process_option: false if the counters of bytes cannot be relied on. */
function takeOption(sk: TcpSock, state: AccEcn, segment: Segment, bytes: number): boolean {
  if ((state.failMode & OPT_FAIL_RECV) !== 0) return false;
  const { estimate, delivered } = state;
  if (segment.accecn === 0) {
    if (state.optSeen === OPT_NOT_SEEN) {
      if (bytesSent(sk) >= TOO_LATE) optionSeen(state, OPT_FAIL_SEEN);
      return false;
    }
    if (estimate === 0) return false;
    delivered[estimate - 1] += bytes;
    return true;
  }
  const { view } = sk.host.memory;
  const at = segment.accecn;
  if (state.optSeen < OPT_COUNTER_SEEN) optionSeen(state, optionVerdict(view, at));
  const order = view.getUint8(at) === OPT_ACCECN1 ? ORDER_1 : ORDER_0;
  const fields = Math.min(Math.floor((view.getUint8(at + 1) - 2) / 3), 3);
  let changed = false;
  let ambiguous = false;
  for (let i = 0; i < fields; i++) {
    const counter = order[i];
    const told = (view.getUint32(at + 1 + i * 3) - INIT[counter]) & BITS_24;
    const delta = ((told - delivered[counter]) << 8) >> 8;
    delivered[counter] += delta;
    if (delta < 0) ambiguous = true;
    if (delta !== 0 && counter + 1 !== estimate) {
      if (changed) ambiguous = true;
      else state.estimate = counter + 1;
      changed = true;
    }
  }
  if (ambiguous) state.estimate = 0;
  return estimate !== 0 && !ambiguous;
}
