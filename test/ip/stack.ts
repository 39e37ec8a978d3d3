// A network layer to talk to frame by frame: a virtual clock, a seeded random source and a link whose other end is the test.

import { Host } from '../../src/core/host.js';
import { SeededRandom } from '../../src/core/random.js';
import { Ip } from '../../src/ip/ip.js';
import type { RxPacket } from '../../src/ip/rx-packet.js';
import { type Link, type LinkReceiver, RX_L4_BAD, RX_WORDS } from '../../src/link/link.js';
import {
  TX_CSUM_OFFSET,
  TX_CSUM_START,
  TX_FLAGS,
  TX_GSO_SIZE,
  TX_HEADER_LENGTH,
  TX_HEADER_OFFSET,
  TX_IPV4_CSUM,
  TX_PIECE,
  TX_PIECES,
  TxRing,
} from '../../src/link/tx-ring.js';
import { PacketMemory } from '../../src/memory/packet-memory.js';
import { IpAddress } from '../../src/packet/address.js';
import { parseMac } from '../../src/packet/ethernet.js';
import { formatFrame } from '../../src/packet/format.js';
import { fillIpv4, fillPartial } from '../../src/packet/frame-checksum.js';
import { VirtualClock } from '../../src/time/clock.js';
import { errnoName } from '../../src/uapi/errno.js';
import { arp, ethernet } from '../packet/build.js';

export const OUR_MAC = '02:00:00:00:00:02';
export const OUR_ADDRESS = '10.0.0.2';
export const PEER_MAC = '02:00:00:00:00:01';
export const PEER_ADDRESS = '10.0.0.1';

/** A frame as it is on the wire, and what its descriptor said. */
export interface Sent {
  readonly bytes: Uint8Array;
  readonly csumStart: number;
  readonly csumOffset: number;
  readonly gsoSize: number;
  readonly flags: number;
}

/** A link whose other end is the test: `deliver` is the wire's side of receiving, `take` of sending, checksums filled in. */
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

  /** Everything that was sent since the last call, as the wire would carry it. */
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
      const view = new DataView(bytes.buffer);
      const [csumStart, csumOffset] = [words[at + TX_CSUM_START], words[at + TX_CSUM_OFFSET]];
      if ((words[at + TX_FLAGS] & TX_IPV4_CSUM) !== 0) fillIpv4(view, 14);
      if (csumStart !== 0) fillPartial(view, 0, bytes.length, csumStart, csumOffset);
      sent.push({
        bytes,
        csumStart,
        csumOffset,
        gsoSize: words[at + TX_GSO_SIZE],
        flags: words[at + TX_FLAGS],
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

/** What the stack has sent since the last look, a line for each frame. */
export function heard(stack: TestStack): string[] {
  return stack.link.take().map((sent) => formatFrame(sent.bytes));
}

/** Says frames to the stack, as one batch, and returns what it answers. */
export function say(stack: TestStack, ...frames: Uint8Array[]): string[] {
  stack.link.deliver(frames);
  return heard(stack);
}

/** An IPv4 packet in a frame from the peer to us. */
export function fromPeer(packet: Uint8Array): Uint8Array {
  return ethernet(OUR_MAC, PEER_MAC, 0x0800, packet, 60);
}

/** Lets the stack learn the peer's Ethernet address, as a peer that asks for ours does. */
export function introduce(stack: TestStack, mac = PEER_MAC, ip = PEER_ADDRESS): void {
  say(
    stack,
    ethernet('ff:ff:ff:ff:ff:ff', mac, 0x0806, arp(1, mac, ip, '00:00:00:00:00:00', OUR_ADDRESS), 60),
  );
}

/** A counter by its names in snmp. */
export function counter(stack: TestStack, group: string, name: string): number {
  return stack.host.mib.snapshot()[group][name];
}

/** A transport that notes what reaches it. */
export class Notes {
  readonly packets: {
    from: string;
    to: string;
    payload: Uint8Array;
    bad: boolean;
    broadcast: boolean;
    tos: number;
  }[] = [];
  readonly errors: string[] = [];
  readonly #stack: TestStack;

  constructor(stack: TestStack, protocol: number) {
    this.#stack = stack;
    stack.ip.register(protocol, this);
  }

  receive(packet: RxPacket): void {
    this.packets.push({
      from: packet.src.toString(),
      to: packet.dst.toString(),
      payload: this.#stack.host.memory.bytes.slice(packet.transport, packet.transport + packet.length),
      bad: (packet.flags & RX_L4_BAD) !== 0,
      broadcast: packet.broadcast,
      tos: packet.tos,
    });
  }

  error(
    src: IpAddress,
    dst: IpAddress,
    transport: number,
    errno: number,
    fatal: boolean,
    type: number,
    code: number,
    info: number,
  ): void {
    const quoted = this.#stack.host.memory.view.getUint32(transport).toString(16);
    this.errors.push(
      `${src} > ${dst} ${quoted}: ${errnoName(errno)}${fatal ? ' fatal' : ''} ${type}/${code} ${info}`,
    );
  }
}

/** Sends `payload` with a protocol that has no checksum; what `Ip.send` returned, or the ring's -1. */
export function sendPlain(
  stack: TestStack,
  to: string,
  protocol: number,
  payload: Uint8Array,
  df = false,
): number {
  const route = stack.ip.route(address(to));
  if (route === null) throw new Error(`no route to ${to}`);
  const at = stack.ip.begin(route);
  if (at < 0) return -1;
  stack.host.memory.bytes.set(payload, at);
  return stack.ip.send(
    route,
    route.source,
    route.destination,
    protocol,
    payload.length,
    0,
    0,
    64,
    df,
    -1,
    0,
    0,
  );
}
