// Processes the acknowledgement of an incoming segment (tcp_ack): window update, scoreboard, write queue, recovery, congestion
// window, and then what is lost goes out again. Called for every acceptable segment; allocates nothing.

import { TcpExt } from '../core/mib.js';
import { SOCK_SNDBUF_LOCK } from '../core/sock.js';
import { dropped } from '../core/trace.js';
import { TCP_CA_Open, TCP_ESTABLISHED } from '../uapi/tcp.js';
import {
  type AckState,
  FLAG_CA_ALERT,
  FLAG_DATA,
  FLAG_DATA_ACKED,
  FLAG_DSACKING_ACK,
  FLAG_ECE,
  FLAG_FORWARD_PROGRESS,
  FLAG_NOT_DUP,
  FLAG_SET_XMIT_TIMER,
  FLAG_SND_UNA_ADVANCED,
  FLAG_TS_PROGRESS,
  FLAG_WIN_UPDATE,
  REXMIT_NONE,
} from './ack-state.js';
import { bytesAcked, countAcked } from './byte-counts.js';
import { sendChallengeAck } from './challenge.js';
import { CHRONO_SNDBUF_LIMITED, chronoStop } from './chrono.js';
import { cleanRtxQueue } from './clean-rtx-queue.js';
import { DST_CONFIRM, SYN, TCP_INIT_CWND, TIME_PROBE0 } from './constants.js';
import { inCwndReduction, reduceCwnd, slowStartAfterIdleCheck } from './cwnd.js';
import { ECN_MODE_ACCECN } from './ecn/accecn.js';
import { accEcnAcked } from './ecn/accecn-ack.js';
import { ecnEchoReceived } from './ecn/ecn.js';
import { probe0When } from './output.js';
import { usualPacingRate } from './pacing.js';
import { syncMss } from './path/mss.js';
import { writeSpace } from './poll.js';
import { fallQuiet } from './quiet.js';
import { rateGenerate } from './rate.js';
import { rackUpdateWindow } from './recovery/rack.js';
import { fastRetransAlert } from './recovery/recovery.js';
import { xmitRecovery } from './recovery/retransmit.js';
import { highestSack, tagSacked } from './recovery/scoreboard.js';
import { processTlpAck, scheduleLossProbe } from './recovery/tlp.js';
import type { Segment } from './segment.js';
import { after, before } from './seq.js';
import type { TcpSock } from './sock.js';
import { armRetransmit, clearRetransmit, rearmRto } from './tcp-timer.js';
import { ROW_END } from './write-queue.js';

/** The acknowledgement is one to act on. */
export const ACK_GOOD = 1;
/** Old but harmless: go on with the segment. */
export const ACK_OLD = 0;
/** It acknowledges what was never sent, or is absurdly old: the segment must not be used. */
export const ACK_BAD = -1;

