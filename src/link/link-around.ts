// A link around another one, in whose place the stack has it: everything passes through, in both directions. Whoever looks on (a
// capture, a recorder) overrides what it wants to see. A stack without one pays nothing: what is sent is seen from the ring's doorbell.

import type { PacketMemory } from '../memory/packet-memory.js';
import type { Link, LinkReceiver } from './link.js';
import type { NicStats } from './native-nic.js';
import type { Doorbell, TxRing } from './tx-ring.js';

export abstract class LinkAround implements Link, LinkReceiver, Doorbell {
  /** The link inside. */
  readonly link: Link;
  /** Of the stack, from `attach` on. */
  protected memory: PacketMemory | null = null;
  #receiver: LinkReceiver | null = null;
  /** The doorbell of a link that consumes its ring in JavaScript. */
  #inner: Doorbell | null = null;

  constructor(link: Link) {
    this.link = link;
  }

  /** That of the link inside. */
  get name(): string {
    return this.link.name;
  }

  get mtu(): number {
    return this.link.mtu;
  }

  get mac(): Uint8Array {
    return this.link.mac;
  }

  get features(): number {
    return this.link.features;
  }

  get runsPrograms(): boolean {
    return this.link.runsPrograms === true;
  }

  get tx(): TxRing {
    return this.link.tx;
  }

  attach(receiver: LinkReceiver, memory: PacketMemory): void {
    this.#receiver = receiver;
    this.memory = memory;
    this.link.attach(this, memory);
    this.#inner = this.link.tx.doorbell;
    this.link.tx.doorbell = this;
  }

  /** A frame was committed: the newest of the ring. Its bytes stay as they are until the NIC runs, later in this turn. */
  ring(): void {
    this.#inner?.ring();
  }

  /** Frames that came in, on their way to the stack. */
  receiveBatch(_link: Link, descriptors: Int32Array, count: number): void {
    this.#receiver?.receiveBatch(this, descriptors, count);
  }

  flushDeferred(): void {
    this.#receiver?.flushDeferred();
  }

  /** The link inside has ended; the stack hears of it. */
  linkDown(_link: Link, error: Error): void {
    this.#receiver?.linkDown(this, error);
  }

  requestFlush(): void {
    this.link.requestFlush();
  }

  flush(): void {
    this.link.flush();
  }

  takeIn(): boolean {
    return this.link.takeIn?.() ?? false;
  }

  /** Those of the link inside. */
  stats(): NicStats | undefined {
    return this.link.stats?.();
  }

  close(): Promise<void> {
    return this.link.close();
  }
}
