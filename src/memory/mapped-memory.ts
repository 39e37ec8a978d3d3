// Parts of the packet memory that a program has to itself (sys.mmap), and from which MSG_ZEROCOPY sends by reference: runs of
// whole blocks, and chunks without bytes of their own that show part of a run, so that a send queue links them as any other.

import type { PacketMemory } from './packet-memory.js';

interface Run {
  /** Byte offset and number of its blocks. */
  readonly offset: number;
  readonly blocks: number;
  readonly length: number;
  /** Chunks that show part of it. */
  shown: number;
  mapped: boolean;
}

export class MappedMemory {
  readonly #memory: PacketMemory;
  readonly #blockSize: number;
  /** By each of its blocks. */
  readonly #runs = new Map<number, Run>();
  /** Chunks that show nothing, linked by `next`. */
  #free = 0;
  #mappedBlocks = 0;
  /** What received chunks take that programs have on loan (process-memory.ts). */
  lentBytes = 0;

  /** Its chunks are `count` from handle `first` on. */
  constructor(memory: PacketMemory, blockSize: number, first: number, count: number) {
    this.#memory = memory;
    this.#blockSize = blockSize;
    for (let chunk = first + count - 1; chunk >= first; chunk--) {
      memory.next[chunk] = this.#free;
      this.#free = chunk;
    }
  }

  /** `length` bytes, zero; null when there is no such run, or half of the packet memory is mapped. */
  map(length: number): Uint8Array<ArrayBuffer> | null {
    const memory = this.#memory;
    const blocks = Math.ceil(length / this.#blockSize);
    if (!this.mayHold(blocks * this.#blockSize)) return null;
    const offset = memory.takeRun(blocks);
    if (offset === 0) return null;
    this.#mappedBlocks += blocks;
    const run = { offset, blocks, length, shown: 0, mapped: true };
    for (let i = 0; i < blocks; i++) this.#runs.set(this.#blockAt(offset) + i, run);
    memory.bytes.fill(0, offset, offset + length);
    return new Uint8Array(memory.buffer, offset, length);
  }

  /** Whether programs may hold `more` bytes than they do, mapped and lent together: half of the packet memory is for queues. */
  mayHold(more: number): boolean {
    return this.#mappedBlocks * this.#blockSize + this.lentBytes + more <= this.#memory.capacity / 2;
  }

  /** Takes back what `map` gave, once nothing shows it any more. */
  unmap(bytes: Uint8Array): void {
    const run = this.#runs.get(this.#blockAt(bytes.byteOffset)) as Run;
    run.mapped = false;
    if (run.shown === 0) this.#giveBack(run);
  }

  /** Whether `bytes` lie in memory that is mapped, in one piece. */
  holds(bytes: Uint8Array): boolean {
    if (bytes.buffer !== this.#memory.buffer) return false;
    const run = this.#runs.get(this.#blockAt(bytes.byteOffset));
    return run?.mapped === true && bytes.byteOffset + bytes.length <= run.offset + run.length;
  }

  /** A chunk of the `count` bytes at `offset`, which are mapped; 0 if all chunks are in use. */
  show(offset: number, count: number): number {
    const chunk = this.#free;
    const run = this.#runs.get(this.#blockAt(offset));
    if (chunk === 0 || run === undefined) return 0;
    const memory = this.#memory;
    this.#free = memory.next[chunk];
    memory.next[chunk] = 0;
    memory.start[chunk] = offset;
    memory.end[chunk] = offset + count;
    run.shown++;
    return chunk;
  }

  /** Nothing refers to the chunk any more, the NIC neither (PacketMemory.free). */
  release(chunk: number): void {
    const memory = this.#memory;
    const run = this.#runs.get(this.#blockAt(memory.start[chunk])) as Run;
    memory.next[chunk] = this.#free;
    this.#free = chunk;
    if (--run.shown === 0 && !run.mapped) this.#giveBack(run);
  }

  #giveBack(run: Run): void {
    for (let i = 0; i < run.blocks; i++) this.#runs.delete(this.#blockAt(run.offset) + i);
    this.#mappedBlocks -= run.blocks;
    this.#memory.giveRun(run.offset, run.blocks);
  }

  /** Counts blocks from wherever the first begins. */
  #blockAt(offset: number): number {
    return Math.floor((offset - this.#memory.base) / this.#blockSize);
  }
}
