// What leaves: headers byte by byte, descriptors for the NIC, fragments, ids, and the way each packet takes.

import { beforeEach, describe, expect, it } from 'vitest';
import { TX_NO_ID } from '../../src/ip/ipv4-output.js';
import { TX_ECN, TX_GSO_TCP4, TX_IPV4_CSUM } from '../../src/link/tx-ring.js';
import { parseFrame } from '../../src/packet/parse.js';
import { arp, bytes, ethernet, ip4, mac, pattern, u16 } from '../packet/build.js';
import {
  address,
  counter,
  heard,
  introduce,
  Notes,
  OUR_MAC,
  PEER_MAC,
  pass,
  sendPlain,
  type TestStack,
  testStack,
} from './stack.js';

let stack: TestStack;

beforeEach(() => {
  stack = testStack();
  introduce(stack);
});

function route(to = '10.0.0.1') {
  const found = stack.ip.route(address(to));
  if (found === null) throw new Error(`no route to ${to}`);
  return found;
}

/** A datagram that lies in packet memory, sent whole or in fragments. */
function sendDatagram(payload: Uint8Array, df: boolean, csumOffset = -1, to = '10.0.0.1'): number {
  const { memory } = stack.host;
  const way = route(to);
  const chunk = memory.alloc(payload.length);
  memory.bytes.set(payload, memory.start[chunk]);
  const { source, destination } = way;
  const at = memory.start[chunk];
  const result = stack.ip.sendDatagram(
    way,
    source,
    destination,
    17,
    at,
    payload.length,
    8,
    0,
    64,
    df,
    csumOffset,
  );
  memory.free(chunk);
  return result;
}

describe('a packet', () => {
  it('byte by byte', () => {
    route().ipId = 0x1234;
    sendPlain(stack, '10.0.0.1', 200, bytes('hi'), true);
    expect(stack.link.take()[0].bytes).toEqual(
      bytes(
        mac(PEER_MAC),
        mac(OUR_MAC),
        0x08,
        0x00, // IPv4
        0x45,
        0x00, // version 4, header of 5 words, no type of service
        u16(22), // header and two bytes
        u16(0x1234), // identification
        0x40,
        0x00, // don't fragment
        64,
        200, // time to live, protocol
        0x13,
        0xea, // header checksum
        ip4('10.0.0.2'),
        ip4('10.0.0.1'),
        'hi',
      ),
    );
  });

  it('tells the NIC what to fill in and where to cut', () => {
    const { memory } = stack.host;
    const way = route();
    const chunk = memory.alloc(4000);
    stack.ip.begin(way);
    way.device.tx.piece(memory.start[chunk], 1000);
    way.device.tx.piece(memory.start[chunk] + 1000, 2000);
    expect(stack.ip.send(way, way.source, way.destination, 6, 32, 3000, 1, 64, true, 16, 1448, TX_ECN)).toBe(
      0,
    );
    const [sent] = stack.link.take();
    expect(sent).toMatchObject({
      csumStart: 34,
      csumOffset: 16,
      gsoSize: 1448,
      flags: TX_IPV4_CSUM | TX_GSO_TCP4 | TX_ECN,
    });
    expect(parseFrame(sent.bytes)?.ipv4?.totalLength).toBe(20 + 32 + 3000);
  });

  it('takes one id, a TSO packet one for each of its segments', () => {
    const way = route();
    way.ipId = 0xfffe;
    const send = (payload: number, gsoSize: number) => {
      stack.ip.begin(way);
      if (payload > 0) way.device.tx.piece(0, payload);
      stack.ip.send(way, way.source, way.destination, 6, 32, payload, 0, 64, true, 16, gsoSize, 0);
      return parseFrame(stack.link.take()[0].bytes)?.ipv4?.id;
    };
    expect([send(0, 0), send(3000, 1448), send(1448, 0), send(0, 0)]).toEqual([0xfffe, 0xffff, 2, 3]);
  });

  it('of no connected socket has none where it may not be fragmented (RFC 6864)', () => {
    const way = route();
    const send = (df: boolean) => {
      stack.ip.begin(way);
      stack.ip.send(way, way.source, way.destination, 6, 20, 0, 0, 64, df, 16, 0, TX_NO_ID);
      return parseFrame(stack.link.take()[0].bytes)?.ipv4?.id;
    };
    way.ipId = 7;
    expect([send(true), send(false), way.ipId]).toEqual([0, 7, 8]);
  });

  it('is refused when it is too large, and lost, counted, when the ring is full', () => {
    const way = route();
    stack.ip.begin(way);
    way.device.tx.piece(0, 1473);
    expect(stack.ip.send(way, way.source, way.destination, 6, 8, 1473, 0, 64, true, -1, 0, 0)).toBe(-90);
    expect(counter(stack, 'Ip', 'FragFails')).toBe(1);
    for (let i = 0; i < 256; i++) expect(sendPlain(stack, '10.0.0.1', 200, bytes('x'))).toBe(0);
    expect(sendPlain(stack, '10.0.0.1', 200, bytes('x'))).toBe(-1);
    expect(counter(stack, 'Link', 'TxDropped')).toBe(1);
  });

  it('to a group goes to the group’s Ethernet address, to a broadcast address to everybody', () => {
    for (const to of ['224.1.2.3', '239.255.1.2', '10.0.0.255', '255.255.255.255']) {
      sendPlain(stack, to, 200, bytes('x'));
    }
    expect(stack.link.take().map((sent) => parseFrame(sent.bytes)?.dst)).toEqual([
      '01:00:5e:01:02:03',
      '01:00:5e:7f:01:02',
      'ff:ff:ff:ff:ff:ff',
      'ff:ff:ff:ff:ff:ff',
    ]);
  });
});

