// Segments that arrived, over loopback, for a sock that a syscall is inside of (sk_backlog). They wait, copied, until the
// call lets go: that is why a connecting client is told before its listener.

import type { RxPacket } from '../ip/rx-packet.js';
import type { PacketMemory } from '../memory/packet-memory.js';
import type { IpAddress } from '../packet/address.js';

interface Waiting {
  src: IpAddress;
  dst: IpAddress;
  chunk: number;
  transport: number;
  length: number;
  tos: number;
  flags: number;
  gsoSize: number;
}

export class Backlog {
  readonly #memory: PacketMemory;
  readonly #waiting: Waiting[] = [];
  /** Bytes waiting. */
  bytes = 0;

  constructor(memory: PacketMemory) {
    this.#memory = memory;
  }

  /** Copies the packet from its transport header on; false without memory. */
  push(packet: RxPacket): boolean {
    const memory = this.#memory;
    const chunk = memory.alloc(packet.length);
    if (chunk === 0) return false;
    const at = memory.offsetOf(chunk);
    memory.bytes.copyWithin(at, packet.transport, packet.transport + packet.length);
    const { length, tos, flags, gsoSize } = packet;
    const src = packet.src.clone();
    const dst = packet.dst.clone();
    this.#waiting.push({ src, dst, chunk, transport: at, length, tos, flags, gsoSize });
    this.bytes += length;
    return true;
  }

  /** Puts the oldest back into `packet` and returns its chunk, which the caller frees; 0: none. */
  shift(packet: RxPacket): number {
    const next = this.#waiting.shift();
    if (next === undefined) return 0;
    packet.src.set(next.src);
    packet.dst.set(next.dst);
    packet.transport = next.transport;
    packet.length = next.length;
    packet.tos = next.tos;
    packet.flags = next.flags;
    packet.gsoSize = next.gsoSize;
    packet.loopback = true;
    packet.broadcast = false;
    this.bytes -= next.length;
    return next.chunk;
  }

  clear(): void {
    for (const { chunk } of this.#waiting.splice(0)) this.#memory.free(chunk);
    this.bytes = 0;
  }
}
