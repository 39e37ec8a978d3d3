// How a router cuts a packet that is too large for the next cable and may be cut (RFC 791 section 2.3, RFC 1812 section 4.2.2.7).

import { ETH_HLEN } from '../packet/ethernet.js';
import { fillIpv4 } from '../packet/frame-checksum.js';
import {
  IP_FRAGMENT,
  IP_HLEN,
  IP_MF,
  IP_OFFSET_MASK,
  IP_TOTAL_LENGTH,
  IPOPT_END,
  IPOPT_NOOP,
  ipv4HeaderLength,
} from '../packet/ipv4.js';

/** Options with this bit stand in every fragment, the others in the first only. */
const IPOPT_COPIED = 0x80;

/** The frames that carry the packet of `frame` over a link of `mtu` bytes, headers and checksums complete. */
export function fragmentFrame(frame: Uint8Array, mtu: number): Uint8Array[] {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const header = ipv4HeaderLength(view, ETH_HLEN);
  const end = view.getUint16(ETH_HLEN + IP_TOTAL_LENGTH);
  const word = view.getUint16(ETH_HLEN + IP_FRAGMENT);
  const most = (mtu - header) & ~7;
  const fragments: Uint8Array[] = [];
  for (let at = header; at < end; at += most) {
    const part = Math.min(most, end - at);
    const fragment = new Uint8Array(ETH_HLEN + header + part);
    fragment.set(frame.subarray(0, ETH_HLEN + header));
    fragment.set(frame.subarray(ETH_HLEN + at, ETH_HLEN + at + part), ETH_HLEN + header);
    const own = new DataView(fragment.buffer);
    // What was a fragment already keeps its place; only the last piece may be the datagram's last.
    const offset = (word & IP_OFFSET_MASK) + ((at - header) >> 3);
    const more = at + part < end ? IP_MF : word & IP_MF;
    own.setUint16(ETH_HLEN + IP_TOTAL_LENGTH, header + part);
    own.setUint16(ETH_HLEN + IP_FRAGMENT, offset | more);
    if (at > header) blankOptions(fragment, ETH_HLEN + IP_HLEN, ETH_HLEN + header);
    fillIpv4(own, ETH_HLEN);
    fragments.push(fragment);
  }
  return fragments;
}

/** ip_options_fragment: what belongs to the first fragment alone becomes padding. */
function blankOptions(frame: Uint8Array, from: number, end: number): void {
  for (let at = from; at < end; ) {
    const kind = frame[at];
    if (kind === IPOPT_END) return;
    const length = kind === IPOPT_NOOP ? 1 : frame[at + 1];
    if (length < 1 || at + length > end) return;
    if ((kind & IPOPT_COPIED) === 0) frame.fill(IPOPT_NOOP, at, at + length);
    at += length;
  }
}