describe('a datagram larger than the path', () => {
  it('goes in fragments of whole 8-byte units, all of one id, its checksum completed first', () => {
    const payload = pattern(4000);
    payload.set([0x10, 0x00], 6); // as if the pseudo-header's sum
    expect(sendDatagram(payload, false, 6)).toBe(0);
    const frames = stack.link.take().map((sent) => parseFrame(sent.bytes));
    expect(frames.map((frame) => [frame?.ipv4?.offset, frame?.payload.length, frame?.ipv4?.mf])).toEqual([
      [0, 1480, true],
      [1480, 1480, true],
      [2960, 1040, false],
    ]);
    expect(new Set(frames.map((frame) => frame?.ipv4?.id)).size).toBe(1);
    expect(frames.every((frame) => frame?.ipv4?.checksumOk && !frame.ipv4.df)).toBe(true);
    const whole = bytes(...frames.map((frame) => frame?.payload ?? 0));
    let sum = 0;
    for (let i = 0; i < whole.length; i += 2) sum += (whole[i] << 8) | whole[i + 1];
    expect((sum + 0x1000) % 0xffff).toBe(0); // complete: with the pseudo-header all ones
    expect(whole.subarray(8)).toEqual(payload.subarray(8));
    expect([counter(stack, 'Ip', 'FragOKs'), counter(stack, 'Ip', 'FragCreates')]).toEqual([1, 3]);
  });

  it('is refused with don’t-fragment, and when no IPv4 packet can hold it', () => {
    expect(sendDatagram(pattern(1481), true)).toBe(-90);
    expect(sendDatagram(pattern(1480), true)).toBe(0);
    expect(sendDatagram(pattern(65516), false)).toBe(-90);
    expect(heard(stack)).toHaveLength(1);
  });

  it('waits in fragments for a neighbour that is not known yet', () => {
    expect(sendDatagram(pattern(3000), false, -1, '10.0.0.77')).toBe(0);
    expect(heard(stack)).toEqual(['ARP, who-has 10.0.0.77 tell 10.0.0.2']);
    stack.link.deliver([
      ethernet(OUR_MAC, PEER_MAC, 0x0806, arp(2, PEER_MAC, '10.0.0.77', OUR_MAC, '10.0.0.2')),
    ]);
    expect(heard(stack)).toEqual([
      '10.0.0.2 > 10.0.0.77: fragment 0+1480, more',
      '10.0.0.2 > 10.0.0.77: fragment 1480+1480, more',
      '10.0.0.2 > 10.0.0.77: fragment 2960+40',
    ]);
  });

  it('fails as a whole when the ring is full half-way', () => {
    stack = testStack({ slots: 2 });
    introduce(stack);
    expect(sendDatagram(pattern(4000), false)).toBe(-105);
    expect(counter(stack, 'Ip', 'FragFails')).toBe(1);
  });
});

