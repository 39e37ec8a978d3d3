// The link between a stack and a script: what leaves the stack is caught frame by frame with its time, cut to segments as a
// device with TSO would (GSO in software on a tun device), and what the script injects arrives as a batch of one.

import { frameLength, gatherOut } from '../../link/gather.js';
import {
  LINK_F_CSUM,
  LINK_F_ECN,
  LINK_F_TSO4,
  type Link,
  type LinkReceiver,
  RX_L4_OK,
  RX_WORDS,
} from '../../link/link.js';
import {
  type Doorbell,
  TX_ACCECN,
  TX_CSUM_OFFSET,
  TX_CSUM_START,
  TX_FLAGS,
  TX_GSO_SIZE,
  TX_GSO_TCP4,
  TX_IPV4_CSUM,
  TxRing,
} from '../../link/tx-ring.js';
import type { PacketMemory } from '../../memory/packet-memory.js';
import { ETH_HLEN } from '../../packet/ethernet.js';
import { fillIpv4, fillPartial } from '../../packet/frame-checksum.js';
import type { Clock } from '../../time/clock.js';
import { cutTso } from './cut-tso.js';

const ARENA = 1 << 17;
const SLOTS = 1024;

/** A frame that left the stack, checksums complete. */
export interface Caught {
  readonly bytes: Uint8Array;
  /** The clock's time. */
  readonly at: number;
}

export class ScriptLink implements Link, Doorbell {
  readonly name = 'tun0';
  readonly mtu: number;
  readonly mac = Uint8Array.of(0x02, 0x74, 0x61, 0x70, 0x01, 0x01);
  readonly features = LINK_F_CSUM | LINK_F_TSO4 | LINK_F_ECN;
  /** Frames caught and not yet looked at. */
  readonly caught: Caught[] = [];
  /** Told of each frame as it leaves. */
  onFrame: ((frame: Caught) => void) | null = null;

  readonly #clock: Clock;
  #memory: PacketMemory | null = null;
  #tx: TxRing | null = null;
  #receiver: LinkReceiver | null = null;
  #arena = 0;
  #flushWanted = false;
  readonly #descriptor = new Int32Array(RX_WORDS);

  constructor(clock: Clock, mtu: number) {
    this.#clock = clock;
    this.mtu = mtu;
  }

  get tx(): TxRing {
    if (this.#tx === null) throw new Error(`${this.name} is not attached to a stack yet`);
    return this.#tx;
  }

  attach(receiver: LinkReceiver, memory: PacketMemory): void {
    if (this.#tx !== null) throw new Error(`${this.name} is attached to a stack already`);
    this.#receiver = receiver;
    this.#memory = memory;
    this.#arena = memory.region(ARENA);
    this.#tx = new TxRing(memory, SLOTS, this);
  }

  /** A frame was committed. */
  ring(): void {
    const memory = this.#memory as PacketMemory;
    const at = this.tx.front();
    const { words } = memory;
    const bytes = new Uint8Array(frameLength(memory, at));
    gatherOut(memory, at, bytes);
    const flags = words[at + TX_FLAGS];
    const gsoSize = words[at + TX_GSO_SIZE];
    const start = words[at + TX_CSUM_START];
    const offset = words[at + TX_CSUM_OFFSET];
    this.tx.shift();
    if ((flags & TX_GSO_TCP4) !== 0) {
      for (const segment of cutTso(bytes, gsoSize, (flags & TX_ACCECN) !== 0)) this.#catch(segment);
      return;
    }
    const view = new DataView(bytes.buffer);
    if ((flags & TX_IPV4_CSUM) !== 0) fillIpv4(view, ETH_HLEN);
    if (start !== 0) fillPartial(view, 0, bytes.length, start, offset);
    this.#catch(bytes);
  }

  #catch(bytes: Uint8Array): void {
    const frame = { bytes, at: this.#clock.now() };
    this.caught.push(frame);
    this.onFrame?.(frame);
  }

  /** A frame arrives, with the NIC's verdict on it. What it wakes runs afterwards; then `settled` must be called. */
  inject(frame: Uint8Array, verdict = RX_L4_OK): void {
    const memory = this.#memory as PacketMemory;
    memory.bytes.set(frame, this.#arena);
    this.#descriptor.set([this.#arena, frame.length, verdict, 0]);
    this.#flushWanted = true;
    this.#receiver?.receiveBatch(this, this.#descriptor, 1);
  }

  /** The moment's programs have run: what was put off goes out. True if there was something to do. */
  settled(): boolean {
    if (!this.#flushWanted) return false;
    this.#flushWanted = false;
    this.#receiver?.flushDeferred();
    return true;
  }

  requestFlush(): void {
    this.#flushWanted = true;
  }

  flush(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }
}
