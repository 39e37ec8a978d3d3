// What one process has of the packet memory (struct mm_struct): what it mapped for itself (sys.mmap), and received chunks that were
// lent to it instead of being copied (TCP_ZEROCOPY_RECEIVE). All of it goes back when the process ends.

import type { PacketMemory } from './packet-memory.js';

/** Loans that are found by looking at each: fewer than a hash costs. */
const FEW = 8;

/** What a process has of the packet memory. */
export class ProcessMemory {
  readonly #memory: PacketMemory;
  readonly #mapped = new Set<Uint8Array>();
  /** A few loans: the views that were handed out, and their chunks, which are nobody else's. */
  readonly #views: Uint8Array[] = [];
  readonly #chunks: number[] = [];
  /** The others. */
  readonly #lent = new Map<Uint8Array, number>();

  constructor(memory: PacketMemory) {
    this.#memory = memory;
  }

  /** `length` bytes, zero; null where there is no room. */
  map(length: number): Uint8Array<ArrayBuffer> | null {
    const bytes = this.#memory.mapped.map(length);
    if (bytes !== null) this.#mapped.add(bytes);
    return bytes;
  }

  /** Whether a chunk of `size` bytes can be lent: programs together may hold half of the packet memory. */
  mayLend(size: number): boolean {
    return this.#memory.mapped.mayHold(size);
  }

  /** A view of what stands in the chunk, which is in no queue any more. */
  lend(chunk: number): Uint8Array<ArrayBuffer> {
    const memory = this.#memory;
    const start = memory.start[chunk];
    const bytes = new Uint8Array(memory.buffer, start, memory.end[chunk] - start);
    memory.mapped.lentBytes += memory.sizeOf(chunk);
    if (this.#views.length < FEW) {
      this.#views.push(bytes);
      this.#chunks.push(chunk);
    } else this.#lent.set(bytes, chunk);
    return bytes;
  }

  /** Takes back what was lent; false if these bytes are not. */
  takeBack(bytes: Uint8Array): boolean {
    const chunk = this.#forget(bytes);
    if (chunk === 0) return false;
    this.#memory.mapped.lentBytes -= this.#memory.sizeOf(chunk);
    // What was received no NIC reads, so that it can be used again at once.
    this.#memory.release(chunk);
    return true;
  }

  /** The chunk that `bytes` are a view of, which is on loan no more; 0 for any other bytes. */
  #forget(bytes: Uint8Array): number {
    const views = this.#views;
    const chunks = this.#chunks;
    for (let i = 0; i < views.length; i++) {
      if (views[i] !== bytes) continue;
      const chunk = chunks[i];
      views[i] = views[views.length - 1];
      chunks[i] = chunks[chunks.length - 1];
      views.pop();
      chunks.pop();
      return chunk;
    }
    const chunk = this.#lent.get(bytes);
    if (chunk === undefined) return 0;
    this.#lent.delete(bytes);
    return chunk;
  }

  /** Gives back what `map` or `lend` gave, whole; false if these bytes are not the process's. */
  unmap(bytes: Uint8Array): boolean {
    if (this.takeBack(bytes)) return true;
    if (!this.#mapped.delete(bytes)) return false;
    this.#memory.mapped.unmap(bytes);
    return true;
  }

  /** exit_mmap */
  unmapAll(): void {
    for (const bytes of [...this.#views, ...this.#lent.keys(), ...this.#mapped]) this.unmap(bytes);
  }
}
