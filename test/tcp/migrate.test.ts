// A listener of an SO_REUSEPORT group ends: with tcp_migrate_req the others take over what stood in its queues.
import { describe, expect, it } from 'vitest';
import { FastOpenQueue } from '../../src/tcp/fastopen/fastopen.js';
import { type Conversation, conversation, type Peer } from './conversation.js';
import type { Program } from './program.js';

/** `count` listeners on port 80 that share it. */
function group(t: Conversation, count: number): Program[] {
  return Array.from({ length: count }, () => {
    const program = t.program();
    program.sk.reusePort = true;
    program.sk.sport = t.tcp.ports.bind(program.sk, 80);
    expect(t.tcp.listenStart(program.sk, 50)).toBe(0);
    return program;
  });
}

function opened(t: Conversation, count: number): Peer[] {
  return Array.from({ length: count }, () => {
    const peer = t.peer();
    t.handshake(peer);
    return peer;
  });
}

function halfOpen(t: Conversation, count: number): Peer[] {
  return Array.from({ length: count }, () => {
    const peer = t.peer();
    peer.sends(t.syn(peer));
    peer.hears({ flags: 'SA', seq: 0, ack: 1 });
    return peer;
  });
}

const counted = (t: Conversation) =>
  ['TCPMigrateReqSuccess', 'TCPMigrateReqFailure'].map((name) => t.counter('TcpExt', name));
const flags = (peer: Peer) => peer.heard().map((heard) => heard.split(' ')[0]);

// covers: queues of a listener that ends (tcp_migrate_req) | Linux reuseport_migrate_sock, inet_csk_listen_stop | src/tcp/listen/migrate.ts
describe('a listener of a group that is closed', () => {
  it('leaves its children to the others, who are told', () => {
    const t = conversation({ sysctl: { tcpMigrateReq: 1 } });
    const [first, second] = group(t, 2);
    const peers = opened(t, 12);
    const [mine, theirs] = [first.waiting, second.waiting];
    expect([mine > 0, theirs > 0]).toEqual([true, true]);
    second.wakes();
    first.close();
    expect(second.waiting).toBe(12);
    expect(second.wakes()).toEqual(Array(mine).fill('DATA'));
    expect(counted(t)).toEqual([mine, 0]);
    expect(peers.flatMap(flags)).toEqual([]);
    for (const peer of peers) peer.sends({ data: 'hello' });
    const heard = peers.map(() => second.accept().recv());
    expect(heard).toEqual(peers.map(() => 'hello'));
  });

  it('leaves them handshakes, which go on', () => {
    const t = conversation({ sysctl: { tcpMigrateReq: 1 } });
    const [first, second] = group(t, 2);
    const peers = halfOpen(t, 12);
    const mine = first.sk.listener?.synLength ?? 0;
    expect(mine).toBeGreaterThan(0);
    first.close();
    expect([second.sk.listener?.synLength, ...counted(t)]).toEqual([12, mine, 0]);
    t.after(1000);
    for (const peer of peers) expect(flags(peer)).toEqual(['SA']);
    for (const peer of peers) peer.sends({});
    expect([second.waiting, second.sk.listener?.synLength]).toEqual([12, 0]);
  });

  it('resets and forgets them where that was not asked for', () => {
    const t = conversation();
    const [first, second] = group(t, 2);
    const peers = opened(t, 12);
    const half = halfOpen(t, 12);
    const mine = first.waiting;
    const forgotten = first.sk.listener?.synLength ?? 0;
    first.close();
    expect(peers.flatMap(flags)).toEqual(Array(mine).fill('RA'));
    for (const peer of half) peer.sends({});
    expect(half.flatMap(flags)).toEqual(Array(forgotten).fill('R'));
    expect([second.waiting, ...counted(t)]).toEqual([24 - mine - forgotten, 0, 0]);
  });

  it('resets them if it was the last, and counts that', () => {
    const t = conversation({ sysctl: { tcpMigrateReq: 1 } });
    const [only] = group(t, 1);
    const peers = opened(t, 3);
    halfOpen(t, 2);
    only.close();
    expect(peers.flatMap(flags)).toEqual(['RA', 'RA', 'RA']);
    expect(counted(t)).toEqual([0, 5]);
  });
});

// covers: queues of a listener that ends (tcp_migrate_req) | Linux inet_reqsk_clone | src/tcp/listen/migrate.ts
describe('a Fast Open child whose handshake is not over', () => {
  it('goes on at another listener', () => {
    // Data on SYNs without cookies.
    const t = conversation({ sysctl: { tcpMigrateReq: 1, tcpFastopen: 0x203 } });
    const [first, second] = group(t, 2);
    for (const { sk } of [first, second]) Object.assign(sk.ownFastOpen(), { queue: new FastOpenQueue() });
    for (const { sk } of [first, second]) Object.assign(sk.fastopen?.queue ?? {}, { maxLength: 50 });
    const peers = Array.from({ length: 8 }, () => t.peer());
    for (const peer of peers) {
      peer.sends({ ...t.syn(peer), data: 'GET' });
      peer.hears({ flags: 'SA', ack: 4 });
    }
    expect([first.waiting > 0, first.waiting + second.waiting]).toEqual([true, 8]);
    first.close();
    expect([second.waiting, second.sk.fastopen?.queue?.length]).toEqual([8, 8]);
    for (const peer of peers) peer.sends({});
    expect(second.sk.fastopen?.queue?.length).toBe(0);
    expect(peers.map(() => second.accept().recv())).toEqual(peers.map(() => 'GET'));
  });
});
