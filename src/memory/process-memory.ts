// What one process has of the packet memory (struct mm_struct): what it mapped for itself (sys.mmap), and received chunks that were
// lent to it instead of being copied (TCP_ZEROCOPY_RECEIVE). All of it goes back when the process ends.

import type { PacketMemory } from './packet-memory.js';

/** What a process has of the packet memory. */
export class ProcessMemory {
  readonly #memory: PacketMemory;
  readonly #mapped = new Set<Uint8Array>();
  /** Chunks that are nobody else's, by the view that was handed out. */
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
    this.#lent.set(bytes, chunk);
    return bytes;
  }

  /** Takes back what was lent; false if these bytes are not. */
  takeBack(bytes: Uint8Array): boolean {
    const chunk = this.#lent.get(bytes);
    if (chunk === undefined) return false;
    this.#lent.delete(bytes);
    this.#memory.mapped.lentBytes -= this.#memory.sizeOf(chunk);
    this.#memory.free(chunk);
    return true;
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
    for (const bytes of [...this.#lent.keys(), ...this.#mapped]) this.unmap(bytes);
  }
}
