// What IPv4 lets in: for us, from somebody who can have sent it, and well formed. Everything else is counted and dropped.

import { beforeEach, describe, expect, it } from 'vitest';
import { Icmp } from '../../src/icmp/icmp.js';
import { RX_IP_BAD, RX_L4_BAD, RX_L4_OK } from '../../src/link/link.js';
import { parseFrame } from '../../src/packet/parse.js';
import { bytes, ethernet, icmp, ipv4, pattern, udp } from '../packet/build.js';
import {
  counter,
  fromPeer,
  introduce,
  Notes,
  OUR_MAC,
  PEER_MAC,
  say,
  sendPlain,
  type TestStack,
  testStack,
} from './stack.js';

let stack: TestStack;
let notes: Notes;

beforeEach(() => {
  stack = testStack();
  notes = new Notes(stack, 200);
});

function packet(src = '10.0.0.1', dst = '10.0.0.2', more = {}): Uint8Array {
  return ipv4(src, dst, 200, bytes('data'), more);
}

/** The frame with one byte changed. */
function spoilt(frame: Uint8Array, at: number, value: number): Uint8Array {
  const copy = frame.slice();
  copy[at] = value;
  return copy;
}

function texts(): string[] {
  return notes.packets.map(({ payload }) => new TextDecoder().decode(payload));
}

describe('a good packet', () => {
  it('reaches its transport without Ethernet padding', () => {
    say(stack, fromPeer(packet()));
    expect(notes.packets).toMatchObject([{ from: '10.0.0.1', to: '10.0.0.2', broadcast: false, bad: false }]);
    expect(texts()).toEqual(['data']);
    expect(counter(stack, 'Ip', 'InReceives')).toBe(1);
    expect(counter(stack, 'Ip', 'InDelivers')).toBe(1);
    expect(stack.ip.packet).toMatchObject({ ttl: 64, device: 2, loopback: false, gsoSize: 0 });
  });

  it('may carry options, which are skipped', () => {
    const timestamp = bytes(68, 8, 5, 0, 0, 0, 0, 0); // kind, length, pointer, flags, one empty slot
    say(stack, fromPeer(packet('10.0.0.1', '10.0.0.2', { options: bytes(1, 1, timestamp, 0, 0) })));
    expect(texts()).toEqual(['data']);
  });

  it('may be addressed to the subnet, to everybody, or by a group frame', () => {
    say(
      stack,
      fromPeer(packet('10.0.0.1', '10.0.0.255')),
      fromPeer(packet('0.0.0.0', '255.255.255.255')),
      ethernet('ff:ff:ff:ff:ff:ff', PEER_MAC, 0x0800, packet()),
      fromPeer(packet()),
    );
    expect(notes.packets.map(({ broadcast }) => broadcast)).toEqual([true, true, true, false]);
  });

  it('may come from anywhere when it is for us', () => {
    say(stack, fromPeer(packet('198.51.100.77')));
    expect(notes.packets).toMatchObject([{ from: '198.51.100.77' }]);
  });

  it('keeps the verdict of a NIC, and gets one where there was none', () => {
    const datagrams = new Notes(stack, 17);
    const good = fromPeer(ipv4('10.0.0.1', '10.0.0.2', 17, udp('10.0.0.1', 1, '10.0.0.2', 2, bytes('odd'))));
    const bad = good.slice();
    bad[42] ^= 1;
    stack.link.deliver([good, bad]); // no verdict
    stack.link.deliver([good, bad], RX_L4_OK); // vouched for: the checksum may not even be there
    stack.link.deliver([good], RX_L4_BAD);
    expect(datagrams.packets.map((one) => one.bad)).toEqual([false, true, false, false, true]);
  });
});