export function tcpAck(sk: TcpSock, segment: Segment): number {
  const priorUna = sk.sndUna;
  const priorDelivered = sk.delivered;
  const priorLost = sk.tx.lost;
  const ackSeq = segment.ackSeq;
  const selects = segment.sackCount > 0 && sk.sackOk;
  if (selects) sk.ownTx();
  const ack = sk.tcp.ackState;
  begin(ack, sk, segment);
  if (before(ackSeq, priorUna)) {
    // RFC 5961 section 5.2: too old to be an honest delay.
    if (before(ackSeq, (priorUna - Math.min(sk.maxWindow, bytesAcked(sk))) | 0)) {
      dropped(sk.host, 'TCP_TOO_OLD_ACK');
      // In other states tcp_rcv_state_process challenges whatever comes back (FLAG_NO_CHALLENGE_ACK).
      if (sk.state === TCP_ESTABLISHED) sendChallengeAck(sk);
      return ACK_BAD;
    }
    if (selects) oldAck(sk, segment, ack, priorDelivered);
    return ACK_OLD;
  }
  if (after(ackSeq, sk.sndNxt)) {
    dropped(sk.host, 'TCP_ACK_UNSENT_DATA');
    // RFC 9293 section 3.10.7.4, as of Linux 6.18.
    if (sk.state === TCP_ESTABLISHED) sendChallengeAck(sk);
    return ACK_BAD;
  }

  const advanced = ackSeq !== priorUna;
  if (advanced) {
    ack.flag |= FLAG_SND_UNA_ADVANCED;
    sk.tx.retransmits = 0;
  }
  if (replaceTsRecent(sk, segment)) ack.flag |= FLAG_TS_PROGRESS;
  const priorPackets = sk.tx.packetsOut;
  const priorSacked = sk.tx.sackedOut;
  if (segment.endSeq !== segment.seq) ack.flag |= FLAG_DATA;
  if (updateWindow(sk, segment)) ack.flag |= FLAG_WIN_UPDATE;
  if (ecnEchoReceived(sk, segment)) ack.flag |= FLAG_ECE;
  // Something worked: what a router complained of is history.
  sk.errSoft = 0;
  sk.probesOut = 0;
  sk.rcvTstamp = sk.host.nowMs;
  if (advanced) {
    countAcked(sk, (ackSeq - priorUna) | 0);
    sk.sndUna = ackSeq;
  }
  if (selects) tagSacked(sk, segment, ack);
  const accecn = (sk.ecnFlags & ECN_MODE_ACCECN) !== 0 ? sk.rare.accecn : null;
  if (priorPackets === 0) {
    const marked = accecn === null ? 0 : accEcnAcked(sk, accecn, segment, ack, sk.delivered - priorDelivered);
    noQueue(sk, ackSeq, ack, priorDelivered, marked);
    return ACK_GOOD;
  }
  cleanRtxQueue(sk, ack, priorSacked);
  rackUpdateWindow(sk, ack);
  const marked = accecn === null ? 0 : accEcnAcked(sk, accecn, segment, ack, sk.delivered - priorDelivered);
  if (sk.tx.tlpOut) processTlpAck(sk, ackSeq, ack);
  if ((ack.flag & FLAG_NOT_DUP) === 0 || (ack.flag & FLAG_CA_ALERT) !== 0 || sk.caState !== TCP_CA_Open) {
    const news = FLAG_SND_UNA_ADVANCED | FLAG_NOT_DUP | FLAG_DSACKING_ACK;
    fastRetransAlert(sk, ack, (ack.flag & news) === 0 ? 1 : 0);
  }
  if ((ack.flag & FLAG_SET_XMIT_TIMER) !== 0 && !scheduleLossProbe(sk, true)) rearmRto(sk);
  if ((ack.flag & FLAG_FORWARD_PROGRESS) !== 0 || (ack.flag & FLAG_NOT_DUP) === 0)
    sk.ackPending |= DST_CONFIRM;
  const delivered = newlyDelivered(sk, ack, priorDelivered, marked);
  const lost = sk.tx.lost - priorLost;
  const { rexmit } = ack;
  rateGenerate(sk, delivered, lost, sk.tx.reneged, ack.sample);
  congestionControl(sk, ack, delivered, lost);
  // Sending may bring other acknowledgements over loopback: `ack` is theirs from here on.
  xmitRecovery(sk, rexmit);
  if (sk.writeQueue.count === 0) fallQuiet(sk);
  return ACK_GOOD;
}

/** old_ack: it acknowledges what is history, but selects something. */
function oldAck(sk: TcpSock, segment: Segment, ack: AckState, priorDelivered: number): void {
  tagSacked(sk, segment, ack);
  fastRetransAlert(sk, ack, 0);
  newlyDelivered(sk, ack, priorDelivered, 0);
  xmitRecovery(sk, ack.rexmit);
}

/** no_queue: nothing was in the network. A D-SACK may tell that a reduction was needless, and a window probe is answered. */
function noQueue(sk: TcpSock, ackSeq: number, ack: AckState, priorDelivered: number, marked: number): void {
  if ((ack.flag & FLAG_DSACKING_ACK) !== 0) {
    fastRetransAlert(sk, ack, 0);
    newlyDelivered(sk, ack, priorDelivered, marked);
  }
  ackProbe(sk);
  if (sk.tx.tlpOut) processTlpAck(sk, ackSeq, ack);
}

/** tcp_newly_delivered: how many packets this acknowledgement tells of. `marked`: of these by AccECN. */
function newlyDelivered(sk: TcpSock, ack: AckState, priorDelivered: number, marked: number): number {
  const { mib } = sk.host;
  const delivered = sk.delivered - priorDelivered;
  mib.add(TcpExt.TCPDelivered, delivered);
  if ((ack.flag & FLAG_ECE) === 0) return delivered;
  if ((sk.ecnFlags & ECN_MODE_ACCECN) === 0) {
    // Of RFC 3168's echo it is only known that something was marked.
    sk.tx.deliveredCe += delivered;
    mib.add(TcpExt.TCPDeliveredCE, delivered);
  } else mib.add(TcpExt.TCPDeliveredCE, marked);
  return delivered;
}

function begin(ack: AckState, sk: TcpSock, segment: Segment): void {
  ack.flag = 0;
  ack.priorUna = sk.sndUna;
  ack.priorFack = sk.sackOk ? highestSack(sk) : sk.sndUna;
  ack.reord = sk.sndNxt;
  ack.sacked = false;
  ack.rexmit = REXMIT_NONE;
  ack.hasEcr = segment.hasTs && sk.tstampOk && segment.tsEcr !== 0;
  ack.tsEcr = segment.tsEcr;
  ack.sample.reset(sk.inFlight);
}

