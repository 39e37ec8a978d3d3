// The active open: when SYNs leave, what may answer them, and how it fails.

import { describe, expect, it } from 'vitest';
import { address } from '../ip/stack.js';
import { conversation, fill } from './conversation.js';

// covers: active open | RFC 9293 section 3.10.1 | src/tcp/connect.ts
describe('the SYN', () => {
  it('offers all there is', () => {
    const { peer, program } = conversation().connecting();
    const heard = peer.hears({ flags: 'S', seq: 0, ack: 0, mss: 1460, sackOk: true, wscale: 7, win: 64240 });
    expect([heard.ts?.[1], program.state, program.poll()]).toEqual([0, 'SYN_SENT', '']);
  });

  it('and nothing that is switched off', () => {
    const t = conversation({ sysctl: { tcpTimestamps: 0, tcpSack: 0, tcpWindowScaling: 0 } });
    const heard = t.connecting().peer.hears({ flags: 'S' });
    expect([heard.ts, heard.sackOk, heard.wscale]).toEqual([undefined, undefined, undefined]);
  });

  it('is repeated after 1, 2, 3, 4, 5, 7, 11, 19, 35 and 67 seconds, and given up after 131', () => {
    const t = conversation();
    const { peer, program } = t.connecting();
    t.after(200_000);
    expect(peer.times('S')).toEqual([0, 1000, 2000, 3000, 4000, 5000, 7000, 11000, 19000, 35000, 67000]);
    expect(program.wakes()).toEqual(['STATE', 'ERR']);
    expect([program.state, program.poll(), program.sk.err]).toEqual(['CLOSE', 'IORHE', 110]);
    expect(t.counter('TcpExt', 'TCPAbortOnTimeout')).toBe(1);
  });

  it('TCP_SYNCNT 1: SYNs at 0, 1 and 2 seconds, ETIMEDOUT after 3', () => {
    const t = conversation();
    const program = t.program().set((sk) => {
      sk.ownTuning().synRetries = 1;
    });
    const peer = t.peer(7000);
    program.connect(7000);
    t.after(2999);
    expect([peer.times(), program.state]).toEqual([[0, 1000, 2000], 'SYN_SENT']);
    t.after(1);
    expect(program.recv()).toBe(-110);
  });

  it('without linear timeouts doubles from the start', () => {
    const t = conversation({ sysctl: { tcpSynLinearTimeouts: 0, tcpSynRetries: 3 } });
    const { peer } = t.connecting();
    t.after(60_000);
    expect(peer.times()).toEqual([0, 1000, 3000, 7000]);
  });

  it('TCP_USER_TIMEOUT shortens all that', () => {
    const t = conversation();
    const program = t.program().set((sk) => {
      sk.ownTuning().userTimeoutMs = 2500;
    });
    program.connect(7000);
    t.after(2499);
    expect(program.state).toBe('SYN_SENT');
    t.after(1);
    expect(program.state).toBe('CLOSE');
  });

  it('needs a way to go', () => {
    const t = conversation();
    expect(t.program().connect(80, '192.0.2.1')).toBe(-101);
  });
});

