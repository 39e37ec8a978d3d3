// The end of a batch, when programs run.

import { expect, it } from 'vitest';
import { Host } from '../../src/core/host.js';
import { SeededRandom } from '../../src/core/random.js';
import { PacketMemory } from '../../src/memory/packet-memory.js';
import { VirtualClock } from '../../src/time/clock.js';

it('gives everybody a turn, whatever one of them throws, and then throws that', () => {
  const host = new Host(new VirtualClock(), new PacketMemory(4 << 20), new SeededRandom(1));
  const turns: string[] = [];
  const failing = (name: string) => () => {
    turns.push(name);
    throw new Error(name);
  };
  host.onBatchDone(failing('first'));
  host.onBatchDone(() => turns.push('second'));
  expect(() => host.batchDone()).toThrow('first');
  host.onBatchDone(failing('third'));
  expect(() => host.batchDone()).toThrow(AggregateError);
  expect(turns).toEqual(['first', 'second', 'first', 'second', 'third']);
});
