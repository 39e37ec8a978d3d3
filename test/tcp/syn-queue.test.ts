// The SYN queue and the accept queue: who waits where, how many, what happens to the rest, and how a listener ends.

import { describe, expect, it } from 'vitest';
import { type Conversation, conversation, type Peer } from './conversation.js';

function opens(t: Conversation): Peer {
  return t.peer().sends({ flags: 'S', seq: 0, mss: 1460 });
}

// covers: SYN queue and its limits | RFC 4987 section 3 | src/tcp/listen/listen-state.ts
describe('a SYN queue more than half full', () => {
  it('gives up those who do not answer early, until half of the room is free for the young', () => {
    const t = conversation();
    t.listen(10);
    const peers = Array.from({ length: 10 }, () => opens(t));
    t.after(6900);
    expect([t.tcp.counts.requests, peers.map((peer) => peer.times('SA').length)]).toEqual([
      10,
      new Array(10).fill(3),
    ]);
    t.after(200);
    expect(t.tcp.counts.requests).toBe(5);
  });

  it('but nobody while enough of them are young', () => {
    const t = conversation();
    t.listen(10);
    const old = opens(t);
    t.after(6500);
    for (let i = 0; i < 9; i++) opens(t);
    t.after(600);
    // Nine of ten are young: the old one is answered a third time.
    expect([t.tcp.counts.requests, old.times('SA')]).toEqual([10, [0, 1000, 3000, 7000]]);
  });
});

describe('the SYN queue', () => {
  // covers: SYN-ACK retransmission and its limit (tcp_synack_retries) | RFC 6298 section 5 | src/tcp/listen/listener.ts
  it('answers again after 1, 3, 7, 15 and 31 seconds, and gives up after 63', () => {
    const t = conversation();
    t.listen();
    const peer = opens(t);
    t.after(62_900);
    expect(peer.times('SA')).toEqual([0, 1000, 3000, 7000, 15000, 31000]);
    expect(t.tcp.counts.requests).toBe(1);
    t.after(200);
    expect(t.tcp.counts.requests).toBe(0);
    expect([t.counter('Tcp', 'RetransSegs'), t.counter('TcpExt', 'TCPSynRetrans')]).toEqual([5, 5]);
  });

  it('TCP_SYNCNT and tcp_synack_retries bound that', () => {
    const t = conversation({ sysctl: { tcpSynackRetries: 1 } });
    t.listen();
    const peer = opens(t);
    t.after(60_000);
    expect(peer.times('SA')).toEqual([0, 1000]);
    const u = conversation();
    u.listen().set((sk) => {
      sk.ownTuning().synRetries = 2;
    });
    const other = opens(u);
    u.after(60_000);
    expect(other.times('SA')).toEqual([0, 1000, 3000]);
  });

  it('answers a repeated SYN at once, and then waits anew', () => {
    const t = conversation();
    t.listen();
    const peer = opens(t);
    t.after(600);
    peer.sends({ flags: 'S', seq: 0, mss: 1460 });
    t.after(2000);
    expect(peer.times('SA')).toEqual([0, 600, 1600]);
  });

  it('but no flood of them', () => {
    const t = conversation();
    t.listen();
    const peer = opens(t);
    for (let i = 0; i < 10; i++) peer.sends({ flags: 'S', seq: 0, mss: 1460 });
    expect(peer.times('SA')).toEqual([0, 0]);
    expect(t.counter('TcpExt', 'TCPACKSkippedSynRecv')).toBe(9);
  });

  it('another SYN in its place resets the handshake', () => {
    const t = conversation();
    t.listen();
    const peer = opens(t);
    peer.hears({ flags: 'SA' });
    peer.sends({ flags: 'S', seq: 100, mss: 1460 });
    peer.hears({ flags: 'RA', ack: 101 });
    expect(t.tcp.counts.requests).toBe(0);
  });

  // covers: SYN queue and its limits | RFC 4987 section 3 | src/tcp/listen/listener.ts
  // covers: counters of cookies and full queues | Linux TCPReqQFullDoCookies, TCPReqQFullDrop | src/tcp/listen/listener.ts
  it('without cookies drops SYNs beyond the backlog', () => {
    const t = conversation({ sysctl: { tcpSyncookies: 0 } });
    t.listen(1);
    const peers = [opens(t), opens(t), opens(t)];
    expect(peers.map((peer) => peer.heard().length)).toEqual([1, 1, 0]);
    expect([t.counter('TcpExt', 'TCPReqQFullDrop'), t.counter('TcpExt', 'ListenDrops')]).toEqual([1, 1]);
  });

  // covers: SYN queue and its limits | RFC 4987 section 3 | src/tcp/listen/listener.ts
  it('and keeps a quarter of tcp_max_syn_backlog for those it knows', () => {
    const t = conversation({ sysctl: { tcpSyncookies: 0, tcpMaxSynBacklog: 8 } });
    t.listen(100);
    const answered = Array.from({ length: 10 }, () => opens(t)).filter((peer) => peer.heard().length > 0);
    expect(answered.length).toBe(7);
  });

  it('an unreachable client is forgotten, silently', () => {
    const t = conversation();
    const listener = t.listen();
    opens(t).hears({ flags: 'SA' });
    const [request] = t.tcp.requests;
    const { view } = t.host.memory;
    const quote = t.host.memory.offsetOf(t.host.memory.alloc(100));
    view.setUint16(quote, 80);
    view.setUint16(quote + 2, request.dport);
    view.setInt32(quote + 4, request.iss + 5);
    const error = (code: number) => t.tcp.error(request.saddr, request.daddr, quote, 113, false, 3, code, 0);
    error(1);
    expect([t.tcp.counts.requests, t.counter('TcpExt', 'OutOfWindowIcmps')]).toEqual([1, 1]);
    view.setInt32(quote + 4, request.iss);
    error(3);
    expect(t.tcp.counts.requests).toBe(1);
    error(1);
    expect([t.tcp.counts.requests, listener.wakes()]).toEqual([0, []]);
  });
});

