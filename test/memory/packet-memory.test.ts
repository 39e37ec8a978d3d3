// Packet memory against a plain list of intervals: no chunk overlaps another that is in use or that a NIC may still be reading.

import { describe, expect, it } from 'vitest';
import { below, SeededRandom } from '../../src/core/random.js';
import { TX_WORDS, TxRing } from '../../src/link/tx-ring.js';
import { CHUNK_LARGE, CHUNK_MIDDLE, CHUNK_SMALL, PacketMemory } from '../../src/memory/packet-memory.js';

interface Held {
  readonly chunk: number;
  readonly from: number;
  readonly to: number;
  /** Head of each ring when it was freed: in use by the NIC until the tails are there. */
  heads: number[] | null;
}

/** `expect` costs more than a step does. */
function expectDisjoint(held: readonly Held[]): void {
  const sorted = [...held].sort((a, b) => a.from - b.from);
  for (let i = 1; i < sorted.length; i++) {
    if (sorted[i].from < sorted[i - 1].to) throw new Error('memory was handed out twice');
  }
}

function head(memory: PacketMemory, ring: TxRing): number {
  return memory.words[ring.ctrl];
}

function tail(memory: PacketMemory, ring: TxRing): number {
  return memory.words[ring.ctrl + 1];
}

function send(ring: TxRing): void {
  const frame = ring.claim();
  if (frame >= 0) ring.commit(frame, 54, 0, 0, 0, 0);
}

