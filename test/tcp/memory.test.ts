// What all socks of a stack may hold together: the three limits of tcp_mem, and what each of them does.

import { describe, expect, it } from 'vitest';
import { defaultTcpMem } from '../../src/tcp/memory.js';
import { type Conversation, conversation } from './conversation.js';

const PAGE = 4096;

/** Limits in pages. */
function limited(low: number, pressure: number, hard: number, sysctl = {}): Conversation {
  return conversation({ memory: 32 << 20, sysctl: { tcpMem: [low, pressure, hard], ...sysctl } });
}

/** The hard limit is now `pages` below what is held. */
function exceed(t: Conversation, pages: number): void {
  const hard = t.tcp.memory.pages - pages;
  t.host.sysctl.tcpMem = [hard - 2, hard - 1, hard];
}

/** Connections that hold some 60 KB each, unread. */
function hoard(t: Conversation, count: number) {
  return Array.from({ length: count }, () => {
    const { peer, program } = t.established({ sackOk: true });
    for (let i = 0; i < 41; i++) peer.sends({ data: 1460 });
    peer.heard();
    return { peer, program };
  });
}

// covers: memory bounded in all, with pressure (tcp_mem) | Linux __sk_mem_raise_allocated | src/tcp/memory.ts
describe('tcp_mem', () => {
  it('follows the packet memory, in the proportions of Linux', () => {
    expect(defaultTcpMem(64 << 20)).toEqual([6144, 8192, 12288]);
    const t = conversation({ memory: 8 << 20 });
    expect(t.host.sysctl.get('net.ipv4.tcp_mem')).toEqual([768, 1024, 1536]);
    t.host.sysctl.set('net.ipv4.tcp_mem', '10 20 30');
    expect([t.tcp.memory.limit(0), t.tcp.memory.limit(2)]).toEqual([10 * PAGE, 30 * PAGE]);
  });

  it('is charged by chunks of send, receive and out-of-order queues, and comes back to nothing', () => {
    const t = conversation();
    const { peer, program } = t.established({ sackOk: true });
    peer.sends({ data: 100 }).sends({ seq: 500, data: 10 });
    program.send(100);
    expect(t.tcp.memory.allocated).toBe(PAGE + 1024 + PAGE);
    peer.heard();
    peer.sends({ seq: 101, data: 399 });
    program.drain();
    expect(t.tcp.memory.allocated).toBe(0);
    program.close();
    t.listener.close();
    peer.sends({ flags: 'FA' });
    t.after(70_000);
    t.expectNothingLeft();
  });

  it('pressure begins above the second limit and ends below the first; how often and how long is counted', () => {
    const t = limited(40, 50, 10_000);
    const first = hoard(t, 4);
    expect([t.tcp.memory.pressure, t.counter('TcpExt', 'TCPMemoryPressures')]).toEqual([true, 1]);
    t.after(750);
    for (const { program } of first) program.drain();
    expect([t.tcp.memory.pressure, t.counter('TcpExt', 'TCPMemoryPressuresChrono')]).toEqual([false, 750]);
    hoard(t, 4);
    expect(t.counter('TcpExt', 'TCPMemoryPressures')).toBe(2);
  });
});

// covers: memory bounded in all, with pressure (tcp_mem) | Linux __sk_mem_raise_allocated | src/tcp/memory.ts
describe('under pressure', () => {
  it('a window is four segments at most, and grows again afterwards', () => {
    const t = limited(4, 5, 10_000);
    const [hog] = hoard(t, 1);
    const { peer, program } = t.established({ sackOk: true });
    const before = program.sk.rcvSsthresh;
    peer.sends({ data: 1460 });
    expect([before > 5840, program.sk.rcvSsthresh]).toEqual([true, 4 * 1460]);
    hog.program.drain();
    program.drain();
    peer.heard();
    for (let i = 0; i < 3; i++) {
      peer.sends({ data: 1460 });
      program.drain();
    }
    expect(program.sk.rcvSsthresh).toBeGreaterThan(4 * 1460);
  });

  it('a send buffer does not grow, nor above the first limit', () => {
    const grown = [10_000, 1].map((low) => {
      const t = limited(low, 20_000, 30_000);
      const { peer, program } = t.established({ win: 65535 });
      const before = program.sk.sndbuf;
      for (let ack = 1; ack < 400_000; ack += 1460) {
        program.send(200_000);
        peer.sends({ ack });
      }
      return program.sk.sndbuf > before;
    });
    expect(grown).toEqual([true, false]);
  });

  it('who holds less than an equal share may still take in more', () => {
    const t = limited(4, 5, 60);
    hoard(t, 2);
    const { peer, program } = t.established();
    peer.sends({ data: 4000 }).sends({ data: 1000 });
    expect(program.drain()).toBe(5000);
    expect(t.counter('TcpExt', 'TCPRcvQDrop')).toBe(0);
  });
});