// covers: accept queue and its limit | Linux sk_acceptq_is_full | src/tcp/listen/listen-state.ts
describe('the accept queue', () => {
  it('holds one more than the backlog; further SYNs are dropped', () => {
    const t = conversation();
    const listener = t.listen(1);
    for (let i = 0; i < 2; i++) t.handshake(t.peer());
    expect(listener.waiting).toBe(2);
    expect(opens(t).heard()).toEqual([]);
    expect([t.counter('TcpExt', 'ListenOverflows'), t.counter('TcpExt', 'ListenDrops')]).toEqual([1, 1]);
    listener.accept();
    opens(t).hears({ flags: 'SA' });
  });

  it('hands out the oldest first, and tells of each', () => {
    const t = conversation();
    const listener = t.listen(4);
    const peers = Array.from({ length: 3 }, () => {
      const peer = t.peer();
      t.handshake(peer);
      return peer;
    });
    expect(listener.wakes()).toEqual(['DATA', 'DATA', 'DATA']);
    expect(listener.poll()).toBe('I');
    expect(peers.map(() => listener.accept().sk.dport)).toEqual(peers.map((peer) => peer.port));
    expect(listener.poll()).toBe('');
  });

  it('full: the third segment is dropped and the SYN-ACK repeated until there is room', () => {
    const t = conversation();
    const listener = t.listen(0);
    const first = opens(t);
    const second = t.peer();
    // Both are in the SYN queue before either is done.
    listener.sk.listener!.backlog = 1;
    second.sends({ flags: 'S', seq: 0, mss: 1460 });
    listener.sk.listener!.backlog = 0;
    first.sends({});
    second.hears({ flags: 'SA' });
    t.mark();
    second.sends({}).sends({ seq: 1, data: 'hello' }).hearsNothing();
    expect(listener.waiting).toBe(1);
    t.after(3500);
    expect(second.times('SA')).toEqual([1000, 3000]);
    listener.accept();
    second.sends({ seq: 1, data: 'hello' });
    expect(listener.accept().recv()).toBe('hello');
  });

  it('tcp_abort_on_overflow resets instead', () => {
    const t = conversation({ sysctl: { tcpAbortOnOverflow: 1 } });
    const listener = t.listen(1);
    const peers = [opens(t), opens(t)];
    listener.sk.listener!.backlog = 0;
    for (const peer of peers) peer.hears({ flags: 'SA' });
    for (const peer of peers) peer.sends({});
    peers[0].hearsNothing();
    peers[1].hears({ flags: 'R', seq: 1 });
    expect(t.tcp.counts.requests).toBe(0);
  });

  it('a child that was reset is still accepted: its data first, then the error once, then the end', () => {
    const t = conversation();
    const listener = t.listen();
    const peer = t.peer();
    t.handshake(peer);
    peer.sends({ data: 'abc' }).sends({ flags: 'R' });
    const program = listener.accept();
    expect(program.poll()).toBe('IORHE');
    expect([program.recv(), program.recv(), program.recv()]).toEqual(['abc', -104, 0]);
  });

  it('what happens to a child wakes nobody at the listener', () => {
    const t = conversation();
    const listener = t.listen();
    const peer = t.peer();
    t.handshake(peer);
    listener.wakes();
    peer.sends({ data: 'abc' }).sends({ flags: 'FA' });
    expect(listener.wakes()).toEqual([]);
  });
});