describe('the answer', () => {
  it('SYN-ACK: connected, and acknowledged at once', () => {
    const t = conversation();
    const { peer, program } = t.connecting();
    peer.hears({ flags: 'S' });
    t.after(30);
    peer.sends({ flags: 'SA', seq: 0, mss: 1000, win: 5000 });
    peer.hears({ flags: 'A', seq: 1, ack: 1, win: 64240 });
    expect([program.state, program.wakes(), program.poll()]).toEqual(['ESTABLISHED', ['STATE'], 'O']);
    expect([program.sk.mss, program.sk.sndWnd, program.sk.srttUs >> 3]).toEqual([1000, 5000, 30_000]);
    expect([program.sk.rcvWscale, program.sk.tstampOk, program.sk.sackOk]).toEqual([0, false, false]);
  });

  it('data on it is not taken, and must come again', () => {
    const { peer, program } = conversation().connecting();
    peer.hears({ flags: 'S' });
    peer.sends({ flags: 'SA', seq: 0, mss: 1460, data: 'hello' }).hears({ flags: 'A', ack: 1 });
    peer.sends({ seq: 1, data: 'hello' }).hears({ flags: 'A', ack: 6 });
    expect(program.recv()).toBe('hello');
  });

  it('a program about to write lets its data carry the ACK, for 200 ms', () => {
    const t = conversation();
    const program = t.program().set((sk) => {
      sk.ackPingpong = 1;
    });
    const first = t.peer(7000);
    program.connect(7000);
    const peer = t.peer(7000, program.sk.sport);
    peer.theirIsn = first.theirIsn;
    peer.heardTo = 1;
    peer.sends({ flags: 'SA', seq: 0, mss: 1460 }).hearsNothing();
    t.after(199);
    peer.hearsNothing();
    t.after(1);
    peer.hears({ flags: 'A', ack: 1 });
  });

  it('RST: refused', () => {
    const t = conversation();
    const { peer, program } = t.connecting();
    peer.hears({ flags: 'S' });
    peer.sends({ flags: 'RA', seq: 0 });
    expect([program.wakes(), program.poll()]).toEqual([['STATE', 'ERR'], 'IORHE']);
    expect([program.recv(), program.recv(), program.poll()]).toEqual([-111, 0, 'IORH']);
    expect(t.counter('Tcp', 'AttemptFails')).toBe(1);
  });

  it.each([
    ['without an ACK', { flags: 'R' }],
    ['for another SYN', { flags: 'RA', ack: 77 }],
  ])('a RST %s is ignored', (_what, said) => {
    const { peer, program } = conversation().connecting();
    peer.hears({ flags: 'S' });
    peer.sends(said).hearsNothing();
    expect([program.state, program.wakes()]).toEqual(['SYN_SENT', []]);
  });

  it('a wrong acknowledgement is reset, and the SYN follows at once', () => {
    const t = conversation();
    const { peer, program } = t.connecting();
    peer.hears({ flags: 'S' });
    t.mark();
    peer.sends({ flags: 'SA', seq: 0, ack: 77, mss: 1460 });
    peer.hears({ flags: 'R', seq: 77 });
    t.after(20);
    peer.hears({ flags: 'S', seq: 0, at: 8 });
    expect(program.state).toBe('SYN_SENT');
  });

  it('an echo of a timestamp that was never sent is reset', () => {
    const t = conversation();
    const { peer } = t.connecting();
    peer.hears({ flags: 'S' });
    peer.sends({ flags: 'SA', seq: 0, mss: 1460, ts: [1, t.host.nowMs + 1] }).hears({ flags: 'R', seq: 1 });
    expect(t.counter('TcpExt', 'PAWSActive')).toBe(1);
  });

  it('an echo of what was sent at moment 0 of the clock is good a millisecond later', () => {
    const t = conversation({ sysctl: { tcpTimestamps: 1 } });
    t.after(2 ** 32 - t.host.nowMs);
    const { peer, program } = t.connecting();
    expect(t.host.nowMs).toBe(0);
    const ts = peer.hears({ flags: 'S' }).ts?.[0] as number;
    t.after(1);
    peer.sends({ flags: 'SA', seq: 0, mss: 1460, ts: [1, ts] });
    expect(program.state).toBe('ESTABLISHED');
  });

  it('ACK without SYN is ignored', () => {
    const { peer, program } = conversation().connecting();
    peer.hears({ flags: 'S' });
    peer.sends({ seq: 0 }).hearsNothing();
    expect(program.state).toBe('SYN_SENT');
  });
});

// covers: simultaneous open | RFC 9293 section 3.5, figure 7 | src/tcp/state.ts
describe('simultaneous open', () => {
  function crossed() {
    const t = conversation();
    const both = t.connecting();
    both.peer.hears({ flags: 'S' });
    both.peer.sends({ flags: 'S', seq: 0, mss: 1460 });
    both.peer.hears({ flags: 'SA', seq: 0, ack: 1 });
    return { t, ...both };
  }

  it('SYNs cross: both answer, both are connected', () => {
    const { peer, program } = crossed();
    expect([program.state, program.poll(), program.wakes()]).toEqual(['SYN_RECV', '', []]);
    peer.sends({ flags: 'SA', seq: 0, mss: 1460 });
    expect([program.state, program.wakes()]).toEqual(['ESTABLISHED', ['STATE']]);
    program.send('hi');
    peer.heard();
    peer.sends({ data: 'ho' });
    expect(program.recv()).toBe('ho');
  });

  it('a plain ACK completes it, too', () => {
    const { peer, program } = crossed();
    peer.sends({});
    expect(program.state).toBe('ESTABLISHED');
  });

  it('the SYN-ACK is repeated', () => {
    const { t, peer } = crossed();
    t.mark();
    t.after(8000);
    expect(peer.times('SA')).toEqual([1000, 3000, 7000]);
  });

  it('a reset ends it with ECONNRESET', () => {
    const { peer, program } = crossed();
    peer.sends({ flags: 'R' });
    expect([program.wakes(), program.recv()]).toEqual([['STATE', 'ERR'], -104]);
  });

  it('an acknowledgement of nothing is reset and changes nothing', () => {
    const { peer, program } = crossed();
    peer.sends({ ack: 0 }).hears({ flags: 'R', seq: 0 });
    peer.sends({ ack: 2 }).hears({ flags: 'R', seq: 2 });
    expect(program.state).toBe('SYN_RECV');
  });

  it('closing before it is over: the SYN-ACK is still repeated, then the FIN', () => {
    const { t, peer, program } = crossed();
    program.close();
    peer.hears({ flags: 'FA', seq: 1 });
    t.mark();
    t.after(1500);
    peer.hears({ flags: 'SA', seq: 0, ack: 1, at: 1000 });
    peer.sends({ ack: 2 }).sends({ flags: 'FA', ack: 2 }).hears({ flags: 'A', ack: 2 });
    t.after(200_000);
    t.expectNothingLeft();
  });
});