// covers: memory bounded in all, with pressure (tcp_mem) | Linux __sk_mem_raise_allocated | src/tcp/memory.ts
describe('above the hard limit', () => {
  it('a write is refused, and its program told when there is room', () => {
    const t = conversation();
    const hogs = hoard(t, 1);
    const { program } = t.established();
    exceed(t, 1);
    expect([program.send('x'), program.wakes(), program.sk.noSpace]).toEqual([-11, [], true]);
    hogs[0].program.drain();
    t.settle();
    expect([program.wakes(), program.send('x')]).toEqual([['SPACE'], 1]);
  });

  it('a write of somebody with much queued finds the buffer full instead', () => {
    const t = conversation();
    const { peer, program } = t.established({ win: 65535 });
    expect(program.send(16_000)).toBe(16_000);
    exceed(t, 1);
    expect([program.send(1000), program.send(1000), program.sk.sndbuf]).toEqual([
      60,
      -11,
      (16_000 + 11 * 832) / 2,
    ]);
    program.wakes();
    for (let i = 0; i < 12; i++) peer.sends({});
    expect(program.wakes()).toEqual(['SPACE']);
  });

  it('data is dropped and counted unless the queue is empty, and the window stays for acknowledgements', () => {
    const t = conversation();
    const hogs = hoard(t, 1);
    const { peer, program } = t.established();
    exceed(t, 1);
    peer.sends({ data: 'one' });
    program.wakes();
    peer.sends({ data: 'two' });
    expect([t.counter('TcpExt', 'TCPRcvQDrop'), program.wakes(), program.recv()]).toEqual([
      1,
      ['DATA'],
      'one',
    ]);
    hogs[0].program.drain();
    peer.sends({ seq: 4, data: 'two' });
    expect(program.recv()).toBe('two');
  });

  it('out of order goes first', () => {
    const t = conversation();
    const { peer, program } = t.established({ sackOk: true });
    peer.sends({ data: 'x' });
    for (let i = 0; i < 20; i++) peer.sends({ seq: 1000 + i * 2000, data: 1000 });
    hoard(t, 2);
    exceed(t, 2);
    peer.sends({ seq: 2, data: 500 });
    expect([t.counter('TcpExt', 'OfoPruned') > 0, program.drain()]).toEqual([true, 501]);
  });

  it('a closing socket with unsent data is reset: TCPAbortOnMemory', () => {
    const t = limited(4, 5, 6);
    const { peer, program } = t.established({ win: 1000 });
    program.send(8000);
    hoard(t, 1);
    peer.heard();
    program.close();
    expect([peer.inbox.at(-1)?.flags, t.counter('TcpExt', 'TCPAbortOnMemory')]).toEqual(['RA', 1]);
  });
});

// covers: orphans and their limit (tcp_max_orphans, tcp_orphan_retries) | RFC 1122 section 4.2.2.13; Linux tcp_out_of_resources | src/tcp/timers.ts
describe('orphans', () => {
  /** Closes a connection whose peer does not answer any more. */
  function orphan(t: Conversation) {
    const { peer, program } = t.established();
    program.send('x');
    program.close();
    peer.heard();
    return peer;
  }

  it('one more than tcp_max_orphans is reset as it is closed', () => {
    const t = conversation({ sysctl: { tcpMaxOrphans: 2 } });
    orphan(t);
    orphan(t);
    const { peer, program } = t.established();
    program.close();
    expect(peer.inbox.at(-1)?.flags).toBe('RA');
    expect([t.tcp.orphans, t.counter('TcpExt', 'TCPAbortOnMemory')]).toEqual([2, 1]);
  });

  it('when they become too many later, those that wait in vain go at their next timeout, with a reset', () => {
    const t = conversation({ sysctl: { tcpMaxOrphans: 8 } });
    const peers = [orphan(t), orphan(t), orphan(t)];
    t.host.sysctl.tcpMaxOrphans = 2;
    t.after(1000);
    expect([t.tcp.orphans, t.counter('TcpExt', 'TCPAbortOnMemory')]).toEqual([2, 1]);
    expect(peers.flatMap((peer) => peer.heard()).filter((line) => line.startsWith('RA')).length).toBe(1);
  });

  it('one that a router complained of counts twice', () => {
    const t = conversation({ sysctl: { tcpMaxOrphans: 1 } });
    orphan(t);
    for (const sk of t.tcp.established) sk.errSoft = 113;
    t.after(1000);
    expect([t.tcp.orphans, t.counter('TcpExt', 'TCPAbortOnMemory')]).toEqual([0, 1]);
  });

  it('at a closed window, too', () => {
    const t = conversation({ sysctl: { tcpMaxOrphans: 8 } });
    const { peer, program } = t.established();
    peer.sends({ win: 0 });
    program.send('waits');
    program.close();
    t.host.sysctl.tcpMaxOrphans = 0;
    t.after(2000);
    expect([t.tcp.orphans, t.counter('TcpExt', 'TCPAbortOnMemory')]).toEqual([0, 1]);
    expect(peer.inbox.at(-1)?.flags).toBe('RA');
  });
});
