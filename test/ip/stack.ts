// A network layer to talk to frame by frame: a virtual clock, a seeded random source and a link whose other end is the test.

import { Host } from '../../src/core/host.js';
import { SeededRandom } from '../../src/core/random.js';
import { Ip } from '../../src/ip/ip.js';
import { type Link, type LinkReceiver, RX_WORDS } from '../../src/link/link.js';
import { TX_HEADER_LENGTH, TX_HEADER_OFFSET, TX_PIECE, TX_PIECES, TxRing } from '../../src/link/tx-ring.js';
import { PacketMemory } from '../../src/memory/packet-memory.js';
import { IpAddress } from '../../src/packet/address.js';
import { parseMac } from '../../src/packet/ethernet.js';
import { VirtualClock } from '../../src/time/clock.js';

export const OUR_MAC = '02:00:00:00:00:02';
export const OUR_ADDRESS = '10.0.0.2';
export const PEER_MAC = '02:00:00:00:00:01';
export const PEER_ADDRESS = '10.0.0.1';

/** What a frame's transmit descriptor said beside the bytes. */
export interface Sent {
  readonly bytes: Uint8Array;
  readonly csumStart: number;
  readonly csumOffset: number;
  readonly gsoSize: number;
  readonly flags: number;
}

/** A link without a NIC: `deliver` is the wire's side of receiving, `take` of sending. Checksums are left as they are. */
export class TestLink implements Link {
  readonly name = 'test0';
  readonly mtu: number;
  readonly mac = parseMac(OUR_MAC) as Uint8Array;
  readonly features: number;
  memory!: PacketMemory;
  tx!: TxRing;
  #receiver!: LinkReceiver;
  #arena = 0;
  readonly #slots: number;

  constructor(mtu = 1500, features = 0, slots = 256) {
    this.mtu = mtu;
    this.features = features;
    this.#slots = slots;
  }

  attach(receiver: LinkReceiver, memory: PacketMemory): void {
    this.memory = memory;
    this.#receiver = receiver;
    this.#arena = memory.region(1 << 18);
    this.tx = new TxRing(memory, this.#slots);
  }

  /** Lets frames arrive as one batch. */
  deliver(frames: readonly Uint8Array[], flags = 0, gsoSize = 0): void {
    const descriptors = new Int32Array(frames.length * RX_WORDS);
    let at = this.#arena;
    frames.forEach((frame, i) => {
      this.memory.bytes.set(frame, at);
      descriptors.set([at, frame.length, flags, gsoSize], i * RX_WORDS);
      at = (at + frame.length + 7) & ~3;
    });
    this.#receiver.receiveBatch(this, descriptors, frames.length);
    this.#receiver.flushDeferred();
  }

  /** Everything that was sent since the last call, as the wire would carry it but for checksums. */
  take(): Sent[] {
    const sent: Sent[] = [];
    for (let at = this.tx.front(); at >= 0; at = this.tx.front()) {
      const words = this.memory.words;
      const parts = [[words[at + TX_HEADER_OFFSET], words[at + TX_HEADER_LENGTH]]];
      for (let i = 0; i < TX_PIECES; i++)
        parts.push([words[at + TX_PIECE + i * 2], words[at + TX_PIECE + i * 2 + 1]]);
      const bytes = new Uint8Array(parts.reduce((sum, [, length]) => sum + length, 0));
      let to = 0;
      for (const [offset, length] of parts) {
        bytes.set(this.memory.bytes.subarray(offset, offset + length), to);
        to += length;
      }
      sent.push({
        bytes,
        csumStart: words[at + 8],
        csumOffset: words[at + 9],
        gsoSize: words[at + 10],
        flags: words[at + 11],
      });
      this.tx.shift();
    }
    return sent;
  }

  down(error: Error): void {
    this.#receiver.linkDown(this, error);
  }

  requestFlush(): void {}
  flush(): void {}
  close(): Promise<void> {
    return Promise.resolve();
  }
}

export interface TestStack {
  readonly clock: VirtualClock;
  readonly host: Host;
  readonly ip: Ip;
  readonly link: TestLink;
}

export interface TestStackOptions {
  mtu?: number;
  features?: number;
  slots?: number;
  address?: string;
  prefix?: number;
  memory?: number;
}

/** An Ip on a TestLink, 10.0.0.2/24. */
export function testStack(options: TestStackOptions = {}): TestStack {
  const clock = new VirtualClock();
  const host = new Host(clock, new PacketMemory(options.memory ?? 8 << 20), new SeededRandom(1));
  const ip = new Ip(host);
  const link = new TestLink(options.mtu, options.features, options.slots);
  ip.addInterface(link, address(options.address ?? OUR_ADDRESS), options.prefix ?? 24);
  return { clock, host, ip, link };
}

export function address(text: string): IpAddress {
  const parsed = IpAddress.parse(text);
  if (parsed === null) throw new Error(`${text} is not an IPv4 address`);
  return parsed;
}

/** Advances virtual time by milliseconds. */
export function pass(stack: TestStack, ms: number): void {
  stack.clock.advance(ms * 1000);
  stack.host.refresh();
}
