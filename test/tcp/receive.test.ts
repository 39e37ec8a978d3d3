// Data coming in: order, holes and the SACK blocks that describe them, duplicates, acknowledgements and when they are sent.

import { describe, expect, it } from 'vitest';
import { conversation } from './conversation.js';

// covers: receiving in order | RFC 9293 section 3.10.7.4 | src/tcp/input.ts
describe('in order', () => {
  it('reaches the program, which is told once', () => {
    const { peer, program } = conversation().established();
    peer.sends({ flags: 'PA', data: 'hello' }).hears({ flags: 'A', seq: 1, ack: 6 });
    expect([program.wakes(), program.poll(), program.recv(), program.recv()]).toEqual([
      ['DATA'],
      'IO',
      'hello',
      -11,
    ]);
  });

  it('SO_RCVLOWAT holds the wake-up and the mask back', () => {
    const { peer, program } = conversation().established();
    program.sk.rcvlowat = 10;
    peer.sends({ data: 'hello' });
    expect([program.wakes(), program.poll()]).toEqual([[], 'O']);
    peer.sends({ data: 'world' });
    expect([program.wakes(), program.poll()]).toEqual([['DATA'], 'IO']);
    expect(program.recv(3)).toBe('hel');
  });

  it('a window of sequence numbers crosses zero', () => {
    const { peer, program } = conversation().established();
    for (let i = 0; i < 20; i++) peer.sends({ data: 40 });
    expect(program.drain()).toBe(800);
  });

  it('MSG_PEEK leaves it, MSG_TRUNC throws it away', () => {
    const { peer, program } = conversation().established();
    peer.sends({ data: 'hello' });
    expect(program.recv(3, 2)).toBe('hel');
    expect(program.recv(2, 0x20)).toBe('\0\0');
    expect([program.recv(0), program.recv(), program.recv(0)]).toEqual([0, 'llo', -11]);
  });
});

describe('out of order', () => {
  it('waits for the hole, wakes nobody, and describes itself', () => {
    const { peer, program } = conversation().established({ sackOk: true });
    peer.sends({ seq: 101, data: 100 }).hears({ ack: 1, sack: [[101, 201]] });
    peer.sends({ seq: 301, data: 100 }).hears({
      ack: 1,
      sack: [
        [301, 401],
        [101, 201],
      ],
    });
    peer.sends({ seq: 501, data: 100 }).hears({
      ack: 1,
      sack: [
        [501, 601],
        [301, 401],
        [101, 201],
      ],
    });
    expect(program.wakes()).toEqual([]);
    // The newest first; touching runs become one.
    peer.sends({ seq: 201, data: 100 }).hears({
      ack: 1,
      sack: [
        [101, 401],
        [501, 601],
      ],
    });
    peer.sends({ seq: 1, data: 100 }).hears({ ack: 401, sack: [[501, 601]] });
    expect(program.wakes()).toEqual(['DATA']);
    peer.sends({ seq: 401, data: 100 });
    expect(peer.hears({ ack: 601 }).sack).toBeUndefined();
    expect(program.drain()).toBe(600);
  });

  it('four blocks fit without timestamps, three with', () => {
    for (const [ts, count] of [
      [false, 4],
      [true, 3],
    ] as const) {
      const { peer } = conversation().established({ sackOk: true, ts });
      for (let i = 0; i < 6; i++) peer.sends({ seq: 101 + i * 200, data: 100 });
      expect(peer.inbox.at(-1)?.sack?.length).toBe(count);
    }
  });

  it('without SACK the bare acknowledgement is repeated', () => {
    const { peer, program } = conversation().established();
    for (let i = 1; i < 4; i++) peer.sends({ seq: 1 + i * 100, data: 100 }).hears({ flags: 'A', ack: 1 });
    peer.sends({ seq: 1, data: 100 }).hears({ ack: 401 });
    expect(program.drain()).toBe(400);
  });

  // covers: out-of-order queue | RFC 9293 section 3.10.7.4; RFC 2018 section 4 | src/tcp/reassembly.ts
  it('overlaps are cut, whatever the order', () => {
    const pieces = [
      [1, 120],
      [61, 100],
      [101, 30],
      [141, 100],
      [1, 300],
      [251, 50],
      [299, 3],
    ];
    const { peer, program } = conversation().established({ sackOk: true });
    const stream = Uint8Array.from({ length: 301 }, (_, i) => 33 + (i % 90));
    for (const [seq, length] of [...pieces].reverse()) {
      peer.sends({ seq, data: stream.subarray(seq - 1, seq - 1 + length) });
    }
    expect(program.recv()).toBe(new TextDecoder().decode(stream.subarray(0, 301)));
  });

  // covers: out-of-order queue | RFC 9293 section 3.10.7.4; RFC 2018 section 4 | src/tcp/reassembly.ts
  it('a FIN is not forgotten when what comes before it is joined to it', () => {
    const t = conversation();
    const { peer, program } = t.established();
    peer.sends({ flags: 'FA', seq: 201, data: 100 });
    peer.sends({ seq: 101, data: 100 });
    peer.sends({ seq: 1, data: 100 });
    expect([program.drain(), program.recv(), program.state]).toEqual([300, 0, 'CLOSE_WAIT']);
  });

  it('a FIN waits its turn, and ends the stream where it stands', () => {
    const { peer, program } = conversation().established({ sackOk: true });
    peer.sends({ flags: 'FA', seq: 11, data: 5 }).hears({ ack: 1, sack: [[11, 17]] });
    expect(program.state).toBe('ESTABLISHED');
    peer.sends({ seq: 17, data: 'nonsense after the end' }).hears({ ack: 1 });
    peer.sends({ seq: 1, data: 10 }).hears({ ack: 17 });
    expect([program.state, program.wakes()]).toEqual(['CLOSE_WAIT', ['STATE', 'DATA']]);
    expect([program.drain(), program.recv()]).toEqual([15, 0]);
  });
});

