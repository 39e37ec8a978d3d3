// Small writes within one batch become one segment while the first is still in the transmit ring (tcp_autocorking).

import { describe, expect, it } from 'vitest';
import { NAGLE_OFF } from '../../src/tcp/constants.js';
import { type Conversation, conversation, fill } from './conversation.js';
import type { Program } from './program.js';
import { connectPair, twoHosts } from './two-hosts.js';

const bytes = fill(20_000);

/** Writes in one batch; the ring is not emptied in between. */
function writes(t: Conversation, { sk }: Program, ...sizes: number[]): void {
  for (const size of sizes) expect(t.tcp.send(sk, bytes, size, 0)).toBe(size);
}

function noDelay(sysctl = {}, features = 0) {
  const t = conversation({ sysctl, features });
  const { peer, program } = t.established();
  program.sk.nonagle = NAGLE_OFF;
  return { t, peer, program };
}

// covers: autocorking (tcp_autocorking) | Linux tcp_should_autocork | src/tcp/autocork.ts
describe('autocorking', () => {
  it('the first write goes into the ring, the next ones join each other and leave with it', () => {
    const { t, peer, program } = noDelay();
    writes(t, program, 100, 100, 100, 100);
    expect([t.stack.link.tx.pending, program.sk.notsent]).toEqual([1, 300]);
    t.settle();
    expect(peer.heard()).toEqual(['PA 1:101 ack 1', 'PA 101:401 ack 1']);
    expect(t.counter('TcpExt', 'TCPAutoCorking')).toBe(3);
  });

  it('holds nothing once the ring is empty', () => {
    const { t, peer, program } = noDelay();
    writes(t, program, 100);
    t.collect();
    writes(t, program, 100);
    expect(t.stack.link.tx.pending).toBe(1);
    t.settle();
    expect([peer.heard().length, t.counter('TcpExt', 'TCPAutoCorking')]).toEqual([2, 0]);
  });

  it('nor with tcp_autocorking off', () => {
    const { t, peer, program } = noDelay({ tcpAutocorking: 0 });
    writes(t, program, 100, 100, 100);
    t.settle();
    expect(peer.heard().length).toBe(3);
  });

  it('what fills the last segment goes at once', () => {
    const { t, peer, program } = noDelay();
    writes(t, program, 100, 1460);
    expect(t.stack.link.tx.pending).toBe(2);
    writes(t, program, 730);
    expect(t.stack.link.tx.pending).toBe(2);
    writes(t, program, 730);
    expect(t.stack.link.tx.pending).toBe(3);
    t.settle();
    expect(peer.heard().map((line) => line.split(' ')[1])).toEqual(['1:101', '101:1561', '1561:3021']);
  });

  it('does not undo Nagle: without TCP_NODELAY the rest waits for the acknowledgement', () => {
    const t = conversation();
    const { peer, program } = t.established();
    writes(t, program, 100, 100, 100);
    t.settle();
    expect(peer.heard()).toEqual(['PA 1:101 ack 1']);
    peer.sends({});
    expect(peer.heard()).toEqual(['PA 101:301 ack 1']);
  });

  it('a FIN takes along what was held', () => {
    const { t, peer, program } = noDelay();
    writes(t, program, 100, 100);
    program.sk.shutdown |= 2;
    t.tcp.shutdown(program.sk, 2);
    t.settle();
    expect(peer.heard()).toEqual(['PA 1:101 ack 1', 'FPA 101:201 ack 1']);
  });

  it('a link that takes frames at once holds none of ours', () => {
    const pair = twoHosts(1);
    const { client } = connectPair(pair);
    client.nonagle = NAGLE_OFF;
    for (let i = 0; i < 5; i++) pair.a.tcp.send(client, bytes, 100, 0);
    expect(pair.a.host.mib.snapshot().TcpExt.TCPAutoCorking).toBe(0);
  });
});
