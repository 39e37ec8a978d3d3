// Processes the acknowledgement of an incoming segment (tcp_ack): window update, retransmit queue, round-trip time,
// recovery, congestion window. Called for every acceptable segment; allocates nothing.

import { SOCK_SNDBUF_LOCK } from '../core/sock.js';
import { TCP_CA_Open, TCP_CA_Recovery } from '../uapi/tcp.js';
import { SYN, TCP_INIT_CWND, TIME_PROBE0, TIME_RETRANS } from './constants.js';
import { syncMss } from './mss.js';
import { probeAcked } from './mtu-probe.js';
import { probe0When } from './output.js';
import { writeSpace } from './poll.js';
import { fastRetransAlert, reduceWindow, retransmitLost } from './recovery.js';
import { updateRtt } from './rtt.js';
import {
  RTX_END,
  RTX_EVER_RETRANS,
  RTX_FLAGS,
  RTX_LOST,
  RTX_RETRANS,
  RTX_SACKED,
  RTX_SENT_US,
  RTX_SEQ,
} from './rtx-queue.js';
import { rowPackets } from './rtx-rows.js';
import { removeRenoSacks, tagSacked } from './scoreboard.js';
import type { Segment } from './segment.js';
import { after, before } from './seq.js';
import type { TcpSock } from './sock.js';
import { armRetransmit, clearRetransmit } from './tcp-timer.js';
import { sendChallengeAck } from './transmit.js';
import { stampAcked } from './tx-marks.js';

/** The acknowledgement is one to act on. */
export const ACK_GOOD = 1;
/** Old but harmless: go on with the segment. */
export const ACK_OLD = 0;
/** It acknowledges what was never sent, or is absurdly old: the segment must not be used. */
export const ACK_BAD = -1;

export function tcpAck(sk: TcpSock, segment: Segment): number {
  const priorUna = sk.sndUna;
  const priorDelivered = sk.delivered;
  const priorLost = sk.lost;
  const ack = segment.ackSeq;
  const selects = segment.sackCount > 0 && sk.sackOk;
  if (before(ack, priorUna)) {
    // RFC 5961 section 5.2: too old to be an honest delay.
    if (before(ack, (priorUna - Math.min(sk.maxWindow, sk.bytesAcked)) | 0)) {
      sendChallengeAck(sk);
      return ACK_BAD;
    }
    if (selects && sk.packetsOut > 0) {
      tagSacked(sk, segment);
      fastRetransAlert(sk, false, false);
      if (sk.lostOut > 0) retransmitLost(sk);
    }
    return ACK_OLD;
  }
  if (after(ack, sk.sndNxt)) return ACK_BAD;

  const advanced = ack !== priorUna;
  if (advanced) sk.retransmits = 0;
  replaceTsRecent(sk, segment);
  const priorPackets = sk.packetsOut;
  const windowMoved = updateWindow(sk, segment);
  // Something worked: what a router complained of is history.
  sk.errSoft = 0;
  sk.probesOut = 0;
  sk.rcvTstamp = sk.host.nowMs;
  if (advanced) {
    sk.bytesAcked += (ack - priorUna) | 0;
    sk.sndUna = ack;
  }
  if (priorPackets === 0) {
    if (sk.sndNxt !== sk.writeSeq) ackProbe(sk);
    return ACK_GOOD;
  }
  if (selects) tagSacked(sk, segment);
  if (advanced) cleanRtxQueue(sk, segment);
  const duplicate = !advanced && !windowMoved && segment.endSeq === segment.seq;
  if (duplicate || sk.sackedOut > 0 || sk.caState !== TCP_CA_Open) fastRetransAlert(sk, duplicate, advanced);
  congestionControl(sk, sk.delivered - priorDelivered, sk.lost - priorLost, advanced);
  if (sk.lostOut > 0) retransmitLost(sk);
  return ACK_GOOD;
}

/** tcp_cong_control: the window shrinks in step with what leaves the network, or grows if it was the limit. */
function congestionControl(sk: TcpSock, delivered: number, newlyLost: number, advanced: boolean): void {
  if (sk.caState === TCP_CA_Recovery) {
    reduceWindow(sk, delivered, newlyLost, advanced);
  } else if (advanced && delivered > 0 && isCwndLimited(sk)) {
    sk.cc.congestionAvoidance(sk, delivered);
    sk.sndCwndStamp = sk.host.nowMs;
  }
}

/** tcp_is_cwnd_limited: a window that was not used up has proved nothing. */
function isCwndLimited(sk: TcpSock): boolean {
  return sk.isCwndLimited || (sk.sndCwnd < sk.sndSsthresh && sk.sndCwnd < 2 * sk.maxPacketsOut);
}

/** tcp_replace_ts_recent: the timestamp to echo is that of the segment at the left edge (RFC 7323 section 4.3). */
export function replaceTsRecent(sk: TcpSock, segment: Segment): void {
  if (!segment.hasTs || !sk.tstampOk || after(segment.seq, sk.rcvWup)) return;
  // PAWS has passed it; this only keeps tsRecent from going back.
  if (sk.tsRecentStamp === 0 || ((segment.tsVal - sk.tsRecent) | 0) >= 0) {
    sk.tsRecent = segment.tsVal;
    sk.tsRecentStamp = sk.host.nowMs || 1;
  }
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
  sk.sndWnd = window;
  if (window > sk.maxWindow) {
    sk.maxWindow = window;
    syncMss(sk, sk.pmtu);
  }
  return true;
}

