// The frames that a router makes itself: ARP, and ICMP errors that quote what they are about.

import {
  ARP_HARDWARE,
  ARP_HARDWARE_LENGTH,
  ARP_LENGTH,
  ARP_OPERATION,
  ARP_PROTOCOL,
  ARP_PROTOCOL_LENGTH,
  ARP_SENDER_IP,
  ARP_SENDER_MAC,
  ARP_TARGET_IP,
  ARP_TARGET_MAC,
  ARPHRD_ETHER,
  ARPOP_REPLY,
  ARPOP_REQUEST,
} from '../packet/arp.js';
import { checksum } from '../packet/checksum.js';
import { ETH_DST, ETH_HLEN, ETH_P_ARP, ETH_P_IP, ETH_SRC, ETH_TYPE } from '../packet/ethernet.js';
import { fillIpv4 } from '../packet/frame-checksum.js';
import {
  ICMP_CHECKSUM,
  ICMP_CODE,
  ICMP_HLEN,
  ICMP_NEXT_HOP_MTU,
  ICMP_TYPE,
  icmpIsError,
} from '../packet/icmp.js';
import {
  IP_FRAGMENT,
  IP_HLEN,
  IP_OFFSET_MASK,
  IP_PROTOCOL,
  IP_SRC,
  ipv4HeaderLength,
  writeIpv4,
} from '../packet/ipv4.js';
import { IPPROTO_ICMP } from '../uapi/socket.js';

const TTL = 64;
/** Bytes of the packet that an error quotes, its header included (RFC 1812 section 4.3.2.3 allows 548). */
const QUOTED = 128;

/** A question to everybody who has `targetIp`, or the answer to `targetMac`'s. */
export function arpFrame(
  mac: Uint8Array,
  ip: number,
  targetMac: Uint8Array | null,
  targetIp: number,
): Uint8Array {
  const frame = new Uint8Array(ETH_HLEN + ARP_LENGTH);
  const view = new DataView(frame.buffer);
  frame.fill(0xff, ETH_DST, ETH_DST + 6);
  if (targetMac !== null) frame.set(targetMac, ETH_DST);
  frame.set(mac, ETH_SRC);
  view.setUint16(ETH_TYPE, ETH_P_ARP);
  view.setUint16(ETH_HLEN + ARP_HARDWARE, ARPHRD_ETHER);
  view.setUint16(ETH_HLEN + ARP_PROTOCOL, ETH_P_IP);
  view.setUint8(ETH_HLEN + ARP_HARDWARE_LENGTH, 6);
  view.setUint8(ETH_HLEN + ARP_PROTOCOL_LENGTH, 4);
  view.setUint16(ETH_HLEN + ARP_OPERATION, targetMac === null ? ARPOP_REQUEST : ARPOP_REPLY);
  frame.set(mac, ETH_HLEN + ARP_SENDER_MAC);
  view.setInt32(ETH_HLEN + ARP_SENDER_IP, ip);
  if (targetMac !== null) frame.set(targetMac, ETH_HLEN + ARP_TARGET_MAC);
  view.setInt32(ETH_HLEN + ARP_TARGET_IP, targetIp);
  return frame;
}

/** An ICMP error from `from` about the packet in `frame`; null where none may be sent (RFC 1812 section 4.3.2.7). */
export function icmpErrorFrame(
  frame: Uint8Array,
  from: number,
  type: number,
  code: number,
  mtu: number,
): Uint8Array | null {
  const about = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const header = ipv4HeaderLength(about, ETH_HLEN);
  const isIcmp = about.getUint8(ETH_HLEN + IP_PROTOCOL) === IPPROTO_ICMP;
  if (isIcmp && frame.length > ETH_HLEN + header && icmpIsError(frame[ETH_HLEN + header])) return null;
  // Of a datagram in fragments only the first is told about.
  if ((about.getUint16(ETH_HLEN + IP_FRAGMENT) & IP_OFFSET_MASK) !== 0) return null;
  const quoted = frame.subarray(ETH_HLEN, Math.min(frame.length, ETH_HLEN + QUOTED));
  const icmp = ETH_HLEN + IP_HLEN;
  const answer = new Uint8Array(icmp + ICMP_HLEN + quoted.length);
  const view = new DataView(answer.buffer);
  view.setUint16(ETH_TYPE, ETH_P_IP);
  const total = answer.length - ETH_HLEN;
  writeIpv4(view, ETH_HLEN, total, 0, 0, 0, TTL, IPPROTO_ICMP, from, about.getInt32(ETH_HLEN + IP_SRC));
  fillIpv4(view, ETH_HLEN);
  view.setUint8(icmp + ICMP_TYPE, type);
  view.setUint8(icmp + ICMP_CODE, code);
  view.setUint16(icmp + ICMP_NEXT_HOP_MTU, mtu);
  answer.set(quoted, icmp + ICMP_HLEN);
  view.setUint16(icmp + ICMP_CHECKSUM, checksum(view, icmp, answer.length - icmp));
  return answer;
}
