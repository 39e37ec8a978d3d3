// Syscalls for memory of a program's own in the packet memory, where a NIC finds it (mm/mmap.c, as far as sockets are concerned).

import { EINVAL, ENOMEM } from '../uapi/errno.js';
import type { Process } from './process.js';

export class MemoryCalls {
  readonly #process: Process;

  constructor(process: Process) {
    this.#process = process;
  }

  /**
   * `length` bytes of packet memory, zero, for the program. What is sent from there with MSG_ZEROCOPY (4 KiB or more, SO_ZEROCOPY
   * set) is sent by reference: it must stay as it is until its completion comes on the error queue. Takes multiples of 68 KiB.
   * The bytes, or -EINVAL, or -ENOMEM when half of the packet memory is mapped or lent or no such piece is free. mmap(2).
   */
  readonly mmap = (length: number): Uint8Array<ArrayBuffer> | number => {
    if (!(Number.isInteger(length) && length > 0)) return -EINVAL;
    return this.#process.mm.map(length) ?? -ENOMEM;
  };

  /**
   * Gives back what one mmap of this process gave, or what TCP_ZEROCOPY_RECEIVE lent it, all of it; who touches it later finds other
   * people's bytes there. What is queued of it is sent first. 0 or -EINVAL. munmap(2).
   */
  readonly munmap = (bytes: Uint8Array): number => {
    return this.#process.mm.unmap(bytes) ? 0 : -EINVAL;
  };
}
