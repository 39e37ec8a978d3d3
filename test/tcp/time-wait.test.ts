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
