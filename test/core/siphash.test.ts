// SipHash-2-4 against the vectors its authors published with the reference implementation.

import { describe, expect, it } from 'vitest';
import { siphash } from '../../src/core/siphash.js';

const KEY = Uint8Array.from({ length: 16 }, (_, i) => i);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('SipHash-2-4', () => {
  // Input 00, 00 01, 00 01 02 … of each length; the result little-endian (appendix A has the one for 15 bytes).
  const vectors: Record<number, string> = {
    0: '310e0edd47db6f72',
    1: 'fd67dc93c539f874',
    2: '5a4fa9d909806c0d',
    3: '2d7efbd796666785',
    7: '37d1018bf50002ab',
    8: '6224939a79f5f593',
    15: 'e545be4961ca29a1',
    16: 'db9bc2577fcc2a3f',
    63: '724506eb4c328a95',
  };

  for (const [length, expected] of Object.entries(vectors)) {
    it(`hashes ${length} bytes as published`, () => {
      const input = Uint8Array.from({ length: Number(length) }, (_, i) => i);
      expect(hex(siphash(KEY, input))).toBe(expected);
    });
  }

  it('reads its key and its input where they stand in a larger buffer', () => {
    const room = new Uint8Array(64);
    room.set(KEY, 3);
    room.set(
      Uint8Array.from({ length: 15 }, (_, i) => i),
      21,
    );
    expect(hex(siphash(room.subarray(3, 19), room.subarray(21, 36)))).toBe('e545be4961ca29a1');
  });
});
