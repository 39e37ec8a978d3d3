// A queue of bytes over linked chunks of packet memory: a socket's send queue, receive queue or out-of-order run.
// Appending copies once into packet memory, or not at all what is there already; transmitting refers to the chunks; nothing is
// allocated per segment.

import { copyBytes } from './copy-bytes.js';
import type { MemoryAccount } from './memory-account.js';
import { CHUNK_LARGE, CHUNK_SMALL, CHUNK_TINY, type PacketMemory } from './packet-memory.js';

/** Below this a typed-array copy costs more than a loop, because the view it needs must be allocated. */
const LOOP_COPY = 64;

/** What a queue is for: to be transmitted from; */
export const QUEUE_SEND = 0;
/** to be read by the program, so that no NIC ever reads a chunk of it, and one that is given back can be used again at once; */
export const QUEUE_RECEIVE = 1;
/** the same, one of many that hold little: never much more memory than bytes. */
export const QUEUE_COMPACT = 2;

export class ByteQueue {
  readonly memory: PacketMemory;
  /** Bytes queued. */
  length = 0;
  /** Bytes of the chunks they stand in. */
  held = 0;
  head = 0;
  #tail = 0;
  // Where the last `seek` ended: output walks forward, so the next look-up starts here.
  #cursor = 0;
  #cursorAt = 0;

  readonly #account: MemoryAccount | null;
  readonly #sends: boolean;
  readonly #compact: boolean;

  /**
   * `account`: whom its chunks are charged to; `use`: QUEUE_*. Queues spliced together must have the same account, and both or
   * neither be QUEUE_SEND.
   */
  constructor(memory: PacketMemory, account: MemoryAccount | null = null, use = QUEUE_SEND) {
    this.memory = memory;
    this.#account = account;
    this.#sends = use === QUEUE_SEND;
    this.#compact = use === QUEUE_COMPACT;
  }

  #alloc(wanted: number): number {
    const memory = this.memory;
    let chunk = this.#compact && wanted <= 2 * CHUNK_TINY ? memory.allocTiny() : memory.alloc(wanted);
    if (chunk === 0 && wanted > CHUNK_SMALL) chunk = memory.alloc(CHUNK_SMALL);
    if (chunk === 0) return 0;
    const size = memory.sizeOf(chunk);
    this.held = (this.held + size) | 0;
    if (this.#account !== null) this.#account.charge(size);
    return chunk;
  }

  #free(chunk: number): void {
    const size = this.memory.sizeOf(chunk);
    this.held = (this.held - size) | 0;
    if (this.#sends) this.memory.free(chunk);
    else this.memory.release(chunk);
    if (this.#account !== null) this.#account.uncharge(size);
  }

  #room(more: number): number {
    const memory = this.memory;
    const tail = this.#tail;
    if (tail !== 0 && tail < memory.firstShown) {
      const room = (memory.offsetOf(tail) + memory.sizeOf(tail) - memory.end[tail]) | 0;
      if (room > 0) return room;
    }
    // Small sockets stay small: a first chunk fits what is there, later ones grow with the queue.
    const grown = this.#compact ? this.length >> 2 : this.length;
    const chunk = this.#alloc(more > grown ? more : grown);
    if (chunk === 0) return 0;
    if (tail === 0) this.head = chunk;
    else memory.next[tail] = chunk;
    this.#tail = chunk;
    return memory.sizeOf(chunk);
  }

