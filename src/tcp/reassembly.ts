// Segments that came out of order (tcp_sk.out_of_order_queue): runs of contiguous bytes, ascending and disjoint, found by
// bisection; and the SACK blocks that describe the latest of them (RFC 2018 section 4), kept as they change.

import { ByteQueue, QUEUE_COMPACT } from '../memory/byte-queue.js';
import type { MemoryAccount } from '../memory/memory-account.js';
import { CHUNK_TINY, type PacketMemory } from '../memory/packet-memory.js';
import { TCP_MSS_DEFAULT } from './constants.js';
import { spaceFromWindow } from './scaling-ratio.js';
import { after, before, notAfter } from './seq.js';

/** TCP_SACK_BLOCKS_EXPECTED: as many blocks are sure to fit beside timestamps and a duplicate. */
export const SACK_BLOCKS_EXPECTED = 2;
/** TCP_NUM_SACKS */
const NUM_SACKS = 4;

export class Run {
  start: number;
  end: number;
  /** `end` counts a FIN after the bytes. */
  fin = false;
  readonly bytes: ByteQueue;
  /** What it weighs in the receive buffer (truesize). */
  charge = 0;

  constructor(seq: number, bytes: ByteQueue) {
    this.start = seq;
    this.end = seq;
    this.bytes = bytes;
  }

  /**
   * As much as in the receive queue, but never less than the memory: many tiny runs must not pass for little, not even those of
   * a bare FIN.
   */
  weigh(rcvMss: number): number {
    const charge = spaceFromWindow(rcvMss, this.bytes.length);
    const held = this.bytes.held;
    const least = held > CHUNK_TINY ? held : CHUNK_TINY;
    return charge > least ? charge : least;
  }
}

export class Reassembly {
  readonly runs: Run[] = [];
  /** Bytes held. */
  bytes = 0;
  /** What all runs weigh in the receive buffer. */
  charge = 0;
  /** What the last `insert` brought and was held already; equal: nothing. */
  knownStart = 0;
  knownEnd = 0;
  /** How many runs it made needless. */
  merged = 0;
  /** SACK blocks, newest first: how many, and their edges (tp->selective_acks). */
  sacks = 0;
  readonly sackStart = new Int32Array(NUM_SACKS);
  readonly sackEnd = new Int32Array(NUM_SACKS);
  readonly #memory: PacketMemory;
  readonly #account: MemoryAccount;
  /** Of the peer's segments when the first run came: what bytes are charged by. */
  readonly rcvMss: number;

  constructor(memory: PacketMemory, account: MemoryAccount, rcvMss = TCP_MSS_DEFAULT) {
    this.#memory = memory;
    this.#account = account;
    this.rcvMss = rcvMss;
  }

