// Duplicate acknowledgements behind a hole: three one by one, then one for many, no later than a millisecond.

import { describe, expect, it } from 'vitest';
import { conversation, type Heard } from './conversation.js';

/** A connection with a round trip of `rtt` milliseconds, past its quick acknowledgements, and a hole from `base` on. */
function behindHole(rtt: number, sysctl = {}, opening = {}) {
  const t = conversation({ sysctl });
  const peer = t.peer();
  const listener = t.listener;
  peer.sends(t.syn(peer, { sackOk: true, ts: true, ...opening })).hears({ flags: 'SA' });
  t.after(rtt);
  peer.sends({});
  const program = listener.accept();
  // The peer's segments echo what it heard a round trip ago.
  t.after(rtt);
  peer.sends({ data: 1000 });
  program.drain();
  t.after(50);
  program.sk.ackQuick = 0;
  program.sk.ackPingpong = 1;
  const base = peer.nxt + 1000;
  peer.heard();
  t.mark();
  return { t, peer, program, base };
}

const blocks = (heard: Heard[]) => heard.map(({ sack }) => sack?.map(([from, to]) => to - from));

// covers: compressed ACKs behind a hole | Linux __tcp_ack_snd_check, tcp_compressed_ack_kick | src/tcp/ack-compression.ts
describe('duplicate acknowledgements with SACK', () => {
  it('wait a millisecond from the fourth on, where the round trip is long', () => {
    const { t, peer, base } = behindHole(100);
    for (let i = 0; i < 10; i++) peer.sends({ seq: base + i * 100, data: 100 });
    expect(peer.times()).toEqual([0, 0, 0]);
    t.after(1);
    expect(blocks(peer.inbox)).toEqual([[1000]]);
    expect([peer.times(), t.counter('TcpExt', 'TCPAckCompressed')]).toEqual([[1], 6]);
    // From then on all do, as long as the stream stands still.
    for (let i = 10; i < 20; i++) peer.sends({ seq: base + i * 100, data: 100 });
    peer.hearsNothing();
    t.after(5);
    expect([peer.times(), t.counter('TcpExt', 'TCPAckCompressed')]).toEqual([[2], 15]);
  });

  it('wait no longer than a twentieth of the round trip where segments keep coming', () => {
    const { t, peer, base } = behindHole(12);
    const one = (i: number) => peer.sends({ seq: base + i * 100, data: 100 });
    for (let i = 0; i < 4; i++) one(i);
    expect(peer.heard().length).toBe(3);
    t.after(0.3);
    one(4);
    peer.hearsNothing();
    // 0.6 ms of 12: the wheel will look after a whole one.
    t.after(0.3);
    one(5);
    expect(blocks(peer.inbox)).toEqual([[600]]);
    expect(t.counter('TcpExt', 'TCPAckCompressed')).toBe(2);
    peer.heard();
    t.after(5);
    peer.hearsNothing();
  });

  it('begin anew where the stream moves on', () => {
    const { t, peer, base } = behindHole(100);
    // With PSH, lest their size be taken for that of all segments, and round trips be measured by them.
    const one = { flags: 'PA', data: 100 };
    for (let i = 0; i < 5; i++) peer.sends({ seq: base + i * 100, ...one });
    t.after(5);
    peer.heard();
    // Not all of the hole is filled.
    peer.sends({ seq: base - 1000, ...one });
    for (let i = 5; i < 10; i++) peer.sends({ seq: base + i * 100, ...one });
    expect(peer.heard().length).toBe(3);
  });

  it('wait for the end of the batch where it is short', () => {
    const { t, peer, base } = behindHole(2);
    peer.sends(...Array.from({ length: 10 }, (_, i) => ({ seq: base + i * 100, data: 100 })));
    expect(blocks(peer.inbox)).toEqual([[100], [200], [300], [1000]]);
    expect([peer.times(), t.counter('TcpExt', 'TCPAckCompressed')]).toEqual([[0, 0, 0, 0], 6]);
  });

  it('are not needed once something else has borne the acknowledgement', () => {
    const { t, peer, program, base } = behindHole(100);
    for (let i = 0; i < 6; i++) peer.sends({ seq: base + i * 100, data: 100 });
    peer.heard();
    program.send('answer');
    peer.hears({ data: 'answer', sack: [[base, base + 600]] });
    expect(t.counter('TcpExt', 'TCPAckCompressed')).toBe(3);
    t.after(5);
    peer.hearsNothing();
  });

  it('are sent as soon as the hole is filled', () => {
    const { t, peer, base } = behindHole(100);
    for (let i = 0; i < 6; i++) peer.sends({ seq: base + i * 100, data: 100 });
    peer.heard();
    peer.sends({ seq: base - 1000, data: 1000 });
    expect(peer.heard().length).toBe(1);
    t.after(5);
    peer.hearsNothing();
  });

  it('go out before a third block could push out one that nobody has heard of', () => {
    const { peer, base } = behindHole(100);
    for (const at of [0, 100, 200]) peer.sends({ seq: base + at, data: 100 });
    peer.heard();
    peer.sends({ seq: base + 1000, data: 100 }).hearsNothing();
    peer.sends({ seq: base + 2000, data: 100 });
    expect(blocks(peer.inbox.splice(0))).toEqual([[100, 300]]);
    peer.sends({ seq: base + 2100, data: 100 }).hearsNothing();
    peer.sends({ seq: base + 300, data: 100 });
    expect(blocks(peer.inbox)).toEqual([[200, 100, 300]]);
  });

  it('no more than tcp_comp_sack_nr; 0 waits for none', () => {
    const { peer, base } = behindHole(100, { tcpCompSackNr: 4 });
    for (let i = 0; i < 20; i++) peer.sends({ seq: base + i * 100, data: 100 });
    // 3, then each fifth.
    expect(peer.heard().length).toBe(3 + 3);
    const off = behindHole(100, { tcpCompSackNr: 0 });
    for (let i = 0; i < 20; i++) off.peer.sends({ seq: off.base + i * 100, data: 100 });
    expect(off.peer.heard().length).toBe(20);
  });

  it('without SACK each of them counts', () => {
    const { peer, base } = behindHole(100, {}, { sackOk: false });
    for (let i = 0; i < 10; i++) peer.sends({ seq: base + i * 100, data: 100 });
    expect(peer.heard().length).toBe(10);
  });

  it('in quick-ack mode none waits', () => {
    const { peer, program, base } = behindHole(100);
    Object.assign(program.sk, { ackQuick: 16, ackPingpong: 0 });
    for (let i = 0; i < 10; i++) peer.sends({ seq: base + i * 100, data: 100 });
    expect(peer.heard().length).toBe(10);
  });

  it('a closed connection leaves no timer behind', () => {
    const { t, peer, program, base } = behindHole(100);
    for (let i = 0; i < 6; i++) peer.sends({ seq: base + i * 100, data: 100 });
    peer.sends({ flags: 'R', seq: base - 1000 });
    program.close();
    t.listener.close();
    t.expectNothingLeft();
  });
});
