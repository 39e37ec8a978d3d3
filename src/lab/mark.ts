// What a queue can do instead of dropping a packet: mark it as having met congestion, if its sender says that he will heed it
// (RFC 3168 section 5).

import { ETH_HLEN } from '../packet/ethernet.js';
import { fillIpv4 } from '../packet/frame-checksum.js';
import { INET_ECN_CE, INET_ECN_MASK } from '../packet/ipv4.js';

const ETH_TYPE = 12;
const IP_TOS = ETH_HLEN + 1;

/** INET_ECN_set_ce: false if the frame bears no IPv4 packet that may be marked. */
export function markCongestion(frame: Uint8Array): boolean {
  if (frame[ETH_TYPE] !== 0x08 || frame[ETH_TYPE + 1] !== 0 || (frame[IP_TOS] & INET_ECN_MASK) === 0)
    return false;
  frame[IP_TOS] |= INET_ECN_CE;
  fillIpv4(new DataView(frame.buffer, frame.byteOffset, frame.length), ETH_HLEN);
  return true;
}
