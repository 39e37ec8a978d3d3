// A listener that is steered, segment by segment: what a pause does, what onSyn sees and decides.

import { describe, expect, it } from 'vitest';
import type { SynVerdict } from '../../src/tcp/listen/steering.js';
import type { SynDetails } from '../../src/tcp/listen/syn-details.js';
import { conversation, type Peer } from './conversation.js';
import { counted, opens, steered, told } from './steered.js';

// covers: listener that pauses | ours; Linux has none | src/tcp/listen/steering.ts
describe('a listener that pauses', () => {
  it('answers no SYN, says why and counts it; the client that tries again after resume gets in', () => {
    const t = conversation();
    const listener = steered(t);
    listener.pause();
    expect(listener.paused).toBe('dropping');
    const peer = t.peer();
    expect(told(() => peer.sends(t.syn(peer)))).toEqual(['pause drop', 'LISTENER_PAUSED']);
    peer.hearsNothing();
    expect([listener.counters.PausedDrops, ...counted(t, 'PausedDrops', 'ListenDrops')]).toEqual([1, 1, 0]);
    t.after(1000);
    listener.resume();
    expect([listener.paused, told(() => peer.sends(t.syn(peer)))]).toEqual([false, []]);
    peer.hears({ flags: 'SA' });
    expect(listener.counters.PausedDrops).toBe(1);
  });

  it('refuses by a RST if asked to', () => {
    const t = conversation();
    const listener = steered(t);
    listener.pause({ refuse: true });
    expect(listener.paused).toBe('refusing');
    const peer = t.peer();
    expect(told(() => peer.sends(t.syn(peer)))).toEqual(['pause reset', 'LISTENER_PAUSED']);
    peer.hears({ flags: 'RA', seq: 0, ack: 1 });
    expect(counted(t, 'PausedResets', 'PausedDrops')).toEqual([1, 0]);
    // Asked again without, it only drops.
    listener.pause();
    opens(t).hearsNothing();
  });

  it('lets handshakes under way come to their end, and what waits be accepted', () => {
    const t = conversation();
    const program = t.listen();
    const listener = steered(t, 16, program);
    t.handshake(t.peer());
    const [half, lost] = [opens(t), opens(t)];
    listener.pause();
    half.hears({ flags: 'SA' });
    half.sends({ data: 'hello' });
    program.accept();
    expect(program.accept().recv()).toBe('hello');
    // Its SYN-ACK was lost: it is sent again, unasked and when the SYN comes again.
    t.after(1000);
    lost.sends(t.syn(lost));
    expect(lost.times('SA')).toEqual([0, 1000, 1000]);
    lost.sends({});
    expect([program.waiting, listener.synQueue]).toEqual([1, []]);
  });

  it('takes cookies back that are out', () => {
    const t = conversation({ sysctl: { tcpSyncookies: 2 } });
    const program = t.listen();
    const peer = opens(t);
    peer.hears({ flags: 'SA' });
    steered(t, 16, program).pause({ refuse: true });
    peer.sends({});
    expect(program.waiting).toBe(1);
  });

  it('leaves its SYNs to the others of its SO_REUSEPORT group, as long as one of them is awake', () => {
    const t = conversation();
    const programs = Array.from({ length: 3 }, () => {
      const program = t.program();
      program.sk.reusePort = true;
      program.sk.sport = t.tcp.ports.bind(program.sk, 80);
      expect(t.tcp.listenStart(program.sk, 50)).toBe(0);
      return program;
    });
    const listeners = programs.map((program) => steered(t, 50, program));
    const twelve = () => Array.from({ length: 12 }, () => opens(t));
    const half = twelve();
    const before = listeners.map(({ synQueue }) => synQueue.length);
    expect(Math.min(...before)).toBeGreaterThan(0);
    listeners[0].pause({ refuse: true });
    const lines = told(() => twelve().forEach((peer) => void peer.hears({ flags: 'SA' })));
    const passed = lines.length;
    expect(new Set(lines)).toEqual(new Set(['pause pass']));
    expect(listeners[0].synQueue.length).toBe(before[0]);
    expect([listeners[0].counters.PausedPasses, ...counted(t, 'PausedPasses', 'PausedResets')]).toEqual([
      passed,
      passed,
      0,
    ]);
    // What was under way at the one that pauses ends there.
    for (const peer of half) peer.sends({});
    expect(programs.map(({ waiting }) => waiting)).toEqual(before);
    listeners[1].pause();
    const last = listeners[2].synQueue.length;
    twelve();
    expect(listeners[2].synQueue.length).toBe(last + 12);
    listeners[2].pause();
    const answers = twelve().flatMap((peer) => peer.heard().map((heard) => heard.slice(0, 2)));
    expect([new Set(answers), answers.length + counted(t, 'PausedDrops')[0]]).toEqual([new Set(['RA']), 12]);
    expect(answers.length).toBe(counted(t, 'PausedResets')[0]);
    for (const listener of listeners) listener.resume();
    expect(told(twelve)).toEqual([]);
  });

  it('goes on to pause when listen() is called again, and begins anew after it was shut down', () => {
    const t = conversation();
    const program = t.listen();
    const listener = steered(t, 16, program);
    listener.pause();
    t.tcp.setBacklog(program.sk, 3);
    opens(t).hearsNothing();
    program.disconnect();
    expect([listener.listening, listener.synQueue, listener.acceptQueue]).toEqual([false, [], []]);
    expect(t.tcp.listenStart(program.sk, 4)).toBe(0);
    expect(listener.listening).toBe(false);
    expect(() => listener.resume()).toThrow(/listener EINVAL: .*closed, or shut down/);
    opens(t).hears({ flags: 'SA' });
  });
});

