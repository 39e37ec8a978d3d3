// Puts frames into a capture as they are on the wire: checksums that the kernel or the NIC fills in later are filled in, in the
// copy. Captures around a link (pcap-link.ts) and captures of a running stack both record through here.

import type { PacketMemory } from '../memory/packet-memory.js';
import { ETH_HLEN } from '../packet/ethernet.js';
import { fillIpv4, fillPartial, fillTransport, L4_BAD, verifyTransport } from '../packet/frame-checksum.js';
import { frameLength, gatherOut } from './gather.js';
import { RX_FLAGS, RX_L4_OK, RX_LENGTH, RX_OFFSET } from './link.js';
import { INBOUND, OUTBOUND } from './pcapng.js';
import { TX_CSUM_OFFSET, TX_CSUM_START, TX_FLAGS, TX_GSO_TCP4, TX_IPV4_CSUM } from './tx-ring.js';

/** Where frames are put: a capture, or whoever keeps them for one. */
export interface FrameSink {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  reserve(length: number, time: number, direction: number, interface_: number): number;
  commit(): void;
}

/** Records a frame that was committed: `at` is the word index of its descriptor. `time`: Unix time in microseconds. */
export function recordSent(
  writer: FrameSink,
  memory: PacketMemory,
  at: number,
  time: number,
  interface_ = 0,
): void {
  const words = memory.words;
  const length = frameLength(memory, at);
  const to = writer.reserve(length, time, OUTBOUND, interface_);
  if (to < 0) return;
  const { bytes, view } = writer;
  gatherOut(memory, at, bytes.subarray(to, to + length));
  const flags = words[at + TX_FLAGS];
  const start = words[at + TX_CSUM_START];
  if ((flags & TX_IPV4_CSUM) !== 0) fillIpv4(view, to + ETH_HLEN);
  if (start !== 0) {
    // A frame is summed as the NIC will do it, right or wrong; a TSO frame, which no wire ever carries, as one segment.
    if ((flags & TX_GSO_TCP4) !== 0) fillTransport(view, to, length);
    else fillPartial(view, to, length, start, words[at + TX_CSUM_OFFSET]);
  }
  writer.commit();
}

/** Records a frame that came in: `at` is the index of its receive descriptor. */
export function recordReceived(
  writer: FrameSink,
  memory: PacketMemory,
  descriptors: Int32Array,
  at: number,
  time: number,
  interface_ = 0,
): void {
  const offset = descriptors[at + RX_OFFSET];
  const length = descriptors[at + RX_LENGTH];
  const to = writer.reserve(length, time, INBOUND, interface_);
  if (to < 0) return;
  const { bytes, view } = writer;
  bytes.set(memory.bytes.subarray(offset, offset + length), to);
  // The kernel hands over frames whose checksum it vouches for and has not computed.
  const vouched = (descriptors[at + RX_FLAGS] & RX_L4_OK) !== 0;
  if (vouched && verifyTransport(view, to, length) === L4_BAD) fillTransport(view, to, length);
  writer.commit();
}
