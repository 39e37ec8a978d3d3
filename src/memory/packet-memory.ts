// The one buffer that everything a NIC may touch lives in: receive blocks, transmit rings, socket queues. Because it is
// one ArrayBuffer, payload moves by `copyWithin` or stays where it was received, and is transmitted by reference, without a
// view per segment. Regions for links are carved from the front; blocks are taken from the end, each one large, four middle,
// 17 small or 68 tiny chunks.

import { Limbo } from './limbo.js';
import { MappedMemory } from './mapped-memory.js';

const PAGE = 4096;
/** Chunks begin at multiples of this; handles count them. */
const UNIT = 1024;
/** A block holds the largest frame a TAP can deliver (65535 + Ethernet + virtio headers) in one piece. */
const BLOCK_UNITS = 68;
const BLOCK = UNIT * BLOCK_UNITS;

/** Chunk sizes in bytes. */
export const CHUNK_TINY = UNIT;
export const CHUNK_SMALL = PAGE;
export const CHUNK_MIDDLE = PAGE * 4;
export const CHUNK_LARGE = BLOCK;

/** What a block is cut into; also the index of SIZES. */
const FREE = 0;
const SPLIT_SMALL = 1;
const SPLIT_MIDDLE = 2;
const WHOLE = 3;
const SPLIT_TINY = 4;
/** Lent to a NIC, which receives into it. */
const POSTED = 5;
/** A program has it to itself; and what the chunks count as that show mapped bytes (mapped-memory.ts). */
const MAPPED = 6;
const SIZES = Int32Array.of(0, CHUNK_SMALL, CHUNK_MIDDLE, CHUNK_LARGE, CHUNK_TINY, CHUNK_LARGE, 0);
/** One block's worth of handles for this many blocks is kept for chunks that show mapped bytes. */
const BLOCKS_PER_SHOWN = 16;

/** An ArrayBuffer whose end does not move, and that words fit into. */
function isFixed(memory: ArrayBuffer & { readonly resizable?: boolean }): boolean {
  return memory instanceof ArrayBuffer && memory.resizable !== true && memory.byteLength % 8 === 0;
}

/** Somebody whose allocation failed and who wants to hear when there is room again. */
export interface MemoryWaiter {
  memoryAvailable(): void;
}

/**
 * Fixed pool of packet memory. `next`, `start` and `end` are per-chunk links and payload bounds (byte offsets into
 * `bytes`), indexed by the chunk's handle; handles are positive, 0 means none.
 */
export class PacketMemory {
  readonly buffer: ArrayBuffer;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly words: Int32Array;
  readonly next: Int32Array;
  readonly start: Int32Array;
  readonly end: Int32Array;

  /** Bytes in chunks that are handed out. */
  used = 0;
  readonly capacity: number;
  readonly mapped: MappedMemory;
  /** Chunks from this handle on show mapped bytes and have none of their own. */
  readonly firstShown: number;
  /** Where block 0 would begin, were it all blocks. */
  readonly base: number;

  /** What was posted: where the list of each is, and how long. */
  readonly posted: { readonly list: number; readonly count: number }[] = [];
  #front = 64;
  /** Blocks from here on have been in use. */
  #fresh: number;
  readonly #freeBlocks: number[] = [];
  readonly #state: Uint8Array;
  readonly #live: Uint8Array;
  readonly #freeInBlock: Int32Array;
  readonly #partialNext: Int32Array;
  readonly #partialPrev: Int32Array;
  readonly #partialHead = new Int32Array(5).fill(-1);

  readonly #limbo: Limbo;
  readonly #waiters: MemoryWaiter[] = [];

  /**
   * @param memory Bytes of address space (pages are touched, and so resident, only when used), or a buffer to live in, which
   * nobody else may use as long as the stack lives.
   */
  constructor(memory: number | ArrayBuffer = 64 << 20) {
    const size = typeof memory === 'number' ? memory : memory.byteLength;
    if (!Number.isInteger(size) || size < 4 << 20 || size > 0x7fff0000) {
      throw new RangeError(`packet memory must be between 4 MiB and 2 GiB, not ${size} bytes`);
    }
    if (typeof memory !== 'number' && !isFixed(memory)) {
      throw new TypeError(
        'a buffer for packet memory must be an ArrayBuffer that cannot be resized, of a multiple of 8 bytes',
      );
    }
    this.buffer = typeof memory === 'number' ? new ArrayBuffer(size & ~(PAGE - 1)) : memory;
    this.bytes = new Uint8Array(this.buffer);
    this.view = new DataView(this.buffer);
    this.words = new Int32Array(this.buffer);
    this.capacity = this.buffer.byteLength;
    const blocks = Math.floor(this.capacity / BLOCK);
    this.base = this.capacity - blocks * BLOCK;
    this.#fresh = blocks;
    this.firstShown = blocks * BLOCK_UNITS + 1;
    const shownBlocks = Math.ceil(blocks / BLOCKS_PER_SHOWN);
    const handles = this.firstShown + shownBlocks * BLOCK_UNITS;
    this.next = new Int32Array(handles);
    this.#limbo = new Limbo(this.words, this.next);
    this.start = new Int32Array(handles);
    this.end = new Int32Array(handles);
    this.#state = new Uint8Array(blocks + shownBlocks).fill(MAPPED, blocks);
    this.#live = new Uint8Array(blocks);
    this.#freeInBlock = new Int32Array(blocks);
    this.#partialNext = new Int32Array(blocks);
    this.#partialPrev = new Int32Array(blocks);
    this.mapped = new MappedMemory(this, BLOCK, this.firstShown, shownBlocks * BLOCK_UNITS);
  }

