// ARP and the neighbour machine, as conversations on the wire.

import { beforeEach, describe, expect, it } from 'vitest';
import {
  type Neighbour,
  NUD_DELAY,
  NUD_FAILED,
  NUD_INCOMPLETE,
  NUD_PROBE,
  NUD_REACHABLE,
  NUD_STALE,
} from '../../src/ip/neighbour.js';
import { formatMac } from '../../src/packet/ethernet.js';
import { parseFrame } from '../../src/packet/parse.js';
import { arp, bytes, ethernet, mac } from '../packet/build.js';
import {
  address,
  counter,
  heard,
  introduce,
  Notes,
  OUR_ADDRESS,
  OUR_MAC,
  PEER_ADDRESS,
  PEER_MAC,
  pass,
  say,
  sendPlain,
  type TestStack,
  testStack,
} from './stack.js';

const ALL = 'ff:ff:ff:ff:ff:ff';
const NONE = '00:00:00:00:00:00';
const OTHER_MAC = '02:00:00:00:00:99';

let stack: TestStack;

beforeEach(() => {
  stack = testStack();
});

function neighbour(ip = PEER_ADDRESS): Neighbour | null {
  return stack.ip.routes.devices[1].neighbours?.lookup(address(ip).a) ?? null;
}

function state(ip = PEER_ADDRESS): number | undefined {
  return neighbour(ip)?.state;
}

function macOf(ip = PEER_ADDRESS): string {
  const known = neighbour(ip);
  const raw = new DataView(new ArrayBuffer(6));
  raw.setUint16(0, known?.macHigh ?? 0);
  raw.setInt32(2, known?.macLow ?? 0);
  return formatMac(new Uint8Array(raw.buffer));
}

function request(target = OUR_ADDRESS, senderMac = PEER_MAC, senderIp = PEER_ADDRESS): Uint8Array {
  return ethernet(ALL, senderMac, 0x0806, arp(1, senderMac, senderIp, NONE, target), 60);
}

function reply(
  to = OUR_MAC,
  senderMac = PEER_MAC,
  senderIp = PEER_ADDRESS,
  target = OUR_ADDRESS,
): Uint8Array {
  return ethernet(to, senderMac, 0x0806, arp(2, senderMac, senderIp, OUR_MAC, target), 60);
}

describe('ARP answers', () => {
  it('who asks for our address, and learns who asked', () => {
    expect(say(stack, request())).toEqual([`ARP, reply 10.0.0.2 is-at ${OUR_MAC}`]);
    expect([state(), macOf()]).toEqual([NUD_STALE, PEER_MAC]);
  });

  it('byte by byte', () => {
    stack.link.deliver([request()]);
    expect(stack.link.take()[0].bytes).toEqual(
      bytes(
        mac(PEER_MAC), // to who asked, not to everybody
        mac(OUR_MAC),
        0x08,
        0x06, // ARP
        0x00,
        0x01, // Ethernet
        0x08,
        0x00, // IPv4
        6,
        4, // lengths of the addresses
        0x00,
        0x02, // reply
        mac(OUR_MAC),
        10,
        0,
        0,
        2,
        mac(PEER_MAC),
        10,
        0,
        0,
        1,
      ),
    );
  });

  it('nobody who asks for somebody else, for loopback or for a group', () => {
    for (const target of ['10.0.0.3', '127.0.0.1', '224.0.0.1', '10.0.0.255']) {
      expect(say(stack, request(target))).toEqual([]);
    }
    expect(neighbour()).toBeNull();
  });

  it('duplicate address detection (sender 0.0.0.0), without learning from it', () => {
    expect(say(stack, request(OUR_ADDRESS, PEER_MAC, '0.0.0.0'))).toEqual([
      `ARP, reply 10.0.0.2 is-at ${OUR_MAC}`,
    ]);
    expect(say(stack, request('10.0.0.7', PEER_MAC, '0.0.0.0'))).toEqual([]);
    expect(neighbour('0.0.0.0')).toBeNull();
  });

  it('a station of another subnet, which it will never have to send to directly', () => {
    expect(say(stack, request(OUR_ADDRESS, PEER_MAC, '192.168.7.7'))).toHaveLength(1);
    expect(neighbour('192.168.7.7')).toBeNull();
  });

  it('whoever asks from the broadcast address of the subnet, which is no neighbour', () => {
    expect(say(stack, request(OUR_ADDRESS, OTHER_MAC, '10.0.0.255'))).toHaveLength(1);
    expect(neighbour('10.0.0.255')).toBeNull();
  });

  it('nobody who claims an address of ours or a group', () => {
    for (const liar of [OUR_ADDRESS, '127.0.0.1', '224.0.0.5', '255.255.255.255']) {
      expect(say(stack, request(OUR_ADDRESS, OTHER_MAC, liar))).toEqual([]);
    }
    expect(say(stack, request(OUR_ADDRESS, '01:00:5e:00:00:01'))).toEqual([]);
    expect(counter(stack, 'Arp', 'InErrors')).toBe(5);
  });

  it('nothing that is malformed', () => {
    const good = request();
    for (const [at, value] of [
      [15, 9],
      [16, 0x86],
      [18, 8],
      [19, 16],
      [21, 3],
      [21, 0],
    ]) {
      const broken = good.slice();
      broken[at] = value;
      expect(say(stack, broken)).toEqual([]);
    }
    expect(say(stack, good.slice(0, 14 + 27))).toEqual([]);
    expect(counter(stack, 'Arp', 'InErrors')).toBe(7);
  });
});

