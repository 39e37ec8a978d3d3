// The peer's side of the wire as the stack's link has it: a segment's frame, and what a frame of the stack says, in numbers that
// count from each side's first byte. wire.py spells it in the same way.

import { ENDS, framesIn, sum } from './packets.mjs';

const FLAGS = { F: 1, S: 2, R: 4, P: 8, '.': 16, U: 32, E: 64, W: 128 };
const LETTERS = 'SFRPUEW.';
const IP = 14;
const TCP = IP + 20;
const NOP = 1;
const MSS = 2;
const SCALE = 3;
const SACK_OK = 4;
const SACK = 5;
const STAMP = 8;
const FAST_OPEN = 34;
const EXPERIMENT = 254;
const MAGIC = [0xf9, 0x89];

/** The byte at offset i of a side's stream. */
const PATTERN = Uint8Array.from({ length: 1 << 21 }, (_, i) => {
  const at = i & 0xfffff;
  return at * 7 + (at >> 8) * 13;
});

export function pattern(from, length) {
  return PATTERN.subarray(from & 0xfffff, (from & 0xfffff) + length);
}

const word = (n) => [(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];

function optionBytes({ mss, sackOk, scale, stamp, sack, cookie, flags }, wire) {
  const bytes = [];
  if (mss !== undefined) bytes.push(MSS, 4, mss >> 8, mss & 255);
  if (sackOk) bytes.push(NOP, NOP, SACK_OK, 2);
  if (scale !== undefined) bytes.push(NOP, SCALE, 3, scale);
  if (stamp !== undefined) {
    bytes.push(NOP, NOP, STAMP, 10, ...word(stamp), ...word(flags.includes('.') ? wire.stampSeen : 0));
  }
  if (cookie) bytes.push(...cookieBytes(cookie, wire.jar.cookie));
  if (sack)
    bytes.push(NOP, NOP, SACK, 2 + 8 * sack.length, ...sack.flat().flatMap((n) => word(wire.ours + 1 + n)));
  return bytes;
}

/** A Fast Open cookie; `got`: the last that was heard. */
function cookieBytes({ kind, value }, got) {
  const bytes = value === 'got' ? got : value === 'bad' ? got.map((byte) => byte ^ 1) : value;
  const option =
    kind === EXPERIMENT ? [kind, 4 + bytes.length, ...MAGIC, ...bytes] : [kind, 2 + bytes.length, ...bytes];
  return [...Array((4 - (option.length % 4)) % 4).fill(NOP), ...option];
}

/** `jar`: what all peers share, the last cookie. */
export const newWire = (mac, theirs, port, peerPort, jar) => ({
  mac,
  jar,
  theirs,
  port,
  peerPort,
  ours: 0,
  stampSeen: 0,
});

/**
 * A segment's frames. `wire`: { mac, ours and theirs (initial sequence numbers), stampSeen (the last timestamp of ours),
 * port and peerPort }. A SYN's `seq` is its own place unless it says another.
 */
export function framesOf(segment, wire) {
  wire.theirs = (wire.theirs + (segment.rebase ?? 0)) >>> 0;
  const { flags, seq, ack, length = 0, window, urgent = 0 } = segment;
  const options = [...optionBytes(segment, wire), ...(segment.options ?? [])];
  const size = 20 + options.length + length;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  const bits = [...flags].reduce((all, flag) => all | FLAGS[flag], 0);
  const opens = segment.mss !== undefined && seq === 0;
  view.setUint16(0, wire.peerPort);
  view.setUint16(2, wire.port);
  view.setUint32(4, wire.theirs + (opens ? 0 : 1 + seq));
  view.setUint32(8, bits & FLAGS['.'] ? wire.ours + 1 + ack : 0);
  view.setUint16(12, ((segment.words ?? 5 + options.length / 4) << 12) | bits);
  view.setUint16(14, window);
  view.setUint16(18, urgent);
  bytes.set(options, 20);
  bytes.set(pattern(seq, length), 20 + options.length);
  const pseudo = new DataView(Uint8Array.of(...ENDS, 0, 6, size >> 8, size & 255).buffer);
  view.setUint16(16, sum(view, 0, size, ~sum(pseudo, 0, 12, 0) & 0xffff) ^ (segment.spoilt ? 0x100 : 0));
  return framesIn(wire, 6, bytes, segment.ip ?? {});
}

function optionTexts(view, wire) {
  const end = (view.getUint8(12) >> 4) * 4;
  const texts = [];
  for (let at = 20; at < end && view.getUint8(at) !== 0; ) {
    const kind = view.getUint8(at);
    if (kind === NOP) {
      at++;
      continue;
    }
    const length = view.getUint8(at + 1);
    if (kind === MSS) texts.push(`mss ${view.getUint16(at + 2)}`);
    else if (kind === SCALE) texts.push(`scale ${view.getUint8(at + 2)}`);
    else if (kind === SACK_OK) texts.push('sackOk');
    else if (kind === STAMP) {
      wire.stampSeen = view.getUint32(at + 2);
      texts.push(`echo ${view.getUint32(at + 6)}`);
    } else if (kind === SACK) {
      const edges = Array.from({ length: (length - 2) / 4 }, (_, i) => {
        return (view.getUint32(at + 2 + 4 * i) - wire.theirs - 1) | 0;
      });
      texts.push(`sack ${edges.join(' ')}`);
    } else if (kind === FAST_OPEN || kind === EXPERIMENT) {
      const from = kind === FAST_OPEN ? at + 2 : at + 4;
      const cookie = Array.from({ length: at + length - from }, (_, i) => view.getUint8(from + i));
      if (cookie.length > 0) wire.jar.cookie = cookie;
      texts.push(`cookie ${kind} ${cookie.join('.')}`);
    } else texts.push(`option ${kind}`);
    at += length;
  }
  return texts;
}

/** What is odd about an IP header: most have no TOS, 64 hops, DF, and some identification. */
function headerTexts(ip) {
  const texts = [];
  const tos = ip.getUint8(1);
  if (tos & 3) texts.push(`ecn ${tos & 3}`);
  if (tos & 0xfc) texts.push(`tos ${tos & 0xfc}`);
  if (ip.getUint8(8) !== 64) texts.push(`ttl ${ip.getUint8(8)}`);
  if (ip.getUint16(6) !== 0x4000) texts.push(`place ${ip.getUint16(6).toString(16)}`);
  if (ip.getUint16(4) === 0) texts.push('id 0');
  return texts;
}

/** What a segment of the stack's says; `wire` learns from it. */
export function textOf(frame, wire) {
  const ip = new DataView(frame.buffer, frame.byteOffset + IP);
  const view = new DataView(frame.buffer, frame.byteOffset + TCP);
  const bits = view.getUint8(13);
  if (bits & FLAGS.S) wire.ours = view.getUint32(4);
  const flags = [...LETTERS].filter((letter) => bits & FLAGS[letter]).join('');
  const length = ip.getUint16(2) - 20 - (view.getUint8(12) >> 4) * 4;
  const seq = view.getUint32(4) === 0 ? 'zero' : (view.getUint32(4) - wire.ours - 1) | 0;
  const texts = [`${flags} ${seq}(${length})`];
  if (bits & FLAGS['.']) texts.push(`ack ${(view.getUint32(8) - wire.theirs - 1) | 0}`);
  if (view.getUint16(14) === 0 && !(bits & FLAGS.R)) texts.push('window 0');
  if (bits & FLAGS.U) texts.push(`urgent ${view.getUint16(18)}`);
  return [...texts, ...optionTexts(view, wire), ...headerTexts(ip)].join(' ');
}
