// One direction of a cable: a queue before a transmitter of some bandwidth, and then a wire of some delay that may lose, repeat,
// damage and overtake. All chance comes from one seeded source, drawn in one order.

import { below, type Random } from '../core/random.js';
import type { Alarm, Clock } from '../time/clock.js';
import { chance, LossModel } from './loss.js';
import { checkPipeOptions, type PipeOptions } from './pipe-options.js';
import { createQueue } from './queue.js';
import type { Queue } from './tail-drop.js';

/** What became of the frames of one direction. */
export interface PipeCounters {
  /** Given to it. */
  sent: number;
  /** Come out at the other end, copies included. */
  delivered: number;
  /** Lost by the wire. */
  lost: number;
  /** Dropped by the queue, full or impatient. */
  queueDropped: number;
  /** Marked by the queue (ECN) instead of being dropped. */
  marked: number;
  /** Lost because the cable was cut. */
  cut: number;
  /** Sent on twice. */
  duplicated: number;
  /** Held back, so that others could overtake them. */
  reordered: number;
  /** Damaged by one bit. */
  corrupted: number;
}

interface InFlight {
  readonly bytes: Uint8Array;
  readonly at: number;
}

/** An Ethernet frame on the wire: preamble, frame check sequence and gap take their time too. */
const WIRE_OVERHEAD = 24;

/** One direction of a cable: queue, bandwidth, delay, faults. */
export class Pipe implements Alarm {
  /** What it is like; may be changed while frames fly. */
  readonly options: PipeOptions;
  /** What became of the frames so far. */
  readonly counters: PipeCounters = {
    sent: 0,
    delivered: 0,
    lost: 0,
    queueDropped: 0,
    marked: 0,
    cut: 0,
    duplicated: 0,
    reordered: 0,
    corrupted: 0,
  };
  /** False while the cable is cut: what is sent is lost, what is on its way still arrives. */
  connected = true;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #loss: LossModel;
  readonly #queue: Queue;
  readonly #deliver: (frames: Uint8Array[]) => void;
  /** By time of arrival. */
  readonly #flying: InFlight[] = [];
  readonly #transmitter: Alarm = { onAlarm: () => this.#transmitted() };
  #transmitting: Uint8Array | null = null;
  #lastArrival = 0;

  constructor(clock: Clock, random: Random, options: PipeOptions, deliver: (frames: Uint8Array[]) => void) {
    checkPipeOptions(options);
    this.options = { ...options };
    this.#clock = clock;
    this.#random = random;
    this.#loss = new LossModel(random);
    this.#queue = createQueue(options.queue ?? {}, random);
    this.#deliver = deliver;
  }

  /** A frame to be sent. */
  send(bytes: Uint8Array): void {
    this.counters.sent++;
    if (!this.connected) {
      this.counters.cut++;
    } else if (this.options.bandwidth === undefined) {
      this.#onWire(bytes);
    } else {
      this.#queue.enqueue({ bytes, at: this.#clock.now() });
      if (this.#transmitting === null) this.#transmit();
      this.#tellQueue();
    }
  }

  #transmit(): void {
    const frame = this.#queue.dequeue(this.#clock.now());
    this.#transmitting = frame?.bytes ?? null;
    if (frame === null) return;
    const bits = (frame.bytes.length + WIRE_OVERHEAD) * 8;
    const bandwidth = this.options.bandwidth ?? Number.POSITIVE_INFINITY;
    this.#clock.setAlarm(this.#transmitter, this.#clock.now() + Math.ceil((bits / bandwidth) * 1e6));
  }

  #transmitted(): void {
    const bytes = this.#transmitting;
    if (bytes !== null) this.#onWire(bytes);
    this.#transmit();
    this.#tellQueue();
  }

  #tellQueue(): void {
    this.counters.queueDropped = this.#queue.dropped;
    this.counters.marked = this.#queue.marked;
  }

  #onWire(bytes: Uint8Array): void {
    const { loss = 0, duplicate = 0, reorder = 0, reorderUs = 1000, corrupt = 0 } = this.options;
    const { delayUs = 0, jitterUs = 0 } = this.options;
    const random = this.#random;
    const now = this.#clock.now();
    if (this.#loss.loses(loss)) {
      this.counters.lost++;
      return;
    }
    if (chance(random, corrupt)) {
      this.counters.corrupted++;
      bytes[below(random, bytes.length)] ^= 1 << below(random, 8);
    }
    const straight = now + delayUs + below(random, jitterUs + 1);
    const late = chance(random, reorder);
    if (late) this.counters.reordered++;
    // Jitter alone never lets one frame overtake another: a queue somewhere is what makes it.
    const at = late ? straight + reorderUs : Math.max(straight, this.#lastArrival);
    if (!late) this.#lastArrival = at;
    this.#fly({ bytes, at });
    if (chance(random, duplicate)) {
      this.counters.duplicated++;
      this.#fly({ bytes: bytes.slice(), at });
    }
  }

  #fly(frame: InFlight): void {
    const flying = this.#flying;
    let place = flying.length;
    while (place > 0 && flying[place - 1].at > frame.at) place--;
    flying.splice(place, 0, frame);
    if (place === 0) this.#clock.setAlarm(this, frame.at);
  }

  /** Frames are due at the other end. */
  onAlarm(): void {
    const now = this.#clock.now();
    let due = 0;
    while (due < this.#flying.length && this.#flying[due].at <= now) due++;
    const frames = this.#flying.splice(0, due);
    if (this.#flying.length > 0) this.#clock.setAlarm(this, this.#flying[0].at);
    this.counters.delivered += frames.length;
    if (frames.length > 0) this.#deliver(frames.map(({ bytes }) => bytes));
  }
}
