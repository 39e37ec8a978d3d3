// What time alone brings about: probes of a closed window, and keepalive.

import { describe, expect, it } from 'vitest';
import { armKeepalive, keepaliveIdleMs } from '../../src/tcp/tcp-timer.js';
import { conversation } from './conversation.js';

/** The peer's window is closed and `bytes` wait behind it. */
function closedWindow(bytes = 100) {
  const t = conversation();
  const both = t.established();
  both.program.send('x');
  both.peer.heard();
  both.peer.sends({ win: 0 });
  t.mark();
  both.program.send(bytes);
  both.peer.hearsNothing();
  return { t, ...both };
}

// covers: persist timer of a closed window | RFC 9293 section 3.8.6.1 | src/tcp/timers.ts
describe('a closed window', () => {
  it('is probed with the last byte, ever less often', () => {
    const { t, peer, program } = closedWindow();
    const rto = program.sk.rto;
    t.after(rto * 15 + 10);
    expect(peer.inbox.map((heard) => [heard.flags, heard.seq, heard.length, heard.at])).toEqual([
      ['A', 1, 0, rto],
      ['A', 1, 0, 3 * rto],
      ['A', 1, 0, 7 * rto],
      ['A', 1, 0, 15 * rto],
    ]);
    expect(t.counter('TcpExt', 'TCPWinProbe')).toBe(4);
  });

  it('without anything to send is left alone', () => {
    const t = conversation();
    const { peer, program } = t.established();
    program.send('x');
    peer.heard();
    peer.sends({ win: 0 });
    t.after(100_000);
    peer.hearsNothing();
  });

  it('opens: everything follows at once', () => {
    const { t, peer, program } = closedWindow(3000);
    t.after(1000);
    peer.heard();
    peer.sends({ win: 65535 });
    expect(peer.heard().length).toBe(3);
    expect([program.sk.tx.backoff, program.sk.probesOut]).toEqual([0, 0]);
  });

  it('open by less than a segment: what fits is sent when the probe is due', () => {
    const { t, peer } = closedWindow(3000);
    peer.sends({ win: 100 }).hearsNothing();
    t.after(500);
    peer.hears({ flags: 'PA', seq: 2, data: 100 });
  });

  it('does not end the connection as long as the peer answers', () => {
    const { t, peer, program } = closedWindow();
    for (let i = 0; i < 300; i++) {
      t.after(10_000);
      if (peer.heard().length > 0) peer.sends({ win: 0 });
    }
    expect(program.state).toBe('ESTABLISHED');
  });

  it('but a peer that is silent for 15 probes has gone', () => {
    const { t, program } = closedWindow();
    t.after(2_000_000);
    expect([program.wakes(), program.sk.err]).toEqual([['STATE', 'ERR'], 110]);
  });

  it('TCP_USER_TIMEOUT applies', () => {
    const { t, program } = closedWindow();
    program.sk.ownTuning().userTimeoutMs = 3000;
    t.after(3199);
    expect(program.state).toBe('ESTABLISHED');
    t.after(3);
    expect(program.state).toBe('CLOSE');
  });

  it('closed while data is in flight: the first segment serves as the probe', () => {
    const t = conversation();
    const { peer, program } = t.established();
    program.send(3000);
    peer.heard();
    peer.sends({ ack: 1461, win: 0 });
    t.mark();
    t.after(program.sk.rto);
    peer.hears({ seq: 1461, data: 1460 });
    peer.sends({ ack: 1461, win: 65535 });
    t.after(2000);
    peer.sends({});
    expect([program.sk.tx.packetsOut, program.state]).toEqual([0, 'ESTABLISHED']);
  });

  it('is answered, when it is ours that is closed', () => {
    const t = conversation();
    const { peer, program } = t.established();
    Object.assign(program.sk, { userlocks: 2 });
    let room = 1460;
    for (let segments = 0; room > 0 && segments < 200; segments++) {
      peer.heard();
      peer.sends({ data: Math.min(1460, room) });
      t.after(50);
      room = (peer.inbox.at(-1)?.win ?? 0) << program.sk.rcvWscale;
    }
    expect(room).toBe(0);
    peer.heard();
    expect(t.counter('TcpExt', 'TCPToZeroWindowAdv')).toBe(1);
    const right = peer.nxt;
    peer.sends({ seq: right - 1 });
    peer.hears({ flags: 'A', ack: right, win: 0 });
    t.after(600);
    peer.sends({ seq: right, data: 1 });
    peer.hears({ flags: 'A', ack: right, win: 0 });
    peer.nxt = right;
    // Reading a little does not open it (silly windows); reading much does, and the peer is told.
    program.recv(500);
    peer.hearsNothing();
    program.drain();
    expect(peer.hears({ flags: 'A', ack: right }).win).toBeGreaterThan(20_000);
    expect(t.counter('TcpExt', 'TCPFromZeroWindowAdv')).toBe(1);
  });
});

describe('keepalive', () => {
  function idle(
    change: { keepIdle?: number; keepIntvl?: number; keepCnt?: number; userTimeoutMs?: number } = {},
  ) {
    const t = conversation();
    const both = t.established();
    both.program.set((sk) => {
      Object.assign(sk.ownTuning(), { keepIdle: 100, keepIntvl: 10, keepCnt: 3, ...change });
      sk.keepOpen = true;
      armKeepalive(sk, keepaliveIdleMs(sk));
    });
    t.mark();
    return { t, ...both };
  }

  it('asks after the idle time, and ends a connection that does not answer', () => {
    const { t, peer, program } = idle();
    t.after(200_000);
    expect(peer.inbox.map((heard) => [heard.flags, heard.seq, heard.length, heard.at])).toEqual([
      ['A', 0, 0, 100_000],
      ['A', 0, 0, 110_000],
      ['A', 0, 0, 120_000],
      ['RA', 1, 0, 130_000],
    ]);
    expect([program.wakes(), program.recv(), t.counter('TcpExt', 'TCPKeepAlive')]).toEqual([
      ['STATE', 'ERR'],
      -110,
      3,
    ]);
  });

  it('an answer is enough', () => {
    const { t, peer, program } = idle();
    for (let i = 0; i < 5; i++) {
      t.after(100_000);
      peer.hears({ flags: 'A', seq: 0 });
      peer.sends({});
    }
    expect([program.state, program.wakes()]).toEqual(['ESTABLISHED', []]);
  });

  it('data in either direction postpones it', () => {
    const { t, peer } = idle();
    t.after(60_000);
    peer.sends({ data: 1 });
    t.after(99_000);
    expect(peer.heard().length).toBe(1);
    t.after(1000);
    peer.hears({ flags: 'A', seq: 0 });
  });

  it('while data is unacknowledged retransmission does the asking', () => {
    const { t, peer, program } = idle({ keepIdle: 1, keepIntvl: 1 });
    program.send('x');
    t.after(10_000);
    expect(peer.inbox.every((heard) => heard.length === 1)).toBe(true);
  });

  it('TCP_USER_TIMEOUT takes the place of the count', () => {
    const { t, peer } = idle({ userTimeoutMs: 115_000 });
    t.after(200_000);
    expect(peer.times()).toEqual([100_000, 110_000, 120_000]);
  });
});