/** tcp_ack_probe: the answer to a window probe. Open: sending goes on. Still closed: the next probe waits longer. */
function ackProbe(sk: TcpSock): void {
  const dataEnd = (sk.sndUna + sk.sndWnd) | 0;
  const wanted = Math.min((sk.writeSeq - sk.sndNxt) | 0, sk.mss);
  if (!after((sk.sndNxt + wanted) | 0, dataEnd)) {
    sk.backoff = 0;
    sk.probesStart = 0;
    clearRetransmit(sk);
  } else {
    armRetransmit(sk, TIME_PROBE0, probe0When(sk));
  }
}

/** tcp_clean_rtx_queue: frees what is acknowledged, counts what is newly delivered, takes the round-trip time. */
function cleanRtxQueue(sk: TcpSock, segment: Segment): void {
  const rtx = sk.rtx;
  const una = sk.sndUna;
  let acked = 0;
  let delivered = 0;
  let rttUs = -1;
  let ambiguous = false;
  while (rtx.count > 0) {
    const at = rtx.at(0);
    const flags = rtx.rows[at + RTX_FLAGS];
    const end = rtx.rows[at + RTX_END];
    let packets = rowPackets(sk, 0);
    const whole = !after(end, una);
    if (!whole) {
      if (!after(una, rtx.rows[at + RTX_SEQ])) break;
      // Part of a large segment (tcp_tso_acked).
      rtx.rows[at + RTX_SEQ] = una;
      packets -= rowPackets(sk, 0);
      if (packets === 0) break;
    }
    if ((flags & RTX_SACKED) !== 0) sk.sackedOut -= packets;
    else delivered += packets;
    if ((flags & RTX_LOST) !== 0) sk.lostOut -= packets;
    if ((flags & RTX_RETRANS) !== 0) sk.retransOut -= packets;
    if ((flags & RTX_EVER_RETRANS) !== 0) ambiguous = true;
    else if (rttUs < 0 && (flags & RTX_SACKED) === 0)
      rttUs = (sk.host.nowUs - rtx.rows[at + RTX_SENT_US]) | 0;
    sk.packetsOut -= packets;
    acked += packets;
    if (!whole) break;
    rtx.shift();
  }
  if (sk.extras !== null) stampAcked(sk, sk.extras, una);
  dropAcked(sk, una);
  if (sk.mtup !== null && acked > 0) probeAcked(sk, sk.mtup);
  // Karn's rule, and its way out by timestamps (RFC 7323 section 4.1).
  if (ambiguous) rttUs = timestampRtt(sk, segment);
  if (rttUs >= 0) updateRtt(sk, rttUs);
  if (sk.sackOk) sk.delivered += delivered;
  else if (acked > 0) removeRenoSacks(sk, acked);
  if (sk.packetsOut === 0) {
    clearRetransmit(sk);
    sk.retransStamp = 0;
  } else {
    armRetransmit(sk, TIME_RETRANS, sk.rto);
  }
  // No urgent pointer is left behind to look like one ahead when sequence numbers have come round.
  if (!before(una, sk.sndUp)) {
    sk.urgMode = false;
    sk.sndUp = una;
  }
}

/** tcp_rtt_tsopt_us: the round trip by the timestamp echoed, in microseconds; -1: it tells none. */
export function timestampRtt(sk: TcpSock, segment: Segment): number {
  if (!sk.tstampOk || !segment.hasTs || segment.tsEcr === 0) return -1;
  const ms = (sk.host.nowMs + sk.tsOffset - segment.tsEcr) | 0;
  return ms < 0 || ms > 0x1fffff ? -1 : Math.max(ms, 1) * 1000;
}

/** Frees the send queue up to `una`; a SYN or FIN that was acknowledged has no byte there. */
function dropAcked(sk: TcpSock, una: number): void {
  const queue = sk.sndQueue;
  let count = (una - sk.sndQueueSeq) | 0;
  if (count > queue.length) count = queue.length;
  if (count > 0) {
    queue.drop(count);
    sk.sndQueueSeq = (sk.sndQueueSeq + count) | 0;
  }
}

/** tcp_check_space: after ACKs freed room, a larger buffer may be due and a sleeper told. */
export function checkSpace(sk: TcpSock): void {
  if (!sk.noSpace) return;
  if ((sk.userlocks & SOCK_SNDBUF_LOCK) === 0 && !sk.tcp.memory.tight && sk.inFlight < sk.sndCwnd) {
    expandSendBuffer(sk);
  }
  writeSpace(sk);
}

/** tcp_sndbuf_expand: room for two windows of segments at what the kernel would charge for each. */
export function expandSendBuffer(sk: TcpSock): void {
  const segment = Math.max(sk.mssClamp, sk.mss) + 640;
  const charge = 2 ** (32 - Math.clz32(segment - 1)) + 256;
  const wanted = 2 * Math.max(TCP_INIT_CWND, sk.sndCwnd, sk.reordering + 1) * charge;
  if (sk.sndbuf < wanted) sk.sndbuf = Math.min(wanted, sk.host.sysctl.tcpWmem[2]);
}
