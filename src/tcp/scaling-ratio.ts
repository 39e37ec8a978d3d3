// What a byte in the receive buffer weighs (tcp_sk.scaling_ratio, tcp_win_from_space): on Linux a packet is charged with its
// headers' and bookkeeping's memory. Ours lie closer, but SO_RCVBUF and tcp_rmem shall mean the windows that they mean there.

import { TCP_MSS_DEFAULT } from './constants.js';

const SCALE = 256;
/** TCP_DEFAULT_SCALING_RATIO: half, until the peer's segments are known. */
const UNKNOWN = 128;
/** Ethernet and IP headers, and the room that a TAP's packets begin with (tun_build_skb). */
const HEADERS = 100;
const TCP_HEADER = 32;
/** struct sk_buff and skb_shared_info. */
const BOOKKEEPING = 576;
const CACHE_LINE = 64;

/** Truesize of a packet with `length` bytes of TCP, header and all. */
export function packetWeight(length: number): number {
  return ((length + HEADERS + CACHE_LINE - 1) & -CACHE_LINE) + BOOKKEEPING;
}

/** The last answer: most segments of a stack are of one size. */
let lastMss = 0;
let lastRatio = UNKNOWN;

/** Bytes of payload in 256 charged, for segments of `rcvMss`. */
function scalingRatio(rcvMss: number): number {
  if (rcvMss === lastMss) return lastRatio;
  lastMss = rcvMss;
  const truesize = packetWeight(TCP_HEADER + rcvMss);
  lastRatio = rcvMss <= TCP_MSS_DEFAULT ? UNKNOWN : ((rcvMss * SCALE) / truesize) | 0;
  return lastRatio;
}

/** tcp_win_from_space */
export function windowFromSpace(rcvMss: number, space: number): number {
  return Math.floor((space * scalingRatio(rcvMss)) / SCALE);
}

/** tcp_space_from_win */
export function spaceFromWindow(rcvMss: number, window: number): number {
  return Math.floor((window * SCALE) / scalingRatio(rcvMss));
}
