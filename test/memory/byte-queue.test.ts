// The byte queue against a plain array of bytes, step by step.

import { describe, expect, it } from 'vitest';
import { below, type Random, SeededRandom } from '../../src/core/random.js';
import { TxRing } from '../../src/link/tx-ring.js';
import { ByteQueue, QUEUE_COMPACT, QUEUE_RECEIVE, QUEUE_SEND } from '../../src/memory/byte-queue.js';
import { CHUNK_LARGE, CHUNK_SMALL, PacketMemory } from '../../src/memory/packet-memory.js';

/** `expect` costs more than a step does. */
function check(holds: boolean): void {
  if (!holds) throw new Error('the queue differs from the model');
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

function content(queue: ByteQueue): Uint8Array {
  const target = new Uint8Array(queue.length);
  check(queue.copyTo(target, 0, queue.length + 5, 0) === queue.length);
  return target;
}

/** What the chunks say, walked by hand as a transmitter does. */
function walked(queue: ByteQueue): Uint8Array {
  const { memory } = queue;
  let all = new Uint8Array(0);
  for (let chunk = queue.head; chunk !== 0; chunk = memory.next[chunk]) {
    check(memory.end[chunk] > memory.start[chunk]);
    all = joined(all, memory.bytes.subarray(memory.start[chunk], memory.end[chunk]));
  }
  return all;
}

/** Bytes of [at, at+count) that lie in the first three chunks they touch. */
function reachable(queue: ByteQueue, at: number, count: number): number {
  const { memory } = queue;
  let base = 0;
  let pieces = 0;
  let end = at;
  for (let chunk = queue.head; chunk !== 0 && pieces < 3; chunk = memory.next[chunk]) {
    base += memory.end[chunk] - memory.start[chunk];
    if (base <= at) continue;
    pieces++;
    end = base;
  }
  return Math.min(end - at, count);
}

function bytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.int32() & 255);
}

