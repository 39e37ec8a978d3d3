// Accurate ECN from end to end: a wire that marks, clears or bleaches what it carries, and what both ends then know of it.

import { describe, expect, it } from 'vitest';
import { below, SeededRandom } from '../../src/core/random.js';
import type { WireFault } from '../../src/link/wire.js';
import { fillIpv4 } from '../../src/packet/frame-checksum.js';
import {
  fitBlocks,
  fitFields,
  fitOption,
  fitSize,
  nopsOrRest,
  writeFields,
} from '../../src/tcp/ecn/accecn-fields.js';
import { tcpInfo } from '../../src/tcp/info.js';
import { checkSock } from './invariants.js';
import { connectPair, type Pair, transfer, twoHosts } from './two-hosts.js';

const IP = 14;
const ECT_0 = 2;
const CE = 3;

/** The ECN field of a frame's IP header; -1: it has none. */
function mark(frame: Uint8Array): number {
  return frame[12] === 8 && frame[13] === 0 ? frame[IP + 1] & 3 : -1;
}

function setMark(frame: Uint8Array, to: number): void {
  frame[IP + 1] = (frame[IP + 1] & ~3) | to;
  fillIpv4(new DataView(frame.buffer, frame.byteOffset, frame.length), IP);
}

function pairWith(fault: WireFault, sysctl: object = {}, offload = false): Pair {
  const pair = twoHosts(3, { delayUs: 10_000, fault, offload });
  for (const { host } of [pair.a, pair.b]) {
    Object.assign(host.sysctl, { tcpEcn: 3, tcpCongestionControl: 'reno' }, sysctl);
  }
  return pair;
}

/** Marks so many of a thousand packets that may be marked, in either direction; counts what it does. */
function marking(
  perMille: number,
  counts = { ab: 0, ba: 0 },
): { fault: WireFault; counts: { ab: number; ba: number } } {
  const random = new SeededRandom(11);
  const fault: WireFault = (frame, direction) => {
    if (mark(frame) !== ECT_0 || below(random, 1000) >= perMille) return undefined;
    setMark(frame, CE);
    counts[direction]++;
    return undefined;
  };
  return { fault, counts };
}

// covers: AccECN counters | RFC 9768 section 3.2.2 | src/tcp/ecn/accecn-ack.ts
describe('a wire that marks', () => {
  for (const perMille of [0, 20, 300, 1000]) {
    it(`${perMille} of a thousand packets: both ends know of each mark, and of the bytes`, () => {
      const { fault, counts } = marking(perMille);
      const pair = pairWith(fault);
      const { client, server } = connectPair(pair);
      const { sent, received } = transfer(pair, pair.a, client, pair.b, server, 300_000, 5);
      expect(received).toBe(sent);
      pair.pass(1000);
      const told = tcpInfo(client);
      const seen = tcpInfo(server);
      expect(seen.received_ce).toBe(counts.ab);
      expect(told.delivered_ce).toBe(counts.ab);
      expect(told.delivered_ce_bytes).toBe(seen.received_ce_bytes);
      expect(told.delivered_e0_bytes).toBe(seen.received_e0_bytes);
      expect(seen.received_ce_bytes + seen.received_e0_bytes).toBe(300_000);
      // Once it has sent its FIN it does not count any more.
      expect(told.received_ce).toBeLessThanOrEqual(counts.ba);
      expect(told.received_ce > 0).toBe(perMille >= 300);
      expect([told.accecn_fail_mode, seen.accecn_fail_mode]).toEqual([0, 0]);
      expect([told.accecn_opt_seen, seen.accecn_opt_seen]).toEqual([2, 2]);
    });
  }

  // covers: AccECN response | RFC 9768 section 3.2.2.5 | src/tcp/cwnd.ts
  it('all packets of some round trips halves the window once for each of these', () => {
    const { fault } = marking(1000);
    const pair = pairWith(fault);
    const { client, server } = connectPair(pair);
    let reductions = 0;
    let least = Infinity;
    const { cc } = client;
    const ssthresh = cc.ssthresh.bind(cc);
    cc.ssthresh = (sk) => {
      if (sk === client) reductions++;
      return ssthresh(sk);
    };
    const begun = pair.clock.now();
    transfer(pair, pair.a, client, pair.b, server, 100_000, 5);
    const roundTrips = (pair.clock.now() - begun) / 20_000;
    least = Math.min(least, client.sndCwnd);
    expect(reductions).toBeGreaterThan(3);
    expect(reductions).toBeLessThan(roundTrips);
    expect(least).toBeLessThanOrEqual(4);
    expect(client.tx.totalRetrans).toBe(0);
  });
});

