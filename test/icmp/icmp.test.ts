// ICMP as a conversation: echo, errors to us, errors from us, and how many.

import { beforeEach, describe, expect, it } from 'vitest';
import { Icmp } from '../../src/icmp/icmp.js';
import { RX_L4_OK } from '../../src/link/link.js';
import { parseFrame } from '../../src/packet/parse.js';
import { Udp } from '../../src/udp/udp.js';
import {
  counter,
  fromPeer,
  heard,
  introduce,
  Notes,
  OUR_MAC,
  PEER_MAC,
  pass,
  say,
  type TestStack,
  testStack,
} from '../ip/stack.js';
import { bytes, ethernet, icmp, ipv4, mac, pattern, u16, udp } from '../packet/build.js';

let stack: TestStack;

beforeEach(() => {
  stack = testStack();
  new Icmp(stack.ip);
  introduce(stack);
});

function ping(data: Uint8Array, more = {}, dst = '10.0.0.2', id = 7, seq = 1): Uint8Array {
  return fromPeer(ipv4('10.0.0.1', dst, 1, icmp(8, 0, (id << 16) | seq, data), more));
}

describe('echo', () => {
  it('comes back byte by byte', () => {
    stack.link.deliver([ping(bytes('ping'), { tos: 0x10, id: 5, ttl: 9 })]);
    const [sent] = stack.link.take();
    const id = parseFrame(sent.bytes)?.ipv4?.id ?? 0;
    expect(sent.bytes.subarray(0, 24)).toEqual(
      bytes(
        mac(PEER_MAC),
        mac(OUR_MAC),
        0x08,
        0x00,
        0x45,
        0x10, // the request's type of service
        u16(32),
        u16(id), // an id of our own
        0x00,
        0x00, // may be fragmented
        64,
        1, // our own time to live, ICMP
      ),
    );
    expect(sent.bytes.subarray(26)).toEqual(
      bytes(
        10,
        0,
        0,
        2,
        10,
        0,
        0,
        1,
        0,
        0, // echo reply
        0x21,
        0x27, // checksum
        0,
        7,
        0,
        1, // identifier and sequence number
        'ping',
      ),
    );
    expect(parseFrame(sent.bytes)).toMatchObject({ l4ChecksumOk: true, ipv4: { checksumOk: true } });
  });

  it.each([0, 1, 56, 57, 1472])('of %i bytes comes back whole', (size) => {
    stack.link.deliver([ping(pattern(size))]);
    const [sent] = stack.link.take();
    const reply = parseFrame(sent.bytes);
    expect(reply).toMatchObject({ icmp: { type: 0, code: 0, rest: (7 << 16) | 1 }, l4ChecksumOk: true });
    expect(reply?.payload).toEqual(pattern(size));
  });

  it('comes back with the code it had', () => {
    stack.link.deliver([fromPeer(ipv4('10.0.0.1', '10.0.0.2', 1, icmp(8, 3, 1, pattern(8))))]);
    expect(parseFrame(stack.link.take()[0].bytes)).toMatchObject({ icmp: { type: 0, code: 3 } });
  });

  it('that came in fragments goes back in fragments, as one datagram', () => {
    const message = icmp(8, 0, 1, pattern(4000));
    const parts = [0, 1480, 2960].map((from) =>
      fromPeer(
        ipv4('10.0.0.1', '10.0.0.2', 1, message.subarray(from, from + 1480), {
          offset: from,
          mf: from < 2960,
          id: 77,
        }),
      ),
    );
    stack.link.deliver(parts);
    const replies = stack.link.take().map((sent) => parseFrame(sent.bytes));
    expect(replies).toHaveLength(3);
    expect([counter(stack, 'Ip', 'OutRequests'), counter(stack, 'Ip', 'FragCreates')]).toEqual([1, 3]);
    expect(bytes(...replies.map((reply) => reply?.payload ?? 0))).toEqual(icmp(0, 0, 1, pattern(4000)));
    stack.host.memory.reap();
    expect(stack.host.memory.used).toBe(0);
  });

  it('as large as there is comes back, too', () => {
    const message = icmp(8, 0, 1, pattern(65507));
    for (let from = 0; from < message.length; from += 1480) {
      const last = from + 1480 >= message.length;
      stack.link.deliver([
        fromPeer(
          ipv4('10.0.0.1', '10.0.0.2', 1, message.subarray(from, from + 1480), { offset: from, mf: !last }),
        ),
      ]);
    }
    const replies = stack.link.take().map((sent) => parseFrame(sent.bytes));
    expect(bytes(...replies.map((reply) => reply?.payload ?? 0))).toEqual(icmp(0, 0, 1, pattern(65507)));
  });

  it('does not come back to a broadcast, with a bad checksum, or when the user wants silence', () => {
    expect(say(stack, ping(bytes('x'), {}, '10.0.0.255'), ping(bytes('x'), {}, '255.255.255.255'))).toEqual(
      [],
    );
    const broken = ping(bytes('x'));
    broken[42] ^= 1;
    expect(say(stack, broken)).toEqual([]);
    stack.host.sysctl.icmpEchoIgnoreAll = 1;
    expect(say(stack, ping(bytes('x')))).toEqual([]);
    expect(stack.host.mib.snapshot().Icmp).toMatchObject({
      InMsgs: 4,
      InEchos: 3,
      InCsumErrors: 1,
      InErrors: 1,
      OutMsgs: 0,
    });
  });

  it('is answered to each who asks, however fast', () => {
    const replies = say(
      stack,
      ...Array.from({ length: 200 }, (_, i) => ping(bytes('x'), {}, '10.0.0.2', 7, i)),
    );
    expect(replies).toHaveLength(200);
  });
});

