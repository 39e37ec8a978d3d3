// A link: where frames come from and go to. TAP, loopback, an in-memory wire and a capture wrapped around any of them all
// look like this to the stack above; the stack never knows which it has.

import type { PacketMemory } from '../memory/packet-memory.js';
import type { NicStats } from './native-nic.js';
import type { TxRing } from './tx-ring.js';

/** What the device does for the stack (netdev features). */
export const LINK_F_CSUM = 1; // fills in and verifies checksums, or does not need them
export const LINK_F_TSO4 = 2; // cuts IPv4 TCP segments of up to 64 KiB itself
export const LINK_F_LOOPBACK = 4; // frames come back to the sender; no Ethernet neighbours
export const LINK_F_ECN = 8; // TSO with CWR

/** Receive descriptor: four words each. */
export const RX_WORDS = 4;
export const RX_OFFSET = 0;
export const RX_LENGTH = 1;
export const RX_FLAGS = 2;
export const RX_GSO_SIZE = 3;

/** Receive flags: the NIC's verdict on a frame. */
export const RX_L4_OK = 1;
export const RX_L4_BAD = 2;
export const RX_IP_BAD = 4;
export const RX_L4_NONE = 8;
export const RX_GSO_TCP4 = 16;
export const RX_GSO_OTHER = 32;

/** The stack's side of a link. Frames lie in packet memory; `descriptors` has RX_WORDS words for each of `count` frames. */
export interface LinkReceiver {
  /** A batch of frames has arrived. Runs to completion; what it wakes runs as microtasks afterwards. */
  receiveBatch(link: Link, descriptors: Int32Array, count: number): void;
  /** The batch's microtasks are done, or the loop is about to block: send what was put off. */
  flushDeferred(): void;
  /** The device is gone or broken; nothing will be received or sent any more. */
  linkDown(link: Link, error: Error): void;
}

/** Where Ethernet frames come from and go to: a TAP device, a wire in memory, a capture around another link. */
export interface Link {
  /** The device's name: what `dev` of a route and SO_BINDTODEVICE mean. */
  readonly name: string;
  /** Largest IP packet in bytes. */
  readonly mtu: number;
  /** Our own Ethernet address, 6 bytes. */
  readonly mac: Uint8Array;
  /** LINK_F_* bits. */
  readonly features: number;
  /** Its batches come straight from the event loop: programs that are to be called back may run at the end of one. */
  readonly runsPrograms?: boolean;
  /** Where frames to be sent are put; there after `attach`. */
  readonly tx: TxRing;
  /** Binds the link to its stack: carves its rings out of the packet memory and starts receiving. Once only. */
  attach(receiver: LinkReceiver, memory: PacketMemory): void;
  /** The stack has put work off: call `flushDeferred` before the event loop blocks (or the virtual moment ends). */
  requestFlush(): void;
  /** Sends what is in the ring now. */
  flush(): void;
  /**
   * Receives what has arrived by now, where the event loop would only do so later. Programs that it wakes run after the callback that
   * this is called from, and what is put off waits for them. Whether anything was received. Not inside a callback of the link.
   */
  takeIn?(): boolean;
  /** The device's counters, where it has any. */
  stats?(): NicStats | undefined;
  /** Frees the device; idempotent. */
  close(): Promise<void>;
}