describe('a malformed packet', () => {
  const headerErrors: [string, (frame: Uint8Array) => Uint8Array][] = [
    ['is cut off in its header', (frame) => frame.slice(0, 14 + 19)],
    ['is of another version', (frame) => spoilt(frame, 14, 0x65)],
    ['has a header of 16 bytes', (frame) => spoilt(frame, 14, 0x44)],
    ['says it is shorter than its header', (frame) => spoilt(frame, 17, 19)],
    ['says its header is longer than itself', (frame) => spoilt(frame, 14, 0x4f)],
  ];
  it.each(headerErrors)('%s', (_, spoil) => {
    say(stack, spoil(fromPeer(packet())));
    expect(texts()).toEqual([]);
    expect(counter(stack, 'Ip', 'InHdrErrors')).toBe(1);
  });

  it('has a wrong header checksum, as the NIC found', () => {
    stack.link.deliver([fromPeer(packet())], RX_IP_BAD);
    expect(counter(stack, 'Ip', 'InHdrErrors')).toBe(1);
    expect(counter(stack, 'IpExt', 'InCsumErrors')).toBe(1);
  });

  it('says it is longer than the frame, which counts as cut short', () => {
    say(stack, spoilt(fromPeer(packet()), 17, 200));
    expect(texts()).toEqual([]);
    expect(counter(stack, 'Ip', 'InHdrErrors')).toBe(0);
    expect(counter(stack, 'IpExt', 'InTruncatedPkts')).toBe(1);
    expect(counter(stack, 'IpExt', 'InNoECTPkts')).toBe(1);
  });

  it.each([
    ['an option without a length', bytes(1, 1, 1, 7)],
    ['an option of length 1', bytes(7, 1, 0, 0)],
    ['an option that runs out of the header', bytes(7, 5, 4, 0)],
  ])('has %s, and its sender hears where', (_, options) => {
    new Icmp(stack.ip);
    introduce(stack);
    expect(say(stack, fromPeer(packet('10.0.0.1', '10.0.0.2', { options })))).toEqual([
      '10.0.0.2 > 10.0.0.1: ICMP parameter problem code 0, length 36',
    ]);
    expect(texts()).toEqual([]);
  });

  const slot = [0, 0, 0, 0];
  it.each<[string, number, number[]]>([
    ['a record of the route without a pointer', 21, [7, 2, 0, 0]],
    ['one that points before its first slot', 22, [7, 7, 3, ...slot, 0]],
    ['one that points into its last slot', 22, [7, 7, 5, ...slot, 0]],
    ['two records of the route', 27, [7, 7, 4, ...slot, 7, 7, 4, ...slot, 0, 0]],
    ['timestamps without flags', 21, [68, 3, 5, 0]],
    ['timestamps that point before their first slot', 22, [68, 8, 4, 0, ...slot]],
    ['no room for the next timestamp and its address', 22, [68, 8, 5, 1, ...slot]],
    ['more timestamps that found no room than can be counted', 23, [68, 8, 9, 0xf0, ...slot]],
    ['timestamps twice', 28, [68, 8, 5, 0, ...slot, 68, 8, 5, 0, ...slot]],
    ['a source route without a pointer', 21, [131, 2, 0, 0]],
    ['two source routes', 27, [131, 7, 4, ...slot, 137, 7, 4, ...slot, 0, 0]],
    ['an alert for routers that is cut off', 21, [148, 2, 0, 0]],
    ['a label that is cut off', 21, [134, 6, 0, 0, 0, 1, 0, 0]],
    ['a label of an unknown kind', 22, [134, 10, 0, 0, 0, 1, 1, 4, 0, 0, 0, 0]],
  ])('has %s, and its sender hears that byte %i is wrong', (_, pointer, options) => {
    new Icmp(stack.ip);
    introduce(stack);
    stack.link.deliver([fromPeer(packet('10.0.0.1', '10.0.0.2', { options: Uint8Array.from(options) }))]);
    const [sent] = stack.link.take();
    expect(parseFrame(sent.bytes)?.icmp).toMatchObject({ type: 12, code: 0, rest: pointer << 24 });
    expect(texts()).toEqual([]);
    expect(counter(stack, 'Icmp', 'OutParmProbs')).toBe(1);
  });

  it.each([131, 137])('chooses its own way (option %i)', (kind) => {
    say(stack, fromPeer(packet('10.0.0.1', '10.0.0.2', { options: bytes(kind, 7, 4, 10, 0, 0, 9, 0) })));
    expect(texts()).toEqual([]);
    expect(counter(stack, 'Ip', 'InHdrErrors')).toBe(0);
  });
});

