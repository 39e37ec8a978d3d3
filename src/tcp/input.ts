// A segment of an established connection: what does it acknowledge, and where do its bytes go (tcp_rcv_established,
// tcp_data_queue). Ends in `dataReady`, where epoll's callback hangs.

import type { DropReason } from '../core/drop-reason.js';
import { TcpExt } from '../core/mib.js';
import { RCV_SHUTDOWN } from '../core/sock.js';
import { dropped, ends, type TraceEvents, traceDataQueue, traceRcvEstablished } from '../core/trace.js';
import {
  TCP_CLOSE_WAIT,
  TCP_CLOSING,
  TCP_ESTABLISHED,
  TCP_FIN_WAIT1,
  TCP_FIN_WAIT2,
  TCP_SYN_RECV,
  TCP_TIME_WAIT,
} from '../uapi/tcp.js';
import { ACK_BAD, checkSpace, replaceTsRecent, tcpAck } from './ack.js';
import { countReceived } from './byte-counts.js';
import { dropOutOfOrder, setState, timeWait } from './close.js';
import { ACK, ACK_NOW, ACK_SCHED, FIN, RST, SYN, TCP_MAX_QUICKACKS, URG } from './constants.js';
import {
  dueAck,
  enterPingpong,
  enterQuickAck,
  eventDataReceived,
  flushCompressed,
  measureRcvMss,
} from './delayed-ack.js';
import { aceWouldWrap, ECN_MODE_ACCECN } from './ecn/accecn.js';
import {
  ECN_ANY,
  ECN_OK,
  ecnAcceptCwr,
  ecnCountReceived,
  ecnDataReceived,
  INET_ECN_MASK,
} from './ecn/ecn.js';
import { isPredicted } from './header-prediction.js';
import { pushPendingFrames } from './output.js';
import { streamIsReadable } from './poll.js';
import { tryRmemSchedule } from './prune.js';
import { Reassembly, SACK_BLOCKS_EXPECTED } from './reassembly.js';
import type { Segment } from './segment.js';
import { after, before } from './seq.js';
import type { TcpSock } from './sock.js';
import { sendAck } from './transmit.js';
import { stampReceived } from './tx-marks.js';
import { receiveUrgent } from './urgent.js';
import { extendDsack, setDsack, validateIncoming } from './validate.js';
import {
  growReceiveBuffer,
  growWindow,
  measureRttByTimestamp,
  receiveWindow,
  WELL_FILLED,
} from './window.js';

/** tcp_rcv_established; `first`: the segment that made it so (tcp_rcv_state_process), of which less is noted. */
export function receiveEstablished(sk: TcpSock, segment: Segment, first: boolean): void {
  if (traceRcvEstablished.on) traceRcvEstablished.emit(sk.host, ends(sk));
  if ((segment.flags & (ACK | RST | SYN)) === 0) {
    dropped(sk.host, 'TCP_FLAGS');
    return;
  }
  if (!validateIncoming(sk, segment)) return;
  if ((segment.flags & ACK) === 0) {
    dropped(sk.host, 'TCP_FLAGS');
    return;
  }
  if (((segment.tos & INET_ECN_MASK) | (sk.ecnFlags & ECN_MODE_ACCECN)) !== 0 && !first) {
    const accecn = (sk.ecnFlags & ECN_MODE_ACCECN) !== 0 ? sk.rare.accecn : null;
    if (accecn !== null && (sk.ackPending & ACK_SCHED) !== 0 && aceWouldWrap(accecn, segment)) sendAck(sk);
    ecnCountReceived(sk, segment);
  }
  const predicted = !first && isPredicted(sk, segment);
  const advances = segment.ackSeq !== sk.sndUna;
  const bulk = predicted && segment.length > 0;
  const silent = bulk && !advances;
  if (predicted && sk.rcvNxt === sk.rcvWup && (silent || before(segment.ackSeq, sk.sndUna)))
    replaceTsRecent(sk, segment);
  // Data that acknowledges nothing new tells the sender's side nothing at all (tcp_update_wl).
  if (silent) sk.sndWl1 = segment.seq;
  else if (tcpAck(sk, segment) === ACK_BAD) return;
  if (!first) measureRttByTimestamp(sk, segment);
  if ((segment.flags & URG) !== 0 || sk.rx.urgData !== 0) receiveUrgent(sk, segment);
  queueData(sk, segment, bulk);
  if (!predicted || advances || segment.length === 0) {
    pushPendingFrames(sk);
    checkSpace(sk);
  }
  if (!predicted || segment.length > 0) dueAck(sk);
}

