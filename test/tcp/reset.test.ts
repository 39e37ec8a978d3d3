// Which segments of a connection are believed: resets, SYNs, sequence numbers and timestamps (RFC 5961, RFC 7323 section 5).

import { describe, expect, it } from 'vitest';
import { address } from '../ip/stack.js';
import type { Opening } from './conversation.js';
import { conversation } from './conversation.js';
import { tcpFrame } from './segments.js';

function connection(opening: Opening = {}, options = {}) {
  const t = conversation(options);
  const both = t.established(opening);
  both.program.wakes();
  return { t, ...both };
}

describe('a reset', () => {
  it('at the next number ends the connection: STATE, then ERR', () => {
    const { t, peer, program } = connection();
    program.send('unacknowledged');
    peer.heard();
    peer.sends({ flags: 'R' }).hearsNothing();
    expect([program.wakes(), program.poll()]).toEqual([['STATE', 'ERR'], 'IORHE']);
    expect([program.send('x'), program.send('x'), program.recv()]).toEqual([-104, -32, 0]);
    program.close();
    t.listener.close();
    t.expectNothingLeft();
  });

  it('leaves data that came before it readable', () => {
    const { peer, program } = connection();
    peer.sends({ data: 'abc' }).sends({ flags: 'R' });
    expect([program.recv(), program.recv(), program.recv()]).toEqual(['abc', -104, 0]);
  });

  it('elsewhere in the window is challenged, outside it ignored', () => {
    const { t, peer, program } = connection();
    peer.sends({ flags: 'R', seq: 100 }).hears({ flags: 'A', seq: 1, ack: 1 });
    peer.sends({ flags: 'R', seq: 100_000 }).sends({ flags: 'R', seq: -5 }).hearsNothing();
    expect([program.state, program.wakes(), t.counter('TcpExt', 'TCPChallengeACK')]).toEqual([
      'ESTABLISHED',
      [],
      1,
    ]);
  });

  it('at the edge of what was selected is believed', () => {
    const { peer, program } = connection({ sackOk: true });
    peer.sends({ seq: 101, data: 100 }).sends({ seq: 301, data: 100 });
    peer.sends({ flags: 'R', seq: 201 });
    expect(program.state).toBe('ESTABLISHED');
    peer.sends({ flags: 'R', seq: 401 });
    expect(program.state).toBe('CLOSE');
  });

  it('after a FIN in CLOSE_WAIT is EPIPE, also one before the FIN', () => {
    for (const seq of [2, 1]) {
      const { peer, program } = connection();
      peer.sends({ flags: 'FA' });
      peer.sends({ flags: 'R', seq });
      expect([program.sk.err, program.recv(), program.send('x')]).toEqual([32, 0, -32]);
    }
  });

  it('is believed whatever its timestamp', () => {
    const { peer, program } = connection({ ts: true });
    peer.sends({ flags: 'R', ts: [1, 1] });
    expect(program.state).toBe('CLOSE');
  });

  // covers: challenge ACKs limited, for each socket and in all | RFC 5961 section 7 | src/tcp/challenge.ts
  it('challenges have a limit, per connection and in all', () => {
    const t = conversation({ sysctl: { tcpChallengeAckLimit: 1 } });
    const peers = Array.from({ length: 3 }, () => t.established().peer);
    for (const peer of peers) peer.sends({ flags: 'R', seq: 50 });
    for (const peer of peers) peer.sends({ flags: 'R', seq: 50 });
    expect(peers.map((peer) => peer.heard().length)).toEqual([1, 0, 0]);
    t.after(1000);
    peers[0].sends({ flags: 'R', seq: 50 }).hears({ flags: 'A' });
    // Without a limit in all: one in half a second for each.
    t.host.sysctl.tcpChallengeAckLimit = 0x7fffffff;
    for (const peer of [peers[1], peers[1], peers[2]]) peer.sends({ flags: 'R', seq: 50 });
    expect(peers.map((peer) => peer.heard().length)).toEqual([0, 1, 1]);
  });

  it('how many there are in a second cannot be foretold (CVE-2016-5696)', () => {
    const t = conversation({ sysctl: { tcpChallengeAckLimit: 10, tcpInvalidRatelimit: 0 } });
    const { peer } = t.established();
    const counts = Array.from({ length: 40 }, () => {
      for (let i = 0; i < 20; i++) peer.sends({ flags: 'R', seq: 50 });
      t.after(1000);
      return peer.heard().length;
    });
    expect(Math.min(...counts)).toBe(5);
    expect(Math.max(...counts)).toBe(14);
  });

  it('one acknowledgement that is absurdly old is challenged once, in every state', () => {
    for (const closing of [false, true]) {
      const { t, peer, program } = connection({}, { sysctl: { tcpInvalidRatelimit: 0 } });
      if (closing) program.shutdown(2);
      peer.heard();
      peer.sends({ ack: -100_000 });
      expect([peer.heard().length, t.counter('TcpExt', 'TCPChallengeACK')]).toEqual([1, 1]);
    }
  });
});

