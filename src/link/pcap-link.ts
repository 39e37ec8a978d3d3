// A capture around any link: it passes everything through and records what comes in and goes out, checksums as they are on
// the wire even where the kernel or the NIC fills them in. A stack without one pays nothing: it hangs on the ring's doorbell.

import type { PacketMemory } from '../memory/packet-memory.js';
import { CTRL_TX_HEAD } from '../memory/ring-control.js';
import { type Alarm, type Clock, RealClock } from '../time/clock.js';
import { recordReceived, recordSent } from './frame-recorder.js';
import { type Link, type LinkReceiver, RX_WORDS } from './link.js';
import { type PcapngTarget, PcapngWriter } from './pcapng.js';
import { type Doorbell, TX_WORDS, type TxRing } from './tx-ring.js';

/** What was recorded reaches the file at latest after this, so that a program that dies has a capture. */
const FLUSH_US = 1_000_000;

/**
 * Records everything that passes `link`, in both directions, as pcapng. Give the result to the stack in the link's place.
 * `clock` must be the stack's own where that is virtual. Closing it closes the link and the file.
 * @throws if the file cannot be made.
 */
export function capture(link: Link, target: PcapngTarget, clock: Clock = new RealClock()): CaptureLink {
  return new CaptureLink(link, new PcapngWriter(target, link.name), clock);
}

export class CaptureLink implements Link, LinkReceiver, Doorbell, Alarm {
  /** The link that is recorded. */
  readonly link: Link;
  readonly writer: PcapngWriter;
  readonly #clock: Clock;
  #memory: PacketMemory | null = null;
  #receiver: LinkReceiver | null = null;
  /** The doorbell of a link that consumes its ring in JavaScript. */
  #inner: Doorbell | null = null;
  #flushSet = false;

  constructor(link: Link, writer: PcapngWriter, clock: Clock) {
    this.link = link;
    this.writer = writer;
    this.#clock = clock;
  }

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
    this.#memory = memory;
    this.link.attach(this, memory);
    this.#inner = this.link.tx.doorbell;
    this.link.tx.doorbell = this;
  }

  /** A frame was committed: the newest of the ring. Its bytes stay as they are until the NIC runs, later in this turn. */
  ring(): void {
    const memory = this.#memory as PacketMemory;
    const tx = this.link.tx;
    const newest = (memory.words[tx.ctrl + CTRL_TX_HEAD] - 1) & (tx.slots - 1);
    recordSent(this.writer, memory, ((tx.descriptors >> 2) + newest * TX_WORDS) | 0, this.#now());
    this.#inner?.ring();
  }

  receiveBatch(_link: Link, descriptors: Int32Array, count: number): void {
    const memory = this.#memory as PacketMemory;
    for (let at = 0; at < count * RX_WORDS; at += RX_WORDS)
      recordReceived(this.writer, memory, descriptors, at, this.#now());
    this.#receiver?.receiveBatch(this, descriptors, count);
  }

  flushDeferred(): void {
    this.#receiver?.flushDeferred();
  }

  linkDown(_link: Link, error: Error): void {
    this.writer.flush();
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

  /** Closes the link, then the file. Rejects if not everything could be recorded. */
  async close(): Promise<void> {
    this.#clock.cancelAlarm(this);
    await this.link.close();
    this.writer.close();
    if (this.writer.error !== null) throw this.writer.error;
  }

  /** Writes out what was captured since; the clock calls it. */
  onAlarm(): void {
    this.#flushSet = false;
    this.writer.flush();
  }

  /** When a frame is recorded, which will be in the file before long. */
  #now(): number {
    const now = this.#clock.now();
    if (!this.#flushSet) {
      this.#flushSet = true;
      this.#clock.setAlarm(this, now + FLUSH_US);
    }
    return this.#clock.epoch + now;
  }
}
