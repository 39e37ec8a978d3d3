// Frames as text, as objects, and with the checksums a NIC would fill in.

import { describe, expect, it } from 'vitest';
import { IpAddress } from '../../src/packet/address.js';
import { pseudoHeader } from '../../src/packet/checksum.js';
import { formatMac, parseMac } from '../../src/packet/ethernet.js';
import { formatFrame } from '../../src/packet/format.js';
import {
  fillIpv4,
  fillPartial,
  fillTransport,
  L4_BAD,
  L4_NONE,
  L4_OK,
  verifyIpv4,
  verifyTransport,
} from '../../src/packet/frame-checksum.js';
import { parseFrame } from '../../src/packet/parse.js';
import { arp, bytes, ethernet, icmp, ipv4, u16, u32, udp } from './build.js';

const A = '02:00:00:00:00:01';
const B = '02:00:00:00:00:02';

function ipFrame(packet: Uint8Array): Uint8Array {
  return ethernet(B, A, 0x0800, packet, 60);
}

function view(frame: Uint8Array): DataView {
  return new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
}

const segment = bytes(
  u16(4242), // source port
  u16(7), // destination port
  u32(1000), // sequence number
  u32(0xfffffff0), // acknowledgement number
  0x60, // data offset: 24 bytes
  0x18, // PSH, ACK
  u16(512), // window
  u16(0), // checksum, for a NIC to fill in
  u16(0), // urgent pointer
  bytes(2, 4, u16(1460)), // MSS
  'hello',
);

describe('a frame as text', () => {
  it.each([
    [
      ethernet('ff:ff:ff:ff:ff:ff', A, 0x0806, arp(1, A, '10.0.0.1', '00:00:00:00:00:00', '10.0.0.2')),
      'ARP, who-has 10.0.0.2 tell 10.0.0.1',
    ],
    [ethernet(A, B, 0x0806, arp(2, B, '10.0.0.2', A, '10.0.0.1')), `ARP, reply 10.0.0.2 is-at ${B}`],
    [
      ipFrame(ipv4('10.0.0.1', '10.0.0.2', 1, icmp(8, 0, (7 << 16) | 3, bytes('ping')))),
      '10.0.0.1 > 10.0.0.2: ICMP echo request, id 7, seq 3, length 12',
    ],
    [
      ipFrame(ipv4('10.0.0.1', '10.0.0.2', 1, icmp(3, 4, 1400, bytes('…')))),
      '10.0.0.1 > 10.0.0.2: ICMP unreachable code 4, mtu 1400, length 11',
    ],
    [
      ipFrame(ipv4('10.0.0.1', '10.0.0.2', 17, udp('10.0.0.1', 4242, '10.0.0.2', 7, bytes('hello')))),
      '10.0.0.1.4242 > 10.0.0.2.7: UDP, length 5',
    ],
    [
      ipFrame(ipv4('10.0.0.1', '10.0.0.2', 17, new Uint8Array(16), { offset: 24, mf: true })),
      '10.0.0.1 > 10.0.0.2: fragment 24+16, more',
    ],
    [
      ipFrame(ipv4('10.0.0.1', '10.0.0.2', 6, segment)),
      '10.0.0.1.4242 > 10.0.0.2.7: Flags [P.], seq 1000:1005, ack 4294967280, win 512, length 5, bad checksum',
    ],
    [
      ipFrame(ipv4('10.0.0.1', '10.0.0.2', 132, bytes('sctp'))),
      '10.0.0.1 > 10.0.0.2: protocol 132, length 4',
    ],
    [ethernet(B, A, 0x86dd, bytes('v6')), `${A} > ${B}, type 0x86dd, length 16`],
    [bytes('runt'), 'runt frame, length 4'],
  ])('reads like a trace', (frame, text) => {
    expect(formatFrame(frame)).toBe(text);
  });

  it('says what is wrong with a checksum', () => {
    const frame = ipFrame(ipv4('10.0.0.1', '10.0.0.2', 17, udp('10.0.0.1', 1, '10.0.0.2', 7, bytes('x'))));
    frame[14 + 8]--; // TTL
    frame[14 + 20 + 8] ^= 0xff; // payload
    expect(formatFrame(frame)).toBe('10.0.0.1.1 > 10.0.0.2.7: UDP, length 1, bad IP checksum, bad checksum');
  });
});

describe('a frame as an object', () => {
  it('has its padding cut off and its options kept', () => {
    const frame = parseFrame(
      ipFrame(ipv4('10.0.0.1', '10.0.0.2', 6, segment, { df: true, ttl: 3, tos: 0x10, id: 99 })),
    );
    expect(frame?.ipv4).toMatchObject({
      df: true,
      mf: false,
      ttl: 3,
      tos: 0x10,
      id: 99,
      totalLength: 49,
      checksumOk: true,
    });
    expect([...(frame?.tcp?.options ?? [])]).toEqual([2, 4, 5, 180]);
    expect(new TextDecoder().decode(frame?.payload)).toBe('hello');
  });

  it('is read as far as it can be, at every length', () => {
    const whole = ipFrame(ipv4('10.0.0.1', '10.0.0.2', 6, segment));
    for (let length = 0; length <= whole.length; length++) {
      const frame = parseFrame(whole.subarray(0, length));
      expect(frame === null).toBe(length < 14);
      if (length < 14 + 49) expect(frame?.ipv4).toBeUndefined();
    }
  });
});