// covers: listener asked about each SYN (onSyn) | ours; Linux has none | src/tcp/listen/steering.ts
describe('onSyn', () => {
  it('is told who asks, and what the SYN offers', () => {
    const t = conversation({ sysctl: { tcpFastopen: 3 } });
    const seen: SynDetails[] = [];
    steered(t).onSyn = (syn) => {
      seen.push(syn);
      return undefined;
    };
    const plain = t.peer().sends({ flags: 'S', seq: 0 });
    plain.hears({ flags: 'SA' });
    const rich = t.peer();
    rich.sends({ ...t.syn(rich, { mss: 1400, wscale: 7, sackOk: true, ts: true }), flags: 'SEC' });
    rich.hears({ flags: 'SAE' });
    // Asks for a Fast Open cookie; its ECN flags are neither none nor RFC 3168's.
    t.peer().sends({ flags: 'SC', seq: 0, options: Uint8Array.of(2, 4, 2, 24, 34, 2, 1, 1), data: 'hi' });
    const local = { address: '10.0.0.2', port: 80 };
    expect(seen).toEqual([
      {
        peer: { address: '10.0.0.1', port: plain.port },
        local,
        ttl: 64,
        tos: 0,
        mss: null,
        windowScale: null,
        sack: false,
        timestamps: false,
        ecn: 'none',
        fastOpen: false,
        length: 0,
      },
      expect.objectContaining({ mss: 1400, windowScale: 7, sack: true, timestamps: true, ecn: 'classic' }),
      expect.objectContaining({ mss: 536, ecn: 'accurate', fastOpen: true, length: 2 }),
    ]);
  });

  it.each<[SynVerdict, string[], string[], string[]]>([
    ['accept', ['SA 0:0 ack 1'], ['onSyn accept'], []],
    ['drop', [], ['onSyn drop', 'LISTENER_ON_SYN'], ['OnSynDrops']],
    ['reset', ['RA 0:0 ack 1'], ['onSyn reset', 'LISTENER_ON_SYN'], ['OnSynResets']],
    ['cookie', ['SA 0:0 ack 1'], ['onSyn cookie'], ['OnSynCookies', 'SyncookiesSent']],
  ])('%s', (verdict, heard, trace, counters) => {
    const t = conversation();
    const listener = steered(t);
    listener.onSyn = () => verdict;
    const peer = t.peer();
    expect(told(() => peer.sends(t.syn(peer)))).toEqual(trace);
    expect(peer.heard()).toEqual(heard);
    expect(counted(t, ...counters)).toEqual(counters.map(() => 1));
    expect(listener.synQueue.length).toBe(verdict === 'accept' ? 1 : 0);
    expect(counted(t, 'ListenDrops')).toEqual([0]);
  });

  it('decides for each anew, and no more once it is taken away', () => {
    const t = conversation();
    const listener = steered(t);
    listener.onSyn = ({ peer }) => (peer.port % 2 === 0 ? 'reset' : 'accept');
    expect([opens(t), opens(t), opens(t)].map((peer) => peer.heard()[0].slice(0, 2))).toEqual([
      'RA',
      'SA',
      'RA',
    ]);
    listener.onSyn = null;
    t.peer(50000).sends({ flags: 'S', seq: 0, mss: 1460 }).hears({ flags: 'SA' });
  });

  it('is not asked while the listener pauses, nor about a SYN that comes again', () => {
    const t = conversation();
    const listener = steered(t);
    let asked = 0;
    listener.onSyn = () => {
      asked++;
      return 'accept';
    };
    const peer = opens(t);
    t.after(600);
    peer.sends(t.syn(peer));
    listener.pause();
    opens(t);
    expect(asked).toBe(1);
  });

  it('cookies of its making come back whatever tcp_syncookies says, but no others do', () => {
    const t = conversation({ sysctl: { tcpSyncookies: 0 } });
    const program = t.listen();
    const listener = steered(t, 16, program);
    const answersCookie = (): Peer => {
      const peer = opens(t, { ts: true, wscale: 7, sackOk: true });
      peer.hears({ flags: 'SA' });
      return peer.sends({ data: 'hello' });
    };
    listener.onSyn = () => 'cookie';
    answersCookie();
    const { sk } = program.accept();
    expect([sk.wscaleOk, sk.sndWscale, sk.sackOk, sk.rcvQueue.length]).toEqual([true, 7, true, 5]);
    const u = conversation({ sysctl: { tcpSyncookies: 2 } });
    const plain = u.listen();
    steered(u, 16, plain).pause();
    steered(u, 16, plain).resume();
    const peer = opens(u);
    peer.hears({ flags: 'SA' });
    u.host.sysctl.tcpSyncookies = 0;
    peer.sends({}).hears({ flags: 'R' });
    expect(plain.waiting).toBe(0);
  });

  it('a cookie is sent though the SYN queue is full, but not when the accept queue is', () => {
    const t = conversation({ sysctl: { tcpSyncookies: 0 } });
    const program = t.listen(0);
    const listener = steered(t, 0, program);
    const first = opens(t);
    opens(t).hearsNothing();
    listener.onSyn = () => 'cookie';
    opens(t).hears({ flags: 'SA' });
    first.hears({ flags: 'SA' });
    first.sends({});
    expect(program.waiting).toBe(1);
    opens(t).hearsNothing();
    expect(counted(t, 'ListenOverflows')).toEqual([1]);
  });

  it('who was connected just now needs no cookie', () => {
    const t = conversation();
    const program = t.listen();
    const { peer, program: child } = t.established({}, program);
    child.close();
    peer.hears({ flags: 'FA' });
    peer.sends({ flags: 'FA' });
    expect(t.tcp.counts.timeWait).toBe(1);
    steered(t, 16, program).onSyn = () => 'cookie';
    const lines = told(() => peer.sends({ flags: 'S', seq: 5000, mss: 1460 }));
    expect([lines, t.tcp.counts.requests, ...counted(t, 'OnSynCookies', 'SyncookiesSent')]).toEqual([
      ['onSyn accept'],
      1,
      0,
      0,
    ]);
  });

  it('may close the listener it is asked for', () => {
    const t = conversation();
    const program = t.listen();
    steered(t, 16, program).onSyn = () => {
      program.close();
      return 'accept';
    };
    const peer = t.peer();
    expect(told(() => peer.sends(t.syn(peer)))).toEqual(['TCP_CLOSE']);
    peer.hearsNothing();
    opens(t).hears({ flags: 'RA' });
    t.expectNothingLeft();
  });
});

describe('a listener that nobody steers', () => {
  it('has nothing of all this, also after it was looked into', () => {
    const t = conversation();
    const program = t.listen();
    const listener = steered(t, 16, program);
    opens(t);
    const seen = [listener.synQueue.length, listener.paused, listener.onSyn, listener.counters.OnSynDrops];
    expect([...seen, listener.synOverflow, listener.acceptOverflow]).toEqual([
      1,
      false,
      null,
      0,
      'sysctl',
      'sysctl',
    ]);
    expect(program.sk.listener?.steering).toBeNull();
  });
});