describe('a SYN', () => {
  it.each([0, 1, 50, 100_000, -50])('with number %i is challenged and changes nothing', (seq) => {
    const { t, peer, program } = connection();
    peer.sends({ flags: 'S', seq }).hears({ flags: 'A', seq: 1, ack: 1 });
    expect([program.state, program.wakes(), t.counter('TcpExt', 'TCPSYNChallenge')]).toEqual([
      'ESTABLISHED',
      [],
      1,
    ]);
    expect(t.counter('Tcp', 'InErrs')).toBe(1);
  });
});

describe('sequence numbers', () => {
  it('beyond the window are answered, bare ones once in 500 ms', () => {
    const { t, peer, program } = connection();
    peer.sends({ seq: 100_000 }).hears({ flags: 'A', seq: 1, ack: 1 });
    peer.sends({ seq: 100_000 }).hearsNothing();
    peer.sends({ seq: 100_000, data: 'x' }).hears({ flags: 'A' });
    peer.sends({ flags: 'FA', seq: 100_000 }).hears({ flags: 'A' });
    t.after(500);
    peer.sends({ seq: 100_000 }).hears({ flags: 'A' });
    expect(program.wakes()).toEqual([]);
  });

  it('a segment without ACK, RST or SYN is nothing', () => {
    const { peer, program } = connection();
    peer.sends({ flags: 'P', data: 'abc' }).sends({ flags: 'F' }).sends({ flags: '' }).hearsNothing();
    expect([program.state, program.recv()]).toEqual(['ESTABLISHED', -11]);
  });

  it('a segment that reaches beyond the window is taken while nothing is unread', () => {
    const { peer, program } = connection();
    Object.assign(program.sk, { rcvWnd: 100 });
    peer.sends({ data: 'x'.repeat(200) });
    expect(program.drain()).toBe(200);
    Object.assign(program.sk, { rcvWnd: 150, rcvWup: program.sk.rcvNxt });
    peer.sends({ data: 'y'.repeat(100) });
    peer.heard();
    Object.assign(program.sk, { rcvWnd: 50, rcvWup: program.sk.rcvNxt });
    peer.sends({ data: 'z'.repeat(200) });
    expect(program.drain()).toBe(100);
  });
});

// covers: PAWS | RFC 7323 section 5 | src/tcp/paws.ts
describe('PAWS', () => {
  it('an old timestamp: the data is not taken, and acknowledged as before', () => {
    const { t, peer, program } = connection({ ts: true });
    peer.sends({ data: 'abc', ts: [4000, peer.tsSeen] });
    expect(peer.hears({ flags: 'A', ack: 1 }).ts?.[1]).toBe(5000);
    expect([program.recv(), t.counter('TcpExt', 'PAWSEstab')]).toEqual([-11, 1]);
  });

  it('an old pure ACK that was overtaken is not answered', () => {
    const { t, peer } = connection({ ts: true });
    peer.sends({ data: 'abc' }).hears({ ack: 4 });
    peer.sends({ seq: 1, ts: [4000, peer.tsSeen] }).hearsNothing();
    expect(t.counter('TcpExt', 'PAWSOldAck')).toBe(1);
  });

  it('after 24 days without a segment nothing is old', () => {
    const { t, peer, program } = connection({ ts: true });
    t.after(24 * 24 * 3600 * 1000 + 1000);
    peer.sends({ data: 'abc', ts: [4000, peer.tsSeen] });
    expect(program.recv()).toBe('abc');
  });

  it('a peer that began with 0 is not held to it', () => {
    const t = conversation();
    const listener = t.listen();
    const peer = t.peer();
    peer.ts = true;
    peer.sends({ ...t.syn(peer, { ts: true }), ts: [0, 0] }).hears({ flags: 'SA' });
    peer.tsClock = -1000;
    peer.sends({ data: 'abc' });
    expect(listener.accept().recv()).toBe('abc');
  });
});

describe('what is for a group', () => {
  it('by its Ethernet address is dropped unseen, by its IP address is counted and gets no answer', () => {
    const { t, peer, program } = connection();
    const before = t.counter('Tcp', 'InSegs');
    const group = peer.frame({ data: 'abc' });
    group.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    t.deliver([group]);
    expect([program.recv(), t.counter('Tcp', 'InSegs') - before]).toEqual([-11, 0]);
    const subnet = tcpFrame(peer.address, 9, address('10.0.0.255'), 81, { flags: 'S' });
    t.deliver([subnet]);
    peer.hearsNothing();
    expect([t.counter('Tcp', 'InSegs') - before, t.counter('Tcp', 'OutRsts'), t.strays]).toEqual([1, 0, []]);
  });
});
