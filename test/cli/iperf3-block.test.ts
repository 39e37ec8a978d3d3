// The block that an iperf3 test sends: by reference from mapped memory where nothing is received into it, and given back at the end.
import { Stack, VirtualClock } from 'tapstack';
import { expect, it } from 'vitest';
import { parseParameters } from '../../src/cli/iperf3-protocol.js';
import { IperfTest } from '../../src/cli/iperf3-test.js';
import { ReadyLoop } from '../../src/cli/ready-loop.js';

const stack = new Stack({ clock: new VirtualClock(), memory: 8 << 20 });
const loop = new ReadyLoop(stack);
const { memory } = stack.host;

const begin = (asked: object) =>
  new IperfTest(loop, parseParameters(JSON.stringify({ tcp: true, time: 1, ...asked })), 'server', 0, {
    interval() {},
  });

it('is mapped for a test in which the server only sends', () => {
  const before = memory.used;
  for (let i = 0; i < 100; i++) {
    const test = begin({ reverse: true, len: 100_000 });
    expect(test.block.length).toBe(100_000);
    expect(test.block.buffer).toBe(memory.buffer);
    test.close();
    expect(memory.used).toBe(before);
  }
});

it.each([
  ['the server receives', { len: 100_000 }],
  ['it goes both ways', { bidirectional: true, len: 100_000 }],
  ['there is no such room', { reverse: true, len: 1 << 20, parallel: 1, hog: 4 << 20 }],
])('is not where %s', (_name, { hog = 0, ...asked }: { hog?: number; len: number }) => {
  const taken = hog > 0 ? stack.sys.mmap(hog - (100 << 10)) : 0;
  const test = begin(asked);
  expect(test.block.length).toBe(asked.len);
  expect(test.block.buffer).not.toBe(memory.buffer);
  test.close();
  if (typeof taken !== 'number') expect(stack.sys.munmap(taken)).toBe(0);
});