describe('a NIC of TypeScript', () => {
  it('completes what the stack left partial: pseudo-header sum in the field, checksum in the frame', () => {
    const frame = ipFrame(ipv4('10.0.0.1', '10.0.0.2', 6, segment)).slice(0, 14 + 20 + segment.length);
    view(frame).setUint16(34 + 16, pseudoHeader(0x0a000001, 0x0a000002, 6, segment.length));
    expect(verifyTransport(view(frame), 0, frame.length)).toBe(L4_BAD);
    fillPartial(view(frame), 0, frame.length, 34, 16);
    expect(verifyTransport(view(frame), 0, frame.length)).toBe(L4_OK);
  });

  it('computes one afresh whatever the field holds, padding left out', () => {
    for (const packet of [
      ipv4('10.0.0.1', '10.0.0.2', 6, segment),
      ipv4('10.0.0.1', '10.0.0.2', 17, udp('10.0.0.1', 4242, '10.0.0.2', 7, bytes('hello'))),
      ipv4('10.0.0.1', '10.0.0.2', 1, icmp(8, 0, 1, bytes('hello')), { options: bytes(1, 1, 1, 0) }),
    ]) {
      const frame = ethernet(B, A, 0x0800, packet, 90);
      fillTransport(view(frame), 0, frame.length);
      expect(verifyTransport(view(frame), 0, frame.length)).toBe(L4_OK);
      const again = frame.slice();
      fillTransport(view(again), 0, again.length);
      expect(again).toEqual(frame);
    }
  });

  it('writes a UDP checksum of 0 as 0xffff, and takes 0 for "none"', () => {
    // Ports and data chosen so that the sum is 0xffff.
    const datagram = udp('0.0.0.0', 0, '0.0.0.0', 0, bytes(u16(0xffff - 17 - 10 - 10)));
    const frame = ipFrame(ipv4('0.0.0.0', '0.0.0.0', 17, datagram));
    view(frame).setUint16(34 + 6, 0);
    expect(verifyTransport(view(frame), 0, frame.length)).toBe(L4_OK);
    fillTransport(view(frame), 0, frame.length);
    expect(view(frame).getUint16(34 + 6)).toBe(0xffff);
  });

  it('has no opinion on fragments, other protocols, and what is not IPv4', () => {
    for (const frame of [
      ipFrame(ipv4('10.0.0.1', '10.0.0.2', 17, new Uint8Array(16), { mf: true })),
      ipFrame(ipv4('10.0.0.1', '10.0.0.2', 132, new Uint8Array(16))),
      ethernet(B, A, 0x0806, arp(1, A, '10.0.0.1', A, '10.0.0.2')),
      bytes('runt'),
    ]) {
      const before = frame.slice();
      fillTransport(view(frame), 0, frame.length);
      expect(frame).toEqual(before);
      expect(verifyTransport(view(frame), 0, frame.length)).toBe(L4_NONE);
    }
  });

  it('fills in and checks the IPv4 header', () => {
    const frame = ipFrame(
      ipv4('10.0.0.1', '10.0.0.2', 1, icmp(8, 0, 1, bytes('x')), { options: bytes(1, 1, 1, 0) }),
    );
    expect(verifyIpv4(view(frame), 0, frame.length)).toBe(true);
    frame[14 + 21] ^= 4; // in the options
    expect(verifyIpv4(view(frame), 0, frame.length)).toBe(false);
    fillIpv4(view(frame), 14);
    expect(verifyIpv4(view(frame), 0, frame.length)).toBe(true);
  });
});

describe('addresses', () => {
  it('of Ethernet are written as everybody writes them', () => {
    expect(formatMac(parseMac('02:0A:ff:00:00:01') as Uint8Array)).toBe('02:0a:ff:00:00:01');
    for (const wrong of ['', '02:0a:ff:00:00', '02-0a-ff-00-00-01', '2:a:ff:0:0:1', '02:0a:ff:00:00:0g']) {
      expect(parseMac(wrong)).toBeNull();
    }
  });

  it('of IPv4 are taken in canonical form only', () => {
    expect(IpAddress.parse('255.0.10.1')?.toString()).toBe('255.0.10.1');
    for (const wrong of [
      '1.2.3',
      '1.2.3.4.5',
      '256.1.1.1',
      '01.2.3.4',
      '1.2.3.4 ',
      'localhost',
      '0x7f.0.0.1',
    ]) {
      expect(IpAddress.parse(wrong)).toBeNull();
    }
    const one = IpAddress.parse('224.0.0.1') as IpAddress;
    expect([one.isMulticast, one.isLoopback, one.isAny]).toEqual([true, false, false]);
    expect(one.equals(one.clone())).toBe(true);
  });
});