/** tcp_cong_control: the window shrinks in step with what leaves the network, or grows if the ACK allows it. */
function congestionControl(sk: TcpSock, ack: AckState, delivered: number, lost: number): void {
  if (sk.cc.controls) {
    sk.cc.control(sk, ack.sample);
    return;
  }
  if (inCwndReduction(sk)) {
    reduceCwnd(sk, delivered, lost, (ack.flag & FLAG_SND_UNA_ADVANCED) !== 0);
  } else {
    // tcp_may_raise_cwnd: where the network shuffles, what arrives out of order counts as well.
    const shuffled = sk.reordering > sk.host.sysctl.tcpReordering;
    if ((ack.flag & (shuffled ? FLAG_FORWARD_PROGRESS : FLAG_DATA_ACKED)) !== 0) {
      sk.cc.congestionAvoidance(sk, sk.sndUna, delivered);
      sk.sndCwndStamp = sk.host.nowMs;
    }
  }
  sk.tx.pacingRate = usualPacingRate(sk);
}

/** tcp_replace_ts_recent: the timestamp to echo is that of the segment at the left edge (RFC 7323 section 4.3). True: a newer one. */
export function replaceTsRecent(sk: TcpSock, segment: Segment): boolean {
  if (!segment.hasTs || !sk.tstampOk || after(segment.seq, sk.rcvWup)) return false;
  const delta = (segment.tsVal - sk.tsRecent) | 0;
  // PAWS has passed it; this only keeps tsRecent from going back.
  if (sk.tsRecentStamp !== 0 && delta < 0) return false;
  sk.tsRecent = segment.tsVal;
  sk.tsRecentStamp = sk.host.nowMs || 1;
  return delta > 0;
}

/** tcp_may_update_window (RFC 9293 section 3.10.7.4): only newer segments may move it. `window` in bytes. */
export function mayUpdateWindow(sk: TcpSock, segment: Segment, window: number): boolean {
  if (after(segment.ackSeq, sk.sndUna) || after(segment.seq, sk.sndWl1)) return true;
  return segment.seq === sk.sndWl1 && (window > sk.sndWnd || window === 0);
}

/** tcp_ack_update_window */
function updateWindow(sk: TcpSock, segment: Segment): boolean {
  const window = (segment.flags & SYN) !== 0 ? segment.window : segment.window << sk.sndWscale;
  if (!mayUpdateWindow(sk, segment, window)) return false;
  sk.sndWl1 = segment.seq;
  if (window === sk.sndWnd) return true;
  sk.sndWnd = window;
  // What waited for the window may have waited for long.
  if (sk.writeQueue.sent < sk.writeQueue.count) slowStartAfterIdleCheck(sk);
  if (window > sk.maxWindow) {
    sk.maxWindow = window;
    syncMss(sk, sk.pmtu);
  }
  return true;
}

/** tcp_ack_probe: the answer to a window probe. Open: sending goes on. Still closed: the next probe waits longer. */
function ackProbe(sk: TcpSock): void {
  const queue = sk.writeQueue;
  if (queue.sent === queue.count) return;
  if (!after(queue.rows[queue.at(queue.sent) + ROW_END], (sk.sndUna + sk.sndWnd) | 0)) {
    sk.tx.backoff = 0;
    sk.tx.probesStart = 0;
    clearRetransmit(sk);
  } else {
    armRetransmit(sk, TIME_PROBE0, probe0When(sk));
  }
}

/** tcp_check_space: after ACKs freed room, a larger buffer may be due and a sleeper told. */
export function checkSpace(sk: TcpSock): void {
  if (!sk.noSpace) return;
  if ((sk.userlocks & SOCK_SNDBUF_LOCK) === 0 && !sk.tcp.memory.tight && sk.inFlight < sk.sndCwnd) {
    expandSendBuffer(sk);
  }
  writeSpace(sk);
  if (!sk.noSpace) chronoStop(sk, CHRONO_SNDBUF_LIMITED);
}

/** tcp_sndbuf_expand: room for two windows of segments at what the kernel would charge for each. */
export function expandSendBuffer(sk: TcpSock): void {
  const segment = Math.max(sk.mssClamp, sk.mss) + 640;
  const charge = (1 << (32 - Math.clz32(segment - 1))) + 256;
  const wanted = sk.cc.sendBufferExpand(sk) * Math.max(TCP_INIT_CWND, sk.sndCwnd, sk.reordering + 1) * charge;
  if (sk.sndbuf < wanted) sk.sndbuf = Math.min(wanted, sk.host.sysctl.tcpWmem[2]);
}