  /** Carves a region for a link, aligned to `align` bytes. */
  region(size: number, align = 64): number {
    const at = (this.#front + align - 1) & ~(align - 1);
    if (at + size > this.base + this.#fresh * BLOCK)
      throw new Error(
        'a link must be attached before traffic fills the packet memory: its rings have no place',
      );
    if (at + size > this.capacity / 2) {
      throw new RangeError(
        `packet memory of ${this.capacity} bytes is too small for this link's rings (${size} bytes): create the stack with a larger \`memory\``,
      );
    }
    this.#front = at + size;
    // A buffer that served another stack before still has its rings in it.
    this.bytes.fill(0, at, at + size);
    return at;
  }

  /** Registers a transmit ring by the word index of its control block: chunks it may still refer to are not reused. */
  watchRing(ctrl: number): void {
    this.#limbo.watch(ctrl);
  }

  unwatchRing(ctrl: number): void {
    this.#limbo.unwatch(ctrl);
    this.reap();
  }

  /**
   * Lends `count` blocks to a NIC, which finds their offsets in the words from `list` on; fewer, with zeroes for the rest, if
   * memory is short. How many it is.
   */
  post(list: number, count: number): number {
    let lent = 0;
    for (let word = list; word < list + count; word++) {
      const block = this.#popBlock();
      this.words[word] = block < 0 ? 0 : this.#postBlock(block, word);
      if (block >= 0) lent++;
    }
    if (lent > 0) this.posted.push({ list, count });
    return lent;
  }

  #postBlock(block: number, word: number): number {
    this.#state[block] = POSTED;
    // Which word it stands in; nobody else uses the bounds of a chunk that holds no queue's bytes.
    this.start[block * BLOCK_UNITS + 1] = word;
    return (this.base + block * BLOCK) | 0;
  }

  /** Takes back what `post` lent; the NIC is closed. */
  unpost(list: number, count: number): void {
    for (let word = list; word < list + count; word++) {
      if (this.words[word] !== 0) this.#freeBlock(((this.words[word] - this.base) / BLOCK) | 0);
      this.words[word] = 0;
    }
  }

  /**
   * Keeps the posted block in which a frame was received: its chunk, empty, with another posted in its place. 0 if `offset` lies
   * in none, or there is no other. Only for a frame that is the last of its block, as one of half a block always is.
   */
  adopt(offset: number): number {
    const block = ((offset - this.base) / BLOCK) | 0;
    if (offset < this.base || this.#state[block] !== POSTED) return 0;
    const other = this.#popBlock();
    if (other < 0) return 0;
    const chunk = block * BLOCK_UNITS + 1;
    const word = this.start[chunk];
    this.words[word] = this.#postBlock(other, word);
    this.#state[block] = WHOLE;
    this.next[chunk] = 0;
    this.used = (this.used + CHUNK_LARGE) | 0;
    return chunk;
  }

  /** Takes `count` neighbouring blocks for a program to map: the first one's byte offset, or 0. */
  takeRun(count: number): number {
    let first = this.#freeRun(count);
    if (first < 0) {
      if (!this.#hasFresh(count)) return 0;
      this.#fresh -= count;
      first = this.#fresh;
    }
    this.#state.fill(MAPPED, first, first + count);
    this.used = (this.used + count * BLOCK) | 0;
    return (this.base + first * BLOCK) | 0;
  }

  #freeRun(count: number): number {
    const free = this.#freeBlocks.sort((a, b) => a - b);
    const at = free.findIndex((block, i) => free[i + count - 1] === block + count - 1);
    return at < 0 ? -1 : free.splice(at, count)[0];
  }

  giveRun(offset: number, count: number): void {
    const first = ((offset - this.base) / BLOCK) | 0;
    for (let block = first; block < first + count; block++) this.#freeBlock(block);
    this.used = (this.used - count * BLOCK) | 0;
  }

  /** A chunk of at least `wanted` bytes if that is at most CHUNK_LARGE, else a large one; 0 when memory is exhausted. */
  alloc(wanted: number): number {
    const kind = wanted <= CHUNK_SMALL ? SPLIT_SMALL : wanted <= CHUNK_MIDDLE ? SPLIT_MIDDLE : WHOLE;
    return this.#take(kind);
  }

  /** A chunk of CHUNK_TINY bytes, for the many that hold little; 0 when memory is exhausted. */
  allocTiny(): number {
    return this.#take(SPLIT_TINY);
  }

  #take(kind: number): number {
    const chunk = kind === WHOLE ? this.#allocWhole() : this.#allocSplit(kind);
    if (chunk === 0 && this.reap()) return this.#take(kind);
    if (chunk !== 0) {
      const at = this.offsetOf(chunk);
      this.next[chunk] = 0;
      this.start[chunk] = at;
      this.end[chunk] = at;
      this.used = (this.used + this.sizeOf(chunk)) | 0;
    }
    return chunk;
  }

  /** Byte offset of a chunk's first byte. */
  offsetOf(chunk: number): number {
    return (this.base + (chunk - 1) * UNIT) | 0;
  }

  /** Size of a chunk in bytes. */
  sizeOf(chunk: number): number {
    return SIZES[this.#state[((chunk - 1) / BLOCK_UNITS) | 0]];
  }

  /** Gives a chunk back. While a NIC may still be reading it, it waits in limbo for the ring to pass (a grace period). */
  free(chunk: number): void {
    if (this.#limbo.ringsIdle) {
      if (!this.#limbo.empty) this.reap();
      this.release(chunk);
    } else this.#limbo.put(chunk);
  }

  /** Releases chunks whose grace period is over; true if any came free. */
  reap(): boolean {
    let chunk = this.#limbo.take();
    const freed = chunk !== 0;
    for (; chunk !== 0; chunk = this.#limbo.take()) {
      while (chunk !== 0) {
        const next = this.next[chunk];
        this.release(chunk);
        chunk = next;
      }
    }
    return freed;
  }

  /** Asks for a call of `memoryAvailable` once a chunk comes free (from `notify`, never from inside `free`). */
  waitFor(waiter: MemoryWaiter): void {
    if (!this.#waiters.includes(waiter)) this.#waiters.push(waiter);
  }

  /** Tells those who wait for memory, if there is some; called at the end of a batch. */
  notify(): void {
    this.reap();
    if (this.#waiters.length === 0) return;
    if (this.#freeBlocks.length === 0 && !this.#hasFresh() && this.#partialHead[SPLIT_SMALL] < 0) return;
    for (const waiter of this.#waiters.splice(0)) waiter.memoryAvailable();
  }

  #allocWhole(): number {
    const block = this.#popBlock();
    if (block < 0) return 0;
    this.#state[block] = WHOLE;
    return block * BLOCK_UNITS + 1;
  }

  #popBlock(): number {
    if (this.#freeBlocks.length > 0) return this.#freeBlocks.pop() as number;
    return this.#hasFresh() ? --this.#fresh : -1;
  }

  #hasFresh(count = 1): boolean {
    return this.base + (this.#fresh - count) * BLOCK >= this.#front;
  }

  #freeBlock(block: number): void {
    this.#state[block] = FREE;
    this.#freeBlocks.push(block);
  }

  #allocSplit(kind: number): number {
    let block = this.#partialHead[kind];
    if (block < 0) {
      block = this.#popBlock();
      if (block < 0) return 0;
      this.#state[block] = kind;
      this.#live[block] = 0;
      const units = SIZES[kind] / UNIT;
      let chain = 0;
      for (let unit = (((BLOCK_UNITS / units) | 0) - 1) * units; unit >= 0; unit -= units) {
        const chunk = block * BLOCK_UNITS + unit + 1;
        this.next[chunk] = chain;
        chain = chunk;
      }
      this.#freeInBlock[block] = chain;
      this.#linkPartial(kind, block);
    }
    const chunk = this.#freeInBlock[block];
    this.#freeInBlock[block] = this.next[chunk];
    this.#live[block]++;
    if (this.#freeInBlock[block] === 0) this.#unlinkPartial(kind, block);
    return chunk;
  }

  /** Gives back a chunk that no NIC can be reading: no transmit descriptor referred to it since it was handed out. */
  release(chunk: number): void {
    this.used = (this.used - this.sizeOf(chunk)) | 0;
    const block = ((chunk - 1) / BLOCK_UNITS) | 0;
    const kind = this.#state[block];
    if (kind === WHOLE) this.#freeBlock(block);
    else if (kind === MAPPED) this.mapped.release(chunk);
    else this.#releaseSplit(chunk, block, kind);
  }

  #releaseSplit(chunk: number, block: number, kind: number): void {
    const wasFull = this.#freeInBlock[block] === 0;
    this.next[chunk] = this.#freeInBlock[block];
    this.#freeInBlock[block] = chunk;
    if (wasFull) this.#linkPartial(kind, block);
    if (--this.#live[block] === 0) {
      this.#unlinkPartial(kind, block);
      this.#freeBlock(block);
    }
  }

  #linkPartial(kind: number, block: number): void {
    const head = this.#partialHead[kind];
    this.#partialNext[block] = head;
    this.#partialPrev[block] = -1;
    if (head >= 0) this.#partialPrev[head] = block;
    this.#partialHead[kind] = block;
  }

  #unlinkPartial(kind: number, block: number): void {
    const next = this.#partialNext[block];
    const prev = this.#partialPrev[block];
    if (next >= 0) this.#partialPrev[next] = prev;
    if (prev >= 0) this.#partialNext[prev] = next;
    else this.#partialHead[kind] = next;
  }
}
