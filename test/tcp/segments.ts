// TCP segments as a test writes and reads them: `{ flags: 'SA', seq: 0, ack: 1, mss: 1460 }`. Numbers here are the wire's own;
// conversation.ts makes them relative.

import type { IpAddress } from '../../src/packet/address.js';
import { addRange, checksum, complement, pseudoHeader } from '../../src/packet/checksum.js';
import { writeIpv4 } from '../../src/packet/ipv4.js';
import { OUR_MAC, PEER_MAC } from '../ip/stack.js';
import { bytes, mac, u16, u32 } from '../packet/build.js';

const OUR = mac(OUR_MAC);
const PEERS = mac(PEER_MAC);

/** Letters of the flags word, in the order in which `flags` spells them: 'SA', 'FPA', 'RA', 'PUA'. */
const LETTERS: readonly (readonly [string, number])[] = [
  ['S', 2],
  ['F', 1],
  ['R', 4],
  ['P', 8],
  ['U', 32],
  ['A', 16],
  ['E', 64],
  ['C', 128],
];

export interface SegmentFields {
  flags: string;
  seq: number;
  ack: number;
  /** As in the header, not scaled. */
  win: number;
  urg: number;
  data: Uint8Array;
  mss: number;
  wscale: number;
  sackOk: boolean;
  ts: readonly [number, number];
  sack: readonly (readonly [number, number])[];
  /** Raw option bytes instead of all of the above, multiple of four. */
  options: Uint8Array;
}

export function flagBits(letters: string): number {
  return LETTERS.reduce((word, [letter, bit]) => (letters.includes(letter) ? word | bit : word), 0);
}

export function flagLetters(word: number): string {
  return LETTERS.filter(([, bit]) => (word & bit) !== 0)
    .map(([letter]) => letter)
    .join('');
}

function optionBytes(fields: Partial<SegmentFields>): Uint8Array {
  if (fields.options !== undefined) return fields.options;
  const list: (number | Uint8Array)[] = [];
  if (fields.mss !== undefined) list.push(2, 4, u16(fields.mss));
  if (fields.sackOk) list.push(1, 1, 4, 2);
  if (fields.ts !== undefined) list.push(1, 1, 8, 10, u32(fields.ts[0] >>> 0), u32(fields.ts[1] >>> 0));
  if (fields.wscale !== undefined) list.push(1, 3, 3, fields.wscale);
  if (fields.sack !== undefined && fields.sack.length > 0) {
    list.push(1, 1, 5, 2 + 8 * fields.sack.length);
    for (const [start, end] of fields.sack) list.push(u32(start >>> 0), u32(end >>> 0));
  }
  return bytes(...list);
}

const ETHERNET = 14;
const IP = 20;

/** An Ethernet frame with a TCP segment in it, all checksums right. Written in place: the fuzzer makes many. */
export function tcpFrame(
  src: IpAddress,
  sport: number,
  dst: IpAddress,
  dport: number,
  fields: Partial<SegmentFields>,
): Uint8Array {
  const options = optionBytes(fields);
  const data = fields.data ?? new Uint8Array(0);
  const length = 20 + options.length + data.length;
  const frame = new Uint8Array(ETHERNET + IP + length);
  const view = new DataView(frame.buffer);
  frame.set(OUR);
  frame.set(PEERS, 6);
  view.setUint16(12, 0x0800);
  writeIpv4(view, ETHERNET, IP + length, 0, 1, 0, 64, 6, src.a, dst.a);
  view.setUint16(ETHERNET + 10, checksum(view, ETHERNET, IP));
  const at = ETHERNET + IP;
  view.setUint16(at, sport);
  view.setUint16(at + 2, dport);
  view.setInt32(at + 4, (fields.seq ?? 0) | 0);
  view.setInt32(at + 8, (fields.ack ?? 0) | 0);
  view.setUint16(at + 12, ((20 + options.length) << 10) | flagBits(fields.flags ?? 'A'));
  view.setUint16(at + 14, fields.win ?? 65535);
  view.setUint16(at + 18, fields.urg ?? 0);
  frame.set(options, at + 20);
  frame.set(data, at + 20 + options.length);
  const sum = pseudoHeader(src.a, dst.a, 6, length);
  view.setUint16(at + 16, complement(addRange(view, at, length, sum)));
  return frame;
}

export interface ParsedSegment extends Omit<SegmentFields, 'options'> {
  sport: number;
  dport: number;
}

/** Reads a segment the stack has sent; options that are absent are absent from the result, too. */
export function parseSegment(segment: Uint8Array): ParsedSegment {
  const view = new DataView(segment.buffer, segment.byteOffset, segment.byteLength);
  const headerLength = (segment[12] >> 4) * 4;
  const parsed: Partial<ParsedSegment> = {
    sport: view.getUint16(0),
    dport: view.getUint16(2),
    seq: view.getInt32(4),
    ack: view.getInt32(8),
    flags: flagLetters(segment[13]),
    win: view.getUint16(14),
    urg: view.getUint16(18),
    data: segment.slice(headerLength),
  };
  for (let at = 20; at < headerLength; ) {
    const kind = segment[at];
    if (kind === 0) break;
    if (kind === 1) {
      at++;
      continue;
    }
    const length = segment[at + 1];
    if (kind === 2) parsed.mss = view.getUint16(at + 2);
    else if (kind === 3) parsed.wscale = segment[at + 2];
    else if (kind === 4) parsed.sackOk = true;
    else if (kind === 8) parsed.ts = [view.getInt32(at + 2), view.getInt32(at + 6)];
    else if (kind === 5) {
      parsed.sack = Array.from({ length: (length - 2) / 8 }, (_, i): [number, number] => [
        view.getInt32(at + 2 + i * 8),
        view.getInt32(at + 6 + i * 8),
      ]);
    } else throw new Error(`the stack sent a TCP option of kind ${kind}`);
    at += length;
  }
  return parsed as ParsedSegment;
}
