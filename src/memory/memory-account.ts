// What the queues of one protocol hold together (sk_memory_allocated). It moves by whole chunks, never by segments, which is
// the batching that sk_forward_alloc does in the kernel: the hot path pays nothing.

export class MemoryAccount {
  /** Bytes of packet memory. */
  allocated = 0;

  charge(bytes: number): void {
    this.allocated = (this.allocated + bytes) | 0;
  }

  uncharge(bytes: number): void {
    this.allocated = (this.allocated - bytes) | 0;
  }
}
