// The Internet checksum against RFC 1071's own example and a slow, obvious implementation.

import { describe, expect, it } from 'vitest';
import { below, SeededRandom } from '../../src/core/random.js';
import {
  addPiece,
  addRange,
  checksum,
  complement,
  fold,
  pseudoHeader,
  updateChecksum,
  verify,
} from '../../src/packet/checksum.js';
import { bytes, icmp, ip4, ipv4, udp } from './build.js';

function view(data: Uint8Array): DataView {
  return new DataView(data.buffer, data.byteOffset, data.byteLength);
}

/** One 16-bit word after the other, the carry added at once. */
function slow(data: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < data.length; i += 2) {
    sum += (data[i] << 8) + (i + 1 < data.length ? data[i + 1] : 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

describe('the Internet checksum', () => {
  it('is that of RFC 1071 section 3', () => {
    const data = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
    expect(addRange(view(data), 0, 8, 0)).toBe(0xddf2);
    expect(checksum(view(data), 0, 8)).toBe(0x220d);
  });

  it('is that of a header from the textbook', () => {
    const header = bytes(
      0x45,
      0x00,
      0x00,
      0x73,
      0x00,
      0x00,
      0x40,
      0x00,
      0x40,
      0x11,
      0x00,
      0x00, // checksum left out
      ip4('192.168.0.1'),
      ip4('192.168.0.199'),
    );
    expect(checksum(view(header), 0, 20)).toBe(0xb861);
  });

  it('does as the slow one does, at any offset, length and starting sum', () => {
    const random = new SeededRandom(5);
    const data = Uint8Array.from({ length: 4000 }, () => random.int32() & 255);
    for (let i = 0; i < 3000; i++) {
      const offset = below(random, 2000);
      const length = below(random, 2000);
      const start = random.int32() & 0xffff;
      const whole = bytes(start >>> 8, start & 255, data.subarray(offset, offset + length));
      expect(addRange(view(data), offset, length, start) % 0xffff).toBe(slow(whole) % 0xffff);
    }
  });

  it('does not overflow on the worst bytes there are', () => {
    for (const length of [65535, 65536, 65537, 200_001]) {
      const data = new Uint8Array(length).fill(0xff);
      expect(addRange(view(data), 0, length, 0xffff) % 0xffff).toBe(slow(data) % 0xffff);
    }
  });

  it('adds pieces that begin at odd places as if they lay in a row', () => {
    const random = new SeededRandom(6);
    const data = Uint8Array.from({ length: 1000 }, () => random.int32() & 255);
    for (let i = 0; i < 1000; i++) {
      let sum = 0;
      let position = 0;
      while (position < data.length) {
        const length = Math.min(1 + below(random, 300), data.length - position);
        sum = addPiece(view(data), position, length, sum, position);
        position += length;
      }
      expect(sum).toBe(addRange(view(data), 0, data.length, 0));
    }
  });

  it('covers the pseudo-header', () => {
    const [src, dst] = [0xc0a80001 | 0, 0x0a000002];
    const header = bytes(ip4('192.168.0.1'), ip4('10.0.0.2'), 0, 17, 0x01, 0x23);
    expect(pseudoHeader(src, dst, 17, 0x123)).toBe(slow(header));
    const datagram = udp('192.168.0.1', 1234, '10.0.0.2', 7, bytes('odd'));
    expect(verify(view(datagram), 0, datagram.length, pseudoHeader(src, dst, 17, datagram.length))).toBe(
      true,
    );
    datagram[9] ^= 1;
    expect(verify(view(datagram), 0, datagram.length, pseudoHeader(src, dst, 17, datagram.length))).toBe(
      false,
    );
  });

  it('follows a change of one field without a look at the rest (RFC 1624)', () => {
    const random = new SeededRandom(8);
    const packet = ipv4('10.0.0.1', '10.0.0.2', 1, icmp(8, 0, 1, bytes('x')));
    for (let i = 0; i < 1000; i++) {
      const before = view(packet).getUint16(8);
      const after = random.int32() & 0xffff;
      view(packet).setUint16(8, after);
      view(packet).setUint16(10, updateChecksum(view(packet).getUint16(10), before, after));
      expect(verify(view(packet), 0, 20)).toBe(true);
    }
  });

  it('folds to 16 bits', () => {
    expect([0, 0xffff, 0x10000, 0x1ffff, 0xffffffff].map((sum) => fold(sum))).toEqual([
      0, 0xffff, 1, 1, 0xffff,
    ]);
    expect(complement(0xffff)).toBe(0);
  });
});
