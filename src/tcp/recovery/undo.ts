// Taking back what a loss that was none has cost: by timestamps (Eifel, RFC 3522, 4015), by D-SACK (RFC 3708), by F-RTO
// (RFC 5682). recovery.ts asks for each ACK while a reduction may still be undone.

import { TcpExt } from '../../core/mib.js';
import { TCP_CA_Loss, TCP_CA_Open, TCP_SYN_SENT } from '../../uapi/tcp.js';
import type { AckState } from '../ack-state.js';
import { anyRetransDone, currentSsthresh, setCaState, tryKeepOpen } from '../cwnd.js';
import { before } from '../seq.js';
import type { TcpSock } from '../sock.js';
import { ROW_FLAGS, TCPCB_LOST } from '../write-queue.js';
import { TCP_RACK_RECOVERY_THRESH } from './rack.js';
import { checkSackReordering } from './scoreboard.js';

/** tcp_init_undo: remembers what a retransmission from here on may turn out to have been needless for. */
export function initUndo(sk: TcpSock): void {
  sk.tx.undoMarked = true;
  sk.tx.undoMarker = sk.sndUna;
  sk.tx.undoRetrans = sk.tx.retransOut;
  // A tail loss probe is a retransmission, too.
  if (sk.tx.tlpOut && sk.tx.tlpRetrans) sk.tx.undoRetrans++;
  // Nothing sent again yet: a D-SACK cannot be about it.
  if (sk.tx.undoRetrans === 0) sk.tx.undoRetrans = -1;
}

/** tcp_packet_delayed: what was taken for lost arrived before we sent it again. */
function packetDelayed(sk: TcpSock, ack: AckState): boolean {
  if (sk.tx.retransStamp !== 0) return ack.echoBefore(sk, sk.tx.retransStamp);
  // No retransmission has left, and still it is acknowledged; but two paths clear the stamp after one has.
  if (!sk.sackOk && !before(sk.sndUna, sk.tx.highSeq)) return false;
  return sk.state !== TCP_SYN_SENT;
}

function mayUndo(sk: TcpSock, ack: AckState): boolean {
  return sk.tx.undoMarked && (sk.tx.undoRetrans === 0 || packetDelayed(sk, ack));
}

/** tcp_undo_cwnd_reduction */
function undoReduction(sk: TcpSock, unmarkLoss: boolean): void {
  if (unmarkLoss) {
    const queue = sk.writeQueue;
    for (let i = 0; i < queue.sent; i++) queue.rows[queue.at(i) + ROW_FLAGS] &= ~TCPCB_LOST;
    sk.tx.lostOut = 0;
  }
  if (sk.tx.priorSsthresh !== 0) {
    sk.sndCwnd = sk.cc.undoCwnd(sk);
    if (sk.tx.priorSsthresh > sk.sndSsthresh) {
      sk.sndSsthresh = sk.tx.priorSsthresh;
      sk.tx.queueCwr = false;
    }
  }
  sk.sndCwndStamp = sk.host.nowMs;
  sk.tx.undoMarked = false;
  // RACK shall look at everything again.
  sk.tx.rackAdvanced = true;
}

/**
 * tcp_is_non_sack_preventing_reopen: without SACK one byte more than what was outstanding must be acknowledged, so that
 * duplicates still under way are not taken for a new loss (RFC 6582 section 3.2).
 */
function preventsReopen(sk: TcpSock): boolean {
  if (sk.sndUna !== sk.tx.highSeq || sk.sackOk) return false;
  if (!anyRetransDone(sk)) sk.tx.retransStamp = 0;
  return true;
}

/** tcp_try_undo_recovery: recovery is over. True: not quite, without SACK. */
export function tryUndoRecovery(sk: TcpSock, ack: AckState): boolean {
  if (mayUndo(sk, ack)) {
    undoReduction(sk, false);
    sk.host.mib.count(sk.caState === TCP_CA_Loss ? TcpExt.TCPLossUndo : TcpExt.TCPFullUndo);
  } else if (sk.tx.rackReoPersist > 0) {
    sk.tx.rackReoPersist--;
  }
  if (preventsReopen(sk)) return true;
  setCaState(sk, TCP_CA_Open);
  return false;
}

/** tcp_try_undo_dsack: every retransmission was reported a duplicate. */
export function tryUndoDsack(sk: TcpSock): boolean {
  if (!sk.tx.undoMarked || sk.tx.undoRetrans !== 0) return false;
  sk.tx.rackReoPersist = Math.min(TCP_RACK_RECOVERY_THRESH, sk.tx.rackReoPersist + 1);
  undoReduction(sk, false);
  sk.host.mib.count(TcpExt.TCPDSACKUndo);
  return true;
}

/** tcp_try_undo_loss: the timeout was spurious, by F-RTO or by the same signs as above. */
export function tryUndoLoss(sk: TcpSock, ack: AckState, byFrto: boolean): boolean {
  if (!byFrto && !mayUndo(sk, ack)) return false;
  undoReduction(sk, true);
  sk.host.mib.count(TcpExt.TCPLossUndo);
  if (byFrto) sk.host.mib.count(TcpExt.TCPSpuriousRTOs);
  sk.tx.retransmits = 0;
  if (preventsReopen(sk)) return true;
  if (byFrto || sk.sackOk) setCaState(sk, TCP_CA_Open);
  return true;
}

/** tcp_try_undo_partial: an ACK inside recovery shows that the first hole was mere delay. True: wait before concluding. */
export function tryUndoPartial(sk: TcpSock, ack: AckState): boolean {
  if (!sk.tx.undoMarked || !packetDelayed(sk, ack)) return false;
  checkSackReordering(sk, ack.priorUna, true);
  if (sk.tx.retransOut > 0) return true;
  if (!anyRetransDone(sk)) sk.tx.retransStamp = 0;
  undoReduction(sk, true);
  sk.host.mib.count(TcpExt.TCPPartialUndo);
  tryKeepOpen(sk);
  return false;
}

/** What an undo would go back to, taken when a reduction begins. */
export function rememberSsthresh(sk: TcpSock): void {
  sk.tx.priorSsthresh = currentSsthresh(sk);
}