describe('learning', () => {
  it('takes no entry from an answer nobody asked for', () => {
    say(stack, reply(), reply(ALL, PEER_MAC, PEER_ADDRESS, PEER_ADDRESS));
    expect(neighbour()).toBeNull();
  });

  it('keeps an address it learnt less than a second ago, unless a gratuitous announcement says otherwise', () => {
    introduce(stack);
    say(stack, reply(OUR_MAC, OTHER_MAC));
    expect(macOf()).toBe(PEER_MAC);
    say(stack, ethernet(ALL, OTHER_MAC, 0x0806, arp(1, OTHER_MAC, PEER_ADDRESS, NONE, PEER_ADDRESS), 60));
    expect([macOf(), state()]).toEqual([OTHER_MAC, NUD_STALE]);
    pass(stack, 1001);
    say(stack, reply(OUR_MAC, PEER_MAC));
    expect([macOf(), state()]).toEqual([PEER_MAC, NUD_REACHABLE]);
  });

  it('takes an answer for an announcement if the hardware address of the target is the sender’s as well', () => {
    introduce(stack);
    const announce = (target: string) =>
      ethernet(ALL, OTHER_MAC, 0x0806, arp(2, OTHER_MAC, PEER_ADDRESS, target, PEER_ADDRESS), 60);
    say(stack, announce(NONE), announce(ALL));
    expect(macOf()).toBe(PEER_MAC);
    say(stack, announce(OTHER_MAC));
    expect([macOf(), state()]).toEqual([OTHER_MAC, NUD_STALE]);
  });

  it('never changes a static entry', () => {
    expect(stack.ip.addNeighbour(stack.ip.routes.devices[1], address(PEER_ADDRESS), mac(PEER_MAC))).toBe(0);
    say(stack, request(OUR_ADDRESS, OTHER_MAC));
    pass(stack, 2000);
    say(stack, request(OUR_ADDRESS, OTHER_MAC), reply(OUR_MAC, OTHER_MAC));
    expect(macOf()).toBe(PEER_MAC);
    sendPlain(stack, PEER_ADDRESS, 200, bytes('hi'));
    expect(heard(stack)).toEqual(['10.0.0.2 > 10.0.0.1: protocol 200, length 2']);
    pass(stack, 3_600_000);
    expect(heard(stack)).toEqual([]);
  });
});