// covers: AccECN option | RFC 9768 section 3.2.3 | src/tcp/ecn/accecn-option.ts
describe('an option with news only', () => {
  for (const [option, beacon] of [
    [0, 0],
    [1, 0],
    [1, 3],
  ]) {
    it(`tcp_ecn_option ${option}, beacon ${beacon}: the marks come through all the same`, () => {
      const { fault, counts } = marking(50);
      const pair = pairWith(fault, { tcpEcnOption: option, tcpEcnOptionBeacon: beacon });
      const { client, server } = connectPair(pair);
      const { sent, received } = transfer(pair, pair.a, client, pair.b, server, 200_000, 5);
      expect(received).toBe(sent);
      pair.pass(1000);
      expect(tcpInfo(server).received_ce).toBe(counts.ab);
      expect(tcpInfo(client).delivered_ce).toBe(counts.ab);
    });
  }
});

// covers: AccECN mangling | RFC 9768 section 3.2.2.3 | src/tcp/ecn/accecn.ts
describe('a wire that plays with the flags', () => {
  it('clears those of SYNs: both ends do without, and nothing is marked', () => {
    let marked = 0;
    const pair = pairWith((frame) => {
      if (mark(frame) > 0) marked++;
      if (mark(frame) >= 0 && (frame[IP + 33] & 2) !== 0) clearAce(frame);
      return undefined;
    });
    const { client, server } = connectPair(pair);
    const { sent, received } = transfer(pair, pair.a, client, pair.b, server, 50_000, 5);
    expect(received).toBe(sent);
    expect(marked).toBe(0);
    expect([client.rare.accecn, server.rare.accecn]).toEqual([null, null]);
  });

  it('clears those of all that follows: the server stops marking, and the client does not', () => {
    const marked = { ab: 0, ba: 0 };
    const pair = pairWith((frame, direction) => {
      if (mark(frame) > 0) marked[direction]++;
      if (direction === 'ab' && mark(frame) >= 0 && (frame[IP + 33] & 2) === 0) clearAce(frame);
      return undefined;
    });
    const { client, server } = connectPair(pair);
    const { sent, received } = transfer(pair, pair.a, client, pair.b, server, 50_000, 5);
    expect(received).toBe(sent);
    expect(marked.ab).toBeGreaterThan(10);
    expect(marked.ba).toBe(0);
    expect(tcpInfo(server).accecn_fail_mode).toBe(2);
    expect(tcpInfo(client).accecn_fail_mode).toBe(0);
  });

  it('bleaches marks: what arrives counts as not marked, and the option says how little was', () => {
    const pair = pairWith((frame) => {
      if (mark(frame) > 0) setMark(frame, 0);
      return undefined;
    });
    const { client, server } = connectPair(pair);
    const { sent, received } = transfer(pair, pair.a, client, pair.b, server, 50_000, 5);
    expect(received).toBe(sent);
    expect(tcpInfo(client).delivered_ce).toBe(0);
    expect(tcpInfo(server).received_e0_bytes).toBe(0);
  });

  it('writes whatever it likes into flags, marks and options: the stream is whole all the same', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = new SeededRandom(seed);
      const often = below(random, 400_000);
      const hits = (): boolean => below(random, 1_000_000) < often;
      // Nobody looks at TCP's checksum on this wire.
      const scribble: WireFault = (frame) => {
        if (mark(frame) < 0) return undefined;
        if (hits()) setMark(frame, below(random, 4));
        if (hits()) frame[IP + 33] ^= below(random, 4) << 6;
        if (hits()) frame[IP + 32] ^= 1;
        const option = optionAt(frame);
        if (option > 0 && hits()) frame[option + 2 + below(random, 9)] = below(random, 256);
        if (option > 0 && hits()) frame[option] ^= 2;
        return hits() && below(random, 8) === 0 ? false : undefined;
      };
      const pair = pairWith(
        scribble,
        { tcpEcnOption: seed % 3, tcpSyncookies: seed % 5 === 0 ? 2 : 1 },
        true,
      );
      const { client, server } = connectPair(pair);
      const { sent, received } = transfer(pair, pair.a, client, pair.b, server, 60_000, seed);
      expect(received, `seed ${seed}`).toBe(sent);
      checkSock(client);
      checkSock(server);
    }
  });
});

