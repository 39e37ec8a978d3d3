// Datagrams that arrive in fragments: put together in any order, given up in time, and never trusted where they overlap.

import { beforeEach, describe, expect, it } from 'vitest';
import { below, SeededRandom } from '../../src/core/random.js';
import { Icmp } from '../../src/icmp/icmp.js';
import { type ParsedFrame, parseFrame } from '../../src/packet/parse.js';
import { bytes, ipv4, pattern, udp } from '../packet/build.js';
import { counter, fromPeer, heard, introduce, Notes, pass, say, type TestStack, testStack } from './stack.js';

let stack: TestStack;
let notes: Notes;

beforeEach(() => {
  stack = testStack();
  notes = new Notes(stack, 200);
  introduce(stack);
});

interface More {
  id?: number;
  src?: string;
  tos?: number;
  options?: Uint8Array;
  protocol?: number;
  dst?: string;
}

/** Bytes [from, to) of a datagram, as a fragment; `last` has no more after it. */
function part(whole: Uint8Array, from: number, to: number, last: boolean, more: More = {}): Uint8Array {
  const { src = '10.0.0.1', dst = '10.0.0.2', protocol = 200, ...header } = more;
  return fromPeer(ipv4(src, dst, protocol, whole.subarray(from, to), { offset: from, mf: !last, ...header }));
}

/** The packet that an ICMP error quotes, as if it had come whole. */
function quoted(answer: ParsedFrame | null): ParsedFrame | null {
  const packet = answer?.payload ?? new Uint8Array(0);
  return parseFrame(bytes(new Uint8Array(12), 0x08, 0x00, packet, new Uint8Array(65536)));
}

function payloads(): Uint8Array[] {
  return notes.packets.map(({ payload }) => payload);
}