describe('the way', () => {
  it('to one destination is shared, and gone over again when routes change', () => {
    const way = route();
    expect(route()).toBe(way);
    expect(stack.ip.route(address('192.0.2.1'))).toBeNull();
    expect(stack.ip.addRoute(address('0.0.0.0'), 0, address('10.0.0.254'))).toBe(0);
    expect(way.obsolete).toBe(true);
    expect(route()).not.toBe(way);
    expect(route('192.0.2.1')).toMatchObject({ local: false, broadcast: false });
    expect(route('192.0.2.1').gateway?.toString()).toBe('10.0.0.254');
  });

  it('is gone over again, too, when it is no longer shared: by a sock bound to a device, or after 4096 others', () => {
    const bound = stack.ip.routes.outputBound(address('192.0.2.1'), 2, false);
    const evicted = route('10.0.0.9');
    stack.ip.addRoute(address('0.0.0.0'), 0, address('10.0.0.250'));
    const ways = Array.from({ length: 4096 }, (_, i) => route(`192.0.${i >>> 8}.${i & 255}`));
    expect(bound?.obsolete).toBe(true);
    expect(evicted.obsolete).toBe(true);
    expect(ways.some((way) => way.obsolete)).toBe(false);
    const first = ways[0];
    expect(route('198.51.100.1')).not.toBe(first);
    expect(route('192.0.0.0')).not.toBe(first);
    stack.ip.addRoute(address('192.0.0.0'), 16, address('10.0.0.251'));
    expect(first.obsolete).toBe(true);
  });

  it('is the longest prefix that fits, and of two equal ones the newer', () => {
    const gateway = (to: string) => route(to).gateway?.toString();
    stack.ip.addRoute(address('0.0.0.0'), 0, address('10.0.0.250'));
    stack.ip.addRoute(address('192.0.0.0'), 8, address('10.0.0.251'));
    stack.ip.addRoute(address('192.0.2.0'), 24, address('10.0.0.252'));
    stack.ip.addRoute(address('192.0.2.9'), 32, address('10.0.0.253'));
    expect(['192.0.2.9', '192.0.2.8', '192.1.1.1', '8.8.8.8', '10.0.0.9'].map(gateway)).toEqual([
      '10.0.0.253',
      '10.0.0.252',
      '10.0.0.251',
      '10.0.0.250',
      undefined,
    ]);
    stack.ip.addRoute(address('0.0.0.0'), 0, address('10.0.0.249'));
    expect(gateway('8.8.8.8')).toBe('10.0.0.249');
  });

  it('through a gateway nobody can reach is refused', () => {
    const add = (network: string, prefix: number, via: string) =>
      stack.ip.addRoute(address(network), prefix, address(via));
    expect(add('192.0.2.0', 24, '172.16.0.1')).toBe(-101);
    expect(add('192.0.2.1', 24, '10.0.0.254')).toBe(-22); // host bits set
    expect(add('192.0.2.0', 33, '10.0.0.254')).toBe(-22);
    expect(add('192.0.2.0', 24, '10.0.0.2')).toBe(-22); // ourselves
    expect(add('192.0.2.0', 24, '10.0.0.255')).toBe(-101);
    add('0.0.0.0', 0, '10.0.0.254');
    expect(add('192.0.2.0', 24, '8.8.8.8')).toBe(-101); // a gateway behind a gateway
  });

  it('to ourselves leads over lo, from the address itself; 0.0.0.0 is 127.0.0.1', () => {
    const told = (to: string) => {
      const { source, destination, local, device, mtu } = route(to);
      return `${source} > ${destination} ${local ? 'local' : 'out'} ${device.name} ${mtu}`;
    };
    expect(['10.0.0.2', '127.0.0.1', '127.9.9.9', '0.0.0.0', '10.0.0.1'].map(told)).toEqual([
      '10.0.0.2 > 10.0.0.2 local lo 65535',
      '127.0.0.1 > 127.0.0.1 local lo 65535',
      '127.0.0.1 > 127.9.9.9 local lo 65535',
      '127.0.0.1 > 127.0.0.1 local lo 65535',
      '10.0.0.2 > 10.0.0.1 out test0 1500',
    ]);
    const notes = new Notes(stack, 200);
    sendPlain(stack, '10.0.0.2', 200, bytes('self'));
    expect(notes.packets).toMatchObject([{ from: '10.0.0.2', to: '10.0.0.2' }]);
    expect(heard(stack)).toEqual([]);
  });

  it('narrows as routers say, not below 552 bytes, and widens again after ten minutes', () => {
    const way = route();
    expect([way.updateMtu(1600), way.updateMtu(1500), way.updateMtu(1400), way.updateMtu(1450)]).toEqual([
      false,
      false,
      true,
      false,
    ]);
    expect(way.mtu).toBe(1400);
    expect(way.updateMtu(68)).toBe(true);
    expect(way.mtu).toBe(552);
    expect(way.updateMtu(60)).toBe(false);
    pass(stack, 599_000);
    expect(way.mtu).toBe(552);
    pass(stack, 1000);
    expect(way.mtu).toBe(1500);
  });

  it('is as wide as ever when nothing was sent for a month', () => {
    const way = route();
    way.updateMtu(1400);
    pass(stack, 30 * 24 * 3_600_000);
    expect(way.mtu).toBe(1500);
  });

  it('is forgotten first where it is oldest, so that a scan cannot fill memory with routes', () => {
    const first = route('10.0.0.1');
    stack.ip.addRoute(address('0.0.0.0'), 0, address('10.0.0.254'));
    for (let i = 0; i < 5000; i++) route(`203.0.${i >> 8}.${i & 255}`);
    expect(route('10.0.0.1')).not.toBe(first);
  });
});

describe('an interface', () => {
  it('needs an address somebody can have, and a sensible prefix and MTU', () => {
    const bare = testStack();
    const add = (text: string, prefix: number) => () =>
      bare.ip.addInterface(bare.link, address(text), prefix);
    expect(add('10.0.0.2', 24)).toThrow(/free unicast address/);
    expect(add('127.0.0.5', 8)).toThrow(/free unicast address/);
    expect(add('224.0.0.1', 4)).toThrow(/free unicast address/);
    expect(add('10.0.0.3', 33)).toThrow(/from 0 to 32/);
    expect(() => testStack({ mtu: 60 })).toThrow(/RFC 791/);
  });

  it('of /31 or /32 has no broadcast address', () => {
    const narrow = testStack({ address: '10.0.0.2', prefix: 31 });
    expect(narrow.ip.route(address('10.0.0.3'))).toMatchObject({ broadcast: false, local: false });
  });
});
