// The MSS we announce (tcp_advertise_mss): what the route says, or what fits a packet of the path's MTU.

import type { Route } from '../ip/routes.js';
import type { TcpSock } from './sock.js';

/** IPv4 and TCP headers without options. */
const HEADERS = 40;

/** dst_metric_advmss, bounded by TCP_MAXSEG. */
export function advertisedMss(sk: TcpSock, route: Route): number {
  const { advmss } = route.metrics;
  const least = sk.host.sysctl.ipRtMinAdvmss;
  const mss = advmss !== 0 ? advmss : Math.min(Math.max(route.mtu - HEADERS, least), 65535 - HEADERS);
  const user = sk.tuning.userMss;
  return user !== 0 && user < mss ? user : mss;
}