describe('an error about what we sent', () => {
  let notes: Notes;

  beforeEach(() => {
    notes = new Notes(stack, 200);
  });

  function complaint(type: number, code: number, rest: number, quote: Uint8Array): Uint8Array {
    return fromPeer(ipv4('10.0.0.1', '10.0.0.2', 1, icmp(type, code, rest, quote)));
  }

  const quoted = ipv4('10.0.0.2', '10.0.0.1', 200, bytes(0xca, 0xfe, 0xba, 0xbe, 1, 2, 3, 4));

  it.each([
    [3, 0, 'ENETUNREACH'],
    [3, 1, 'EHOSTUNREACH'],
    [3, 2, 'ENOPROTOOPT fatal'],
    [3, 3, 'ECONNREFUSED fatal'],
    [3, 5, 'EOPNOTSUPP'],
    [3, 6, 'ENETUNREACH fatal'],
    [3, 7, 'EHOSTDOWN fatal'],
    [3, 8, 'errno 64 fatal'],
    [3, 9, 'ENETUNREACH fatal'],
    [3, 10, 'EHOSTUNREACH fatal'],
    [3, 11, 'ENETUNREACH'],
    [3, 12, 'EHOSTUNREACH'],
    [3, 13, 'EHOSTUNREACH fatal'],
    [3, 15, 'EHOSTUNREACH fatal'],
    [11, 0, 'EHOSTUNREACH'],
    [12, 0, 'EPROTO fatal'],
  ])('of type %i code %i is %s', (type, code, text) => {
    say(stack, complaint(type, code, 0, quoted));
    expect(notes.errors).toEqual([`10.0.0.2 > 10.0.0.1 cafebabe: ${text} ${type}/${code} 0`]);
  });

  it('of a reassembly that ran out of time (11/1) concerns nobody here (icmp_unreach)', () => {
    say(stack, complaint(11, 1, 0, quoted));
    expect(notes.errors).toEqual([]);
  });

  it('of "too large" carries the next hop’s MTU', () => {
    say(stack, complaint(3, 4, 1400, quoted));
    expect(notes.errors).toEqual(['10.0.0.2 > 10.0.0.1 cafebabe: EMSGSIZE 3/4 1400']);
  });

  it('finds the transport header behind options', () => {
    const options = ipv4('10.0.0.2', '10.0.0.1', 200, bytes(0xca, 0xfe, 0xba, 0xbe, 1, 2, 3, 4), {
      options: bytes(1, 1, 1, 1),
    });
    say(stack, complaint(3, 3, 0, options));
    expect(notes.errors).toEqual(['10.0.0.2 > 10.0.0.1 cafebabe: ECONNREFUSED fatal 3/3 0']);
  });

  it('without an errno, as a source quench is (RFC 6633), is left to the transport to count', () => {
    say(stack, complaint(4, 0, 0, quoted));
    expect(notes.errors).toHaveLength(1);
    expect(counter(stack, 'Icmp', 'InSrcQuenchs')).toBe(1);
  });

  it('is nothing to anybody when it is out of date, redirects, quotes too little, or quotes what we did not send', () => {
    say(
      stack,
      complaint(3, 16, 0, quoted), // no such code
      complaint(5, 1, 0x0a000009, quoted), // redirect
      complaint(3, 3, 0, quoted.subarray(0, 19)),
      complaint(3, 3, 0, quoted.subarray(0, 27)),
      complaint(3, 3, 0, bytes(0x65, quoted.subarray(1))), // version 6
      complaint(3, 3, 0, bytes(0x44, quoted.subarray(1))), // a header of 16 bytes
      complaint(3, 3, 0, ipv4('10.0.0.7', '10.0.0.1', 200, bytes('somebody'))),
      complaint(3, 3, 0, ipv4('10.0.0.2', '10.0.0.255', 200, bytes('everybody'))),
      complaint(3, 3, 0, ipv4('10.0.0.2', '10.0.0.1', 199, bytes('unknown protocol'))),
      ethernet(OUR_MAC, PEER_MAC, 0x0800, ipv4('10.0.0.1', '10.0.0.255', 1, icmp(3, 3, 0, quoted))),
      fromPeer(ipv4('10.0.0.1', '10.0.0.2', 1, icmp(3, 3, 0, quoted).subarray(0, 7))),
      fromPeer(ipv4('10.0.0.1', '10.0.0.2', 1, icmp(19, 0, 0, quoted))),
    );
    expect(notes.errors).toEqual([]);
    expect(heard(stack)).toEqual([]);
    expect(counter(stack, 'Icmp', 'InRedirects')).toBe(1);
    expect(counter(stack, 'Icmp', 'InErrors')).toBe(9);
  });
});

