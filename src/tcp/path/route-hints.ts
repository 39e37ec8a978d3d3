// What the route means to a connection in passing: the way itself, looked up again when the routes have changed
// (__sk_dst_check), and bounds that a route may set (dst_metric).

import { Ip as IpMib } from '../../core/mib.js';
import { dropped } from '../../core/trace.js';
import type { Route } from '../../ip/routes.js';
import { DST_CONFIRM } from '../constants.js';
import type { TcpSock } from '../sock.js';

/** The way for the next segment; null where none leads any more (counted). */
export function checkRoute(sk: TcpSock): Route | null {
  const { route } = sk;
  if (route === null || !route.obsolete) return route;
  const found = sk.tcp.ip.routeOf(sk, sk.daddr);
  if (found === null) {
    // The old one stays as what is known of the path, for the day when one leads there again.
    dropped(sk.host, 'IP_OUTNOROUTES');
    sk.host.mib.count(IpMib.OutNoRoutes);
    return null;
  }
  sk.route = found;
  sk.ackPending &= ~DST_CONFIRM;
  return found;
}

/** tcp_ca_dst_init: the congestion control that the route names goes before the sock's own. */
export function chooseControl(sk: TcpSock, route: Route): void {
  const { congctl } = route.metrics;
  const control = congctl === '' ? null : sk.tcp.controlNamed(congctl);
  if (control !== null) sk.cc = control;
}

/** tcp_rto_min, in microseconds: the route's, else the sock's own. */
export function rtoMinUs(sk: TcpSock): number {
  const { route } = sk;
  return route !== null && route.metrics.rtoMin !== 0 ? route.metrics.rtoMin * 1000 : sk.tuning.rtoMinUs;
}

/** tcp_delack_max, in milliseconds: an ACK is not held back for as long as the peer's timer may take at least. */
export function delackMaxMs(sk: TcpSock): number {
  const below = Math.max(Math.ceil(rtoMinUs(sk) / 1000), 2) - 1;
  const { delackMaxMs: most } = sk.tuning;
  return most < below ? most : below;
}
