// One end of a cable: the NIC of a stack, checksums and all, or a port that hands its frames to a switch or router.

import type { LinkReceiver } from '../link/link.js';
import { MemoryNic } from '../link/memory-nic.js';
import { TX_CSUM_OFFSET, TX_CSUM_START, TX_FLAGS, TX_IPV4_CSUM } from '../link/tx-ring.js';
import type { PacketMemory } from '../memory/packet-memory.js';
import { ETH_HLEN } from '../packet/ethernet.js';
import { fillIpv4, fillPartial } from '../packet/frame-checksum.js';
import type { Alarm, Clock } from '../time/clock.js';
import type { Pipe } from './pipe.js';

const SLOTS = 256;
const BLOCK = 1 << 18;

/** One end of a cable: the link of a stack, or a port of a switch or router. */
export class CableEnd extends MemoryNic {
  /** `cable0.a` */
  readonly name: string;
  /** Largest IP packet in bytes. */
  readonly mtu: number;
  /** Ethernet address of this end, 6 bytes: 02:6c:61:62 and its number in the lab. */
  readonly mac: Uint8Array;
  /** No LINK_F_* bit: checksums are whole, and no frame is larger than the MTU allows. */
  readonly features = 0;
  readonly #clock: Clock;
  readonly #pipe: Pipe;
  #closed = false;
  #onFrame: ((frame: Uint8Array) => void) | null = null;
  readonly #flushAlarm: Alarm = { onAlarm: () => this.receiver?.flushDeferred() };

  /** Made by its cable. */
  constructor(clock: Clock, name: string, mtu: number, station: number, pipe: Pipe) {
    super(SLOTS, BLOCK);
    this.#clock = clock;
    this.name = name;
    this.mtu = mtu;
    this.mac = Uint8Array.of(0x02, 0x6c, 0x61, 0x62, station >> 8, station & 255);
    this.#pipe = pipe;
  }

  /** Frames that arrive go to `onFrame`: the end is a port of a device now. */
  plug(onFrame: (frame: Uint8Array) => void): void {
    this.#mustBeFree();
    this.#onFrame = onFrame;
  }

  /** A device sends. */
  send(frame: Uint8Array): void {
    if (!this.#closed) this.#pipe.send(frame);
  }

  override attach(receiver: LinkReceiver, memory: PacketMemory): void {
    this.#mustBeFree();
    super.attach(receiver, memory);
  }

  #mustBeFree(): void {
    if (this.receiver !== null || this.#onFrame !== null) throw new Error(`${this.name} is in use already`);
  }

  /** The stack has committed a frame. */
  ring(): void {
    const { words } = this;
    const at = this.tx.front();
    const bytes = this.frameAt(at);
    const view = new DataView(bytes.buffer);
    const start = words[at + TX_CSUM_START];
    if ((words[at + TX_FLAGS] & TX_IPV4_CSUM) !== 0) fillIpv4(view, ETH_HLEN);
    if (start !== 0) fillPartial(view, 0, bytes.length, start, words[at + TX_CSUM_OFFSET]);
    this.tx.shift();
    this.send(bytes);
  }

  /** Frames come out of the cable. */
  receive(frames: readonly Uint8Array[]): void {
    if (this.#closed) return;
    if (this.#onFrame !== null) for (const frame of frames) this.#onFrame(frame);
    if (this.receiver === null) return;
    for (const frame of frames) this.put(frame);
    this.submit();
    this.requestFlush();
  }

  /** Due at this very moment, after the programs that the frames have woken. */
  requestFlush(): void {
    this.#clock.setAlarm(this.#flushAlarm, this.#clock.now());
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#clock.cancelAlarm(this.#flushAlarm);
    return Promise.resolve();
  }
}