describe('fragments', () => {
  const whole = pattern(3001);

  it('make the datagram again, in order, in reverse, and twice', () => {
    const parts = [
      part(whole, 0, 1480, false),
      part(whole, 1480, 2960, false),
      part(whole, 2960, 3001, true),
    ];
    say(stack, ...parts);
    say(stack, ...[...parts].reverse());
    say(stack, parts[1], parts[1], parts[0], parts[0], parts[2]);
    expect(payloads()).toEqual([whole, whole, whole]);
    expect(counter(stack, 'Ip', 'ReasmReqds')).toBe(11);
    expect(counter(stack, 'Ip', 'ReasmOKs')).toBe(3);
    expect(stack.ip.fragments.size).toBe(0);
    expect(stack.host.memory.used).toBe(0);
    expect(stack.host.wheel.size).toBe(0);
  });

  it('belong together by source, destination, id and protocol', () => {
    const other = pattern(2000, 9);
    say(
      stack,
      part(whole, 0, 1480, false, { id: 1 }),
      part(other, 0, 1480, false, { id: 2 }),
      part(other, 0, 1480, false, { id: 1, src: '10.0.0.9' }),
      part(whole, 0, 1480, false, { id: 1, protocol: 201 }),
      part(other, 1480, 2000, true, { id: 1, src: '10.0.0.9' }),
      part(other, 1480, 2000, true, { id: 2 }),
      part(whole, 1480, 3001, true, { id: 1 }),
    );
    expect(payloads()).toEqual([other, other, whole]);
    expect(stack.ip.fragments.size).toBe(1);
  });

  it('take the first one’s header, options included, and the worst news of congestion', () => {
    say(
      stack,
      part(whole, 1480, 3001, true, { tos: 3 }), // CE
      part(whole, 0, 1480, false, { tos: 2, options: bytes(1, 1, 1, 0) }), // ECT(0)
    );
    expect(notes.packets).toMatchObject([{ tos: 3 }]);
    expect(stack.ip.packet).toMatchObject({ networkLength: 24 + 3001, length: 3001, fragment: 0 });
    say(stack, part(whole, 1480, 3001, true, { tos: 3 }), part(whole, 0, 1480, false, { tos: 0 })); // CE and Not-ECT
    expect(notes.packets).toHaveLength(1);
  });

  it('have their checksum verified once they are whole', () => {
    const datagrams = new Notes(stack, 17);
    const good = udp('10.0.0.1', 1, '10.0.0.2', 2, pattern(2000));
    say(stack, part(good, 0, 1480, false, { protocol: 17 }), part(good, 1480, 2008, true, { protocol: 17 }));
    good[2007] ^= 1;
    say(stack, part(good, 0, 1480, false, { protocol: 17 }), part(good, 1480, 2008, true, { protocol: 17 }));
    expect(datagrams.packets.map(({ bad }) => bad)).toEqual([false, true]);
  });

  it('make the largest datagram there is, and not one byte more', () => {
    const largest = pattern(65515);
    const parts: Uint8Array[] = [];
    for (let from = 0; from < 65515; from += 1480) {
      parts.push(part(largest, from, Math.min(from + 1480, 65515), from + 1480 >= 65515));
    }
    for (const one of parts) say(stack, one);
    expect(payloads()).toEqual([largest]);
    say(stack, fromPeer(ipv4('10.0.0.1', '10.0.0.2', 200, pattern(8), { offset: 65512 }))); // the ping of death
    expect(counter(stack, 'Ip', 'ReasmFails')).toBe(1);
    // Together with the first one's options it would be too long, which only shows at the end.
    for (const one of [part(largest, 0, 1480, false, { options: bytes(1, 1, 1, 0) }), ...parts.slice(1)])
      say(stack, one);
    expect(notes.packets).toHaveLength(1);
    expect(stack.ip.fragments.size).toBe(0);
  });

  it('that do not end on 8 bytes are cut to, unless they are the last', () => {
    say(stack, part(whole, 0, 1003, false), part(whole, 1000, 3001, true));
    expect(payloads()).toEqual([whole]);
    say(stack, fromPeer(ipv4('10.0.0.1', '10.0.0.2', 200, pattern(7), { mf: true })));
    expect(counter(stack, 'Ip', 'ReasmFails')).toBe(1);
  });

  it('that overlap lose the whole datagram (RFC 5722)', () => {
    say(stack, part(whole, 0, 1480, false), part(whole, 1472, 2960, false), part(whole, 2960, 3001, true));
    expect(payloads()).toEqual([]);
    expect(counter(stack, 'Ip', 'ReasmFails')).toBe(1);
    expect(counter(stack, 'IpExt', 'ReasmOverlaps')).toBe(1);
  });

  it('that contradict each other about the end lose it, too', () => {
    say(stack, part(whole, 1480, 2000, true), part(whole, 2000, 2960, false));
    expect(stack.ip.fragments.size).toBe(0);
    say(stack, part(whole, 1480, 2960, false), part(whole, 800, 1000, true));
    expect(stack.ip.fragments.size).toBe(0);
    say(stack, part(whole, 1480, 2000, true), part(whole, 2000, 2100, true));
    expect(stack.ip.fragments.size).toBe(0);
    expect(counter(stack, 'Ip', 'ReasmFails')).toBe(3);
  });
});

describe('a whole datagram', () => {
  it('is quoted as one, not as its first fragment', () => {
    new Icmp(stack.ip);
    const whole = pattern(2000);
    const send = (from: number, to: number) => part(whole, from, to, to === 2000, { protocol: 132 });
    stack.link.deliver([send(0, 1480), send(1480, 2000)]);
    const answer = parseFrame(stack.link.take()[0].bytes);
    expect(answer?.icmp).toMatchObject({ type: 3, code: 2 });
    expect(quoted(answer)?.ipv4).toMatchObject({ totalLength: 2020, mf: false, checksumOk: true });
  });
});