describe('resolving', () => {
  it('asks everybody, keeps what waits, and sends it in order when the answer comes', () => {
    for (const text of ['first', 'second', 'third']) sendPlain(stack, PEER_ADDRESS, 200, bytes(text));
    expect(heard(stack)).toEqual(['ARP, who-has 10.0.0.1 tell 10.0.0.2']);
    expect(state()).toBe(NUD_INCOMPLETE);
    stack.link.deliver([reply()]);
    const frames = stack.link.take().map((sent) => parseFrame(sent.bytes));
    expect(frames.map((frame) => new TextDecoder().decode(frame?.payload))).toEqual([
      'first',
      'second',
      'third',
    ]);
    expect(frames.every((frame) => frame?.dst === PEER_MAC && frame.src === OUR_MAC)).toBe(true);
    expect(state()).toBe(NUD_REACHABLE);
    stack.host.memory.reap();
    expect(stack.host.memory.used).toBe(0);
  });

  it('sends what waits also when the neighbour asks us meanwhile', () => {
    sendPlain(stack, PEER_ADDRESS, 200, bytes('x'));
    heard(stack);
    expect(say(stack, request())).toEqual([
      '10.0.0.2 > 10.0.0.1: protocol 200, length 1',
      `ARP, reply 10.0.0.2 is-at ${OUR_MAC}`,
    ]);
    expect(state()).toBe(NUD_DELAY);
  });

  it('asks three times, a second apart, then tells the senders and starts anew with the next packet', () => {
    const notes = new Notes(stack, 200);
    sendPlain(stack, PEER_ADDRESS, 200, bytes('lost'));
    sendPlain(stack, PEER_ADDRESS, 200, bytes('also'));
    const asked: number[] = [];
    for (let ms = 0; ms <= 4000; ms += 100) {
      if (heard(stack).length > 0) asked.push(ms);
      pass(stack, 100);
    }
    expect(asked).toEqual([0, 1000, 2000]);
    expect(state()).toBe(NUD_FAILED);
    expect(notes.errors).toEqual([
      '10.0.0.2 > 10.0.0.1 6c6f7374: EHOSTUNREACH 3/1 0',
      '10.0.0.2 > 10.0.0.1 616c736f: EHOSTUNREACH 3/1 0',
    ]);
    expect(counter(stack, 'Arp', 'ResolveFails')).toBe(1);
    sendPlain(stack, PEER_ADDRESS, 200, bytes('again'));
    expect(heard(stack)).toEqual(['ARP, who-has 10.0.0.1 tell 10.0.0.2']);
    expect(say(stack, reply())).toEqual(['10.0.0.2 > 10.0.0.1: protocol 200, length 5']);
  });

  it('keeps at most unres_qlen packets for a neighbour: the oldest go, counted', () => {
    for (let i = 0; i < 105; i++) sendPlain(stack, PEER_ADDRESS, 200, bytes(i));
    heard(stack);
    stack.link.deliver([reply()]);
    const sent = stack.link.take().map(({ bytes: frame }) => parseFrame(frame)?.payload[0]);
    expect(sent).toEqual(Array.from({ length: 101 }, (_, i) => i + 4));
    expect(counter(stack, 'Arp', 'QueueDrops')).toBe(4);
  });

  it('does not let the waiting packets of many neighbours eat the packet memory', () => {
    for (let host = 3; host < 250; host++) {
      for (let i = 0; i < 20; i++) sendPlain(stack, `10.0.0.${host}`, 200, bytes('x'));
      heard(stack);
    }
    expect(stack.host.memory.used).toBeLessThan(stack.host.memory.capacity / 10);
    expect(counter(stack, 'Arp', 'QueueDrops')).toBeGreaterThan(4000);
    pass(stack, 5000);
    heard(stack);
    stack.host.memory.reap();
    expect(stack.host.memory.used).toBe(0);
  });

  it('asks for the gateway where the destination is elsewhere', () => {
    expect(stack.ip.addRoute(address('0.0.0.0'), 0, address('10.0.0.254'))).toBe(0);
    sendPlain(stack, '192.0.2.9', 200, bytes('far'));
    expect(heard(stack)).toEqual(['ARP, who-has 10.0.0.254 tell 10.0.0.2']);
    expect(say(stack, reply(OUR_MAC, OTHER_MAC, '10.0.0.254'))).toEqual([
      '10.0.0.2 > 192.0.2.9: protocol 200, length 3',
    ]);
  });
});

