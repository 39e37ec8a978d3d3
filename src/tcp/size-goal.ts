// How large the segments are that sendmsg fills (tcp_send_mss, tcp_xmit_size_goal), and what a send queue of them is charged
// (sk_wmem_queued): the bytes, and for each segment what Linux's buffer for it weighs without them.

import { LINK_F_TSO4 } from '../link/link.js';
import { GSO_MAX_SIZE } from './constants.js';
import type { TcpSock } from './sock.js';

/** Truesize of an empty segment (tcp_stream_alloc_skb): sk_buff, headroom for the headers, skb_shared_info. */
const SEGMENT_CHARGE = 960;

/** How large one segment handed to the device may get. */
export function sizeGoal(sk: TcpSock): number {
  if (sk.route === null || (sk.route.device.features & LINK_F_TSO4) === 0) return sk.mss;
  const half = sk.maxWindow >> 1;
  const most = half > sk.mss && half < GSO_MAX_SIZE ? half : GSO_MAX_SIZE;
  return Math.max(sk.mss, most - (most % sk.mss));
}

/** sk_wmem_queued */
export function sendQueueCharge(sk: TcpSock): number {
  const bytes = sk.sndQueue.length;
  if (bytes === 0) return 0;
  const unsent = sk.notsent;
  const waiting = unsent <= 0 ? 0 : Math.ceil(unsent / sizeGoal(sk));
  return bytes + (sk.rtx.count + waiting) * SEGMENT_CHARGE;
}