describe('an incomplete datagram', () => {
  const whole = pattern(3001);

  it('is given up after half a minute; its sender hears of it if the first fragment came', () => {
    new Icmp(stack.ip);
    say(stack, part(whole, 0, 1480, false, { id: 1 }), part(whole, 1480, 2960, false, { id: 2 }));
    pass(stack, 29_999);
    expect(heard(stack)).toEqual([]);
    pass(stack, 1);
    const [sent, ...others] = stack.link.take();
    expect(others).toEqual([]);
    const answer = parseFrame(sent.bytes);
    expect(answer).toMatchObject({ icmp: { type: 11, code: 1 }, l4ChecksumOk: true });
    expect(answer?.payload.subarray(20)).toEqual(whole.subarray(0, 576 - 48));
    expect(quoted(answer)?.ipv4).toMatchObject({ totalLength: 1500, mf: true, checksumOk: true }); // as it came
    expect(counter(stack, 'Ip', 'ReasmTimeout')).toBe(2);
    stack.host.memory.reap();
    expect(stack.host.memory.used).toBe(0);
  });

  it('gives way to newer ones when they hold more than ipfrag_high_thresh', () => {
    stack.host.sysctl.ipfragHighThresh = 10 * 69632;
    for (let id = 0; id < 100; id++) say(stack, part(whole, 0, 1480, false, { id }));
    expect(stack.ip.fragments.size).toBe(10);
    expect(counter(stack, 'Ip', 'ReasmFails')).toBe(90);
    say(stack, part(whole, 1480, 3001, true, { id: 99 }));
    expect(payloads()).toEqual([whole]);
    stack.host.sysctl.ipfragHighThresh = 0;
    say(stack, part(whole, 0, 1480, false, { id: 200 }));
    expect(stack.ip.fragments.size).toBe(0);
  });

  it('of one sender who floods gives way first, so that others come through', () => {
    stack.host.sysctl.ipfragHighThresh = 10 * 69632;
    say(stack, part(whole, 0, 1480, false, { id: 1, src: '10.0.0.9' }));
    for (let id = 0; id < 100; id++) say(stack, part(whole, 0, 1480, false, { id }));
    expect(stack.ip.fragments.size).toBe(10);
    say(stack, part(whole, 1480, 3001, true, { id: 1, src: '10.0.0.9' }));
    expect(payloads()).toEqual([whole]);
  });

  it('is begun anew when its sender has sent ipfrag_max_dist fragments of others in between', () => {
    stack.host.sysctl.ipfragMaxDist = 8;
    const old = pattern(2000, 3);
    const fresh = pattern(2000, 4);
    const others = (count: number) => {
      for (let id = 100; id < 100 + count; id++) {
        say(stack, part(whole, 0, 1480, false, { id }), part(whole, 1480, 3001, true, { id }));
      }
    };
    say(stack, part(old, 0, 1480, false, { id: 7 }));
    others(3);
    say(stack, part(old, 1480, 2000, true, { id: 7 }));
    expect(payloads().at(-1)).toEqual(old);
    say(stack, part(old, 0, 1480, false, { id: 8 }), part(old, 0, 1480, false, { id: 7 }));
    others(4);
    say(stack, part(fresh, 1480, 2000, true, { id: 7 }), part(fresh, 0, 1480, false, { id: 7 }));
    expect([payloads().at(-1), counter(stack, 'Ip', 'ReasmFails')]).toEqual([fresh, 1]);
  });

  it('frees its memory when the stack closes', () => {
    say(stack, part(whole, 0, 1480, false));
    stack.ip.close();
    expect([stack.host.memory.used, stack.host.wheel.size]).toEqual([0, 0]);
  });
});

describe('at random', () => {
  it('300 datagrams cut anywhere, shuffled and repeated come out as they were', () => {
    const random = new SeededRandom(4);
    for (let id = 0; id < 300; id++) {
      const whole = pattern(1 + below(random, 9000), id);
      const parts: Uint8Array[] = [];
      for (let from = 0; from < whole.length; ) {
        const to = Math.min(from + 8 * (1 + below(random, 180)), whole.length);
        parts.push(part(whole, from, to, to === whole.length, { id }));
        from = to;
      }
      if (parts.length === 1) continue;
      for (let i = parts.length - 1; i > 0; i--) {
        const j = below(random, i + 1);
        [parts[i], parts[j]] = [parts[j], parts[i]];
      }
      const twice = parts[below(random, parts.length - 1)];
      notes.packets.length = 0;
      say(stack, twice, ...parts);
      if (payloads().length !== 1 || !Buffer.from(whole).equals(payloads()[0]))
        throw new Error(`datagram ${id}`);
    }
  });
});