describe('PacketMemory', () => {
  it('cuts blocks into chunks of three sizes, each within the buffer and none in a region', () => {
    const memory = new PacketMemory(4 << 20);
    const region = memory.region(10_000);
    for (const [wanted, size] of [
      [1, CHUNK_SMALL],
      [CHUNK_SMALL, CHUNK_SMALL],
      [CHUNK_SMALL + 1, CHUNK_MIDDLE],
      [CHUNK_MIDDLE + 1, CHUNK_LARGE],
      [1 << 30, CHUNK_LARGE],
    ]) {
      const chunk = memory.alloc(wanted);
      expect(memory.sizeOf(chunk)).toBe(size);
      expect(memory.offsetOf(chunk)).toBeGreaterThanOrEqual(region + 10_000);
      expect(memory.offsetOf(chunk) + size).toBeLessThanOrEqual(memory.capacity);
      expect(memory.start[chunk]).toBe(memory.offsetOf(chunk));
      expect(memory.end[chunk]).toBe(memory.offsetOf(chunk));
      expect(memory.next[chunk]).toBe(0);
    }
  });

  it('has room for the largest frame of a TAP in one large chunk', () => {
    expect(CHUNK_LARGE).toBeGreaterThanOrEqual(65535 + 14 + 12);
  });

  it('says 0 when it is exhausted, and comes back to where it began', () => {
    const memory = new PacketMemory(4 << 20);
    for (const wanted of [CHUNK_SMALL, CHUNK_MIDDLE, CHUNK_LARGE]) {
      const chunks: number[] = [];
      for (let chunk = memory.alloc(wanted); chunk !== 0; chunk = memory.alloc(wanted)) chunks.push(chunk);
      expect(new Set(chunks).size).toBe(chunks.length);
      expect(memory.used).toBe(chunks.length * wanted);
      expect(memory.used).toBeGreaterThan(3.4 * (1 << 20));
      for (const chunk of chunks) memory.free(chunk);
      expect(memory.used).toBe(0);
    }
  });

  it('refuses sizes it cannot have, regions too large, and regions where chunks stand', () => {
    expect(() => new PacketMemory(1 << 20)).toThrow(/between 4 MiB and 2 GiB/);
    const memory = new PacketMemory(4 << 20);
    expect(() => memory.region(3 << 20)).toThrow(/larger `memory`/);
    memory.alloc(1);
    expect(memory.region(64)).toBeGreaterThan(0);
    while (memory.alloc(CHUNK_LARGE) !== 0);
    expect(() => memory.region(CHUNK_LARGE)).toThrow(/before traffic fills/);
  });

  it('lends blocks to a NIC, lets one be kept for another, and takes back the rest', () => {
    const memory = new PacketMemory(4 << 20);
    const list = memory.region(3 * 4) >> 2;
    memory.post(list, 3);
    const [first, second, third] = memory.words.subarray(list, list + 3);
    expect(new Set([first, second, third]).size).toBe(3);
    expect(memory.used).toBe(0);
    const chunk = memory.adopt(second + 76);
    expect(memory.offsetOf(chunk)).toBe(second);
    expect([memory.sizeOf(chunk), memory.used]).toEqual([CHUNK_LARGE, CHUNK_LARGE]);
    expect(memory.words[list + 1]).not.toBe(second);
    expect([memory.words[list], memory.words[list + 2]]).toEqual([first, third]);
    // It is posted no more: what lies there is copied.
    expect(memory.adopt(second + 76)).toBe(0);
    memory.free(chunk);
    expect(memory.used).toBe(0);
    memory.unpost(list, 3);
    expect([...memory.words.subarray(list, list + 3)]).toEqual([0, 0, 0]);
    let chunks = 0;
    while (memory.alloc(CHUNK_LARGE) !== 0) chunks++;
    expect(chunks).toBe(Math.floor((4 << 20) / CHUNK_LARGE));
  });

  it('keeps no posted block when there is none to post in its place', () => {
    const memory = new PacketMemory(4 << 20);
    const list = memory.region(4) >> 2;
    memory.post(list, 1);
    while (memory.alloc(CHUNK_LARGE) !== 0);
    expect(memory.adopt(memory.words[list])).toBe(0);
  });

  it('keeps a freed chunk in limbo until the ring has passed the frames that were in it', () => {
    const memory = new PacketMemory(4 << 20);
    const ring = new TxRing(memory, 4);
    const chunk = memory.alloc(CHUNK_LARGE);
    send(ring);
    memory.free(chunk);
    expect(memory.used).toBe(CHUNK_LARGE);
    send(ring); // later than the free: the chunk does not wait for it
    ring.shift();
    expect(memory.reap()).toBe(true);
    expect(memory.used).toBe(0);
  });

  it('lends out nothing that a stopped ring may still read, however short memory is', () => {
    const memory = new PacketMemory(4 << 20);
    const ring = new TxRing(memory, 4);
    const chunks: number[] = [];
    for (let chunk = memory.alloc(CHUNK_LARGE); chunk !== 0; chunk = memory.alloc(CHUNK_LARGE))
      chunks.push(chunk);
    send(ring);
    for (const chunk of chunks) memory.free(chunk);
    expect(memory.alloc(1)).toBe(0);
    ring.shift();
    expect(memory.alloc(1)).not.toBe(0);
  });

  it('stops waiting for a ring that is gone', () => {
    const memory = new PacketMemory(4 << 20);
    const ring = new TxRing(memory, 4);
    const chunk = memory.alloc(1);
    send(ring);
    memory.free(chunk);
    memory.unwatchRing(ring.ctrl);
    expect(memory.used).toBe(0);
  });

  it('still waits for the second ring when the first is gone', () => {
    const memory = new PacketMemory(4 << 20);
    const gone = new TxRing(memory, 4);
    const ring = new TxRing(memory, 4);
    const chunk = memory.alloc(1);
    send(ring);
    memory.free(chunk);
    memory.unwatchRing(gone.ctrl);
    expect(memory.used).toBe(CHUNK_SMALL);
    ring.shift();
    memory.reap();
    expect(memory.used).toBe(0);
  });

  it('waits for each of many rings', () => {
    const memory = new PacketMemory(8 << 20);
    const rings = Array.from({ length: 20 }, () => new TxRing(memory, 4));
    const chunk = memory.alloc(1);
    send(rings[19]);
    memory.free(chunk);
    memory.reap();
    expect(memory.used).toBe(CHUNK_SMALL);
  });

  it('tells those who wait for memory once there is some, and only then', () => {
    const memory = new PacketMemory(4 << 20);
    const chunks: number[] = [];
    for (let chunk = memory.alloc(CHUNK_LARGE); chunk !== 0; chunk = memory.alloc(CHUNK_LARGE))
      chunks.push(chunk);
    let told = 0;
    memory.waitFor({ memoryAvailable: () => told++ });
    memory.notify();
    expect(told).toBe(0);
    memory.free(chunks[0]);
    memory.notify();
    memory.notify();
    expect(told).toBe(1);
  });

  it('never hands out memory twice: 30,000 random steps with two rings against a list of intervals', () => {
    const random = new SeededRandom(7);
    const memory = new PacketMemory(4 << 20);
    const rings = [new TxRing(memory, 8), new TxRing(memory, 8)];
    // Counters that are about to wrap, as after four thousand million frames.
    for (const ring of rings) memory.words.fill(0x7ffffff0, ring.ctrl, ring.ctrl + 2);
    let held: Held[] = [];
    const passed = (heads: readonly number[]) =>
      rings.every((ring, i) => ((tail(memory, ring) - heads[i]) | 0) >= 0);
    for (let step = 0; step < 30_000; step++) {
      const dice = below(random, 10);
      const inUse = held.filter((one) => one.heads === null);
      if (dice < 4) {
        const chunk = memory.alloc(1 + below(random, CHUNK_LARGE));
        if (chunk !== 0) {
          const from = memory.offsetOf(chunk);
          held = held.filter((one) => one.heads === null || !passed(one.heads));
          held.push({ chunk, from, to: from + memory.sizeOf(chunk), heads: null });
          if (step % 7 === 0) expectDisjoint(held);
        }
      } else if (dice < 8 && inUse.length > 0) {
        const one = inUse[below(random, inUse.length)];
        memory.free(one.chunk);
        one.heads = rings.map((ring) => head(memory, ring));
      } else if (dice === 8) {
        send(rings[below(random, 2)]);
      } else {
        const ring = rings[below(random, 2)];
        if (ring.pending > 0) ring.shift();
      }
    }
    for (const ring of rings) while (ring.pending > 0) ring.shift();
    for (const one of held) if (one.heads === null) memory.free(one.chunk);
    memory.reap();
    expect(memory.used).toBe(0);
  });

  it('lays descriptors out as the NIC reads them', () => {
    const memory = new PacketMemory(4 << 20);
    const ring = new TxRing(memory, 2);
    const frame = ring.claim();
    ring.piece(1000, 10);
    ring.piece(2000, 20);
    ring.commit(frame, 54, 34, 16, 1448, 3);
    const at = ring.front();
    expect([...memory.words.subarray(at, at + TX_WORDS)]).toEqual([
      frame,
      54,
      1000,
      10,
      2000,
      20,
      0,
      0,
      34,
      16,
      1448,
      3,
    ]);
    expect(frame % 4).toBe(2);
    ring.claim();
    ring.commit(ring.claim(), 14, 0, 0, 0, 0);
    expect(ring.claim()).toBe(-1);
    ring.shift();
    expect(ring.claim()).toBeGreaterThan(0);
  });
});
