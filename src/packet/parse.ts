// Reads a whole frame into an object, for traces and tests; nothing on the way of a frame uses it. Never throws: what is
// too short for its header is left out, and what is wrong with a checksum is said.

import { IpAddress } from './address.js';
import {
  ARP_LENGTH,
  ARP_OPERATION,
  ARP_SENDER_IP,
  ARP_SENDER_MAC,
  ARP_TARGET_IP,
  ARP_TARGET_MAC,
} from './arp.js';
import { addRange, pseudoHeader } from './checksum.js';
import { ETH_DST, ETH_HLEN, ETH_P_ARP, ETH_P_IP, ETH_SRC, ETH_TYPE, formatMac } from './ethernet.js';
import { ICMP_CODE, ICMP_HLEN, ICMP_REST, ICMP_TYPE } from './icmp.js';
import {
  IP_DF,
  IP_DST,
  IP_FRAGMENT,
  IP_HLEN,
  IP_ID,
  IP_MF,
  IP_OFFSET_MASK,
  IP_PROTOCOL,
  IP_SRC,
  IP_TOS_FIELD,
  IP_TOTAL_LENGTH,
  IP_TTL_FIELD,
  ipv4HeaderLength,
} from './ipv4.js';
import {
  TCP_ACK_SEQ,
  TCP_DST_PORT,
  TCP_FLAGS,
  TCP_HLEN,
  TCP_SEQ,
  TCP_SRC_PORT,
  TCP_URGENT,
  TCP_WINDOW,
  tcpHeaderLength,
} from './tcp.js';
import { UDP_CHECKSUM, UDP_DST_PORT, UDP_HLEN, UDP_LENGTH, UDP_SRC_PORT } from './udp.js';

export interface ParsedArp {
  readonly operation: number;
  readonly senderMac: string;
  readonly senderIp: string;
  readonly targetMac: string;
  readonly targetIp: string;
}

export interface ParsedIpv4 {
  readonly src: string;
  readonly dst: string;
  readonly protocol: number;
  readonly headerLength: number;
  readonly totalLength: number;
  readonly tos: number;
  readonly ttl: number;
  readonly id: number;
  readonly df: boolean;
  readonly mf: boolean;
  /** Fragment offset in bytes. */
  readonly offset: number;
  readonly checksumOk: boolean;
  /** Offset of the transport header in the frame. */
  readonly transport: number;
}

export interface ParsedIcmp {
  readonly type: number;
  readonly code: number;
  /** The second word: identifier and sequence number, pointer, or next-hop MTU. */
  readonly rest: number;
}

export interface ParsedUdp {
  readonly srcPort: number;
  readonly dstPort: number;
  readonly length: number;
}

export interface ParsedTcp {
  readonly srcPort: number;
  readonly dstPort: number;
  /** Sequence numbers as unsigned 32-bit integers. */
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  readonly urgent: number;
  readonly options: Uint8Array;
}

export interface ParsedFrame {
  readonly dst: string;
  readonly src: string;
  readonly type: number;
  readonly arp?: ParsedArp;
  readonly ipv4?: ParsedIpv4;
  readonly icmp?: ParsedIcmp;
  readonly udp?: ParsedUdp;
  readonly tcp?: ParsedTcp;
  /** The transport's checksum is right; true where there is none to check (fragments, UDP without). */
  readonly l4ChecksumOk: boolean;
  /** What the innermost header that was understood carries, without Ethernet's padding. */
  readonly payload: Uint8Array;
}

/** Parses one Ethernet frame; null when it is shorter than its header. */
export function parseFrame(bytes: Uint8Array): ParsedFrame | null {
  if (bytes.length < ETH_HLEN) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const base = {
    dst: formatMac(bytes, ETH_DST),
    src: formatMac(bytes, ETH_SRC),
    type: view.getUint16(ETH_TYPE),
    l4ChecksumOk: true,
    payload: bytes.subarray(ETH_HLEN),
  };
  if (base.type === ETH_P_ARP && bytes.length >= ETH_HLEN + ARP_LENGTH) {
    return { ...base, arp: parseArp(bytes, view), payload: new Uint8Array(0) };
  }
  const ipv4 = base.type === ETH_P_IP ? parseIpv4(bytes, view) : undefined;
  if (ipv4 === undefined) return base;
  const end = ETH_HLEN + ipv4.totalLength;
  const inner = { ...base, ipv4, payload: bytes.subarray(ipv4.transport, end) };
  return ipv4.mf || ipv4.offset !== 0 ? inner : { ...inner, ...parseTransport(bytes, view, ipv4, end) };
}