describe('a packet that is none of our business', () => {
  it.each([
    ['for somebody else', '10.0.0.1', '10.0.0.3'],
    ['for a group we did not join', '10.0.0.1', '224.0.0.251'],
    ['for loopback', '10.0.0.1', '127.0.0.1'],
    ['from loopback', '127.0.0.1', '10.0.0.2'],
    ['from ourselves', '10.0.0.2', '10.0.0.2'],
    ['from a group', '224.0.0.1', '10.0.0.2'],
    ['from everybody', '255.255.255.255', '10.0.0.2'],
    ['from the subnet', '10.0.0.255', '10.0.0.2'],
    ['from nobody', '0.0.0.0', '10.0.0.2'],
    ['from this network', '0.1.2.3', '10.0.0.2'],
    ['from loopback to everybody', '127.0.0.1', '255.255.255.255'],
  ])('%s', (_, src, dst) => {
    say(stack, fromPeer(packet(src, dst)));
    expect(texts()).toEqual([]);
    expect(counter(stack, 'Ip', 'InAddrErrors')).toBe(1);
  });

  it('in a frame for another station, of another type, or too short for Ethernet', () => {
    say(
      stack,
      ethernet('02:00:00:00:00:77', PEER_MAC, 0x0800, packet()),
      ethernet(OUR_MAC, PEER_MAC, 0x86dd, packet()),
      bytes('runt'),
    );
    expect(texts()).toEqual([]);
    expect(counter(stack, 'Link', 'RxFrames')).toBe(3);
    expect(counter(stack, 'Link', 'RxDropped')).toBe(2);
    expect(counter(stack, 'Link', 'RxUnknown')).toBe(1);
  });
});

describe('a protocol nobody speaks', () => {
  it('is answered by ICMP that quotes the packet', () => {
    new Icmp(stack.ip);
    introduce(stack);
    stack.link.deliver([fromPeer(ipv4('10.0.0.1', '10.0.0.2', 132, pattern(700)))]);
    const [sent] = stack.link.take();
    const answer = parseFrame(sent.bytes);
    expect(answer?.icmp).toEqual({ type: 3, code: 2, rest: 0 });
    expect(answer).toMatchObject({
      l4ChecksumOk: true,
      ipv4: { checksumOk: true, totalLength: 576, tos: 0xc0 },
    });
    expect(answer?.payload.subarray(20)).toEqual(pattern(700).subarray(0, 576 - 48));
    expect(counter(stack, 'Ip', 'InUnknownProtos')).toBe(1);
  });

  it('is not answered when everybody was asked, or when the packet is ICMP', () => {
    new Icmp(stack.ip);
    introduce(stack);
    expect(
      say(
        stack,
        fromPeer(ipv4('10.0.0.1', '10.0.0.255', 132, bytes('x'))),
        ethernet('ff:ff:ff:ff:ff:ff', PEER_MAC, 0x0800, ipv4('10.0.0.1', '10.0.0.2', 132, bytes('x'))),
        fromPeer(ipv4('10.0.0.1', '10.0.0.2', 1, icmp(3, 2, 0, bytes('x')))),
      ),
    ).toEqual([]);
  });
});

describe('a link that is gone', () => {
  it('is routed to no more, and what is sent on an old route fails', () => {
    introduce(stack);
    const gone: string[] = [];
    stack.ip.onLinkDown = (device, error) => gone.push(`${device.name}: ${error.message}`);
    stack.link.down(new Error('unplugged'));
    stack.link.down(new Error('unplugged'));
    expect(gone).toEqual(['test0: unplugged']);
    expect(() => sendPlain(stack, '10.0.0.1', 200, bytes('x'))).toThrow('no route');
    expect(sendPlain(stack, '10.0.0.2', 200, bytes('own address still works'))).toBe(0);
    expect(texts()).toEqual(['own address still works']);
  });
});
