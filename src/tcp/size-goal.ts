// How large the segments are that sendmsg fills (tcp_send_mss, tcp_xmit_size_goal), and what a send queue of them is charged
// (sk_wmem_queued): the bytes, and for each segment what Linux's buffer for it weighs without them.

import { LINK_F_TSO4 } from '../link/link.js';
import { GSO_MAX_SIZE, TCP_MSS_DEFAULT } from './constants.js';
import { currentMss } from './path/mss.js';
import type { TcpSock } from './sock.js';

/**
 * Truesize of an empty segment (tcp_stream_alloc_skb): sk_buff, headroom for the headers, skb_shared_info. So much does the kernel
 * show beside which we are tested; one with drivers for wireless keeps more headroom.
 */
const SEGMENT_CHARGE = 832;

/** How large one segment handed to the device may get. */
export function sizeGoal(sk: TcpSock): number {
  const mss = currentMss(sk);
  if (sk.route === null || (sk.route.device.features & LINK_F_TSO4) === 0) return mss;
  // tcp_bound_to_half_wnd
  const half = sk.maxWindow > TCP_MSS_DEFAULT ? sk.maxWindow >> 1 : sk.maxWindow;
  const most = half > 0 && half < GSO_MAX_SIZE ? half : GSO_MAX_SIZE;
  return Math.max(mss, most - (most % mss));
}

/** sk_wmem_queued */
export function sendQueueCharge(sk: TcpSock): number {
  const bytes = sk.sndQueue.length;
  if (bytes === 0) return 0;
  return bytes + sk.writeQueue.count * SEGMENT_CHARGE;
}