// covers: AccECN option | RFC 9768 section 3.2.3 | src/tcp/ecn/accecn.ts
describe('an option without news', () => {
  it('is sent all the same once in four megabytes, before its counters can come round', () => {
    let options = 0;
    const pair = pairWith(
      (frame, direction) => {
        if (direction === 'ba' && optionAt(frame) > 0) options++;
        return undefined;
      },
      { tcpEcnOption: 1, tcpEcnOptionBeacon: 0 },
    );
    const { client, server } = connectPair(pair);
    transfer(pair, pair.a, client, pair.b, server, 1_000_000, 5);
    const before = options;
    const again = connectPair(pair, 81);
    transfer(pair, pair.a, again.client, pair.b, again.server, 9_000_000, 5);
    expect(options).toBe(2 * before + 2);
  });
});

/** Where AccECN's option with three fields is; 0: nowhere. */
function optionAt(frame: Uint8Array): number {
  const end = IP + 20 + (frame[IP + 32] >> 4) * 4;
  for (let at = IP + 40; at + 11 <= end && mark(frame) >= 0; ) {
    if (frame[at] === 1) at++;
    else if ((frame[at] === 172 || frame[at] === 174) && frame[at + 1] === 11) return at;
    else at += frame[at + 1] || end;
  }
  return 0;
}

/** AE, CWR and ECE off, the checksum put right. */
function clearAce(frame: Uint8Array): void {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const at = IP + 20 + 12;
  const before = view.getUint16(at);
  view.setUint16(at, before & ~0x1c0);
  // RFC 1624 section 3.
  let sum = (~view.getUint16(IP + 36) & 0xffff) + (~before & 0xffff) + view.getUint16(at);
  sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(IP + 36, ~(sum + (sum >>> 16)) & 0xffff);
}

// covers: AccECN option | RFC 9768 section 3.2.3 | src/tcp/ecn/accecn-fields.ts
describe('the fields', () => {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  const write = (fields: number): string => {
    const length = writeFields(view, 0, fields, 0x010203, 0x040506, 0x070809);
    return `${Buffer.from(bytes.subarray(0, length)).toString('hex')} ${nopsOrRest().toString(16).padStart(4, '0')}`;
  };

  it('leave what is no whole word to the nops of the next option', () => {
    expect([3, 2, 1, 0].map(write)).toEqual([
      'ae0b01020304050607080901 0101',
      'ae08010203040506 0101',
      'ae050102 0301',
      ' ae02',
    ]);
  });

  it('are as many as fit, and cost a block of SACK only if they must be there', () => {
    const fitted = (required: number, remaining: number, blocks: number): number[] => {
      fitOption(required, remaining, blocks > 0 ? 2 : 0, blocks);
      return [fitFields, fitBlocks, fitSize];
    };
    expect(fitted(0, 28, 0)).toEqual([3, 0, 12]);
    expect(fitted(0, 8, 2)).toEqual([2, 2, 8]);
    expect(fitted(0, 0, 3)).toEqual([0, 3, 0]);
    expect(fitted(1, 0, 3)).toEqual([2, 2, 8]);
    expect(fitted(3, 0, 3)).toEqual([-1, 3, 0]);
    expect(fitted(3, 4, 4)).toEqual([3, 3, 12]);
  });
});
