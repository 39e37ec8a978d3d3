// Frames as a peer would send them, header by header, with right checksums unless a test breaks them.

import { IpAddress } from '../../src/packet/address.js';
import { addRange, checksum, complement, pseudoHeader } from '../../src/packet/checksum.js';
import { parseMac } from '../../src/packet/ethernet.js';

export function bytes(...parts: (number | string | Uint8Array)[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) =>
      typeof part === 'number'
        ? [part]
        : typeof part === 'string'
          ? [...new TextEncoder().encode(part)]
          : [...part],
    ),
  );
}

export function mac(text: string): Uint8Array {
  const parsed = parseMac(text);
  if (parsed === null) throw new Error(`${text} is not an Ethernet address`);
  return parsed;
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value & 255);
}

export function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

export function ip4(text: string): Uint8Array {
  const parsed = IpAddress.parse(text);
  if (parsed === null) throw new Error(`${text} is not an IPv4 address`);
  return u32(parsed.a);
}

function viewOf(data: Uint8Array): DataView {
  return new DataView(data.buffer, data.byteOffset, data.byteLength);
}

/** Ethernet header and payload; `padTo` fills up to Ethernet's minimum as a real sender does. */
export function ethernet(dst: string, src: string, type: number, payload: Uint8Array, padTo = 0): Uint8Array {
  const frame = bytes(mac(dst), mac(src), u16(type), payload);
  return frame.length >= padTo ? frame : bytes(frame, new Uint8Array(padTo - frame.length));
}

/** An ARP packet; `operation` 1 asks, 2 answers. */
export function arp(
  operation: number,
  senderMac: string,
  senderIp: string,
  targetMac: string,
  targetIp: string,
): Uint8Array {
  return bytes(
    u16(1), // Ethernet
    u16(0x0800), // IPv4
    6, // bytes of an Ethernet address
    4, // bytes of an IPv4 address
    u16(operation),
    mac(senderMac),
    ip4(senderIp),
    mac(targetMac),
    ip4(targetIp),
  );
}

export interface Ipv4Options {
  tos?: number;
  id?: number;
  df?: boolean;
  mf?: boolean;
  /** Fragment offset in bytes. */
  offset?: number;
  ttl?: number;
  options?: Uint8Array;
}

export function ipv4(
  src: string,
  dst: string,
  protocol: number,
  payload: Uint8Array,
  more: Ipv4Options = {},
): Uint8Array {
  const options = more.options ?? new Uint8Array(0);
  const header = bytes(
    0x45 + options.length / 4,
    more.tos ?? 0,
    u16(20 + options.length + payload.length),
    u16(more.id ?? 1),
    u16((more.df ? 0x4000 : 0) | (more.mf ? 0x2000 : 0) | ((more.offset ?? 0) >> 3)),
    more.ttl ?? 64,
    protocol,
    u16(0),
    ip4(src),
    ip4(dst),
    options,
  );
  viewOf(header).setUint16(10, checksum(viewOf(header), 0, header.length));
  return bytes(header, payload);
}

export function icmp(type: number, code: number, rest: number, payload: Uint8Array): Uint8Array {
  const message = bytes(type, code, u16(0), u32(rest), payload);
  viewOf(message).setUint16(2, checksum(viewOf(message), 0, message.length));
  return message;
}

export function udp(
  src: string,
  srcPort: number,
  dst: string,
  dstPort: number,
  payload: Uint8Array,
  withChecksum = true,
): Uint8Array {
  const datagram = bytes(u16(srcPort), u16(dstPort), u16(8 + payload.length), u16(0), payload);
  if (!withChecksum) return datagram;
  const sum = pseudoHeader(viewOf(ip4(src)).getInt32(0), viewOf(ip4(dst)).getInt32(0), 17, datagram.length);
  const field = complement(addRange(viewOf(datagram), 0, datagram.length, sum));
  viewOf(datagram).setUint16(6, field === 0 ? 0xffff : field);
  return datagram;
}

/** `length` bytes that tell their place. */
export function pattern(length: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8) + seed) & 255);
}
