// Loss recovery: the states of tcp_fastretrans_alert (Open, Disorder, CWR, Recovery, Loss) and what a timeout does
// (RFC 5681, 6582, 6675, 5682). ack.ts calls it once for each ACK that is not plain progress; it only marks and settles
// `ack.rexmit`: retransmit.ts sends when the window is settled, and at once only what a failed probe of the MTU held.

import { TcpExt } from '../../core/mib.js';
import {
  TCP_CA_CWR,
  TCP_CA_Disorder,
  TCP_CA_Loss,
  TCP_CA_Open,
  TCP_CA_Recovery,
  TCP_SYN_SENT,
} from '../../uapi/tcp.js';
import {
  type AckState,
  FLAG_DATA_SACKED,
  FLAG_ECE,
  FLAG_LOST_RETRANS,
  FLAG_ORIG_SACK_ACKED,
  FLAG_SACK_RENEGING,
  FLAG_SET_XMIT_TIMER,
  FLAG_SND_UNA_ADVANCED,
  REXMIT_LOST,
  REXMIT_NEW,
} from '../ack-state.js';
import { CA_EVENT_LOSS } from '../congestion/congestion.js';
import { TIME_RETRANS } from '../constants.js';
import {
  anyRetransDone,
  currentSsthresh,
  endCwndReduction,
  enterCwr,
  inCwndReduction,
  initCwndReduction,
  setCaState,
  tryKeepOpen,
} from '../cwnd.js';
import { currentMss } from '../path/mss.js';
import { probeLost } from '../path/mtu-probe.js';
import { limitRenoSacks, segmentLength } from '../row-packets.js';
import { after, before } from '../seq.js';
import type { TcpSock } from '../sock.js';
import { armRetransmit } from '../tcp-timer.js';
import { ROW_FLAGS, ROW_SENT_US, TCPCB_SACKED_ACKED } from '../write-queue.js';
import { rackMarkLost, rackTimeLeft } from './rack.js';
import { xmitRetransmitQueue } from './retransmit.js';
import { addRenoSack, markFirstSegmentLost, markLost } from './scoreboard-marks.js';
import {
  initUndo,
  rememberSsthresh,
  tryUndoDsack,
  tryUndoLoss,
  tryUndoPartial,
  tryUndoRecovery,
} from './undo.js';

/** tcp_fastretrans_alert. `duplicates`: how many duplicate ACKs this one stands for. */
export function fastRetransAlert(sk: TcpSock, ack: AckState, duplicates: number): void {
  const advanced = (ack.flag & FLAG_SND_UNA_ADVANCED) !== 0;
  const ece = (ack.flag & FLAG_ECE) !== 0;
  if (sk.tx.packetsOut === 0 && sk.tx.sackedOut !== 0) sk.tx.sackedOut = 0;
  // What the network marked is no mistake to be undone.
  if (ece) sk.tx.priorSsthresh = 0;
  if (checkReneging(sk, ack)) return;
  if (sk.caState === TCP_CA_Open) {
    sk.tx.retransStamp = 0;
  } else if (!before(sk.sndUna, sk.tx.highSeq)) {
    if (sk.caState === TCP_CA_CWR) {
      // Held until something above highSeq is acknowledged, so that CWR has reached the receiver.
      if (sk.sndUna !== sk.tx.highSeq) {
        endCwndReduction(sk);
        setCaState(sk, TCP_CA_Open);
      }
    } else if (sk.caState === TCP_CA_Recovery) {
      if (!sk.sackOk) sk.tx.sackedOut = 0;
      if (tryUndoRecovery(sk, ack)) return;
      endCwndReduction(sk);
    }
  }
  switch (sk.caState as number) {
    case TCP_CA_Recovery:
      if (!advanced) {
        if (!sk.sackOk) addRenoSack(sk, duplicates);
      } else if (tryUndoPartial(sk, ack)) return;
      if (tryUndoDsack(sk)) tryToOpen(sk, ece);
      identifyLoss(sk, ack, advanced);
      if (sk.caState !== TCP_CA_Recovery) {
        if (sk.tx.lostOut === 0) return;
        // What was undone is followed by a loss that is real.
        enterRecovery(sk, ece);
      }
      break;
    case TCP_CA_Loss:
      processLoss(sk, ack, duplicates, advanced);
      if ((sk.caState as number) !== TCP_CA_Loss) updateRtoTime(sk);
      identifyLoss(sk, ack, advanced);
      if ((sk.caState as number) !== TCP_CA_Open && (ack.flag & FLAG_LOST_RETRANS) === 0) return;
      if (!considerRecovery(sk, ack, duplicates, advanced, ece)) return;
      break;
    default:
      if (!considerRecovery(sk, ack, duplicates, advanced, ece)) return;
  }
  ack.rexmit = REXMIT_LOST;
}

