// TIME_WAIT: what a remnant answers, how it ends, and who may take its place.

import { describe, expect, it } from 'vitest';
import { conversation, type Opening } from './conversation.js';

function timeWait(opening: Opening = {}, options = {}) {
  const t = conversation(options);
  const { peer, program } = t.established(opening);
  program.close();
  peer.hears({ flags: 'FA' });
  peer.sends({ flags: 'FA' }).hears({ flags: 'A', seq: 2, ack: 2 });
  expect(t.tcp.counts.timeWait).toBe(1);
  t.mark();
  return { t, peer };
}

// covers: TIME_WAIT | RFC 9293 section 3.10.7.4 | src/tcp/receive.ts
describe('a remnant', () => {
  it('is gone after a minute', () => {
    const { t } = timeWait();
    t.listener.close();
    t.after(59_900);
    expect(t.tcp.counts.timeWait).toBe(1);
    t.after(200);
    t.expectNothingLeft();
    expect(t.counter('TcpExt', 'TW')).toBe(1);
  });

  it('acknowledges a repeated FIN, and waits anew', () => {
    const { t, peer } = timeWait();
    t.after(50_000);
    peer.sends({ flags: 'FA', seq: 1 }).hears({ flags: 'A', seq: 2, ack: 2 });
    t.after(50_000);
    expect(t.tcp.counts.timeWait).toBe(1);
  });

  it('acknowledges data, and bare nonsense once in half a second', () => {
    const { t, peer } = timeWait();
    peer.sends({ seq: 2, data: 'x' }).hears({ flags: 'A', ack: 2 });
    peer.sends({ seq: 50 }).hears({ flags: 'A' });
    peer.sends({ seq: 50 }).hearsNothing();
    expect(t.counter('TcpExt', 'TCPACKSkippedTimeWait')).toBe(1);
  });

  it('says nothing to an acceptable ACK', () => {
    const { peer } = timeWait();
    peer.sends({ seq: 2 }).hearsNothing();
  });

  // covers: TIME_WAIT and resets (tcp_rfc1337) | RFC 1337 | src/tcp/receive.ts
  it('is ended by a reset at its edge, unless tcp_rfc1337', () => {
    const { t, peer } = timeWait();
    peer.sends({ flags: 'R', seq: 5 }).hearsNothing();
    expect(t.tcp.counts.timeWait).toBe(1);
    peer.sends({ flags: 'R', seq: 2 });
    expect(t.tcp.counts.timeWait).toBe(0);
    const safe = timeWait({}, { sysctl: { tcpRfc1337: 1 } });
    safe.peer.sends({ flags: 'R', seq: 2 });
    expect(safe.t.tcp.counts.timeWait).toBe(1);
  });

  // covers: TIME_WAIT ended by a newer SYN | RFC 6191; RFC 1122 section 4.2.2.13 | src/tcp/receive.ts
  it('gives way to a SYN that is newer, by number or by timestamp', () => {
    const { t, peer } = timeWait();
    peer.sends({ flags: 'S', seq: 10_000, mss: 1460 }).hears({ flags: 'SA', ack: 10_001 });
    expect(t.tcp.counts).toMatchObject({ requests: 1, timeWait: 0 });
    const stamped = timeWait({ ts: true });
    stamped.peer.tsClock += 1000;
    stamped.peer.sends({ flags: 'S', seq: -5000, mss: 1460 }).hears({ flags: 'SA' });
  });

  it('but not to one that is older', () => {
    const { t, peer } = timeWait();
    peer.sends({ flags: 'S', seq: -5000, mss: 1460 }).hears({ flags: 'A', ack: 2 });
    expect(t.tcp.counts).toMatchObject({ requests: 0, timeWait: 1 });
    const stamped = timeWait({ ts: true });
    stamped.peer.tsClock -= 1000;
    stamped.peer.sends({ flags: 'S', seq: 10_000, mss: 1460 }).hears({ flags: 'A', ack: 2 });
    expect(stamped.t.counter('TcpExt', 'PAWSTimewait')).toBe(1);
  });

  it('the new connection starts beyond the old sequence numbers', () => {
    const { peer } = timeWait();
    const old = peer.theirIsn ?? 0;
    peer.sends({ flags: 'S', seq: 10_000, mss: 1460 }).hears({ flags: 'SA' });
    expect(((peer.theirIsn ?? 0) - old) | 0).toBe(2 + 65537);
  });

  it('without a listener a SYN is only acknowledged', () => {
    const { t, peer } = timeWait();
    t.listener.close();
    peer.sends({ flags: 'S', seq: 10_000, mss: 1460 }).hears({ flags: 'A', ack: 2 });
  });

  it('carries timestamps on', () => {
    const { t, peer } = timeWait({ ts: true });
    peer.tsClock += 10;
    peer.sends({ flags: 'FA', seq: 1 });
    expect(peer.hears({ flags: 'A' }).ts).toEqual([t.host.nowMs, 5000]);
  });

  it('FIN_WAIT2 of an orphan counts as one of tcp_max_tw_buckets; without a place the connection is closed at once', () => {
    const t = conversation({ sysctl: { tcpMaxTwBuckets: 1 } });
    const [first, second] = [0, 1].map(() => {
      const { peer, program } = t.established();
      program.close();
      peer.sends({});
      peer.heard();
      return peer;
    });
    expect([t.tcp.counts, t.counter('TcpExt', 'TCPTimeWaitOverflow')]).toEqual([
      { established: 0, requests: 0, timeWait: 1, orphans: 0 },
      1,
    ]);
    first.sends({ flags: 'FA' }).hears({ flags: 'A', ack: 2 });
    second.sends({ flags: 'FA' }).hears({ flags: 'R' });
  });

  it('there are no more than tcp_max_tw_buckets', () => {
    const t = conversation({ sysctl: { tcpMaxTwBuckets: 1 } });
    for (let i = 0; i < 2; i++) {
      const { peer, program } = t.established();
      program.close();
      peer.sends({ flags: 'FA' });
      peer.heard();
    }
    expect([t.tcp.counts.timeWait, t.counter('TcpExt', 'TCPTimeWaitOverflow')]).toEqual([1, 1]);
  });
});

