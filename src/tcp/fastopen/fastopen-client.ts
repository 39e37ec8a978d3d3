// Fast Open's active side (RFC 7413 section 4.2): data on the SYN for a server whose cookie is known, a request for the cookie
// otherwise, and what the SYN-ACK tells of both. connect.ts and state.ts come by here only when the application asked for it.

import { TcpExt } from '../../core/mib.js';
import { TX_PIECES } from '../../link/tx-ring.js';
import { mtuToMss, syncMss } from '../path/mss.js';
import { FastOpenMetrics } from '../path/tcp-metrics.js';
import { rateSent } from '../rate.js';
import { nonCongestionLoss } from '../recovery/recovery.js';
import { xmitRetransmitQueue } from '../recovery/retransmit.js';
import { markLost } from '../recovery/scoreboard-marks.js';
import { fastOpenOptionLength, type Segment } from '../segment.js';
import type { TcpSock } from '../sock.js';
import { transmitSyn } from '../transmit.js';
import { ROW_PSH } from '../write-queue.js';
import {
  FastOpenRequest,
  type FastOpenState,
  TFO_CLIENT_NO_COOKIE,
  TFO_COOKIE_UNAVAILABLE,
  TFO_DATA_NOT_ACKED,
  TFO_SYN_RETRANSMITTED,
} from './fastopen.js';
import { addSynData } from './fastopen-data.js';

/** Options are never more (MAX_TCP_OPTION_SPACE): boxes on the way may add some of their own to a SYN. */
const MAX_TCP_OPTION_SPACE = 40;
const NOTHING = new Uint8Array(0);

/** tcp_fastopen_cache_get */
function remembered(sk: TcpSock): FastOpenMetrics | null {
  if (sk.route === null) return null;
  return sk.tcp.metrics.lookup(sk.saddr, sk.daddr, sk.route.metrics)?.fastopen ?? null;
}

/** tcp_fastopen_cookie_check: whether the SYN may bear data; settles the cookie of `request` and the MSS to reckon with. */
function mayCarryData(sk: TcpSock, state: FastOpenState, request: FastOpenRequest): boolean {
  const known = remembered(sk);
  request.cookie = NOTHING;
  request.exp = false;
  if (known !== null) {
    if (known.mss !== 0) sk.mssClamp = known.mss;
    request.cookie = known.cookie;
    request.exp = known.cookie.length > 0 ? known.exp : known.tryExp === 1;
  }
  if (sk.tcp.fastopen.shouldDisable(state)) {
    request.cookie = null;
    return false;
  }
  if ((sk.host.sysctl.tcpFastopen & TFO_CLIENT_NO_COOKIE) !== 0 || state.noCookie) {
    request.cookie = null;
    return true;
  }
  if (request.cookie.length > 0) return true;
  state.clientFail = TFO_COOKIE_UNAVAILABLE;
  return false;
}

/**
 * tcp_fastopen_defer_connect: with TCP_FASTOPEN_CONNECT and a cookie at hand the SYN waits for the first write. True if so;
 * else the SYN that goes out now asks for a cookie.
 */
export function deferConnect(sk: TcpSock, state: FastOpenState): boolean {
  if (!state.connect || state.request !== null) return false;
  const request = new FastOpenRequest(NOTHING, 0);
  const { mssClamp } = sk;
  const defer = mayCarryData(sk, state, request);
  sk.mssClamp = mssClamp;
  if (defer) state.deferred = true;
  else state.request = request;
  return defer;
}

/**
 * tcp_send_syn_data: the first SYN, with as much data as it can bear, or with a request for a cookie. The data stands in the
 * retransmit queue as a row of its own behind the SYN's, which is in it already.
 */
export function sendSynData(sk: TcpSock, state: FastOpenState, request: FastOpenRequest): void {
  sk.mssClamp = sk.advmss;
  if (mayCarryData(sk, state, request)) {
    const { userMss } = sk.tuning;
    if (userMss !== 0 && userMss < sk.mssClamp) sk.mssClamp = userMss;
    syncMss(sk);
    sendWithData(sk, state, request);
  } else {
    if (request.cookie !== null) request.cookie = NOTHING;
    state.writePending = request.data !== NOTHING;
    noteOption(sk, state, request);
    transmitSyn(sk, false, request);
  }
  // Repetitions of the SYN bear no option, lest a box that drops it drop them, too.
  request.cookie = null;
}