  /** Appends bytes from the application's buffer; returns how many fitted (fewer only when memory is exhausted). */
  append(source: Uint8Array, from: number, count: number): number {
    const memory = this.memory;
    let done = 0;
    while (done < count) {
      const room = this.#room(count - done);
      if (room === 0) break;
      const part = room < count - done ? room : count - done;
      const at = memory.end[this.#tail];
      if (part <= LOOP_COPY) {
        copyBytes(memory.bytes, at, source, from + done, part);
      } else if (part === source.length) {
        memory.bytes.set(source, at);
      } else {
        memory.bytes.set(source.subarray(from + done, from + done + part), at);
      }
      memory.end[this.#tail] = at + part;
      done += part;
      this.length = (this.length + part) | 0;
    }
    return done;
  }

  /**
   * Appends bytes that are in packet memory already (a received payload): by copy, or, if they fill half of the block that the
   * NIC received them into, by keeping that block. False, and nothing changed, without memory.
   */
  appendFrom(offset: number, count: number): boolean {
    const memory = this.memory;
    if (count >= CHUNK_LARGE >> 1 && !this.#compact && this.#adopt(offset, count)) return true;
    const before = this.length;
    let done = 0;
    while (done < count) {
      const room = this.#room(count - done);
      if (room === 0) {
        this.truncate(before);
        return false;
      }
      const part = room < count - done ? room : count - done;
      const at = memory.end[this.#tail];
      memory.bytes.copyWithin(at, offset + done, offset + done + part);
      memory.end[this.#tail] = at + part;
      done += part;
      this.length = (this.length + part) | 0;
    }
    return true;
  }

  #adopt(offset: number, count: number): boolean {
    const memory = this.memory;
    const chunk = memory.adopt(offset);
    if (chunk === 0) return false;
    memory.start[chunk] = offset;
    memory.end[chunk] = offset + count;
    this.#link(chunk, count);
    this.held = (this.held + CHUNK_LARGE) | 0;
    if (this.#account !== null) this.#account.charge(CHUNK_LARGE);
    return true;
  }

  /**
   * Appends bytes that the program has mapped (sys.mmap), by reference: they must stay as they are while they are queued. For
   * queues that nothing is spliced to. False, and nothing changed, when there is no chunk to refer to them with.
   */
  appendMapped(offset: number, count: number): boolean {
    const chunk = this.memory.mapped.show(offset, count);
    if (chunk === 0) return false;
    this.#link(chunk, count);
    return true;
  }

  #link(chunk: number, count: number): void {
    if (this.#tail === 0) this.head = chunk;
    else this.memory.next[this.#tail] = chunk;
    this.#tail = chunk;
    this.length = (this.length + count) | 0;
  }

  /** Copies up to `count` bytes, starting `skip` bytes into the queue, to the application's buffer; returns how many. */
  copyTo(target: Uint8Array, to: number, count: number, skip: number): number {
    const memory = this.memory;
    const available = this.length - skip;
    let left = available < count ? available : count;
    if (left <= 0) return 0;
    const total = left;
    let chunk = this.head;
    let at = skip;
    while (at >= memory.end[chunk] - memory.start[chunk]) {
      at -= memory.end[chunk] - memory.start[chunk];
      chunk = memory.next[chunk];
    }
    while (left > 0) {
      const from = memory.start[chunk] + at;
      const part = memory.end[chunk] - from < left ? memory.end[chunk] - from : left;
      if (part <= LOOP_COPY) {
        copyBytes(target, to, memory.bytes, from, part);
      } else {
        target.set(memory.bytes.subarray(from, from + part), to);
      }
      to += part;
      left -= part;
      at = 0;
      chunk = memory.next[chunk];
    }
    return total;
  }

  /** Drops `count` bytes from the head. */
  drop(count: number): void {
    const memory = this.memory;
    let left = count;
    this.length = (this.length - count) | 0;
    while (left > 0) {
      const chunk = this.head;
      const size = memory.end[chunk] - memory.start[chunk];
      if (left < size) {
        memory.start[chunk] += left;
        break;
      }
      left -= size;
      this.head = memory.next[chunk];
      this.#free(chunk);
    }
    if (this.length === 0) this.clear();
    else if (this.#cursor !== 0) {
      this.#cursorAt = (this.#cursorAt - count) | 0;
      if (this.#cursorAt < 0) this.#cursor = 0;
    }
  }

  /** Bytes in the chunk at the head; the queue is not empty. */
  get headLength(): number {
    return (this.memory.end[this.head] - this.memory.start[this.head]) | 0;
  }

  /** How much of the first `limit` bytes stands before the first chunk of at least `size` bytes that lies in them whole. */
  before(size: number, limit: number): number {
    const memory = this.memory;
    let at = 0;
    for (let chunk = this.head; chunk !== 0 && at < limit; chunk = memory.next[chunk]) {
      const length = memory.end[chunk] - memory.start[chunk];
      if (length >= size && at + length <= limit) return at;
      at += length;
    }
    return at < limit ? at : limit;
  }

  /** Gives away the chunk at the head with what stands in it: it is charged to nobody here any more. */
  shiftChunk(): number {
    const memory = this.memory;
    const chunk = this.head;
    const length = this.headLength;
    const size = memory.sizeOf(chunk);
    this.head = memory.next[chunk];
    memory.next[chunk] = 0;
    this.held = (this.held - size) | 0;
    if (this.#account !== null) this.#account.uncharge(size);
    this.length = (this.length - length) | 0;
    this.#cursor = 0;
    if (this.head === 0) this.#tail = 0;
    return chunk;
  }

  /** Drops everything after the first `count` bytes. */
  truncate(count: number): void {
    if (count === 0) {
      this.clear();
      return;
    }
    const memory = this.memory;
    let chunk = this.head;
    let left = count;
    while (left > memory.end[chunk] - memory.start[chunk]) {
      left -= memory.end[chunk] - memory.start[chunk];
      chunk = memory.next[chunk];
    }
    memory.end[chunk] = memory.start[chunk] + left;
    let rest = memory.next[chunk];
    memory.next[chunk] = 0;
    this.#tail = chunk;
    this.#cursor = 0;
    while (rest !== 0) {
      const next = memory.next[rest];
      this.#free(rest);
      rest = next;
    }
    this.length = count;
  }

  /**
   * Moves all of `other` to the end of this queue. What is small and fits behind the last byte is copied there, so that a
   * queue put together from crumbs holds little more than its bytes (tcp_collapse); the rest is linked.
   */
  splice(other: ByteQueue): void {
    if (other.length === 0) return;
    if (other.length <= CHUNK_SMALL && this.#tail !== 0) {
      const { memory } = this;
      const tail = this.#tail;
      if (memory.offsetOf(tail) + memory.sizeOf(tail) - memory.end[tail] >= other.length) {
        for (let chunk = other.head; chunk !== 0; chunk = memory.next[chunk]) {
          memory.bytes.copyWithin(memory.end[tail], memory.start[chunk], memory.end[chunk]);
          memory.end[tail] += memory.end[chunk] - memory.start[chunk];
        }
        this.length = (this.length + other.length) | 0;
        other.clear();
        return;
      }
    }
    if (this.#tail === 0) this.head = other.head;
    else this.memory.next[this.#tail] = other.head;
    this.#tail = other.#tail;
    this.length = (this.length + other.length) | 0;
    this.held = (this.held + other.held) | 0;
    other.held = 0;
    other.head = 0;
    other.#tail = 0;
    other.#cursor = 0;
    other.length = 0;
  }

  clear(): void {
    if (this.#tail === 0) return;
    let chunk = this.head;
    while (chunk !== 0) {
      const next = this.memory.next[chunk];
      this.#free(chunk);
      chunk = next;
    }
    this.head = 0;
    this.#tail = 0;
    this.#cursor = 0;
    this.length = 0;
  }

  /** Chunk that holds byte `at` of the queue; `seekAt` then tells the queue offset of that chunk's first byte. */
  seek(at: number): number {
    const memory = this.memory;
    let chunk = this.#cursor;
    let base = this.#cursorAt;
    if (chunk === 0 || at < base) {
      chunk = this.head;
      base = 0;
    }
    let size = memory.end[chunk] - memory.start[chunk];
    while (at >= base + size) {
      base += size;
      chunk = memory.next[chunk];
      size = memory.end[chunk] - memory.start[chunk];
    }
    this.#cursor = chunk;
    this.#cursorAt = base;
    return chunk;
  }

  get seekAt(): number {
    return this.#cursorAt;
  }

  /** How much of [at, at+count) lies in at most `pieces` chunks: what one transmit descriptor can refer to. */
  contiguous(at: number, count: number, pieces: number): number {
    const memory = this.memory;
    let chunk = this.seek(at);
    let covered = memory.end[chunk] - memory.start[chunk] - (at - this.#cursorAt);
    for (let i = 1; i < pieces && covered < count; i++) {
      chunk = memory.next[chunk];
      covered += memory.end[chunk] - memory.start[chunk];
    }
    return covered < count ? covered : count;
  }

  /** Byte `at` of the queue. */
  byteAt(at: number): number {
    const chunk = this.seek(at);
    return this.memory.bytes[this.memory.start[chunk] + at - this.#cursorAt];
  }

  setByte(at: number, value: number): void {
    const chunk = this.seek(at);
    this.memory.bytes[this.memory.start[chunk] + at - this.#cursorAt] = value;
  }

  /** Removes one byte in the middle (urgent data that a newer urgent pointer overtakes). */
  removeByte(at: number): void {
    if (at === 0) {
      this.drop(1);
      return;
    }
    const memory = this.memory;
    const chunk = this.seek(at);
    const position = memory.start[chunk] + at - this.#cursorAt;
    memory.bytes.copyWithin(position, position + 1, memory.end[chunk]);
    if (memory.end[chunk] - memory.start[chunk] === 1) {
      this.#unlinkEmpty(chunk);
    } else {
      memory.end[chunk]--;
      this.length = (this.length - 1) | 0;
      this.#cursor = 0;
    }
  }

  #unlinkEmpty(empty: number): void {
    const memory = this.memory;
    let chunk = this.head;
    while (memory.next[chunk] !== empty) chunk = memory.next[chunk];
    memory.next[chunk] = memory.next[empty];
    if (this.#tail === empty) this.#tail = chunk;
    this.#cursor = 0;
    this.length = (this.length - 1) | 0;
    this.#free(empty);
  }
}