describe('a connect that waits for its first data', () => {
  it('hears nothing of a SYN that comes before its own, and crosses the next one', () => {
    const t = conversation({ sysctl: { tcpFastopen: 5 } });
    const program = t.program();
    program.sk.sport = t.tcp.ports.bind(program.sk, 4000);
    program.sk.ownFastOpen().connect = true;
    const peer = t.peer(7000, 4000);
    expect(t.tcp.connect(program.sk, peer.address, 7000)).toBe(0);
    peer.sends({ flags: 'S', seq: 0, mss: 1460 }).hearsNothing();
    expect([program.state, program.sk.notsent]).toEqual(['SYN_SENT', 0]);
    const hello = fill(5);
    t.tcp.fastOpen(program.sk, hello, hello.length);
    expect(t.tcp.fastOpenDone(program.sk, 0)).toBe(5);
    t.collect();
    peer.hears({ flags: 'S', seq: 0, data: 5 });
    peer.sends({ flags: 'S', seq: 0, mss: 1460 }).hears({ flags: 'SA', seq: 0, ack: 1 });
    peer.sends({ flags: 'SA', seq: 0, ack: 6, mss: 1460 });
    expect([program.state, program.sk.notsent]).toEqual(['ESTABLISHED', 0]);
  });
});

describe('ICMP while connecting', () => {
  function failing(errno: number, sequence = 0) {
    const t = conversation();
    const { peer, program } = t.connecting();
    const { view } = t.host.memory;
    const chunk = t.host.memory.alloc(64);
    const at = t.host.memory.offsetOf(chunk);
    view.setUint16(at, program.sk.sport);
    view.setUint16(at + 2, 7000);
    view.setInt32(at + 4, (program.sk.iss + sequence) | 0);
    t.tcp.error(address('10.0.0.2'), address('10.0.0.1'), at, errno, true, 3, 1, 0);
    t.host.memory.free(chunk);
    return { t, peer, program };
  }

  it('fails it', () => {
    const { peer, program } = failing(113);
    // The first is the error queue's, to which the message goes in any case (ip_icmp_error).
    expect(program.wakes()).toEqual(['ERR', 'STATE', 'ERR']);
    expect([program.poll(), program.recv()]).toEqual(['IORHE', -113]);
    peer.hears({ flags: 'S' });
    peer.sends({ flags: 'SA', seq: 0 }).hears({ flags: 'R', seq: 1 });
  });

  it('unless it quotes what was never sent', () => {
    const { t, program } = failing(113, 5);
    expect([program.state, t.counter('TcpExt', 'OutOfWindowIcmps')]).toEqual(['SYN_SENT', 1]);
  });
});

describe('the socket afterwards', () => {
  it('can connect again, and acknowledges as ever', () => {
    const t = conversation();
    const { peer, program } = t.connected({});
    peer.sends({ data: 'one' }).hears({ flags: 'A', ack: 4 });
    // An acknowledgement is owed when the program disconnects.
    t.stack.link.deliver([peer.frame({ data: 'two' })]);
    expect(program.disconnect()).toBe(0);
    expect(peer.heard().at(-1)).toContain('RA 1:1');
    expect(program.connect(7001)).toBe(0);
    const next = t.peer(7001, program.sk.sport);
    next.theirIsn = program.sk.iss;
    next.heardTo = 1;
    next.sends({ flags: 'SA', seq: 0, mss: 1460 }).hears({ flags: 'A', ack: 1 });
    next.sends({ data: 'three' }).hears({ flags: 'A', ack: 6 });
    expect(program.recv()).toBe('three');
  });

  it('leaves nothing when closed in SYN_SENT', () => {
    const t = conversation();
    const { peer, program } = t.connecting();
    peer.hears({ flags: 'S' });
    program.close();
    peer.hearsNothing();
    t.expectNothingLeft();
  });
});