// covers: TIME_WAIT reused by connect (tcp_tw_reuse) | RFC 6191; Linux tcp_twsk_unique | src/tcp/connect.ts
describe('tcp_tw_reuse', () => {
  /** A port of ours in TIME_WAIT, and who would connect from it again: there is no other, or it was bound to it. */
  function remnant(reuse: number, ts: boolean, sysctl = {}) {
    const t = conversation({ sysctl: { tcpTwReuse: reuse, tcpTimestamps: ts ? 2 : 0, ...sysctl } });
    const { peer, program: old } = t.connected({ ts });
    const { sport } = old.sk;
    old.sk.reuse = true;
    old.close();
    peer.hears({ flags: 'FA' });
    const connect = (bound = false) => {
      const next = t.program();
      next.sk.reuse = true;
      if (bound) next.sk.sport = t.tcp.ports.bind(next.sk, sport);
      else t.host.sysctl.ipLocalPortRange = [sport, sport];
      return { next, result: next.connect(7000) };
    };
    return { t, peer, old, connect };
  }

  /** What another connect to the same peer says after `ms`; before, the peer says something once more when `moreAt` have gone by. */
  function again(reuse: number, ts: boolean, ms: number, sysctl = {}, moreAt = 0) {
    const { t, peer, old, connect } = remnant(reuse, ts, sysctl);
    peer.sends({ flags: 'FA' }).hears({ flags: 'A' });
    expect(t.tcp.counts.timeWait).toBe(1);
    t.after(moreAt);
    if (moreAt > 0) peer.sends({});
    t.after(ms - moreAt);
    return { t, old, ...connect() };
  }

  it('1 lets a connect take the place a second after the last timestamp', () => {
    const { t, result, next, old } = again(1, true, 1000);
    expect([result, next.state, t.tcp.counts.timeWait]).toEqual([0, 'SYN_SENT', 0]);
    expect(t.counter('TcpExt', 'TWRecycled')).toBe(1);
    // Beyond the old sequence numbers, and with the old timestamps in mind.
    expect((next.sk.iss - old.sk.sndNxt) | 0).toBe(65_537);
    expect(next.sk.tsRecent).toBe(old.sk.tsRecent);
  });

  it('not sooner, not without timestamps, not with 0, and with 2 only over the loopback', () => {
    expect(again(1, true, 999).result).toBe(-99);
    expect(again(1, false, 5000).result).toBe(-99);
    expect(again(0, true, 5000).result).toBe(-99);
    expect(again(2, true, 5000).result).toBe(-99);
  });

  it('tcp_tw_reuse_delay says how long TIME_WAIT must have lasted, whatever the peer said meanwhile', () => {
    expect(again(1, true, 1000, {}, 900).result).toBe(0);
    expect(again(1, true, 199, { tcpTwReuseDelay: 200 }).result).toBe(-99);
    expect(again(1, true, 200, { tcpTwReuseDelay: 200 }).result).toBe(0);
    expect(again(1, true, 4999, { tcpTwReuseDelay: 5000 }).result).toBe(-99);
  });

  it('that counts from the FIN, also where FIN_WAIT2 outlived its sock; before it came the place is taken', () => {
    const { t, peer, connect } = remnant(1, true);
    peer.sends({});
    t.after(5000);
    expect(connect().result).toBe(-99);
    peer.sends({ flags: 'FA' }).hears({ flags: 'A' });
    t.after(999);
    expect(connect().result).toBe(-99);
    t.after(1);
    expect(connect().result).toBe(0);
  });

  it('who asked for that very port gets it at once, whatever tcp_tw_reuse says, if there were timestamps', () => {
    for (const ts of [true, false]) {
      const { peer, connect } = remnant(0, ts);
      peer.sends({ flags: 'FA' }).hears({ flags: 'A' });
      expect(connect(true).result).toBe(ts ? 0 : -99);
    }
  });
});