/** What follows in any state but Recovery: is there a loss to recover from? */
function considerRecovery(
  sk: TcpSock,
  ack: AckState,
  duplicates: number,
  advanced: boolean,
  ece: boolean,
): boolean {
  if (!sk.sackOk) {
    if (advanced) sk.tx.sackedOut = 0;
    addRenoSack(sk, duplicates);
  }
  if (sk.caState <= TCP_CA_Disorder) tryUndoDsack(sk);
  identifyLoss(sk, ack, advanced);
  if (sk.tx.lostOut === 0) {
    tryToOpen(sk, ece);
    return false;
  }
  if (sk.mtup !== null && probeLost(sk, sk.mtup)) {
    // At once: this ACK has yet to change how much may leave together.
    if (simpleRetransmit(sk)) xmitRetransmitQueue(sk);
    return false;
  }
  enterRecovery(sk, ece);
  return true;
}

/** tcp_check_sack_reneging: the head was selected and yet not acknowledged; give the peer a moment, then start again. */
function checkReneging(sk: TcpSock, ack: AckState): boolean {
  const both = FLAG_SACK_RENEGING | FLAG_SND_UNA_ADVANCED;
  if ((ack.flag & both) !== both) return false;
  armRetransmit(sk, TIME_RETRANS, Math.max(Math.ceil((sk.srttUs >> 4) / 1000), 10));
  ack.flag &= ~FLAG_SET_XMIT_TIMER;
  return true;
}

/** tcp_try_to_open */
function tryToOpen(sk: TcpSock, ece: boolean): void {
  if (!anyRetransDone(sk)) sk.tx.retransStamp = 0;
  if (ece) enterCwr(sk);
  if (sk.caState !== TCP_CA_CWR) tryKeepOpen(sk);
}

/** tcp_identify_packet_loss */
function identifyLoss(sk: TcpSock, ack: AckState, advanced: boolean): void {
  if (sk.writeQueue.sent === 0) return;
  if (!sk.sackOk) {
    const { caState } = sk;
    const begins = caState < TCP_CA_Recovery && sk.tx.sackedOut >= sk.reordering;
    // A partial ACK: the hole it points at is lost, too (RFC 6582 section 3.2 step 3).
    if (begins || (caState === TCP_CA_Recovery && advanced)) markFirstSegmentLost(sk);
    return;
  }
  const retransmitted = sk.tx.retransOut;
  if (rackMarkLost(sk)) ack.flag &= ~FLAG_SET_XMIT_TIMER;
  if (retransmitted > sk.tx.retransOut) ack.flag |= FLAG_LOST_RETRANS;
}

/** tcp_enter_recovery */
export function enterRecovery(sk: TcpSock, ece: boolean): void {
  sk.host.mib.count(sk.sackOk ? TcpExt.TCPSackRecovery : TcpExt.TCPRenoRecovery);
  if (!anyRetransDone(sk)) sk.tx.retransStamp = 0;
  sk.tx.priorSsthresh = 0;
  initUndo(sk);
  if (!inCwndReduction(sk)) {
    if (!ece) rememberSsthresh(sk);
    initCwndReduction(sk);
  }
  setCaState(sk, TCP_CA_Recovery);
}

/** tcp_process_loss: after a timeout. F-RTO (RFC 5682 section 3.1) first sends new data to learn whether it was spurious. */
function processLoss(sk: TcpSock, ack: AckState, duplicates: number, advanced: boolean): void {
  const recovered = !before(sk.sndUna, sk.tx.highSeq);
  if (advanced && tryUndoLoss(sk, ack, false)) return;
  if (sk.tx.frto) {
    // Step 3.b: something that was never sent again has arrived, so not everything was lost.
    if ((ack.flag & FLAG_ORIG_SACK_ACKED) !== 0 && tryUndoLoss(sk, ack, true)) return;
    if (after(sk.sndNxt, sk.tx.highSeq)) {
      // Step 3.a: the loss was real.
      if ((ack.flag & FLAG_DATA_SACKED) !== 0 || duplicates > 0) sk.tx.frto = false;
    } else if (advanced && !recovered) {
      sk.tx.highSeq = sk.sndNxt;
      // Step 2.b: try new data, if there is any and the peer takes it.
      const waiting = sk.writeQueue.count > sk.writeQueue.sent;
      if (waiting && after((sk.sndUna + sk.sndWnd) | 0, sk.sndNxt)) {
        ack.rexmit = REXMIT_NEW;
        return;
      }
      sk.tx.frto = false;
    }
  }
  if (recovered) {
    // Steps 2.a and 3.a.
    tryUndoRecovery(sk, ack);
    return;
  }
  if (!sk.sackOk) {
    if (after(sk.sndNxt, sk.tx.highSeq) && duplicates > 0) addRenoSack(sk, duplicates);
    else if (advanced) sk.tx.sackedOut = 0;
  }
  ack.rexmit = REXMIT_LOST;
}

