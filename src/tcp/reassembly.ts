// Segments that came out of order (tcp_sk.out_of_order_queue): runs of contiguous bytes, ascending and disjoint, and the
// SACK blocks that describe them, newest first (RFC 2018 section 4).

import { ByteQueue } from '../memory/byte-queue.js';
import type { PacketMemory } from '../memory/packet-memory.js';
import { after, before, notAfter } from './seq.js';

export interface Run {
  start: number;
  end: number;
  /** `end` counts a FIN after the bytes. */
  fin: boolean;
  readonly bytes: ByteQueue;
  /** Larger: touched more recently. */
  touched: number;
}

export class Reassembly {
  readonly runs: Run[] = [];
  /** Bytes held. */
  bytes = 0;
  /** What the last `insert` brought and was held already; equal: nothing. */
  knownStart = 0;
  knownEnd = 0;
  #memory: PacketMemory;
  #touch = 0;

  constructor(memory: PacketMemory) {
    this.#memory = memory;
  }

  /**
   * Takes in [seq, end) whose payload lies at `offset`. Bytes already held are kept and the new copy of them ignored;
   * `knownStart` and `knownEnd` tell the first such range. False: no memory, not all of it taken.
   */
  insert(seq: number, end: number, fin: boolean, offset: number): boolean {
    const runs = this.runs;
    let i = runs.length;
    while (i > 0 && after(runs[i - 1].start, seq)) i--;
    // i: first run that starts after seq. The one before may reach into or touch the new bytes.
    this.knownStart = seq;
    this.knownEnd = seq;
    let into: Run;
    if (i > 0 && !before(runs[i - 1].end, seq)) {
      into = runs[i - 1];
      into.touched = ++this.#touch;
      this.knownEnd = after(end, into.end) ? into.end : end;
      // What comes after a FIN is nothing.
      if (into.fin || !after(end, into.end)) return true;
    } else {
      into = { start: seq, end: seq, fin: false, bytes: new ByteQueue(this.#memory), touched: ++this.#touch };
      runs.splice(i++, 0, into);
    }
    const finished = this.#fill(into, i, seq, fin ? (end - 1) | 0 : end, offset);
    if (finished && fin && notAfter(into.end, (end - 1) | 0)) {
      into.end = end;
      into.fin = true;
    }
    if (into.start === into.end) runs.splice(runs.indexOf(into), 1);
    return finished;
  }

  /** Extends `into` to `end`, swallowing the runs from index `i` on that the new bytes reach. */
  #fill(into: Run, i: number, seq: number, end: number, offset: number): boolean {
    for (;;) {
      const next = this.runs[i] as Run | undefined;
      const reaches = next !== undefined && notAfter(next.start, end);
      const count = ((reaches ? next.start : end) - into.end) | 0;
      if (count > 0) {
        if (!into.bytes.appendFrom((offset + (into.end - seq)) | 0, count)) return false;
        this.bytes += count;
        into.end = (into.end + count) | 0;
      }
      if (!reaches) return true;
      if (this.knownStart === this.knownEnd && before(next.start, end)) {
        this.knownStart = next.start;
        this.knownEnd = before(next.end, end) ? next.end : end;
      }
      into.bytes.splice(next.bytes);
      into.end = next.end;
      into.fin = next.fin;
      this.runs.splice(i, 1);
      if (into.fin || !before(into.end, end)) return true;
    }
  }

  /** The first run, if the stream has reached it; the caller takes its bytes and says `shift`. */
  ready(rcvNxt: number): Run | null {
    const run = this.runs[0] as Run | undefined;
    return run !== undefined && notAfter(run.start, rcvNxt) ? run : null;
  }

  shift(): void {
    const run = this.runs.shift() as Run;
    this.bytes -= run.bytes.length;
  }

  /** Drops the run furthest ahead (tcp_prune_ofo_queue frees from the tail); false if there is none. */
  pruneLast(): boolean {
    const run = this.runs.pop();
    if (run === undefined) return false;
    this.bytes -= run.bytes.length;
    run.bytes.clear();
    return true;
  }

  /** Indices of runs, most recently touched first, at most `limit`: the order of SACK blocks. */
  recent(limit: number, into: Int32Array): number {
    let count = 0;
    let below = Infinity;
    while (count < limit && count < this.runs.length) {
      let best = -1;
      let bestTouch = -1;
      for (let i = 0; i < this.runs.length; i++) {
        const touched = this.runs[i].touched;
        if (touched < below && touched > bestTouch) {
          best = i;
          bestTouch = touched;
        }
      }
      if (best < 0) break;
      into[count++] = best;
      below = bestTouch;
    }
    return count;
  }

  clear(): void {
    for (const run of this.runs) run.bytes.clear();
    this.runs.length = 0;
    this.bytes = 0;
  }
}
