// Nothing a peer sends can throw: 100,000 random and mutated frames, alone and in batches, into a stack with everything on
// top of IP, and what it answers is well formed.

import { describe, expect, it } from 'vitest';
import { below, type Random, SeededRandom } from '../../src/core/random.js';
import { Icmp } from '../../src/icmp/icmp.js';
import { RX_L4_OK } from '../../src/link/link.js';
import { parseFrame } from '../../src/packet/parse.js';
import { Udp } from '../../src/udp/udp.js';
import { Sender } from '../../src/udp/udp-sock.js';
import { arp, bytes, ethernet, icmp, ipv4, pattern, u16, u32, udp } from '../packet/build.js';
import { counter, fromPeer, introduce, OUR_MAC, PEER_MAC, pass, type TestStack, testStack } from './stack.js';

const HOURS = 3_600_000;

/** Good frames of every kind: the seeds that are mutated. */
function seeds(): Uint8Array[] {
  const quote = ipv4('10.0.0.2', '10.0.0.1', 17, udp('10.0.0.2', 7, '10.0.0.1', 4242, bytes('quoted')));
  const tcp = bytes(u16(4242), u16(7), u32(1), u32(0), 0x50, 0x02, u16(65535), u16(0), u16(0));
  const options = bytes(68, 8, 5, 0, 0, 0, 0, 0, 7, 7, 4, 0, 0, 0, 0, 0);
  return [
    ethernet('ff:ff:ff:ff:ff:ff', PEER_MAC, 0x0806, arp(1, PEER_MAC, '10.0.0.1', PEER_MAC, '10.0.0.2'), 60),
    ethernet(OUR_MAC, PEER_MAC, 0x0806, arp(2, PEER_MAC, '10.0.0.1', OUR_MAC, '10.0.0.2'), 60),
    ...[
      ipv4('10.0.0.1', '10.0.0.2', 1, icmp(8, 0, 1, pattern(56))),
      ipv4('10.0.0.1', '10.0.0.2', 1, icmp(3, 3, 0, quote)),
      ipv4('10.0.0.1', '10.0.0.2', 1, icmp(3, 4, 1000, quote)),
      ipv4('10.0.0.1', '10.0.0.2', 1, icmp(11, 0, 0, quote)),
      ipv4('10.0.0.1', '10.0.0.2', 17, udp('10.0.0.1', 4242, '10.0.0.2', 7, bytes('hello'))),
      ipv4('10.0.0.1', '10.0.0.255', 17, udp('10.0.0.1', 4242, '10.0.0.255', 7, bytes('all'))),
      ipv4('10.0.0.1', '10.0.0.2', 6, tcp, { df: true }),
      ipv4('10.0.0.1', '10.0.0.2', 17, pattern(64), { mf: true, id: 9 }),
      ipv4('10.0.0.1', '10.0.0.2', 17, pattern(40), { offset: 64, id: 9 }),
      ipv4('10.0.0.1', '10.0.0.2', 17, udp('10.0.0.1', 4242, '10.0.0.2', 9, bytes('closed')), { options }),
      ipv4('192.0.2.1', '10.0.0.2', 132, pattern(20)),
    ].map(fromPeer),
  ];
}

function mutated(random: Random, frame: Uint8Array): Uint8Array {
  let copy: Uint8Array = frame.slice();
  for (let changes = 1 + below(random, 5); changes > 0; changes--) {
    // Mostly in the headers, where it hurts.
    const at = below(random, below(random, 3) === 0 ? copy.length : Math.min(copy.length, 64));
    if (copy.length === 0) break;
    switch (below(random, 5)) {
      case 0:
        copy[at] = random.int32();
        break;
      case 1:
        copy[at] ^= 1 << below(random, 8);
        break;
      case 2:
        copy[at] = [0, 1, 0x7f, 0x80, 0xff][below(random, 5)];
        break;
      case 3:
        copy = copy.slice(0, at);
        break;
      case 4:
        copy = bytes(copy, pattern(below(random, 40), at));
        break;
    }
  }
  return copy;
}

function fuzz(frames: number, seed: number, next: (random: Random) => Uint8Array): TestStack {
  const random = new SeededRandom(seed);
  const stack = testStack({ memory: 16 << 20 });
  new Icmp(stack.ip);
  const transport = new Udp(stack.ip);
  const sk = transport.createSock();
  sk.sport = transport.ports.bind(sk, 7);
  introduce(stack);
  stack.host.sysctl.icmpMsgsPerSec = 0x7fffffff;
  stack.host.sysctl.icmpRatelimit = 0;
  const buffer = new Uint8Array(100);
  const from = new Sender();
  for (let sent = 0; sent < frames; ) {
    const batch = Array.from({ length: 1 + below(random, 8) }, () => next(random));
    sent += batch.length;
    // A NIC that vouches lets broken frames further in.
    stack.link.deliver(
      batch,
      below(random, 2) === 0 ? RX_L4_OK : 0,
      below(random, 50) === 0 ? below(random, 2000) : 0,
    );
    for (const answer of stack.link.take()) {
      const parsed = parseFrame(answer.bytes);
      const isGood = parsed !== null && (parsed.arp ?? parsed.ipv4?.checksumOk) && parsed.l4ChecksumOk;
      if (!isGood) throw new Error(`a malformed answer: ${Buffer.from(answer.bytes).toString('hex')}`);
    }
    while (transport.recv(sk, buffer, 100, 0x40, from) >= 0);
    if (below(random, 20) === 0) pass(stack, below(random, 3000));
  }
  transport.close(sk);
  stack.link.take();
  return stack;
}

function expectQuiet(stack: TestStack): void {
  pass(stack, 24 * HOURS);
  stack.link.take();
  stack.host.memory.reap();
  expect(stack.host.memory.used).toBe(0);
  expect(stack.host.wheel.size).toBe(0);
}

describe('a peer that sends rubbish', () => {
  it('70,000 mutations of good frames', () => {
    const good = seeds();
    const stack = fuzz(70_000, 21, (random) => mutated(random, good[below(random, good.length)]));
    // It got everywhere.
    for (const [group, name] of [
      ['Ip', 'InHdrErrors'],
      ['Ip', 'InAddrErrors'],
      ['Ip', 'InUnknownProtos'],
      ['Ip', 'InDelivers'],
      ['Ip', 'ReasmOKs'],
      ['Ip', 'ReasmFails'],
      ['Icmp', 'InErrors'],
      ['Icmp', 'OutEchoReps'],
      ['Icmp', 'OutDestUnreachs'],
      ['Udp', 'InDatagrams'],
      ['Udp', 'InErrors'],
      ['Udp', 'NoPorts'],
      ['Arp', 'InErrors'],
      ['Arp', 'OutReplies'],
      ['Link', 'RxUnknown'],
    ]) {
      expect([name, counter(stack, group, name) > 0]).toEqual([name, true]);
    }
    expectQuiet(stack);
  });

  it('30,000 frames of random bytes, half of them with a header that lets them in', () => {
    const stack = fuzz(30_000, 22, (random) => {
      const noise = Uint8Array.from({ length: below(random, 200) }, () => random.int32());
      switch (below(random, 4)) {
        case 0:
          return ethernet(OUR_MAC, PEER_MAC, below(random, 2) === 0 ? 0x0800 : 0x0806, noise);
        case 1:
          return fromPeer(ipv4('10.0.0.1', '10.0.0.2', [1, 6, 17, 99][below(random, 4)], noise));
        default:
          return noise;
      }
    });
    expect(counter(stack, 'Link', 'RxFrames')).toBeGreaterThanOrEqual(30_000);
    expectQuiet(stack);
  });
});
