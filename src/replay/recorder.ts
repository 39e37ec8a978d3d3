// The recorder: writes down what enters a stack and in which order, each an event with what the stack asked of its clock, its randomness
// and its links meanwhile. It stands around the stack (recording-*.ts); nothing inside knows of it.

import type { Host } from '../core/host.js';
import type { Clock } from '../time/clock.js';
import { ByteWriter } from './bytes.js';
import {
  BACK,
  CONSTRUCT,
  END,
  FINISH_CLOSED,
  FINISH_FULL,
  METHOD,
  MOMENT,
  OUTCALL,
  RANDOM,
  RESUME,
  RETURN,
  TIME,
} from './format.js';
import type { JournalWriter } from './journal-writer.js';
import { Values } from './values.js';

/** A link of the recorded stack whose transmit ring a NIC empties while nobody looks. */
export interface Watched {
  noteTaken(): void;
}

export class Recorder {
  readonly values: Values;
  readonly links: Watched[] = [];
  /** Of the stack, once it is made. */
  host: Host | null = null;
  /** Told once, why it does not go on. */
  onEnd: (error: Error) => void = () => {};
  /** What `clock.recent` is for the stack. */
  recent: number;
  readonly #writer: JournalWriter;
  readonly #limit: number;
  readonly #clock: Clock;
  readonly #body = new ByteWriter();
  #live = true;
  /** Inside an event: what is asked for belongs to it, and what is called is the stack's own doing. */
  #inside = false;
  /** A blocking call goes on in this microtask; it says nothing when it has come to rest. */
  #resumed = false;
  #time = 0;
  #saidRecent: number;
  #saidUs = 0;

  constructor(writer: JournalWriter, limit: number, clock: Clock) {
    this.#writer = writer;
    this.values = new Values((bytes) => writer.data(bytes));
    this.#limit = limit;
    this.#clock = clock;
    this.recent = clock.recent;
    this.#saidRecent = this.recent;
    this.#time = this.recent;
  }

  get live(): boolean {
    return this.#live;
  }

  /** Whether what is asked for now belongs to an event. */
  get during(): boolean {
    return this.#live && (this.#inside || this.#resumed);
  }

  /** Runs `work`, which enters the stack: an event, unless the stack itself has come here. */
  event<T>(
    type: number,
    say: ((to: ByteWriter) => void) | null,
    work: () => T,
    outcome: ((to: ByteWriter, result: T) => void) | null = null,
  ): T {
    if (!this.#live || this.#inside) return work();
    if (!this.#begin(type, say)) return work();
    this.#inside = true;
    try {
      const result = work();
      this.#end(outcome === null ? null : (to) => outcome(to, result));
      return result;
    } catch (error) {
      // What a caller gets for wrong options is the same when it is done again; otherwise it is a program's, and none of the stack's.
      this.#end(type === METHOD || type === CONSTRUCT ? (to) => to.string(String(error)) : null);
      throw error;
    }
  }

  /** Programs may run inside the event that is going on: what they call are events again. */
  outcall<T>(why: number, work: () => T): T {
    if (!this.during) return work();
    const resumed = this.#resumed;
    this.record(OUTCALL, (to) => to.byte(why));
    this.#note();
    this.#inside = false;
    this.#resumed = false;
    try {
      return work();
    } finally {
      this.#rest();
      // Programs may have looked at the clock.
      this.#moment();
      this.#inside = !resumed;
      this.#resumed = resumed;
      this.record(BACK, null);
    }
  }

  /** A blocking call goes on when `promise` is resolved, in the microtask after the one that this adds. */
  resumes<T>(promise: Promise<T>, number: number): Promise<T> {
    const resume = (): void => {
      if (!this.#live || !this.#begin(RESUME, (to) => to.unsigned(number))) return;
      this.#resumed = true;
      queueMicrotask(() => this.#rest());
    };
    promise.then(resume, resume);
    return promise;
  }

  /** A call that slept has returned. */
  returned(say: (to: ByteWriter) => void): void {
    if (!this.#live) return;
    this.#rest();
    this.record(RETURN, say);
  }

  time(now: number): void {
    this.recent = now;
    if (!this.during) return;
    this.record(TIME, (to) => to.signed(now - this.#time));
    this.#time = now;
  }

  random(value: number): void {
    if (this.during) this.record(RANDOM, (to) => to.int32(value));
  }

  record(type: number, say: ((to: ByteWriter) => void) | null): void {
    if (!this.#live) return;
    const body = this.#body.clear();
    say?.(body);
    this.#writer.record(type, say === null ? null : body);
    if (this.#writer.error !== null) this.#stop(this.#writer.error);
  }

  /** The stack is closed. */
  finish(): void {
    if (!this.#live) return;
    this.#rest();
    this.#live = false;
    this.#writer.finish(FINISH_CLOSED);
  }

  #stop(error: Error): void {
    this.#live = false;
    this.onEnd(error);
  }

  #begin(type: number, say: ((to: ByteWriter) => void) | null): boolean {
    this.#rest();
    if (this.#writer.size > this.#limit) {
      this.#writer.finish(FINISH_FULL);
      this.#stop(
        new Error(
          `The journal ${this.#writer.path} is full after ${this.#writer.size} bytes; the session goes on unrecorded.`,
        ),
      );
      return false;
    }
    this.#moment();
    for (const link of this.links) link.noteTaken();
    this.record(type, say ?? nothing);
    return this.#live;
  }

  #end(say: ((to: ByteWriter) => void) | null): void {
    this.#inside = false;
    this.record(END, say);
    this.#note();
  }

  /** The blocking call that went on has come to rest, at latest now. */
  #rest(): void {
    if (!this.#resumed) return;
    this.#resumed = false;
    this.record(END, null);
    this.#note();
  }

  #note(): void {
    this.#saidRecent = this.recent;
    this.#saidUs = this.host?.nowUs ?? 0;
  }

  /** What others have made of the time since the last event: whoever looks into a running stack refreshes it, too. */
  #moment(): void {
    this.recent = Math.max(this.recent, this.#clock.recent);
    const us = this.host?.nowUs ?? 0;
    if (this.recent === this.#saidRecent && us === this.#saidUs) return;
    const { recent } = this;
    const ms = this.host?.nowMs ?? 0;
    this.record(MOMENT, (to) => {
      to.unsigned(recent);
      to.int32(us);
      to.int32(ms);
    });
  }
}

function nothing(): void {}