describe('an address that was known', () => {
  it('goes stale, is used and then probed, by unicast first', () => {
    sendPlain(stack, PEER_ADDRESS, 200, bytes('x'));
    say(stack, reply());
    expect(state()).toBe(NUD_REACHABLE);
    pass(stack, 46_000); // more than one and a half times base_reachable_time
    expect(state()).toBe(NUD_STALE);
    sendPlain(stack, PEER_ADDRESS, 200, bytes('y'));
    expect(heard(stack)).toEqual(['10.0.0.2 > 10.0.0.1: protocol 200, length 1']);
    expect(state()).toBe(NUD_DELAY);
    pass(stack, 5000); // delay_first_probe_time
    expect(state()).toBe(NUD_PROBE);
    const [probe] = stack.link.take();
    expect(parseFrame(probe.bytes)?.dst).toBe(PEER_MAC);
    say(stack, reply());
    expect(state()).toBe(NUD_REACHABLE);
  });

  it('is given up after three probes', () => {
    introduce(stack);
    sendPlain(stack, PEER_ADDRESS, 200, bytes('y'));
    heard(stack);
    pass(stack, 5000 + 3000);
    expect(heard(stack)).toHaveLength(3);
    expect(state()).toBe(NUD_FAILED);
  });

  it('needs no probe while a transport vouches for it', () => {
    introduce(stack);
    const route = stack.ip.route(address(PEER_ADDRESS));
    sendPlain(stack, PEER_ADDRESS, 200, bytes('y'));
    heard(stack);
    pass(stack, 3000);
    route?.confirm();
    sendPlain(stack, PEER_ADDRESS, 200, bytes('y'));
    pass(stack, 2000);
    expect(state()).toBe(NUD_REACHABLE);
    for (let i = 0; i < 20; i++) {
      pass(stack, 10_000);
      sendPlain(stack, PEER_ADDRESS, 200, bytes('y'));
      route?.confirm();
      sendPlain(stack, PEER_ADDRESS, 200, bytes('y'));
    }
    expect(heard(stack).filter((line) => line.startsWith('ARP'))).toEqual([]);
  });

  it('is probed all the same by who has proof but sends nothing more', () => {
    introduce(stack);
    const route = stack.ip.route(address(PEER_ADDRESS));
    sendPlain(stack, PEER_ADDRESS, 200, bytes('y'));
    heard(stack);
    pass(stack, 3000);
    route?.confirm();
    pass(stack, 2000);
    expect([state(), heard(stack)]).toEqual([NUD_PROBE, ['ARP, who-has 10.0.0.1 tell 10.0.0.2']]);
  });

  it('makes room for others when the table is full, and never more than gc_thresh3 are kept', () => {
    stack.host.sysctl.neighGcThresh3 = 8;
    for (let host = 10; host < 18; host++) introduce(stack, OTHER_MAC, `10.0.0.${host}`);
    const table = stack.ip.routes.devices[1].neighbours;
    expect(table?.size).toBe(8);
    pass(stack, 6000);
    const route = stack.ip.route(address('10.0.0.10'));
    sendPlain(stack, '10.0.0.10', 200, bytes('x'));
    heard(stack);
    introduce(stack);
    expect(table?.size).toBeLessThanOrEqual(8);
    expect(state('10.0.0.10')).toBe(NUD_DELAY); // in use
    expect(state()).toBe(NUD_STALE);
    // A route whose neighbour was thrown out finds it again.
    table?.remove(route?.neighbour as Neighbour);
    sendPlain(stack, '10.0.0.10', 200, bytes('z'));
    expect(heard(stack)).toEqual(['ARP, who-has 10.0.0.10 tell 10.0.0.2']);
  });

  it('refuses new ones when every entry is being asked for', () => {
    stack.host.sysctl.neighGcThresh3 = 4;
    const results = [3, 4, 5, 6, 7].map((host) => sendPlain(stack, `10.0.0.${host}`, 200, bytes('x')));
    expect(results).toEqual([0, 0, 0, 0, -105]);
    expect(counter(stack, 'Ip', 'OutDiscards')).toBe(1);
  });
});
