// What the stack costs, in counts: frames sent, bytes copied and bytes allocated for a round trip and for a megabyte, over a cable that
// costs nothing. A change that makes one of them grow is a regression, however fast the machine; one that makes
// them smaller lowers the bound here.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';

interface Cost {
  frames: number;
  copied: number;
  allocated: number;
}

const MB = 1 << 20;

/** As counted, and a twentieth more of allocations, for other compilers. Both stacks and the program that drives them are in it. */
const BOUNDS: Record<string, Cost> = {
  // A request that carries the last acknowledgement, an answer that carries this one; 64 bytes move by loops.
  roundTrip: { frames: 2, copied: 128, allocated: 2060 },
  // Opened and closed by both, 64 bytes each way: SYN, SYN-ACK, ACK with the request, answer, FIN, FIN, ACK, and one between.
  connection: { frames: 8, allocated: 10_500, copied: 128 },
  // A megabyte: into the send queue, into the receive queue, out to the program.
  sink: { frames: 17, copied: 3 * MB, allocated: 12_500 },
  source: { frames: 21, copied: 3.05 * MB, allocated: 12_900 },
  sinkPlain: { frames: 739, copied: 3.05 * MB, allocated: 157_000 },
  sourcePlain: { frames: 739, copied: 3.08 * MB, allocated: 159_000 },
  // From memory that the program mapped: into the receive queue, out to the program.
  sourceMapped: { frames: 21, copied: 2.01 * MB, allocated: 6300 },
  // Into the send queue, into the receive queue (the cable has no blocks that could change hands), and lent to the program.
  sinkLent: { frames: 19, copied: 2.05 * MB, allocated: 12_300 },
};

const program = fileURLToPath(new URL('cost-program.mjs', import.meta.url));
let found: Record<string, Cost>;

beforeAll(() => {
  // One thread: a compiler beside the program is done sooner or later, as the machine has time, and what is not compiled yet
  // allocates more.
  const flags = [
    '--single-threaded',
    '--expose-gc',
    '--min-semi-space-size=256',
    '--max-semi-space-size=256',
  ];
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, program], { encoding: 'utf8' });
  expect(stderr).toBe('');
  found = JSON.parse(stdout);
}, 300_000);

test('every cost that is counted has a bound', () => {
  expect(Object.keys(found)).toEqual(Object.keys(BOUNDS));
});

test.each(Object.keys(BOUNDS))('%s: frames, copies and allocations have not grown', (name) => {
  const bound = BOUNDS[name];
  const cost = found[name];
  expect(cost.frames).toBeLessThanOrEqual(bound.frames);
  expect(cost.copied).toBeLessThanOrEqual(bound.copied);
  expect(cost.allocated).toBeLessThanOrEqual(bound.allocated);
});

test('no cost has fallen so far below its bound that a regression would hide there', () => {
  for (const [name, bound] of Object.entries(BOUNDS))
    for (const part of ['frames', 'copied', 'allocated'] as const)
      expect(found[name][part], `${name}, ${part}: please lower the bound`).toBeGreaterThan(
        bound[part] * 0.8,
      );
});