function sendWithData(sk: TcpSock, state: FastOpenState, request: FastOpenRequest): void {
  const { host, sndQueue, writeQueue } = sk;
  const start = sk.sndNxt;
  const wanted = Math.min(mtuToMss(sk, sk.pmtu) + optionSpace(sk) - MAX_TCP_OPTION_SPACE, request.size);
  const taken = wanted > 0 ? sndQueue.append(request.data, 0, wanted) : 0;
  request.copied = taken;
  sk.writeSeq = (start + taken) | 0;
  state.writePending = taken < request.size;
  noteOption(sk, state, request);
  const length = taken === 0 ? 0 : sndQueue.contiguous(0, taken, TX_PIECES);
  const left = transmitSyn(sk, false, request, length);
  if (left) host.mib.count(TcpExt.TCPOrigDataSent);
  if (!left) {
    if (taken > 0) writeQueue.push(start, sk.writeSeq, ROW_PSH);
    return;
  }
  // Also an empty row counts as a packet.
  state.synData = taken > 0;
  const end = (start + length) | 0;
  writeQueue.push(start, end, ROW_PSH);
  writeQueue.resize(writeQueue.sent, length);
  rateSent(sk, writeQueue.sentFirst(host.nowUs), false);
  sk.tx.packetsOut++;
  if (taken > length) writeQueue.push(end, sk.writeSeq, ROW_PSH);
  sk.sndNxt = end;
  sk.tx.pushedSeq = end;
}

/** __tcp_mtu_to_mss: timestamps are part of what is reserved. */
function optionSpace(sk: TcpSock): number {
  return sk.tstampOk ? 12 : 0;
}

/** The SYN bears the option if there is room for it (tcp_syn_options). */
function noteOption(sk: TcpSock, state: FastOpenState, request: FastOpenRequest): void {
  const { cookie, exp } = request;
  if (cookie === null) return;
  const others = 4 + (sk.tstampOk ? 12 : sk.sackOk ? 4 : 0) + (sk.wscaleOk ? 4 : 0);
  if (others + fastOpenOptionLength(cookie.length, exp) > MAX_TCP_OPTION_SPACE) {
    request.cookie = null;
    return;
  }
  state.synFastopen = true;
  state.synFastopenExp = exp;
}

/**
 * tcp_rcv_fastopen_synack: the connection is established; what did the SYN-ACK say of cookie and data? True if the data did
 * not arrive and was sent again, which acknowledges the SYN-ACK as well.
 */
export function fastOpenSynAck(sk: TcpSock, state: FastOpenState, segment: Segment): boolean {
  const unacked = state.synData && sk.writeQueue.sent > 0;
  let { cookieLength } = segment;
  let lost = false;
  let tryExp = 0;
  if (!state.synFastopen) {
    // Nobody has asked for it.
    cookieLength = -1;
  } else if (sk.tx.totalRetrans > 0) {
    // Only the repeated SYN, without option and data, seems to have arrived.
    lost = cookieLength < 0 && unacked;
  } else if (cookieLength < 0 && !state.synData) {
    // We asked and were not answered: next time by the experimental option, and after that never again.
    tryExp = state.synFastopenExp ? 2 : 1;
  }
  remember(sk, segment, cookieLength, lost, tryExp);
  if (unacked) {
    state.clientFail = sk.tx.totalRetrans > 0 ? TFO_SYN_RETRANSMITTED : TFO_DATA_NOT_ACKED;
    for (let i = 0; i < sk.writeQueue.sent; i++) markLost(sk, i);
    nonCongestionLoss(sk);
    xmitRetransmitQueue(sk);
    sk.host.mib.count(TcpExt.TCPFastOpenActiveFail);
    return true;
  }
  state.synDataAcked = state.synData;
  if (state.synDataAcked) {
    sk.host.mib.count(TcpExt.TCPFastOpenActive);
    // SYN and data stand in the queue as two, or more once the peer's MSS is known, but it was one packet.
    sk.delivered = 1;
  }
  addSynData(sk, segment);
  return false;
}

/** tcp_fastopen_cache_set */
function remember(sk: TcpSock, segment: Segment, cookieLength: number, lost: boolean, tryExp: number): void {
  if (sk.route === null) return;
  const metrics = sk.tcp.metrics.lookupOrCreate(sk.saddr, sk.daddr, sk.route.metrics);
  metrics.fastopen ??= new FastOpenMetrics();
  const known = metrics.fastopen;
  if (segment.mss !== 0) known.mss = segment.mss;
  if (cookieLength > 0) {
    known.cookie = sk.host.memory.bytes.slice(segment.cookie, segment.cookie + cookieLength);
    known.exp = segment.cookieExp;
  } else if (tryExp > known.tryExp && known.cookie.length === 0 && !known.exp) known.tryExp = tryExp;
  if (lost) {
    known.synLoss++;
    known.lastSynLoss = sk.host.nowMs;
  } else known.synLoss = 0;
}

/** tcp_fastopen_active_detect_blackhole: two timeouts in a row, or the end of patience, on such a connection. */
export function detectBlackHole(sk: TcpSock, state: FastOpenState, expired: boolean): void {
  if (!state.synFastopen && !state.synData && !state.synDataAcked) return;
  if (sk.tx.retransmits !== 2 && !(sk.tx.retransmits < 2 && expired)) return;
  sk.tcp.fastopen.disableActive();
  sk.host.mib.count(TcpExt.TCPFastOpenActiveFail);
}