/** tcp_data_queue; `bulk`: on the fast path, where no account is taken of what came twice. */
export function queueData(sk: TcpSock, segment: Segment, bulk: boolean): void {
  if (segment.seq === segment.endSeq) return;
  if (traceDataQueue.on) tellQueued(sk, segment);
  if ((sk.ecnFlags & ECN_OK) !== 0) ecnAcceptCwr(sk, segment);
  // A duplicate that no ACK has told of is forgotten, unless one is due with this batch.
  if (sk.rx.dsackPending && !sk.ackDeferred && !bulk) sk.rx.dsackPending = false;
  if (segment.seq === sk.rcvNxt) {
    // A bare FIN needs no room; some stacks send one into a closed window.
    if (receiveWindow(sk) === 0 && segment.length > 0) {
      sk.host.mib.count(TcpExt.TCPZeroWindowDrop);
      outOfWindow(sk, 'TCP_ZEROWINDOW');
      return;
    }
    queueInOrder(sk, segment, 0);
    return;
  }
  if (!after(segment.endSeq, sk.rcvNxt)) {
    // All of it was here before: our ACK was lost.
    sk.host.mib.count(TcpExt.DelayedACKLost);
    setDsack(sk, segment.seq, segment.endSeq);
    outOfWindow(sk, 'TCP_OLD_DATA');
    return;
  }
  if (!before(segment.seq, (sk.rcvNxt + receiveWindow(sk)) | 0)) {
    outOfWindow(sk, 'TCP_OVERWINDOW');
    return;
  }
  if (before(segment.seq, sk.rcvNxt)) {
    setDsack(sk, segment.seq, sk.rcvNxt);
    if (receiveWindow(sk) === 0) {
      sk.host.mib.count(TcpExt.TCPZeroWindowDrop);
      outOfWindow(sk, 'TCP_ZEROWINDOW');
    } else queueInOrder(sk, segment, (sk.rcvNxt - segment.seq) | 0);
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

function outOfWindow(sk: TcpSock, reason: DropReason): void {
  dropped(sk.host, reason);
  enterQuickAck(sk, TCP_MAX_QUICKACKS);
  sk.ackPending |= ACK_SCHED;
}

/** The next bytes of the stream, less `skip` that are here already. */
function queueInOrder(sk: TcpSock, segment: Segment, skip: number): void {
  const count = segment.length - skip;
  if (count > 0) {
    // Half as much again as windows reckon with: each ACK rounds the window up to its scale, and what that promised is kept
    // (real packets weigh less than twice their bytes, so that the kernel has this room, too).
    const fits = tryRmemSchedule(sk, segment, sk.rcvbuf + (sk.rcvbuf >> 1)) || sk.rcvQueue.length === 0;
    if (!fits || !sk.ownRcvQueue().appendFrom(segment.data + skip, count)) {
      dropped(sk.host, 'PROTO_MEM');
      sk.host.mib.count(TcpExt.TCPRcvQDrop);
      // The window stays as it was. Linux closes it here (ICSK_ACK_NOMEM), but then the peer's acknowledgements, numbered
      // after what was dropped, lie outside of it, and a program that must write before it reads waits for ever.
      sk.ackPending |= ACK_SCHED | ACK_NOW;
      sk.dataReady();
      return;
    }
    sk.rcvNxt = (sk.rcvNxt + count) | 0;
    countReceived(sk, count);
  }
  // Also of data that was here before, with a FIN that was not.
  if (segment.length > 0) eventDataReceived(sk, segment);
  if ((segment.flags & FIN) !== 0) {
    sk.rcvNxt = (sk.rcvNxt + 1) | 0;
    countReceived(sk, 1);
    receiveFin(sk);
  }
  if (sk.rx.reassembly !== null) takeReassembled(sk);
  if (sk.extras?.stampsReceived) stampReceived(sk, sk.extras, sk.rcvNxt, count);
  tellReader(sk);
}

/** tcp_ofo_queue: the hole is filled; what stood behind it moves to the receive queue. */
function takeReassembled(sk: TcpSock): void {
  const ooo = sk.rx.reassembly as Reassembly;
  for (let run = ooo.ready(sk.rcvNxt); run !== null; run = ooo.ready(sk.rcvNxt)) {
    ooo.shift();
    const known = (sk.rcvNxt - run.start) | 0;
    if (known > 0) extendDsack(sk, run.start, before(run.end, sk.rcvNxt) ? run.end : sk.rcvNxt);
    if (!after(run.end, sk.rcvNxt)) {
      dropped(sk.host, 'TCP_OFO_DROP');
      run.bytes.clear();
      continue;
    }
    if (known > 0) run.bytes.drop(Math.min(known, run.bytes.length));
    countReceived(sk, (run.end - sk.rcvNxt) | 0);
    if (run.bytes.length > 0) sk.ownRcvQueue().splice(run.bytes);
    sk.rcvNxt = run.end;
    if (run.fin) receiveFin(sk);
  }
  ooo.forgetSacks(sk.rcvNxt);
  if (ooo.runs.length === 0) {
    sk.rx.reassembly = null;
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
  if ((sk.ecnFlags & ECN_ANY) !== 0 && ecnDataReceived(sk, segment)) enterQuickAck(sk, 2);
  const { mib, memory } = sk.host;
  if (!tryRmemSchedule(sk, segment, sk.rcvbuf)) {
    dropped(sk.host, 'PROTO_MEM');
    mib.count(TcpExt.TCPOFODrop);
    // The reader can make room, even of little (tcp_data_queue_ofo).
    sk.dataReady();
    return;
  }
  measureRcvMss(sk, segment);
  sk.ackPending |= ACK_SCHED;
  mib.count(TcpExt.TCPOFOQueue);
  const rx = sk.ownRx();
  rx.rcvOooPack += segment.segments;
  rx.reassembly ??= new Reassembly(memory, sk.tcp.memory, sk.rcvMss);
  const ooo = rx.reassembly;
  if (ooo.sackIndex(segment.seq, segment.endSeq) >= SACK_BLOCKS_EXPECTED) flushCompressed(sk);
  const fin = (segment.flags & FIN) !== 0;
  if (!ooo.insert(segment.seq, segment.endSeq, fin, segment.data)) {
    dropped(sk.host, 'PROTO_MEM');
    mib.count(TcpExt.TCPOFODrop);
  }
  const isNew = ooo.knownEnd !== segment.endSeq || ooo.knownStart !== segment.seq;
  if (ooo.knownEnd !== ooo.knownStart) {
    if (!isNew) dropped(sk.host, 'TCP_OFOMERGE');
    mib.add(TcpExt.TCPOFOMerge, ooo.merged);
    setDsack(sk, ooo.knownStart, ooo.knownEnd);
  }
  if (rx.reassembly.runs.length === 0) {
    rx.reassembly = null;
  } else {
    // Behind a hole the peer sends on. Without SACK the window stays, so that its acknowledgements count as duplicates.
    if (sk.sackOk && isNew && segment.length >= WELL_FILLED) growWindow(sk, segment.length);
    if (sk.wq !== null) growReceiveBuffer(sk, sk.rcvSpace);
  }
}

/** tcp_fin: the peer will send no more. */
export function receiveFin(sk: TcpSock): void {
  sk.ackPending |= ACK_SCHED;
  sk.shutdown |= RCV_SHUTDOWN;
  sk.done = true;
  switch (sk.state) {
    case TCP_SYN_RECV:
    case TCP_ESTABLISHED:
      setState(sk, TCP_CLOSE_WAIT);
      enterPingpong(sk);
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
  // There is nothing to be told any more of what lies behind, nor of what came twice (tcp_sack_reset).
  dropOutOfOrder(sk);
  if (sk.rx.dsackPending) sk.rx.dsackPending = false;
  if (!sk.orphan) sk.stateChange();
}
