// A listener's queues, looked into while peers come, wait, send and leave: who stands there, since when, and how many may.

import { describe, expect, it } from 'vitest';
import { FastOpenQueue } from '../../src/tcp/fastopen/fastopen.js';
import { conversation, type Peer } from './conversation.js';
import { opens, steered } from './steered.js';

// covers: queues of a listener, looked into (stack.listener) | RFC 9293 section 3.9.1 | src/kernel/listener-handle.ts
describe('the queues, looked into', () => {
  it('show handshakes with their age and their SYN-ACKs, the oldest first', () => {
    const t = conversation();
    const listener = steered(t);
    const first = opens(t);
    t.after(1500);
    const second = opens(t);
    t.after(600);
    second.sends(t.syn(second));
    const local = { address: '10.0.0.2', port: 80 };
    expect(listener.synQueue).toEqual([
      { peer: { address: '10.0.0.1', port: first.port }, local, ageMs: 2100, synAcks: 2, acked: false },
      { peer: { address: '10.0.0.1', port: second.port }, local, ageMs: 600, synAcks: 2, acked: false },
    ]);
    second.hears({ flags: 'SA' });
    second.sends({});
    expect(listener.synQueue.map(({ peer }) => peer.port)).toEqual([first.port]);
    expect(listener.acceptQueue.map(({ peer }) => peer.port)).toEqual([second.port]);
  });

  it('show who waits for accept, since when, in which state and with how much', () => {
    const t = conversation();
    const program = t.listen();
    const listener = steered(t, 16, program);
    const waits = (): Peer => {
      const peer = t.peer();
      t.handshake(peer);
      t.after(100);
      return peer;
    };
    const peers = [waits(), waits(), waits(), waits()];
    program.accept();
    peers.push(waits(), waits());
    peers[1].sends({ data: 'hello' });
    peers[2].sends({ flags: 'FA', data: 'bye' });
    peers[3].sends({ flags: 'R' });
    const { address, port } = listener.acceptQueue[0].peer;
    expect([address, port]).toEqual(['10.0.0.1', peers[1].port]);
    expect(listener.acceptQueue.map(({ ageMs, state, bytes }) => [ageMs, state, bytes])).toEqual([
      [500, 'ESTABLISHED', 5],
      [400, 'CLOSE_WAIT', 3],
      [300, 'CLOSE', 0],
      [200, 'ESTABLISHED', 0],
      [100, 'ESTABLISHED', 0],
    ]);
  });

  it('show the right ones after a burst, whose room is given back', () => {
    const t = conversation();
    const program = t.listen(1000);
    const listener = steered(t, 1000, program);
    const ports = (count: number): number[] =>
      Array.from({ length: count }, () => {
        const peer = t.peer();
        t.handshake(peer);
        return peer.port;
      });
    for (const count of [300, 3, 600]) {
      const made = ports(count);
      t.after(10);
      expect(listener.acceptQueue.map(({ peer, ageMs }) => [peer.port, ageMs])).toEqual(
        made.map((port) => [port, 10]),
      );
      expect(made.map(() => program.accept().sk.dport)).toEqual(made);
      expect([program.waiting, listener.acceptQueue]).toEqual([0, []]);
    }
  });

  it('show a Fast Open child before its handshake is over, and a third segment that waits for data', () => {
    // Data on SYNs without cookies, at any listener.
    const t = conversation({ sysctl: { tcpFastopen: 0x603 } });
    const program = t.listen().set((sk) => {
      Object.assign(sk.ownFastOpen(), { queue: Object.assign(new FastOpenQueue(), { maxLength: 4 }) });
      sk.ownTuning().deferAccept = 4;
    });
    const listener = steered(t, 16, program);
    const early = t.peer();
    early.sends({ ...t.syn(early), data: 'GET' });
    const bare = opens(t);
    bare.hears({ flags: 'SA' });
    bare.sends({});
    expect(listener.acceptQueue.map(({ peer, state, bytes }) => [peer.port, state, bytes])).toEqual([
      [early.port, 'SYN_RECV', 3],
    ]);
    expect(listener.synQueue.map(({ peer, acked }) => [peer.port, acked])).toEqual([[bare.port, true]]);
  });

  it('show a third segment that found no room', () => {
    const t = conversation();
    const program = t.listen(1);
    const listener = steered(t, 1, program);
    const peers = [opens(t), opens(t)];
    t.tcp.setBacklog(program.sk, 0);
    for (const peer of peers) peer.hears({ flags: 'SA' });
    for (const peer of peers) peer.sends({});
    expect(listener.synQueue.map(({ peer, acked }) => [peer.port, acked])).toEqual([[peers[1].port, true]]);
  });

  it('and how many they hold', () => {
    const t = conversation({ sysctl: { tcpSyncookies: 0, tcpMaxSynBacklog: 8 } });
    const program = t.listen(100);
    const listener = steered(t, 100, program);
    expect(listener.limits).toEqual({
      backlog: 100,
      acceptQueue: 101,
      synQueue: 101,
      synQueueOfStrangers: 7,
    });
    const answered = Array.from({ length: 10 }, () => opens(t)).filter((peer) => peer.heard().length > 0);
    expect(answered.length).toBe(7);
    listener.synOverflow = 'cookie';
    t.tcp.setBacklog(program.sk, 3);
    expect(listener.limits).toEqual({
      backlog: 3,
      acceptQueue: 4,
      synQueue: 4,
      synQueueOfStrangers: null,
    });
  });
});
