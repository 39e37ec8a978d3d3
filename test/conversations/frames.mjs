// The peer's side of the wire as the stack's link has it: a segment's frame, and what a frame of the stack says, in numbers that
// count from each side's first byte. kernel.py spells it in the same way.

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

/** The byte at offset i of a side's stream. */
const PATTERN = Uint8Array.from({ length: 1 << 21 }, (_, i) => {
  const at = i & 0xfffff;
  return at * 7 + (at >> 8) * 13;
});

export function pattern(from, length) {
  return PATTERN.subarray(from & 0xfffff, (from & 0xfffff) + length);
}

function sum(view, from, to, start) {
  let total = start;
  for (let i = from; i + 1 < to; i += 2) total += view.getUint16(i);
  if ((to - from) % 2 !== 0) total += view.getUint8(to - 1) << 8;
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return ~total & 0xffff;
}

const word = (n) => [(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];

function optionBytes({ mss, sackOk, scale, stamp, sack, flags }, wire) {
  const bytes = [];
  if (mss !== undefined) bytes.push(MSS, 4, mss >> 8, mss & 255);
  if (sackOk) bytes.push(NOP, NOP, SACK_OK, 2);
  if (scale !== undefined) bytes.push(NOP, SCALE, 3, scale);
  if (stamp !== undefined) {
    bytes.push(NOP, NOP, STAMP, 10, ...word(stamp), ...word(flags.includes('.') ? wire.stampSeen : 0));
  }
  if (sack)
    bytes.push(NOP, NOP, SACK, 2 + 8 * sack.length, ...sack.flat().flatMap((n) => word(wire.ours + 1 + n)));
  return bytes;
}

/**
 * `wire`: { mac, ours and theirs (initial sequence numbers), stampSeen (the last timestamp of ours), port and peerPort }. A SYN's
 * `seq` is its own place unless it says another.
 */
export function frameOf(segment, wire) {
  const { flags, seq, ack, length = 0, window, urgent = 0, tos = 0 } = segment;
  const options = optionBytes(segment, wire);
  const size = 20 + options.length + length;
  const bytes = new Uint8Array(TCP + size);
  const view = new DataView(bytes.buffer);
  bytes.set([...wire.mac, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, tos]);
  view.setUint16(IP + 2, 20 + size);
  bytes.set([0x40, 0, 64, 6, 0, 0, 10, 9, 1, 1, 10, 9, 0, 1], IP + 6);
  view.setUint16(IP + 10, sum(view, IP, TCP, 0));
  const bits = [...flags].reduce((all, flag) => all | FLAGS[flag], 0);
  const opens = segment.mss !== undefined && seq === 0;
  view.setUint16(TCP, wire.peerPort);
  view.setUint16(TCP + 2, wire.port);
  view.setUint32(TCP + 4, wire.theirs + (opens ? 0 : 1 + seq));
  view.setUint32(TCP + 8, bits & FLAGS['.'] ? wire.ours + 1 + ack : 0);
  view.setUint16(TCP + 12, ((5 + options.length / 4) << 12) | bits);
  view.setUint16(TCP + 14, window);
  view.setUint16(TCP + 18, urgent);
  bytes.set(options, TCP + 20);
  bytes.set(pattern(seq, length), TCP + 20 + options.length);
  view.setUint16(TCP + 16, sum(view, TCP, TCP + size, ~sum(view, IP + 12, TCP, 6 + size) & 0xffff));
  return bytes;
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
    } else texts.push(`option ${kind}`);
    at += length;
  }
  return texts;
}

/** What a frame of the stack's says, or null if it is no TCP segment; `wire` learns from it. */
export function textOf(frame, wire) {
  if (frame[IP + 9] !== 6 || frame[12] !== 8 || frame[13] !== 0) return null;
  const ip = new DataView(frame.buffer, frame.byteOffset + IP);
  const view = new DataView(frame.buffer, frame.byteOffset + TCP);
  const bits = view.getUint8(13);
  if (bits & FLAGS.S) wire.ours = view.getUint32(4);
  const flags = [...LETTERS].filter((letter) => bits & FLAGS[letter]).join('');
  const length = ip.getUint16(2) - 20 - (view.getUint8(12) >> 4) * 4;
  const texts = [`${flags} ${(view.getUint32(4) - wire.ours - 1) | 0}(${length})`];
  if (bits & FLAGS['.']) texts.push(`ack ${(view.getUint32(8) - wire.theirs - 1) | 0}`);
  if (view.getUint16(14) === 0 && !(bits & FLAGS.R)) texts.push('window 0');
  const ecn = ip.getUint8(1) & 3;
  return [...texts, ...optionTexts(view, wire), ...(ecn ? [`ecn ${ecn}`] : [])].join(' ');
}
