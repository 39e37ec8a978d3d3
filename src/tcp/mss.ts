// The MSS we announce (tcp_advertise_mss): what fits the route's device, not what the path was found to carry.

import type { Route } from '../ip/routes.js';
import type { TcpSock } from './sock.js';

/** IPv4 and TCP headers without options. */
const HEADERS = 40;

/** ipv4_default_advmss, bounded by TCP_MAXSEG. */
export function advertisedMss(sk: TcpSock, route: Route): number {
  const mss = Math.min(Math.max(route.device.mtu - HEADERS, 256), 65535 - HEADERS);
  const user = sk.tuning.userMss;
  return user !== 0 && user < mss ? user : mss;
}
