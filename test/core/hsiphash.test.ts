// HalfSipHash against the reference implementation's vectors: twelve bytes 0 to 11 under the key 0 to 7.

import { expect, it } from 'vitest';
import { HsipKey } from '../../src/core/hsiphash.js';
import type { Random } from '../../src/core/random.js';

const words = [0x03020100, 0x07060504, 0x0b0a0908] as const;

function key(): HsipKey {
  const [k0, k1] = words;
  const rest = [k0, k1];
  return new HsipKey({ int32: () => rest.shift() ?? 0 } as Random);
}

it('HalfSipHash-1-3, as Linux has it for its tables on 32 bits', () => {
  expect(key().hash3(...words, 1) >>> 0).toBe(0x6b28096c);
});

it('HalfSipHash-2-4, for secrets', () => {
  expect(key().hash3(...words, 2) >>> 0).toBe(0x2f87f057);
});
