// Sends again what was lost, as far as the congestion window goes (tcp_retransmit_skb, tcp_xmit_retransmit_queue). ack.ts ends
// here when recovery.ts has settled what is lost, and so do the timers.

import { TcpExt, Tcp as TcpMib } from '../../core/mib.js';
import { NUD_INCOMPLETE } from '../../ip/neighbour.js';
import { TX_PIECES } from '../../link/tx-ring.js';
import { CHUNK_SMALL } from '../../memory/packet-memory.js';
import { TCP_CA_Loss, TCP_CLOSE, TCP_SYN_RECV, TCP_SYN_SENT } from '../../uapi/tcp.js';
import { REXMIT_NEW, REXMIT_NONE } from '../ack-state.js';
import { ACK, FIN, NAGLE_OFF, PSH, TIME_REO_TIMEOUT, TIME_RETRANS } from '../constants.js';
import { inCwndReduction } from '../cwnd.js';
import { pushPendingFrames } from '../output.js';
import { pacingHolds, pacingSent } from '../pacing.js';
import { currentMss, readvertiseMss } from '../path/mss.js';
import { rateSent } from '../rate.js';
import { mergeRows, resizeRow, rowLength, rowPackets, splitRow, trimRow } from '../row-packets.js';
import { after } from '../seq.js';
import type { TcpSock } from '../sock.js';
import { armRetransmit } from '../tcp-timer.js';
import { transmit, transmitSyn } from '../transmit.js';
import { tsoSegments, windowEnd } from '../tso.js';
import {
  ROW_END,
  ROW_EOR,
  ROW_FIN,
  ROW_FLAGS,
  ROW_PSH,
  ROW_SENT_US,
  ROW_SEQ,
  ROW_SYN,
  TCPCB_EVER_RETRANS,
  TCPCB_LOST,
  TCPCB_SACKED_ACKED,
  TCPCB_SACKED_RETRANS,
} from '../write-queue.js';

/** skb_still_in_host_queue: row `i`, as it was sent last, waits for the neighbour to tell its address. The ring never holds it as long. */
export function stillInHostQueue(sk: TcpSock, i: number): boolean {
  const { route, host, writeQueue } = sk;
  if (route === null || route.neighbour === null || route.neighbour.state !== NUD_INCOMPLETE) return false;
  const sentUsAgo = (host.nowUs - writeQueue.rows[writeQueue.at(i) + ROW_SENT_US]) | 0;
  return sentUsAgo / 1000 <= ((host.nowMs - route.neighbour.updated) | 0);
}

/** __tcp_retransmit_skb: row `i` once more, at most `segments` full segments of it. False: it did not leave. */
export function resendRow(sk: TcpSock, i: number, segments: number): boolean {
  if (stillInHostQueue(sk, i)) {
    // What is lost goes on when they have left (tcp_wfree, tcp_tsq_handler); a SYN does not.
    sk.route?.neighbour?.whenGone(sk, () => {
      if (sk.state !== TCP_SYN_SENT && sk.state !== TCP_SYN_RECV) sk.tcp.deferSend(sk);
    });
    sk.host.mib.count(TcpExt.TCPSpuriousRtxHostQueues);
    return false;
  }
  const queue = sk.writeQueue;
  // A probe of the MTU that something is lost behind tells nothing.
  if (sk.mtup !== null) sk.mtup.probeSize = 0;
  let length = 0;
  if ((queue.rows[queue.at(i) + ROW_FLAGS] & ROW_SYN) !== 0) {
    // What was learnt of the path counts from now on.
    currentMss(sk);
    readvertiseMss(sk);
    if (!transmitSyn(sk, sk.state !== TCP_SYN_SENT)) return false;
    sk.host.mib.count(TcpExt.TCPSynRetrans);
  } else {
    length = fitRow(sk, i, segments);
    if (length < 0) return false;
    const at = queue.at(i);
    const row = queue.rows[at + ROW_FLAGS];
    let flags = ACK;
    if ((row & ROW_FIN) !== 0) flags |= FIN;
    if ((row & ROW_PSH) !== 0) flags |= PSH;
    if (!transmit(sk, queue.rows[at + ROW_SEQ], length, flags, currentMss(sk))) {
      sk.host.mib.add(TcpExt.TCPRetransFail, rowPackets(sk, i));
      // The ring has room again at the end of the batch. What the device's own queue drops was tried.
      if (sk.tcp.congested) countResent(sk, i, length);
      else sk.tcp.deferSend(sk);
      return false;
    }
    pacingSent(sk, length);
  }
  countResent(sk, i, length);
  rateSent(sk, queue.at(i), false);
  return true;
}

/** Row `i` left again, or this host dropped it. */
function countResent(sk: TcpSock, i: number, length: number): void {
  const queue = sk.writeQueue;
  const at = queue.at(i);
  queue.rows[at + ROW_FLAGS] |= TCPCB_EVER_RETRANS;
  queue.stamp(at, sk.host.nowUs);
  const packets = rowPackets(sk, i);
  sk.tx.totalRetrans += packets;
  sk.tx.bytesRetrans += length;
  sk.host.mib.add(TcpMib.RetransSegs, packets);
}

