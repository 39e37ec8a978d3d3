// How large the segments are that leave for the device: no more than a millisecond's worth, and better a little later than in
// crumbs (tcp_tso_autosize, tcp_mss_split_point, tcp_tso_should_defer). Called by output.ts for each segment.

import { LINK_F_TSO4 } from '../link/link.js';
import { TCP_CA_Recovery } from '../uapi/tcp.js';
import { GSO_MAX_SIZE, NAGLE_CORK } from './constants.js';
import { minRtt } from './rate.js';
import { after } from './seq.js';
import type { TcpSock } from './sock.js';
import { ROW_EOR, ROW_FIN, ROW_FLAGS, ROW_SENT_US, ROW_SEQ } from './write-queue.js';

/** A pacing rate shifted right by this is what leaves in about a millisecond (sk_pacing_shift). */
const PACING_SHIFT = 1024;

/** tcp_tso_segs: most segments handed over at once. One, if the device cannot cut them. */
export function tsoSegments(sk: TcpSock, mss: number): number {
  if (sk.route === null || (sk.route.device.features & LINK_F_TSO4) === 0) return 1;
  let bytes = sk.pacingRate / PACING_SHIFT;
  // Near peers get more at once: the shorter the way, the less a burst hurts.
  const near = minRtt(sk) >> sk.host.sysctl.tcpTsoRttLog;
  if (near < 32) bytes += GSO_MAX_SIZE >> near;
  const segments = Math.floor((bytes < GSO_MAX_SIZE ? bytes : GSO_MAX_SIZE) / mss);
  return Math.max(segments, Math.min(sk.cc.minTsoSegments(sk), Math.max(1, Math.floor(GSO_MAX_SIZE / mss))));
}

/** End of the peer's window (tcp_wnd_end). */
export function windowEnd(sk: TcpSock): number {
  return (sk.sndUna + sk.sndWnd) | 0;
}

/** tcp_nagle_check with Minshall's rule: hold a small segment while a small one is unacknowledged, or while corked. */
export function nagleHolds(sk: TcpSock, partial: boolean, nonagle: number): boolean {
  if (!partial) return false;
  if ((nonagle & NAGLE_CORK) !== 0) return true;
  const { packetsOut, sndSml } = sk.tx;
  return nonagle === 0 && packetsOut > 0 && after(sndSml, sk.sndUna) && !after(sndSml, sk.sndNxt);
}

/** tcp_mss_split_point: how many of the `length` bytes at `seq` leave now; `last`: nothing waits behind them. */
export function splitPoint(
  sk: TcpSock,
  seq: number,
  length: number,
  last: boolean,
  mss: number,
  most: number,
  nonagle: number,
): number {
  const window = (windowEnd(sk) - seq) | 0;
  const limit = mss * most;
  if (limit <= window && !last) return limit;
  const needed = length < window ? length : window;
  if (limit <= needed) return limit;
  // A small tail waits as if it stood alone.
  const partial = needed % mss;
  return nagleHolds(sk, partial !== 0, nonagle) ? needed - partial : needed;
}

/** What held a segment back: 0 nothing, else one of these. */
export const DEFER_CWND = 1;
export const DEFER_RWND = 2;
export const DEFER_OTHER = 3;

/** tcp_tso_should_defer: is it better to wait for the next ACK, and send a larger segment then? */
export function tsoDefers(
  sk: TcpSock,
  i: number,
  length: number,
  last: boolean,
  mss: number,
  most: number,
): number {
  if (sk.caState >= TCP_CA_Recovery) return 0;
  const { nowUs, sysctl } = sk.host;
  const queue = sk.writeQueue;
  if (queue.sent === 0) return 0;
  // Only in the middle of a burst.
  const pause = (nowUs - queue.rows[queue.at(queue.sent - 1) + ROW_SENT_US]) | 0;
  if (pause >= 1000) return 0;
  const at = queue.at(i);
  const sendWindow = (windowEnd(sk) - queue.rows[at + ROW_SEQ]) | 0;
  const congestionWindow = (sk.sndCwnd - sk.inFlight) * mss;
  const limit = Math.min(sendWindow, congestionWindow);
  if (limit >= most * mss) return 0;
  if (!last && limit >= length) return 0;
  const divisor = sysctl.tcpTsoWinDivisor;
  if (divisor !== 0) {
    const chunk = Math.floor(Math.min(sk.sndWnd, sk.sndCwnd * mss) / divisor);
    if (limit >= chunk) return 0;
  } else if (limit > 3 * mss) return 0;
  // If the next ACK is not expected soon, waiting for it costs more than it brings.
  const srtt = sk.srttUs >> 3;
  const ackInUs = srtt - ((nowUs - queue.rows[queue.at(0) + ROW_SENT_US]) | 0);
  if (ackInUs > Math.min(srtt >> 1, 1000)) return 0;
  if (congestionWindow < sendWindow) {
    if (congestionWindow <= length) return DEFER_CWND;
  } else if (sendWindow <= length) return DEFER_RWND;
  if ((queue.rows[at + ROW_FLAGS] & (ROW_FIN | ROW_EOR)) !== 0) return 0;
  return DEFER_OTHER;
}