describe('errors we send', () => {
  /** To a protocol nobody speaks. */
  function bad(src = '10.0.0.1'): Uint8Array {
    return fromPeer(ipv4(src, '10.0.0.2', 132, pattern(20)));
  }

  it('are six at once to one destination, then one a second (icmp_ratelimit)', () => {
    expect(say(stack, ...Array.from({ length: 30 }, () => bad()))).toHaveLength(6);
    pass(stack, 999);
    expect(say(stack, bad(), bad())).toHaveLength(0);
    pass(stack, 1);
    expect(say(stack, bad(), bad())).toHaveLength(1);
    pass(stack, 3000);
    expect(say(stack, ...Array.from({ length: 30 }, () => bad()))).toHaveLength(3);
    expect(counter(stack, 'Icmp', 'OutRateLimitHost')).toBe(24 + 2 + 1 + 27);
  });

  it('are about icmp_msgs_burst at once to all together, and refill by icmp_msgs_per_sec', () => {
    const many = (first: number, count: number) =>
      Array.from({ length: count }, (_, i) => bad(`10.0.0.${first + i}`));
    for (let host = 10; host < 250; host++) introduce(stack, PEER_MAC, `10.0.0.${host}`);
    const sent = say(stack, ...many(10, 120)).length;
    expect(sent).toBeGreaterThan(30); // a token is taken from each at random, one on average
    expect(sent).toBeLessThan(80);
    expect(counter(stack, 'Icmp', 'OutRateLimitGlobal')).toBe(120 - sent);
    pass(stack, 30);
    const more = say(stack, ...many(130, 120)).length;
    expect(more).toBeGreaterThan(15);
    expect(more).toBeLessThan(60);
  });

  it('are as many as they like with icmp_ratelimit 0 and a large burst', () => {
    stack.host.sysctl.icmpRatelimit = 0;
    stack.host.sysctl.icmpMsgsPerSec = 1_000_000;
    stack.host.sysctl.icmpMsgsBurst = 1_000_000;
    expect(say(stack, ...Array.from({ length: 200 }, () => bad()))).toHaveLength(200);
  });

  it('quote a packet with its checksum, even where the kernel left it out', () => {
    const partial = fromPeer(
      ipv4('10.0.0.1', '10.0.0.2', 17, udp('10.0.0.1', 1, '10.0.0.2', 9, bytes('closed'))),
    );
    const complete = partial.slice(14);
    partial[41] ^= 0x55;
    new Udp(stack.ip);
    stack.link.deliver([partial], RX_L4_OK);
    const quote = parseFrame(stack.link.take()[0].bytes)?.payload;
    expect(quote).toEqual(complete.subarray(0, 34));
  });

  it('are never about a later fragment', () => {
    stack.host.sysctl.ipfragTime = 1;
    say(stack, fromPeer(ipv4('10.0.0.1', '10.0.0.2', 132, pattern(16), { offset: 8 })));
    pass(stack, 2000);
    expect(heard(stack)).toEqual([]);
  });
});
