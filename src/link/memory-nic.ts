// The NIC of a link that lies in memory: a wire, a cable of the lab, a packet script's. A frame leaves the transmit ring as soon as
// it is committed; what arrives is copied into a block of packet memory and handed to the stack in batches.

import type { PacketMemory } from '../memory/packet-memory.js';
import { L4_BAD, L4_OK, verifyIpv4, verifyTransport } from '../packet/frame-checksum.js';
import { frameLength, gatherOut } from './gather.js';
import {
  type Link,
  type LinkReceiver,
  RX_IP_BAD,
  RX_L4_BAD,
  RX_L4_NONE,
  RX_L4_OK,
  RX_WORDS,
} from './link.js';
import { type Doorbell, TxRing } from './tx-ring.js';

/** Frames of one batch. */
const BATCH = 64;

export abstract class MemoryNic implements Link, Doorbell {
  abstract readonly name: string;
  abstract readonly mtu: number;
  abstract readonly mac: Uint8Array;
  abstract readonly features: number;
  /** The stack, from `attach` on. */
  protected receiver: LinkReceiver | null = null;
  readonly #slots: number;
  readonly #size: number;
  #memory: PacketMemory | null = null;
  #tx: TxRing | null = null;
  /** Where the block begins, and where in it the next frame goes. */
  #block = 0;
  #at = 0;
  #count = 0;
  readonly #descriptors = new Int32Array(BATCH * RX_WORDS);

  /** @param slots Of the transmit ring. @param size Bytes of the block that a batch is received into. */
  constructor(slots: number, size: number) {
    this.#slots = slots;
    this.#size = size;
  }

  get tx(): TxRing {
    if (this.#tx === null) throw new Error(`${this.name} is not attached to a stack yet`);
    return this.#tx;
  }

  /** Binds it to its stack, once only: makes the ring, and the block that frames are received into. */
  attach(receiver: LinkReceiver, memory: PacketMemory): void {
    if (this.#tx !== null) throw new Error(`${this.name} is attached to a stack already`);
    this.receiver = receiver;
    this.#memory = memory;
    this.#block = memory.region(this.#size);
    this.#at = this.#block;
    this.#tx = new TxRing(memory, this.#slots, this);
  }

  /** A frame was committed. */
  abstract ring(): void;

  /** The stack has put work off: `flushDeferred` is called when the moment's programs have run. */
  abstract requestFlush(): void;

  /** Nothing ever waits in the ring. */
  flush(): void {}

  /** What is on its way to it is lost; idempotent. */
  abstract close(): Promise<void>;

  /** Descriptors are words of this memory. */
  protected get words(): Int32Array {
    return (this.#memory as PacketMemory).words;
  }

  /** The oldest frame of the ring, whose descriptor begins at word `at`, in memory of its own. */
  protected frameAt(at: number): Uint8Array<ArrayBuffer> {
    const memory = this.#memory as PacketMemory;
    const bytes = new Uint8Array(frameLength(memory, at));
    gatherOut(memory, at, bytes);
    return bytes;
  }

  /** A frame has arrived; its checksums are verified here, and it is received with the batch that `submit` ends. */
  protected put(bytes: Uint8Array, flags = 0, gsoSize = 0): void {
    const at = this.#place(bytes);
    this.#describe(bytes, flags | verdictOn((this.#memory as PacketMemory).view, at, bytes.length), gsoSize);
  }

  /** A frame has arrived on which there is a verdict already: RX_* flags. */
  protected putVerified(bytes: Uint8Array, flags: number, gsoSize = 0): void {
    this.#place(bytes);
    this.#describe(bytes, flags, gsoSize);
  }

  /** The stack receives what was put. */
  protected submit(): void {
    const count = this.#count;
    this.#count = 0;
    this.#at = this.#block;
    if (count > 0) this.receiver?.receiveBatch(this, this.#descriptors, count);
  }

  /** Copies a frame to where there is room; where that is. */
  #place(bytes: Uint8Array): number {
    if (this.#count === BATCH || this.#at + bytes.length > this.#block + this.#size) this.submit();
    (this.#memory as PacketMemory).bytes.set(bytes, this.#at);
    return this.#at;
  }

  #describe(bytes: Uint8Array, flags: number, gsoSize: number): void {
    this.#descriptors.set([this.#at, bytes.length, flags, gsoSize], this.#count * RX_WORDS);
    this.#at = (this.#at + bytes.length + 15) & ~15;
    this.#count++;
  }
}

/** What a NIC says of a frame whose checksums it has verified. */
function verdictOn(view: DataView, at: number, length: number): number {
  const l4 = verifyTransport(view, at, length);
  const flags = l4 === L4_OK ? RX_L4_OK : l4 === L4_BAD ? RX_L4_BAD : RX_L4_NONE;
  return verifyIpv4(view, at, length) ? flags : flags | RX_IP_BAD;
}