describe('duplicates', () => {
  it('are reported (RFC 2883): old, overlapping, and inside a hole', () => {
    const { peer } = conversation().established({ sackOk: true });
    peer.sends({ data: 100 }).hears({ ack: 101 });
    peer.sends({ seq: 1, data: 100 }).hears({ ack: 101, sack: [[1, 101]] });
    peer.sends({ seq: 51, data: 100 }).hears({ ack: 151, sack: [[51, 101]] });
    peer.sends({ seq: 201, data: 100 }).hears({ sack: [[201, 301]] });
    peer.sends({ seq: 251, data: 100 }).hears({
      sack: [
        [251, 301],
        [201, 351],
      ],
    });
    peer.sends({ seq: 181, data: 70 }).hears({
      sack: [
        [201, 251],
        [181, 351],
      ],
    });
    peer.sends({ seq: 201, data: 100 }).hears({
      sack: [
        [201, 301],
        [181, 351],
      ],
    });
    peer.sends({ seq: 151, data: 60 }).hears({ ack: 351, sack: [[181, 211]] });
  });

  it('tcp_dsack=0 does not', () => {
    const { peer } = conversation({ sysctl: { tcpDsack: 0 } }).established({ sackOk: true });
    peer.sends({ data: 100 }).sends({ seq: 1, data: 100 });
    expect(peer.heard()).toEqual(['A 1:1 ack 101', 'A 1:1 ack 101']);
  });
});

/** A connection that has used up its quick acknowledgements. */
function pastQuickAcks() {
  const t = conversation();
  const { peer, program } = t.established();
  for (let i = 0; i < 30; i++) {
    peer.sends({ data: 1460 });
    program.drain();
    t.after(1);
  }
  t.after(100);
  return { t, peer, program };
}

describe('acknowledgements', () => {
  it('are quick at first, then every second full segment, the rest after 40 ms', () => {
    const { t, peer, program } = pastQuickAcks();
    peer.heard();
    t.mark();
    peer.sends({ data: 1460 }).hearsNothing();
    program.drain();
    peer.sends({ data: 1460 });
    expect(peer.times()).toEqual([0]);
    program.drain();
    peer.sends({ data: 1460 });
    t.after(100);
    expect(peer.times()).toEqual([40]);
    expect(t.counter('TcpExt', 'DelayedACKs')).toBeGreaterThan(0);
  });

  // covers: delayed ACK | RFC 9293 section 3.8.6.3 | src/tcp/delayed-ack.ts
  it('a full segment with PSH is acknowledged when the program has read it', () => {
    const { t, peer, program } = pastQuickAcks();
    for (const [flags, expected] of [
      ['A', [40]],
      ['PA', [0]],
    ] as const) {
      peer.heard();
      t.mark();
      peer.sends({ flags, data: 1460 });
      program.drain();
      t.after(100);
      expect([flags, peer.times()]).toEqual([flags, expected]);
    }
  });

  it('one for a whole batch', () => {
    const { peer } = conversation().established();
    peer.sends(...Array.from({ length: 8 }, () => ({ data: 1460 })));
    expect(peer.heard()).toEqual(['A 1:1 ack 11681']);
  });

  it('an answer carries it', () => {
    const t = conversation();
    const { peer, program } = t.established();
    t.stack.link.deliver([]);
    const frame = peer.frame({ data: 'ping' });
    t.stack.ip.flushDeferred();
    t.stack.link.deliver([frame]);
    program.send('pong');
    expect(peer.heard().filter((line) => line.includes('ack 5')).length).toBeGreaterThan(0);
    expect(program.sk.ackPending).toBe(0);
  });

  it('in an interactive session the answer is waited for', () => {
    const t = conversation();
    const { peer, program } = t.established();
    for (let i = 0; i < 3; i++) {
      peer.sends({ data: 'ping' });
      program.recv();
      program.send('pong');
      peer.sends({});
      t.after(5);
    }
    peer.heard();
    t.mark();
    peer.sends({ data: 'ping' }).hearsNothing();
    t.after(100);
    expect(peer.times()).toEqual([40]);
    // The answer did not come: no longer interactive.
    expect(program.sk.ackPingpong).toBe(0);
  });

  it('the segment that fills a hole is acknowledged at once', () => {
    const t = conversation();
    const { peer, program } = t.established();
    program.sk.ackPingpong = 1;
    peer.sends({ seq: 101, data: 100 }).hears({ ack: 1 });
    peer.sends({ seq: 1, data: 100 }).hears({ ack: 201 });
  });

  // covers: timestamps | RFC 7323 sections 3.2 and 4.3 | src/tcp/ack.ts
  it('the echoed timestamp is that of the segment at the left edge', () => {
    const { peer } = conversation().established({ ts: true, sackOk: true });
    peer.sends({ seq: 101, data: 100, ts: [6000, peer.tsSeen] });
    expect(peer.hears({ ack: 1 }).ts?.[1]).toBe(5000);
    peer.sends({ seq: 1, data: 100, ts: [7000, peer.tsSeen] });
    expect(peer.hears({ ack: 201 }).ts?.[1]).toBe(7000);
  });
});