/** tcp_update_rto_stats */
export function countTimeout(sk: TcpSock): void {
  if (sk.tx.retransmits === 0) {
    sk.tx.totalRtoRecoveries++;
    sk.tx.rtoStamp = sk.host.nowMs || 1;
  }
  sk.tx.retransmits++;
  sk.tx.totalRto++;
}

/** tcp_update_rto_time: a series of timeouts is over. */
export function updateRtoTime(sk: TcpSock): void {
  if (sk.tx.rtoStamp === 0) return;
  sk.tx.totalRtoMs += (sk.host.nowMs - sk.tx.rtoStamp) | 0;
  sk.tx.rtoStamp = 0;
}

/** tcp_enter_loss: a timeout. What was sent long enough ago is not believed in any more; start again with one segment. */
export function enterLoss(sk: TcpSock): void {
  const fresh = sk.caState < TCP_CA_Recovery;
  timeoutMarkLost(sk);
  if (
    sk.caState <= TCP_CA_Disorder ||
    !after(sk.tx.highSeq, sk.sndUna) ||
    (sk.caState === TCP_CA_Loss && sk.tx.retransmits === 0)
  ) {
    rememberSsthresh(sk);
    sk.tx.priorCwnd = sk.sndCwnd;
    sk.sndSsthresh = sk.cc.ssthresh(sk);
    sk.cc.cwndEvent(sk, CA_EVENT_LOSS);
    initUndo(sk);
  }
  sk.sndCwnd = sk.inFlight + 1;
  sk.sndCwndCnt = 0;
  sk.sndCwndStamp = sk.host.nowMs;
  // A timeout after many duplicates: the degree of reordering was overestimated.
  const { tcpReordering, tcpFrto } = sk.host.sysctl;
  if (sk.caState <= TCP_CA_Disorder && sk.tx.sackedOut >= tcpReordering && sk.reordering > tcpReordering) {
    sk.reordering = tcpReordering;
  }
  setCaState(sk, TCP_CA_Loss);
  sk.tx.highSeq = sk.sndNxt;
  sk.tx.tlpOut = false;
  sk.tx.queueCwr = true;
  sk.tx.frto =
    tcpFrto !== 0 && (fresh || sk.tx.retransmits > 0) && (sk.mtup === null || sk.mtup.probeSize === 0);
}

/** tcp_timeout_mark_lost */
function timeoutMarkLost(sk: TcpSock): void {
  const queue = sk.writeQueue;
  if (queue.sent === 0) return;
  // The head was selected and yet not acknowledged: the peer has thrown away what it had selected (RFC 2018 section 8).
  const reneged = (queue.rows[queue.at(0) + ROW_FLAGS] & TCPCB_SACKED_ACKED) !== 0;
  if (reneged) {
    sk.host.mib.count(TcpExt.TCPSACKReneging);
    sk.tx.sackedOut = 0;
    sk.tx.reneged = true;
    for (let i = 0; i < queue.sent; i++) queue.rows[queue.at(i) + ROW_FLAGS] &= ~TCPCB_SACKED_ACKED;
  } else if (!sk.sackOk) {
    sk.tx.sackedOut = 0;
  }
  for (let i = 0; i < queue.sent; i++) {
    // What was sent a moment ago may well arrive.
    if (!reneged && i > 0 && sk.sackOk && rackTimeLeft(sk, queue.rows[queue.at(i) + ROW_SENT_US], 0) > 0)
      continue;
    markLost(sk, i);
  }
  sk.tx.rtxHint = sk.sndUna;
}

/**
 * tcp_simple_retransmit: segments larger than the path takes are lost, and will be sent again in smaller ones without blaming
 * congestion. True if any were; the caller sends them.
 */
export function simpleRetransmit(sk: TcpSock): boolean {
  const queue = sk.writeQueue;
  // SYN and data of a Fast Open were one packet: both are lost, however large each is.
  const all = sk.state === TCP_SYN_SENT && sk.fastopen?.synData === true;
  const mss = all ? -1 : currentMss(sk);
  for (let i = 0; i < queue.sent; i++) {
    if (segmentLength(sk, i) > mss) markLost(sk, i);
  }
  if (sk.tx.lostOut === 0) return false;
  if (!sk.sackOk) limitRenoSacks(sk);
  nonCongestionLoss(sk);
  return true;
}

/** tcp_non_congestion_loss_retransmit: what is marked lost will be sent again, and the window stays as it is. */
export function nonCongestionLoss(sk: TcpSock): void {
  if (sk.caState === TCP_CA_Loss) return;
  sk.tx.highSeq = sk.sndNxt;
  sk.sndSsthresh = currentSsthresh(sk);
  sk.tx.priorSsthresh = 0;
  sk.tx.undoMarked = false;
  setCaState(sk, TCP_CA_Loss);
}
