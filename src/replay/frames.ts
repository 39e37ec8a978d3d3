// Frames in a journal: those received with their place in packet memory, because what is large stays where it is; those sent by
// their headers and a digest of what they carry.

import { frameLength } from '../link/gather.js';
import { RX_FLAGS, RX_GSO_SIZE, RX_LENGTH, RX_OFFSET, RX_WORDS } from '../link/link.js';
import {
  TX_CSUM_OFFSET,
  TX_CSUM_START,
  TX_FLAGS,
  TX_GSO_SIZE,
  TX_HEADER_LENGTH,
  TX_HEADER_OFFSET,
  TX_PIECE,
  TX_PIECES,
} from '../link/tx-ring.js';
import type { PacketMemory } from '../memory/packet-memory.js';
import { type ByteReader, type ByteWriter, digest } from './bytes.js';
import type { LargeReader, LargeWriter } from './large.js';

/** A batch as it was received. */
export function writeBatch(
  to: ByteWriter,
  large: LargeWriter,
  memory: PacketMemory,
  descriptors: Int32Array,
  count: number,
): void {
  to.unsigned(count);
  for (let at = 0; at < count * RX_WORDS; at += RX_WORDS) {
    const offset = descriptors[at + RX_OFFSET];
    to.unsigned(offset);
    to.unsigned(descriptors[at + RX_FLAGS]);
    to.unsigned(descriptors[at + RX_GSO_SIZE]);
    large.write(to, memory.bytes.subarray(offset, offset + descriptors[at + RX_LENGTH]));
  }
}

/** Puts the batch where it lay, and gives its descriptors. */
export function readBatch(from: ByteReader, large: LargeReader, memory: PacketMemory): Int32Array {
  const count = from.unsigned();
  const descriptors = new Int32Array(count * RX_WORDS);
  for (let at = 0; at < count * RX_WORDS; at += RX_WORDS) {
    const offset = from.unsigned();
    descriptors[at + RX_OFFSET] = offset;
    descriptors[at + RX_FLAGS] = from.unsigned();
    descriptors[at + RX_GSO_SIZE] = from.unsigned();
    const frame = large.read(from);
    if (offset + frame.length > memory.capacity) throw new RangeError('a frame lies outside packet memory');
    descriptors[at + RX_LENGTH] = frame.length;
    memory.bytes.set(frame, offset);
  }
  return descriptors;
}

/** What is compared of a frame that was committed last. */
export interface SentFrame {
  readonly link: number;
  readonly length: number;
  /** Offload flags, where the checksum begins and stands, and the size that the NIC cuts to. */
  readonly offload: string;
  /** As it lay in the ring, checksums perhaps not filled in. */
  readonly header: string;
  /** A digest of the rest. */
  readonly payload: string;
}

export function writeSent(to: ByteWriter, memory: PacketMemory, at: number, link: number): void {
  const { words, bytes } = memory;
  const length = frameLength(memory, at);
  to.unsigned(link);
  to.unsigned(length);
  to.unsigned(words[at + TX_FLAGS]);
  to.unsigned(words[at + TX_CSUM_START]);
  to.unsigned(words[at + TX_CSUM_OFFSET]);
  to.unsigned(words[at + TX_GSO_SIZE]);
  const header = words[at + TX_HEADER_OFFSET];
  to.block(bytes.subarray(header, header + words[at + TX_HEADER_LENGTH]));
  let carried = 0;
  for (let piece = at + TX_PIECE; piece < at + TX_PIECE + TX_PIECES * 2; piece += 2) {
    const offset = words[piece];
    if (words[piece + 1] > 0) carried = digest(bytes.subarray(offset, offset + words[piece + 1]), carried);
  }
  to.int32(carried);
}

export function readSent(from: ByteReader): SentFrame {
  const link = from.unsigned();
  const length = from.unsigned();
  const offload = [from.unsigned(), from.unsigned(), from.unsigned(), from.unsigned()].join(',');
  const header = [...from.block()].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return { link, length, offload, header, payload: (from.int32() >>> 0).toString(16) };
}