describe('nobody listens', () => {
  it.each([
    ['S', { seq: 5 }, 'RA', { seq: 0, ack: 6 }],
    ['A', { seq: 5, ack: 77 }, 'R', { seq: 77, ack: 0 }],
    ['FA', { seq: 5, ack: 77 }, 'R', { seq: 77 }],
    ['F', { seq: 5, data: 'xyz' }, 'RA', { seq: 0, ack: 9 }],
    ['SA', { seq: 5, ack: 77 }, 'R', { seq: 77 }],
  ])('%s is answered by a reset (RFC 9293 section 3.10.7.1)', (flags, said, answer, expected) => {
    const t = conversation();
    const peer = t.peer();
    peer.theirIsn = 0;
    peer.sends({ flags, ...said });
    peer.hears({ flags: answer, ...expected, win: 0 });
  });

  it('a reset is answered by nothing', () => {
    const t = conversation();
    t.peer().sends({ flags: 'R' }).sends({ flags: 'RA' }).hearsNothing();
  });

  it('a stray ACK to a listener is reset, a stray RST or FIN is ignored', () => {
    const t = conversation();
    const listener = t.listen();
    const peer = t.peer();
    peer.theirIsn = 0;
    peer.sends({ seq: 5, ack: 77 }).hears({ flags: 'R', seq: 77 });
    peer
      .sends({ flags: 'R' })
      .sends({ flags: 'F' })
      .sends({ flags: '' })
      .sends({ flags: 'SF' })
      .hearsNothing();
    expect([listener.wakes(), t.tcp.counts.requests]).toEqual([[], 0]);
  });
});

describe('the listener ends', () => {
  it('resets every child that nobody accepted, oldest first, and forgets handshakes', () => {
    const t = conversation();
    const listener = t.listen();
    const peers = Array.from({ length: 3 }, () => t.peer());
    for (const peer of peers) t.handshake(peer);
    peers[1].sends({ data: 'unread' }).hears({ flags: 'A' });
    const half = opens(t);
    half.hears({ flags: 'SA' });
    listener.close();
    for (const peer of peers) peer.hears({ flags: 'RA', seq: 1 });
    half.hearsNothing();
    half.sends({}).hears({ flags: 'R', seq: 1 });
    opens(t).hears({ flags: 'RA', ack: 1 });
    t.expectNothingLeft();
  });

  it('shutdown(RD) does the same and leaves a socket that can listen again', () => {
    const t = conversation();
    const listener = t.listen();
    const peer = t.peer();
    t.handshake(peer);
    listener.disconnect();
    peer.hears({ flags: 'RA' });
    expect([listener.state, listener.poll()]).toEqual(['CLOSE', 'OH']);
    expect(t.tcp.listenStart(listener.sk, 4)).toBe(0);
    t.handshake(t.peer());
    expect(listener.waiting).toBe(1);
  });

  it('a connection that was accepted lives on', () => {
    const t = conversation();
    const listener = t.listen();
    const { peer, program } = t.established({}, listener);
    listener.close();
    peer.sends({ data: 'still here' });
    expect(program.recv()).toBe('still here');
  });
});

// covers: TCP_DEFER_ACCEPT | Linux tcp_check_req, syn_ack_recalc | src/tcp/listen/syn-recv.ts
describe('TCP_DEFER_ACCEPT', () => {
  function deferring(timeouts: number) {
    const t = conversation();
    const listener = t.listen().set((sk) => {
      sk.ownTuning().deferAccept = timeouts;
    });
    const peer = opens(t);
    peer.hears({ flags: 'SA' });
    peer.sends({}).hearsNothing();
    return { t, listener, peer };
  }

  it('waits for data, without repeating itself', () => {
    const { t, listener, peer } = deferring(4);
    expect(listener.waiting).toBe(0);
    t.after(2900);
    peer.hearsNothing();
    peer.sends({ data: 'now' });
    const program = listener.accept();
    expect([program.recv(), program.sk.tuning.deferAccept]).toEqual(['now', 0]);
  });

  it('after the period asks once more, and takes the bare answer', () => {
    const { t, listener, peer } = deferring(3);
    t.after(7100);
    expect(peer.times('SA')).toEqual([7000]);
    peer.sends({});
    expect(listener.waiting).toBe(1);
  });
});