function parseArp(bytes: Uint8Array, view: DataView): ParsedArp {
  return {
    operation: view.getUint16(ETH_HLEN + ARP_OPERATION),
    senderMac: formatMac(bytes, ETH_HLEN + ARP_SENDER_MAC),
    senderIp: ipText(view, ETH_HLEN + ARP_SENDER_IP),
    targetMac: formatMac(bytes, ETH_HLEN + ARP_TARGET_MAC),
    targetIp: ipText(view, ETH_HLEN + ARP_TARGET_IP),
  };
}

function parseIpv4(bytes: Uint8Array, view: DataView): ParsedIpv4 | undefined {
  const at = ETH_HLEN;
  if (bytes.length < at + IP_HLEN || view.getUint8(at) >>> 4 !== 4) return undefined;
  const headerLength = ipv4HeaderLength(view, at);
  const totalLength = view.getUint16(at + IP_TOTAL_LENGTH);
  if (headerLength < IP_HLEN || totalLength < headerLength || at + totalLength > bytes.length)
    return undefined;
  const fragment = view.getUint16(at + IP_FRAGMENT);
  return {
    src: ipText(view, at + IP_SRC),
    dst: ipText(view, at + IP_DST),
    protocol: view.getUint8(at + IP_PROTOCOL),
    headerLength,
    totalLength,
    tos: view.getUint8(at + IP_TOS_FIELD),
    ttl: view.getUint8(at + IP_TTL_FIELD),
    id: view.getUint16(at + IP_ID),
    df: (fragment & IP_DF) !== 0,
    mf: (fragment & IP_MF) !== 0,
    offset: (fragment & IP_OFFSET_MASK) << 3,
    checksumOk: addRange(view, at, headerLength, 0) === 0xffff,
    transport: at + headerLength,
  };
}

function parseTransport(
  bytes: Uint8Array,
  view: DataView,
  ipv4: ParsedIpv4,
  end: number,
): Pick<ParsedFrame, 'icmp' | 'udp' | 'tcp' | 'payload' | 'l4ChecksumOk'> {
  const at = ipv4.transport;
  const length = end - at;
  const src = view.getInt32(ETH_HLEN + IP_SRC);
  const dst = view.getInt32(ETH_HLEN + IP_DST);
  const isIntact = (sum: number): boolean => addRange(view, at, length, sum) === 0xffff;
  if (ipv4.protocol === 1 && length >= ICMP_HLEN) {
    const icmp = {
      type: view.getUint8(at + ICMP_TYPE),
      code: view.getUint8(at + ICMP_CODE),
      rest: view.getUint32(at + ICMP_REST),
    };
    return { icmp, payload: bytes.subarray(at + ICMP_HLEN, end), l4ChecksumOk: isIntact(0) };
  }
  if (ipv4.protocol === 17 && length >= UDP_HLEN) {
    const udp = {
      srcPort: view.getUint16(at + UDP_SRC_PORT),
      dstPort: view.getUint16(at + UDP_DST_PORT),
      length: view.getUint16(at + UDP_LENGTH),
    };
    const l4ChecksumOk =
      view.getUint16(at + UDP_CHECKSUM) === 0 || isIntact(pseudoHeader(src, dst, 17, length));
    return { udp, payload: bytes.subarray(at + UDP_HLEN, end), l4ChecksumOk };
  }
  if (ipv4.protocol === 6 && length >= TCP_HLEN) {
    const header = Math.min(Math.max(tcpHeaderLength(view, at), TCP_HLEN), length);
    const tcp = {
      srcPort: view.getUint16(at + TCP_SRC_PORT),
      dstPort: view.getUint16(at + TCP_DST_PORT),
      seq: view.getUint32(at + TCP_SEQ),
      ack: view.getUint32(at + TCP_ACK_SEQ),
      flags: view.getUint8(at + TCP_FLAGS),
      window: view.getUint16(at + TCP_WINDOW),
      urgent: view.getUint16(at + TCP_URGENT),
      options: bytes.slice(at + TCP_HLEN, at + header),
    };
    return {
      tcp,
      payload: bytes.subarray(at + header, end),
      l4ChecksumOk: isIntact(pseudoHeader(src, dst, 6, length)),
    };
  }
  return { payload: bytes.subarray(at, end), l4ChecksumOk: true };
}

function ipText(view: DataView, at: number): string {
  return IpAddress.v4(view.getInt32(at)).toString();
}
