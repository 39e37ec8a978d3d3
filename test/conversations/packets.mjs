// Packets of the peer's below TCP: IPv4 headers, fragments and ICMP, and what our answers say that are not TCP. wire.py spells them in
// the same way.

import { pattern } from './frames.mjs';

const IP = 14;
const HEADER = 20;
const ICMP = 1;
const TCP = 6;
/** Addresses of a packet to us. */
export const ENDS = [10, 9, 1, 1, 10, 9, 0, 1];

/** The internet checksum. */
export function sum(view, from, to, start) {
  let total = start;
  for (let i = from; i + 1 < to; i += 2) total += view.getUint16(i);
  if ((to - from) % 2 !== 0) total += view.getUint8(to - 1) << 8;
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return ~total & 0xffff;
}

/**
 * A payload in a frame, or in those that `cuts` makes of it ([from, to, more]). `ip` may say tos, ttl, id, df, options and padding, and
 * what is wrong: version, words, protocol, longer (than it is) and spoilt (its checksum).
 */
export function framesIn(wire, protocol, payload, ip) {
  const options = ip.options ?? [];
  const header = HEADER + options.length;
  return (ip.cuts ?? [[0, payload.length, false]]).map(([from, to, more]) => {
    const body = payload.subarray(from, to);
    const frame = new Uint8Array(IP + header + body.length + (ip.padding ?? 0));
    const view = new DataView(frame.buffer, IP);
    const place = ip.cuts ? (more ? 0x2000 : 0) | (from >> 3) : (ip.df ?? true) ? 0x4000 : 0;
    frame.set([...wire.mac, 2, 0, 0, 0, 0, 1, 8, 0]);
    frame.set([((ip.version ?? 4) << 4) | (ip.words ?? header / 4), ip.tos ?? 0], IP);
    view.setUint16(2, header + body.length + (ip.longer ?? 0));
    view.setUint16(4, ip.id ?? 0);
    view.setUint16(6, place);
    frame.set([ip.ttl ?? 64, ip.protocol ?? protocol, 0, 0, ...ENDS, ...options], IP + 8);
    view.setUint16(10, sum(view, 0, header, 0) ^ (ip.spoilt ?? 0));
    frame.set(body, IP + header);
    return frame;
  });
}

/** An ARP packet's frame: `hw` is the last byte of its sender's Ethernet address, 0xff one of a group. */
export function arpFramesOf(
  { op, hw, sender, target, all, own, hardware = 1, protocol = 0x800, short = 0 },
  { mac },
) {
  const bytes = new Uint8Array(14 + 28 - short);
  const from = hw === 0xff ? [1, 0, 0, 0, 0, hw] : [2, 0, 0, 0, 0, hw];
  const words = (value) => [value >> 8, value & 255];
  const to = own ? from : op === 2 ? [...mac] : Array(6).fill(0);
  const packet = [
    ...words(hardware),
    ...words(protocol),
    6,
    4,
    ...words(op),
    ...from,
    ...sender.split('.'),
    ...to,
    ...target.split('.'),
  ];
  bytes.set([...(all ? Array(6).fill(0xff) : mac), ...from, 8, 6]);
  bytes.set(packet.slice(0, 28 - short), 14);
  return [bytes];
}

/** What an ARP packet of ours says, and to whom. */
export function arpText(frame) {
  const op = frame[21];
  return `arp ${op} ${frame.subarray(28, 32).join('.')} to ${frame.subarray(38, 42).join('.')} hw ${frame[37]} at ${frame[5]}`;
}

/** An error that quotes a segment of ours, or an echo request. */
export function icmpFramesOf({ type, code, rest = 0, quote, length = 0, spoilt = 0, ip = {} }, wire) {
  const body = quote === undefined ? pattern(0, length) : quoted(quote, wire);
  const bytes = new Uint8Array(8 + body.length);
  const view = new DataView(bytes.buffer);
  bytes.set([type, code]);
  view.setUint32(4, rest);
  bytes.set(body, 8);
  view.setUint16(2, sum(view, 0, bytes.length, 0) ^ spoilt);
  return framesIn(wire, ICMP, bytes, ip);
}

function quoted({ seq, size = 40, protocol = TCP, more = 0 }, wire) {
  const bytes = new Uint8Array(HEADER + 8 + more);
  const view = new DataView(bytes.buffer);
  bytes.set([0x45, 0]);
  view.setUint16(2, size);
  bytes.set([0x40, 0, 64, protocol, 0, 0, ...ENDS.slice(4), ...ENDS.slice(0, 4)], 6);
  view.setUint16(20, wire.port);
  view.setUint16(22, wire.peerPort);
  view.setUint32(24, wire.ours + 1 + seq);
  return bytes;
}

/** What a packet says that is not TCP. */
export function otherText(frame) {
  const view = new DataView(frame.buffer, frame.byteOffset + IP);
  const header = (view.getUint8(0) & 15) * 4;
  const length = view.getUint16(2) - header - 8;
  if (view.getUint8(9) !== ICMP) return `protocol ${view.getUint8(9)}`;
  const [type, code] = [view.getUint8(header), view.getUint8(header + 1)];
  const rest = view.getUint32(header + 4);
  const place = view.getUint16(6).toString(16);
  return `icmp ${type} ${code} rest ${rest}(${length}) tos ${view.getUint8(1)} place ${place} ttl ${view.getUint8(8)}`;
}