  /**
   * Takes in [seq, end) whose payload lies at `offset`. Bytes already held are kept and the new copy of them ignored;
   * `knownStart` and `knownEnd` tell the first such range. False: no memory, not all of it taken.
   */
  insert(seq: number, end: number, fin: boolean, offset: number): boolean {
    const runs = this.runs;
    let i = this.#firstAfter(seq);
    // The one before may reach into or touch the new bytes.
    this.knownStart = seq;
    this.knownEnd = seq;
    this.merged = 0;
    let into: Run;
    if (i > 0 && !before(runs[i - 1].end, seq)) {
      into = runs[i - 1];
      this.knownEnd = after(end, into.end) ? into.end : end;
      // What comes after a FIN is nothing.
      if (into.fin || !after(end, into.end)) {
        this.merged = 1;
        this.#noteSack(seq, end);
        return true;
      }
      // One that starts with the new bytes and is shorter gives way to them.
      if (into.start === seq) this.merged = 1;
    } else {
      into = new Run(seq, new ByteQueue(this.#memory, this.#account, QUEUE_COMPACT));
      if (i === runs.length) runs.push(into);
      else runs.splice(i, 0, into);
      i++;
    }
    const finished = this.#fill(into, i, seq, fin ? (end - 1) | 0 : end, offset);
    if (finished && fin && !into.fin && notAfter(into.end, (end - 1) | 0)) {
      into.end = end;
      into.fin = true;
    }
    if (into.start === into.end) runs.splice(i - 1, 1);
    if (finished) this.#noteSack(seq, end);
    return finished;
  }

  /** Index of the first run that starts after `seq`; mostly that is behind the last. */
  #firstAfter(seq: number): number {
    const runs = this.runs;
    let high = runs.length;
    if (high === 0 || !after(runs[high - 1].start, seq)) return high;
    let low = 0;
    high--;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (after(runs[middle].start, seq)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Extends `into` to `end`, swallowing the runs from index `first` on that the new bytes reach. */
  #fill(into: Run, first: number, seq: number, end: number, offset: number): boolean {
    let i = first;
    let finished = true;
    for (;;) {
      const next = this.runs[i] as Run | undefined;
      const reaches = next !== undefined && notAfter(next.start, end);
      const count = ((reaches ? next.start : end) - into.end) | 0;
      if (count > 0) {
        if (!into.bytes.appendFrom((offset + (into.end - seq)) | 0, count)) {
          finished = false;
          break;
        }
        this.bytes += count;
        into.end = (into.end + count) | 0;
      }
      if (!reaches) break;
      if (this.knownStart === this.knownEnd && before(next.start, end)) {
        this.knownStart = next.start;
        this.knownEnd = before(next.end, end) ? next.end : end;
      }
      if (!after(next.end, end) && before(next.start, end)) this.merged++;
      this.charge -= next.charge;
      into.bytes.splice(next.bytes);
      into.end = next.end;
      into.fin = next.fin;
      i++;
      if (into.fin || !before(into.end, end)) break;
    }
    if (i > first) this.runs.splice(first, i - first);
    this.#reweigh(into);
    return finished;
  }

  #reweigh(run: Run): void {
    const charge = run.weigh(this.rcvMss);
    this.charge += charge - run.charge;
    run.charge = charge;
  }

  /** Which block [start, end) would extend; `sacks`: none. */
  sackIndex(start: number, end: number): number {
    let at = 0;
    while (at < this.sacks && (after(start, this.sackEnd[at]) || after(this.sackStart[at], end))) at++;
    return at;
  }

  /** tcp_sack_new_ofo_skb: the block that [start, end) belongs to becomes the first. */
  #noteSack(start: number, end: number): void {
    const { sackStart, sackEnd } = this;
    let at = this.sackIndex(start, end);
    let from = start;
    let to = end;
    if (at < this.sacks) {
      if (before(sackStart[at], from)) from = sackStart[at];
      if (after(sackEnd[at], to)) to = sackEnd[at];
    } else if (at === NUM_SACKS) at--;
    else this.sacks++;
    for (; at > 0; at--) {
      sackStart[at] = sackStart[at - 1];
      sackEnd[at] = sackEnd[at - 1];
    }
    sackStart[0] = from;
    sackEnd[0] = to;
    this.#joinSacks();
  }

  /** tcp_sack_maybe_coalesce: the first block may have come to touch others. */
  #joinSacks(): void {
    const { sackStart, sackEnd } = this;
    for (let i = 1; i < this.sacks; ) {
      if (after(sackStart[i], sackEnd[0]) || after(sackStart[0], sackEnd[i])) {
        i++;
        continue;
      }
      if (before(sackStart[i], sackStart[0])) sackStart[0] = sackStart[i];
      if (after(sackEnd[i], sackEnd[0])) sackEnd[0] = sackEnd[i];
      this.#removeSack(i);
    }
  }

  #removeSack(at: number): void {
    this.sacks--;
    for (let i = at; i < this.sacks; i++) {
      this.sackStart[i] = this.sackStart[i + 1];
      this.sackEnd[i] = this.sackEnd[i + 1];
    }
  }

  /** tcp_sack_remove: the stream has come to `rcvNxt`, and blocks up to there are history. */
  forgetSacks(rcvNxt: number): void {
    for (let i = 0; i < this.sacks; ) {
      if (before(rcvNxt, this.sackStart[i])) i++;
      else this.#removeSack(i);
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
    this.charge -= run.charge;
  }

  /**
   * Drops about `goal` of what is held from the far end, but nothing before `seq`, where a new segment is to stand (the
   * walk of tcp_prune_ofo_queue). False: there was nothing to drop. The blocks that told of it are for the caller to forget.
   */
  pruneTail(goal: number, seq: number): boolean {
    const runs = this.runs;
    let left = goal;
    while (left > 0 && runs.length > 0) {
      const run = runs[runs.length - 1];
      if (after(seq, run.start)) break;
      const before = run.charge;
      const keep = run.bytes.length - ((left + 1) >> 1);
      if (keep > 0) {
        this.bytes -= run.bytes.length - keep;
        run.bytes.truncate(keep);
        run.end = (run.start + keep) | 0;
        run.fin = false;
        this.#reweigh(run);
        return true;
      }
      runs.pop();
      this.bytes -= run.bytes.length;
      this.charge -= before;
      run.bytes.clear();
      left -= before;
    }
    return left < goal;
  }

  /** tcp_sack_reset: what was promised to be here no longer is (RFC 2018 section 8 allows it). */
  resetSacks(): void {
    this.sacks = 0;
  }

  clear(): void {
    for (const run of this.runs) run.bytes.clear();
    this.runs.length = 0;
    this.bytes = 0;
    this.charge = 0;
    this.sacks = 0;
  }
}
