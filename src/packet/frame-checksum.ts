// A NIC's checksum work done in TypeScript: fills in and verifies the checksums of a whole Ethernet frame. For links that
// have no NIC (the in-memory wire) and for captures, which show frames as they will be on the wire.

import { addRange, checksum, complement, pseudoHeader } from './checksum.js';
import { ETH_HLEN, ETH_P_IP, ETH_TYPE } from './ethernet.js';
import { ICMP_CHECKSUM, ICMP_HLEN } from './icmp.js';
import {
  IP_CHECKSUM,
  IP_DST,
  IP_FRAGMENT,
  IP_HLEN,
  IP_MF,
  IP_OFFSET_MASK,
  IP_PROTOCOL,
  IP_SRC,
  IP_TOTAL_LENGTH,
  ipv4HeaderLength,
} from './ipv4.js';
import { TCP_CHECKSUM, TCP_HLEN } from './tcp.js';
import { UDP_CHECKSUM, UDP_HLEN, UDP_LENGTH } from './udp.js';

const ICMP = 1;
const TCP = 6;
const UDP = 17;

/** What `verifyTransport` found. */
export const L4_BAD = -1;
export const L4_NONE = 0;
export const L4_OK = 1;

/** Fills in the IPv4 header checksum (TX_IPV4_CSUM); `ip` is the header. */
export function fillIpv4(view: DataView, ip: number): void {
  view.setUint16(ip + IP_CHECKSUM, 0);
  view.setUint16(ip + IP_CHECKSUM, checksum(view, ip, ipv4HeaderLength(view, ip)));
}

/** Completes a checksum whose field holds the pseudo-header's sum (skb_checksum_help); offsets as in the descriptor. */
export function fillPartial(
  view: DataView,
  frame: number,
  length: number,
  start: number,
  offset: number,
): void {
  const sum = complement(addRange(view, frame + start, length - start, 0));
  view.setUint16(frame + start + offset, sum === 0 && offset === UDP_CHECKSUM ? 0xffff : sum);
}

/** Where the frame's whole, unfragmented IPv4 datagram is; false if it is none, or its lengths are wrong. */
function isWhole(view: DataView, frame: number, length: number): boolean {
  if (length < ETH_HLEN + IP_HLEN || view.getUint16(frame + ETH_TYPE) !== ETH_P_IP) return false;
  const ip = frame + ETH_HLEN;
  const header = ipv4HeaderLength(view, ip);
  const total = view.getUint16(ip + IP_TOTAL_LENGTH);
  return (
    view.getUint8(ip) >>> 4 === 4 &&
    header >= IP_HLEN &&
    total >= header &&
    ETH_HLEN + total <= length &&
    (view.getUint16(ip + IP_FRAGMENT) & (IP_MF | IP_OFFSET_MASK)) === 0
  );
}

/** Offset of the checksum field in the transport header; -1 for a protocol without one, or a header that is cut off. */
function fieldOffset(protocol: number, length: number): number {
  if (protocol === TCP && length >= TCP_HLEN) return TCP_CHECKSUM;
  if (protocol === UDP && length >= UDP_HLEN) return UDP_CHECKSUM;
  if (protocol === ICMP && length >= ICMP_HLEN) return ICMP_CHECKSUM;
  return -1;
}

/** The verdict of a NIC that verifies: L4_OK, L4_BAD, or L4_NONE for what it cannot tell. */
export function verifyTransport(view: DataView, frame: number, length: number): number {
  if (!isWhole(view, frame, length)) return L4_NONE;
  const ip = frame + ETH_HLEN;
  const transport = ip + ipv4HeaderLength(view, ip);
  const protocol = view.getUint8(ip + IP_PROTOCOL);
  let size = ip + view.getUint16(ip + IP_TOTAL_LENGTH) - transport;
  if (fieldOffset(protocol, size) < 0) return L4_NONE;
  if (protocol === UDP) {
    if (view.getUint16(transport + UDP_CHECKSUM) === 0) return L4_OK;
    const said = view.getUint16(transport + UDP_LENGTH);
    if (said >= UDP_HLEN && said < size) size = said;
  }
  const sum =
    protocol === ICMP
      ? 0
      : pseudoHeader(view.getInt32(ip + IP_SRC), view.getInt32(ip + IP_DST), protocol, size);
  return addRange(view, transport, size, sum) === 0xffff ? L4_OK : L4_BAD;
}

/** True unless the frame is IPv4 and its header's checksum is wrong. */
export function verifyIpv4(view: DataView, frame: number, length: number): boolean {
  if (length < ETH_HLEN + IP_HLEN || view.getUint16(frame + ETH_TYPE) !== ETH_P_IP) return true;
  const header = ipv4HeaderLength(view, frame + ETH_HLEN);
  if (header < IP_HLEN || ETH_HLEN + header > length) return true;
  return addRange(view, frame + ETH_HLEN, header, 0) === 0xffff;
}

/** Computes the transport's checksum afresh, whatever its field holds; leaves frames alone that have none. */
export function fillTransport(view: DataView, frame: number, length: number): void {
  if (!isWhole(view, frame, length)) return;
  const ip = frame + ETH_HLEN;
  const transport = ip + ipv4HeaderLength(view, ip);
  const protocol = view.getUint8(ip + IP_PROTOCOL);
  const size = ip + view.getUint16(ip + IP_TOTAL_LENGTH) - transport;
  const field = fieldOffset(protocol, size);
  if (field < 0) return;
  view.setUint16(transport + field, 0);
  const sum =
    protocol === ICMP
      ? 0
      : pseudoHeader(view.getInt32(ip + IP_SRC), view.getInt32(ip + IP_DST), protocol, size);
  const value = complement(addRange(view, transport, size, sum));
  view.setUint16(transport + field, value === 0 && protocol === UDP ? 0xffff : value);
}
