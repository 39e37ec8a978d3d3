// How large segments are: the MSS we announce (tcp_advertise_mss), and the payload of those we send, from the path's MTU, the
// peer's MSS and the options that ride along (tcp_sync_mss, tcp_current_mss).

import type { Route } from '../../ip/routes.js';
import { TCP_MSS_DEFAULT, TCPOLEN_TSTAMP_ALIGNED } from '../constants.js';
import { ECN_MODE_ACCECN } from '../ecn/accecn.js';
import { accEcnLength } from '../ecn/accecn-option.js';
import { sackLength } from '../sack-option.js';
import type { TcpSock } from '../sock.js';

/** IPv4 and TCP headers without options. */
export const HEADERS = 40;

/** dst_metric_advmss, bounded by TCP_MAXSEG. */
export function advertisedMss(sk: TcpSock, route: Route): number {
  const { advmss } = route.metrics;
  const least = sk.host.sysctl.ipRtMinAdvmss;
  const mss = advmss !== 0 ? advmss : Math.min(Math.max(route.mtu - HEADERS, least), 65535 - HEADERS);
  const user = sk.tuning.userMss;
  return user !== 0 && user < mss ? user : mss;
}

/** The path may be found to carry less between one SYN and the next (tcp_advertise_mss). */
export function readvertiseMss(sk: TcpSock): void {
  if (sk.route !== null) sk.advmss = Math.min(sk.advmss, advertisedMss(sk, sk.route));
}

/** Options of every segment, SACK not counted. */
function optionLength(sk: TcpSock): number {
  return sk.tstampOk ? TCPOLEN_TSTAMP_ALIGNED : 0;
}

/** tcp_mtu_to_mss: payload of a packet of `mtu` bytes, within what the peer takes and tcp_min_snd_mss. */
export function mtuToMss(sk: TcpSock, mtu: number): number {
  return Math.max(Math.min(mtu - HEADERS, sk.mssClamp), sk.host.sysctl.tcpMinSndMss) - optionLength(sk);
}

/** tcp_mss_to_mtu */
export function mssToMtu(sk: TcpSock, mss: number): number {
  return mss + optionLength(sk) + HEADERS;
}

/** tcp_sync_mss: settles `sk.mss` for packets of at most `mtu` bytes. */
export function syncMss(sk: TcpSock, mtu: number = sk.route === null ? 576 : sk.route.mtu): void {
  const { mtup } = sk;
  if (mtup !== null && mtup.searchHigh > mtu) mtup.searchHigh = mtu;
  sk.pmtu = mtu;
  let mss = mtuToMss(sk, mtu);
  // tcp_bound_to_half_wnd: never more than half of what the peer ever offered, or it would have to empty its buffer first.
  if (sk.maxWindow > 0) {
    const half = sk.maxWindow > TCP_MSS_DEFAULT ? sk.maxWindow >> 1 : sk.maxWindow;
    if (mss > half) mss = Math.max(half, 68 - 20 - optionLength(sk));
  }
  if (mtup !== null) mss = Math.min(mss, mtuToMss(sk, mtup.searchLow));
  sk.mss = mss;
}

/** tcp_current_mss: less the SACK blocks, and the option of AccECN, that will ride along just now. */
export function currentMss(sk: TcpSock): number {
  // Another connection on the same path may have learnt that it carries less, or forgotten it.
  if (sk.route !== null && sk.route.mtu !== sk.pmtu) syncMss(sk);
  const accecn = (sk.ecnFlags & ECN_MODE_ACCECN) !== 0 ? sk.rare.accecn : null;
  return sk.mss - (accecn === null ? sackLength(sk) : accEcnLength(sk, accecn));
}