/** Cuts or joins row `i` to what can leave now; its length then, -1 if nothing can. */
function fitRow(sk: TcpSock, i: number, segments: number): number {
  const queue = sk.writeQueue;
  trimRow(sk, i);
  const seq = queue.rows[queue.at(i) + ROW_SEQ];
  const mss = currentMss(sk);
  let window = (windowEnd(sk) - seq) | 0;
  if (window <= 0) {
    // The peer shrank its window: only the head may go, as the probe of it (RFC 9293 section 3.8.6.1).
    if (seq !== sk.sndUna) return -1;
    window = mss;
  }
  let most = mss * segments;
  if (most > window) most = window < mss ? window : window - (window % mss);
  let length = rowLength(sk, i);
  if (length > most) {
    length = most;
  } else {
    resizeRow(sk, i, mss);
    if (length < mss && length < window) {
      collapse(sk, i, Math.min(window, mss));
      length = rowLength(sk, i);
    }
  }
  if (length > CHUNK_SMALL) {
    const gathered = sk.sndQueue.contiguous((seq - sk.tx.sndQueueSeq) | 0, length, TX_PIECES);
    if (gathered < length) length = gathered > mss ? gathered - (gathered % mss) : gathered;
  }
  if (length < rowLength(sk, i)) splitRow(sk, i, (seq + length) | 0, mss);
  return length;
}

/** tcp_retrans_try_collapse: small segments that follow ride along. */
function collapse(sk: TcpSock, i: number, space: number): void {
  if (sk.host.sysctl.tcpRetransCollapse === 0) return;
  const queue = sk.writeQueue;
  const never = ROW_SYN | TCPCB_SACKED_ACKED;
  let room = space - rowLength(sk, i);
  while (i + 1 < queue.sent) {
    const at = queue.at(i);
    const next = queue.at(i + 1);
    if ((queue.rows[at + ROW_FLAGS] & (ROW_EOR | ROW_FIN)) !== 0) return;
    if ((queue.rows[next + ROW_FLAGS] & never) !== 0 || rowPackets(sk, i + 1) > 1) return;
    room -= rowLength(sk, i + 1);
    if (room < 0 || after(queue.rows[next + ROW_END], windowEnd(sk))) return;
    mergeRows(sk, i);
  }
}

/** tcp_retransmit_skb */
export function retransmitRow(sk: TcpSock, i: number, segments: number): boolean {
  const sent = resendRow(sk, i, segments);
  const packets = rowPackets(sk, i);
  if (sent) {
    const queue = sk.writeQueue;
    const at = queue.at(i);
    if ((queue.rows[at + ROW_FLAGS] & TCPCB_SACKED_RETRANS) === 0) sk.tx.retransOut += packets;
    queue.rows[at + ROW_FLAGS] |= TCPCB_SACKED_RETRANS;
  }
  if (sk.tx.retransStamp === 0) sk.tx.retransStamp = sk.host.nowMs || -1;
  if (sk.tx.undoRetrans < 0) sk.tx.undoRetrans = 0;
  sk.tx.undoRetrans += packets;
  return sent;
}

/** tcp_xmit_retransmit_queue: lost rows whose repetition is not under way, as far as the window goes. */
export function xmitRetransmitQueue(sk: TcpSock): void {
  const queue = sk.writeQueue;
  if (sk.tx.packetsOut === 0) return;
  const most = tsoSegments(sk, currentMss(sk));
  let rearm = false;
  let hole = false;
  for (let i = queue.find(sk.tx.rtxHint); i < queue.sent; i++) {
    if (pacingHolds(sk)) break;
    const at = queue.at(i);
    if (!hole) sk.tx.rtxHint = queue.rows[at + ROW_SEQ];
    const quota = sk.sndCwnd - sk.inFlight;
    if (quota <= 0 || sk.tx.retransOut >= sk.tx.lostOut) break;
    const flags = queue.rows[at + ROW_FLAGS];
    if ((flags & TCPCB_LOST) === 0) {
      if ((flags & (TCPCB_SACKED_RETRANS | TCPCB_SACKED_ACKED)) === 0) hole = true;
      continue;
    }
    if ((flags & (TCPCB_SACKED_ACKED | TCPCB_SACKED_RETRANS)) !== 0) continue;
    if (!retransmitRow(sk, i, Math.min(quota, most))) break;
    const packets = rowPackets(sk, i);
    sk.host.mib.add(sk.caState === TCP_CA_Loss ? TcpExt.TCPSlowStartRetrans : TcpExt.TCPFastRetrans, packets);
    if (inCwndReduction(sk)) sk.tx.prrOut += packets;
    if (i === 0 && sk.tx.pendingTimer !== TIME_REO_TIMEOUT) rearm = true;
  }
  if (rearm) armRetransmit(sk, TIME_RETRANS, sk.rto);
}

/** tcp_xmit_recovery: what recovery wants sent (REXMIT_*), now that the window is settled. */
export function xmitRecovery(sk: TcpSock, rexmit: number): void {
  if (rexmit === REXMIT_NONE || sk.state === TCP_SYN_SENT) return;
  if (rexmit === REXMIT_NEW) {
    pushPendingFrames(sk, NAGLE_OFF);
    if (after(sk.sndNxt, sk.tx.highSeq)) return;
    sk.tx.frto = false;
  }
  xmitRetransmitQueue(sk);
}

/** tcp_tsq_write: the ring has room again, or the pace allows the next segment. */
export function resumeSending(sk: TcpSock): void {
  if (sk.state === TCP_CLOSE) return;
  if (sk.tx.lostOut > sk.tx.retransOut && sk.sndCwnd > sk.inFlight) xmitRetransmitQueue(sk);
  pushPendingFrames(sk);
}
