// One end of a cable: the NIC of a stack, checksums and all, or a port that hands its frames to a switch or router.

import { frameLength, gatherOut } from '../link/gather.js';
import {
  type Link,
  type LinkReceiver,
  RX_IP_BAD,
  RX_L4_BAD,
  RX_L4_NONE,
  RX_L4_OK,
  RX_WORDS,
} from '../link/link.js';
import {
  type Doorbell,
  TX_CSUM_OFFSET,
  TX_CSUM_START,
  TX_FLAGS,
  TX_IPV4_CSUM,
  TxRing,
} from '../link/tx-ring.js';
import type { PacketMemory } from '../memory/packet-memory.js';
import { ETH_HLEN } from '../packet/ethernet.js';
import {
  fillIpv4,
  fillPartial,
  L4_BAD,
  L4_OK,
  verifyIpv4,
  verifyTransport,
} from '../packet/frame-checksum.js';
import type { Alarm, Clock } from '../time/clock.js';
import type { Pipe } from './pipe.js';

const SLOTS = 256;
const ARENA = 1 << 18;
const BATCH = 64;

/** One end of a cable: the link of a stack, or a port of a switch or router. */
export class CableEnd implements Link, Doorbell {
  /** `cable0.a` */
  readonly name: string;
  readonly mtu: number;
  readonly mac: Uint8Array;
  readonly features = 0;
  readonly #clock: Clock;
  readonly #pipe: Pipe;
  #tx: TxRing | null = null;
  #memory: PacketMemory | null = null;
  #receiver: LinkReceiver | null = null;
  #arena = 0;
  #closed = false;
  #onFrame: ((frame: Uint8Array) => void) | null = null;
  readonly #descriptors = new Int32Array(BATCH * RX_WORDS);
  readonly #flushAlarm: Alarm = { onAlarm: () => this.#receiver?.flushDeferred() };

  /** Made by its cable. */
  constructor(clock: Clock, name: string, mtu: number, station: number, pipe: Pipe) {
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

  get tx(): TxRing {
    if (this.#tx === null) throw new Error(`${this.name} is not attached to a stack yet`);
    return this.#tx;
  }

  attach(receiver: LinkReceiver, memory: PacketMemory): void {
    this.#mustBeFree();
    this.#receiver = receiver;
    this.#memory = memory;
    this.#arena = memory.region(ARENA);
    this.#tx = new TxRing(memory, SLOTS, this);
  }

  #mustBeFree(): void {
    if (this.#tx !== null || this.#onFrame !== null) throw new Error(`${this.name} is in use already`);
  }

  /** The stack has committed a frame. */
  ring(): void {
    const memory = this.#memory as PacketMemory;
    const at = this.tx.front();
    const { words } = memory;
    const bytes = new Uint8Array(frameLength(memory, at));
    gatherOut(memory, at, bytes);
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
    if (this.#receiver === null) return;
    for (let from = 0; from < frames.length; ) from += this.#batch(this.#receiver, frames, from);
    this.requestFlush();
  }

  /** As many as the arena holds at once; how many that were. */
  #batch(receiver: LinkReceiver, frames: readonly Uint8Array[], from: number): number {
    const memory = this.#memory as PacketMemory;
    let at = this.#arena;
    let count = 0;
    while (count < BATCH && from + count < frames.length) {
      const bytes = frames[from + count];
      if (at + bytes.length > this.#arena + ARENA) break;
      memory.bytes.set(bytes, at);
      this.#descriptors.set([at, bytes.length, verdict(memory.view, at, bytes.length), 0], count * RX_WORDS);
      at = (at + bytes.length + 15) & ~15;
      count++;
    }
    receiver.receiveBatch(this, this.#descriptors, count);
    return count;
  }

  /** Due at this very moment, after the programs that the frames have woken. */
  requestFlush(): void {
    this.#clock.setAlarm(this.#flushAlarm, this.#clock.now());
  }

  flush(): void {}

  close(): Promise<void> {
    this.#closed = true;
    this.#clock.cancelAlarm(this.#flushAlarm);
    return Promise.resolve();
  }
}

function verdict(view: DataView, at: number, length: number): number {
  const transport = verifyTransport(view, at, length);
  const flags = transport === L4_OK ? RX_L4_OK : transport === L4_BAD ? RX_L4_BAD : RX_L4_NONE;
  return verifyIpv4(view, at, length) ? flags : flags | RX_IP_BAD;
}
