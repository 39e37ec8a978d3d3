// Puts a frame of a transmit ring together: header and pieces, as they lie scattered in packet memory, copied into one row.
// For links that consume the ring in JavaScript.

import type { PacketMemory } from '../memory/packet-memory.js';
import { TX_HEADER_LENGTH, TX_HEADER_OFFSET, TX_PIECE, TX_PIECES } from './tx-ring.js';

/** Bytes of the frame whose descriptor begins at word `at`. */
export function frameLength(memory: PacketMemory, at: number): number {
  const words = memory.words;
  let length = words[at + TX_HEADER_LENGTH];
  for (let i = 0; i < TX_PIECES; i++) length = (length + words[at + TX_PIECE + i * 2 + 1]) | 0;
  return length;
}

/** Copies the frame to `to` in packet memory. */
export function gatherInto(memory: PacketMemory, at: number, to: number): void {
  const { words, bytes } = memory;
  const header = words[at + TX_HEADER_OFFSET];
  bytes.copyWithin(to, header, header + words[at + TX_HEADER_LENGTH]);
  let next = (to + words[at + TX_HEADER_LENGTH]) | 0;
  for (let i = 0; i < TX_PIECES; i++) {
    const offset = words[at + TX_PIECE + i * 2];
    const size = words[at + TX_PIECE + i * 2 + 1];
    if (size === 0) continue;
    bytes.copyWithin(next, offset, offset + size);
    next = (next + size) | 0;
  }
}

/** Copies the frame to the beginning of `target`, outside packet memory. */
export function gatherOut(memory: PacketMemory, at: number, target: Uint8Array): void {
  const { words, bytes } = memory;
  const header = words[at + TX_HEADER_OFFSET];
  target.set(bytes.subarray(header, header + words[at + TX_HEADER_LENGTH]));
  let next = words[at + TX_HEADER_LENGTH];
  for (let i = 0; i < TX_PIECES; i++) {
    const offset = words[at + TX_PIECE + i * 2];
    const size = words[at + TX_PIECE + i * 2 + 1];
    if (size === 0) continue;
    target.set(bytes.subarray(offset, offset + size), next);
    next += size;
  }
}
