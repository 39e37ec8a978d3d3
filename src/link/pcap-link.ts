// A capture around any link: it passes everything through and records what comes in and goes out, checksums as they are on
// the wire even where the kernel or the NIC fills them in.

import type { PacketMemory } from '../memory/packet-memory.js';
import { type Alarm, type Clock, RealClock } from '../time/clock.js';
import { recordReceived, recordSent } from './frame-recorder.js';
import { type Link, RX_WORDS } from './link.js';
import { LinkAround } from './link-around.js';
import { type PcapngTarget, PcapngWriter } from './pcapng.js';

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

/** A link that records what passes the one inside it. `capture` makes one. */
export class CaptureLink extends LinkAround implements Alarm {
  /** The file that is being written. */
  readonly writer: PcapngWriter;
  readonly #clock: Clock;
  #flushSet = false;

  /** Use `capture`. */
  constructor(link: Link, writer: PcapngWriter, clock: Clock) {
    super(link);
    this.writer = writer;
    this.#clock = clock;
  }

  override ring(): void {
    recordSent(this.writer, this.memory as PacketMemory, this.link.tx.back(), this.#now());
    super.ring();
  }

  override receiveBatch(link: Link, descriptors: Int32Array, count: number): void {
    const memory = this.memory as PacketMemory;
    for (let at = 0; at < count * RX_WORDS; at += RX_WORDS)
      recordReceived(this.writer, memory, descriptors, at, this.#now());
    super.receiveBatch(link, descriptors, count);
  }

  override linkDown(link: Link, error: Error): void {
    this.writer.flush();
    super.linkDown(link, error);
  }

  /** Closes the link, then the file. Rejects if not everything could be recorded. */
  override async close(): Promise<void> {
    this.#clock.cancelAlarm(this);
    await super.close();
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