describe('ByteQueue', () => {
  it('appends from a program and from packet memory, reads with an offset, and gives its chunks back', () => {
    const memory = new PacketMemory(4 << 20);
    const staging = memory.region(100);
    const queue = new ByteQueue(memory);
    expect(queue.append(Uint8Array.of(9, 1, 2, 3, 9), 1, 3)).toBe(3);
    memory.bytes.set([4, 5], staging);
    expect(queue.appendFrom(staging, 2)).toBe(true);
    expect([...content(queue)]).toEqual([1, 2, 3, 4, 5]);
    const target = new Uint8Array(4);
    expect(queue.copyTo(target, 1, 2, 3)).toBe(2);
    expect([...target]).toEqual([0, 4, 5, 0]);
    expect(queue.copyTo(target, 0, 4, 5)).toBe(0);
    queue.clear();
    expect(memory.used).toBe(0);
  });

  it('uses a chunk again at once that was read, and one that was sent when the ring has passed', () => {
    const memory = new PacketMemory(4 << 20);
    const ring = new TxRing(memory, 4);
    ring.commit(ring.claim(), 54, 0, 0, 0, 0);
    const again = (use: number): boolean => {
      const queue = new ByteQueue(memory, null, use);
      queue.append(Uint8Array.of(1), 0, 1);
      const chunk = queue.head;
      queue.clear();
      queue.append(Uint8Array.of(2), 0, 1);
      return queue.head === chunk;
    };
    expect([QUEUE_RECEIVE, QUEUE_COMPACT, QUEUE_SEND].map(again)).toEqual([true, true, false]);
    ring.shift();
    expect(again(QUEUE_SEND)).toBe(true);
  });

  it('refers to mapped bytes where they stand, and never writes behind them', () => {
    const memory = new PacketMemory(4 << 20);
    const mapped = memory.mapped.map(10_000) as Uint8Array;
    const { used } = memory;
    mapped.fill(7);
    const queue = new ByteQueue(memory);
    queue.append(Uint8Array.of(1, 2), 0, 2);
    expect(queue.appendMapped(mapped.byteOffset, 5)).toBe(true);
    queue.append(Uint8Array.of(3), 0, 1);
    expect([...content(queue)]).toEqual([1, 2, 7, 7, 7, 7, 7, 3]);
    mapped[4] = 8;
    expect([...content(queue)]).toEqual([1, 2, 7, 7, 7, 7, 8, 3]);
    expect([...mapped.subarray(4, 7)]).toEqual([8, 7, 7]);
    expect(queue.contiguous(0, 8, 2)).toBe(7);
    expect(queue.held).toBe(2 * CHUNK_SMALL);
    queue.drop(4);
    queue.truncate(3);
    expect([...content(queue)]).toEqual([7, 7, 8]);
    queue.clear();
    expect(memory.used).toBe(used);
  });

  it('refers to no more than there are chunks for, and to as many again once those are given back', () => {
    const memory = new PacketMemory(4 << 20);
    const mapped = memory.mapped.map(1000) as Uint8Array;
    const queue = new ByteQueue(memory);
    const fill = () => {
      let count = 0;
      while (queue.appendMapped(mapped.byteOffset, 1)) count++;
      return count;
    };
    const most = fill();
    expect(most).toBeGreaterThan(200);
    queue.drop(10);
    expect(fill()).toBe(10);
    queue.clear();
    expect(fill()).toBe(most);
  });

  it('takes what fits when memory runs out, and nothing at all where it must be all', () => {
    const memory = new PacketMemory(4 << 20);
    const hog = new ByteQueue(memory);
    const block = new Uint8Array(1 << 16);
    while (hog.append(block, 0, block.length) === block.length);
    hog.drop(hog.length - 10);
    const before = content(hog);
    const queue = new ByteQueue(memory);
    const taken = queue.append(new Uint8Array(8 << 20).fill(7), 0, 8 << 20);
    expect(taken).toBeGreaterThan(3 << 20);
    expect(taken).toBeLessThan(4 << 20);
    expect(queue.length).toBe(taken);
    expect(hog.appendFrom(0, CHUNK_LARGE)).toBe(false);
    expect(content(hog)).toEqual(before);
    queue.clear();
    expect(hog.appendFrom(0, CHUNK_LARGE)).toBe(true);
  });

  it('leaves nothing behind when the very first append from packet memory does not fit', () => {
    const memory = new PacketMemory(4 << 20);
    const hog = new ByteQueue(memory);
    const block = new Uint8Array(1 << 16);
    while (hog.append(block, 0, block.length) === block.length);
    hog.drop(CHUNK_LARGE * 2);
    const queue = new ByteQueue(memory);
    expect(queue.appendFrom(0, CHUNK_LARGE * 3)).toBe(false);
    expect(queue.length).toBe(0);
    expect(queue.head).toBe(0);
  });

  it('describes any range by chunks: what is contiguous in one, two or three pieces', () => {
    const memory = new PacketMemory(4 << 20);
    const queue = new ByteQueue(memory);
    for (let i = 0; i < 3; i++) {
      const part = new ByteQueue(memory);
      part.append(new Uint8Array(CHUNK_SMALL).fill(i), 0, CHUNK_SMALL);
      queue.splice(part);
    }
    const whole = 3 * CHUNK_SMALL;
    expect(queue.contiguous(0, whole, 1)).toBe(CHUNK_SMALL);
    expect(queue.contiguous(50, whole, 2)).toBe(2 * CHUNK_SMALL - 50);
    expect(queue.contiguous(50, 100, 3)).toBe(100);
    expect(queue.contiguous(whole - 50, 50, 1)).toBe(50);
    expect(queue.byteAt(CHUNK_SMALL - 1)).toBe(0);
    expect(queue.byteAt(CHUNK_SMALL)).toBe(1);
  });

  it('does as an array of bytes does: 20,000 random steps', () => {
    const random = new SeededRandom(11);
    const memory = new PacketMemory(8 << 20);
    const staging = memory.region(70_000);
    let queue = new ByteQueue(memory);
    let model = new Uint8Array(0);
    for (let step = 0; step < 20_000; step++) {
      const dice = below(random, 14);
      const size = below(random, 6) === 0 ? below(random, 20_000) : below(random, 200);
      const at = below(random, model.length);
      if (dice < 3 && model.length < 60_000) {
        const source = bytes(random, size + 10);
        check(queue.append(source, 5, size) === size);
        model = joined(model, source.subarray(5, 5 + size));
      } else if (dice < 5 && model.length < 60_000) {
        const source = bytes(random, size);
        memory.bytes.set(source, staging);
        check(queue.appendFrom(staging, size));
        model = joined(model, source);
      } else if (dice < 8) {
        const count = Math.min(size, model.length);
        queue.drop(count);
        model = model.slice(count);
      } else if (dice === 8 && model.length > 0) {
        check(queue.byteAt(at) === model[at]);
        const chunk = queue.seek(at);
        check(memory.bytes[memory.start[chunk] + at - queue.seekAt] === model[at]);
      } else if (dice === 9 && model.length > 0) {
        queue.removeByte(at);
        model = joined(model.subarray(0, at), model.subarray(at + 1));
      } else if (dice === 10 && step % 5 === 0) {
        queue.truncate(at);
        model = model.slice(0, at);
      } else if (dice === 11) {
        const other = new ByteQueue(memory);
        const source = bytes(random, size % 500);
        other.append(source, 0, source.length);
        if (step % 2 === 0) {
          queue.splice(other);
          model = joined(model, source);
        } else {
          other.splice(queue);
          queue = other;
          model = joined(source, model);
        }
      } else if (dice === 12) {
        const target = new Uint8Array(size + 2);
        const copied = queue.copyTo(target, 1, size, at);
        check(copied === Math.min(size, model.length - at));
        check(same(target.subarray(1, 1 + copied), model.subarray(at, at + copied)));
      } else if (dice === 13 && model.length > 0) {
        const count = 1 + below(random, model.length - at);
        check(queue.contiguous(at, count, 3) === reachable(queue, at, count));
      }
      check(queue.length === model.length);
      if (step % 100 === 0) {
        check(same(content(queue), model));
        check(same(walked(queue), model));
      }
    }
    queue.clear();
    check(memory.used === 0);
  });

  it('starts small and grows, so that an idle connection costs a page at most', () => {
    const memory = new PacketMemory(4 << 20);
    const queue = new ByteQueue(memory);
    queue.append(Uint8Array.of(1), 0, 1);
    expect(memory.used).toBe(CHUNK_SMALL);
    queue.drop(1);
    expect(memory.used).toBe(0);
  });
});
