// How the lab's router cuts packets: places, lengths, and which options go along; and of which pieces it tells the sender.

import { describe, expect, it } from 'vitest';
import { fragmentFrame } from '../../src/lab/router-fragments.js';
import { icmpErrorFrame } from '../../src/lab/router-frames.js';
import { checksum } from '../../src/packet/checksum.js';
import { ethernet, ipv4, pattern } from '../packet/build.js';

const MACS = ['02:00:00:00:00:01', '02:00:00:00:00:02'] as const;

function cut(packet: Uint8Array, mtu: number) {
  return fragmentFrame(ethernet(MACS[0], MACS[1], 0x0800, packet, 0), mtu).map((frame) => {
    const view = new DataView(frame.buffer, 14);
    const header = (frame[14] & 15) * 4;
    expect(checksum(view, 0, header)).toBe(0);
    expect(view.getUint16(2)).toBe(frame.length - 14);
    const word = view.getUint16(6);
    return {
      offset: (word & 0x1fff) * 8,
      more: (word & 0x2000) !== 0,
      options: [...frame.subarray(34, 14 + header)],
      data: frame.subarray(14 + header),
    };
  });
}

describe('a packet that is too large', () => {
  it('goes in pieces of a multiple of eight, the last as long as it is', () => {
    const data = pattern(1000);
    const pieces = cut(ipv4('10.0.0.1', '10.0.0.2', 17, data), 400);
    expect(pieces.map(({ offset, more, data: { length } }) => [offset, more, length])).toEqual([
      [0, true, 376],
      [376, true, 376],
      [752, false, 248],
    ]);
    expect(Buffer.concat(pieces.map((piece) => piece.data)).equals(data)).toBe(true);
  });

  it('that is a fragment itself keeps its place and says that more follows', () => {
    const pieces = cut(ipv4('10.0.0.1', '10.0.0.2', 17, pattern(512), { mf: true, offset: 1024 }), 300);
    expect(pieces.map(({ offset, more }) => [offset, more])).toEqual([
      [1024, true],
      [1304, true],
    ]);
  });

  it('takes only those options along that are to be copied', () => {
    const recordRoute = [7, 7, 4, 0, 0, 0, 0];
    const alert = [148, 4, 0, 0];
    const options = Uint8Array.from([...recordRoute, 1, ...alert]);
    const [first, second] = cut(ipv4('10.0.0.1', '10.0.0.2', 17, pattern(600), { options }), 400);
    expect(first.options).toEqual([...options]);
    expect(second.options).toEqual([1, 1, 1, 1, 1, 1, 1, 1, ...alert]);
  });
});

it('an error is about the first piece of a datagram, and about no other', () => {
  const told = (piece: { mf?: boolean; offset?: number }) => {
    const packet = ipv4('10.0.0.1', '10.0.0.2', 17, pattern(512), piece);
    return icmpErrorFrame(ethernet(MACS[0], MACS[1], 0x0800, packet, 0), 0x0a0000fe, 11, 0, 0) !== null;
  };
  expect([told({}), told({ mf: true }), told({ mf: true, offset: 512 }), told({ offset: 1024 })]).toEqual([
    true,
    true,
    false,
    false,
  ]);
});
