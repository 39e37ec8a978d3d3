// How the receive buffer finds its size: by what the program reads in a round trip, as Linux 6.18 reckons. The numbers were taken
// from that kernel in the same conversations; only that bytes weigh twice their number here, whatever their packets weighed.

import { describe, expect, it } from 'vitest';
import { type Conversation, conversation, type Peer } from './conversation.js';
import type { Program } from './program.js';

const MSS = 1460;
/** Bytes of buffer for a window of full segments, 171 of 256 of which are payload. */
const charged = (window: number) => Math.floor((window * 256) / 171);

function sizes({ sk }: Program): [space: number, rcvbuf: number, clamp: number] {
  return [sk.rcvSpace, sk.rcvbuf, sk.windowClamp];
}

/** `segments` come after `ms`, and the program reads `read` of their bytes, or all there is. */
function round(
  t: Conversation,
  peer: Peer,
  program: Program,
  ms: number,
  segments: number,
  read?: number,
): void {
  t.after(ms);
  peer.tsClock += ms;
  peer.sends(...Array.from({ length: segments }, () => ({ data: peer.ts ? MSS - 12 : MSS })));
  program.drain(read);
}

// covers: receive-buffer autotuning | Linux tcp_rcv_space_adjust, tcp_rcvbuf_grow, tcp_rcv_rtt_update | src/tcp/window.ts
describe('the receive buffer', () => {
  it('holds twice what is read in a round trip, and more by how much that has grown', () => {
    const t = conversation();
    const { peer, program } = t.established({ wscale: 7 });
    expect(sizes(program)).toEqual([10 * MSS, 131_072, 65_536 - MSS]);
    // 64 KB, which is what the first window allowed, take 20 ms: that is the round trip, and all so far was read in it.
    for (const segments of [1, 22, 22]) round(t, peer, program, 10, segments);
    let window = 2 * 45 * MSS;
    window += 2 * Math.floor((window * 35) / 10);
    // The window is rounded down twice.
    const grown = [45 * MSS, charged(window), window - 1];
    expect([program.sk.rcvRttUs >> 3, ...sizes(program)]).toEqual([20_000, ...grown]);
    // Less, or as much again, changes nothing.
    round(t, peer, program, 20, 45);
    round(t, peer, program, 20, 5);
    expect(sizes(program)).toEqual(grown);
  });

  it('does not grow with what a slow program lets lie', () => {
    const t = conversation();
    const { peer, program } = t.established({ wscale: 7 });
    for (const segments of [1, 22, 22]) round(t, peer, program, 100, segments);
    expect([program.sk.rcvRttUs >> 3, program.sk.rcvSpace]).toEqual([200_000, 45 * MSS]);
    const before = sizes(program);
    // More than that is read in the next round trip, but 22 segments are left.
    for (const segments of [10, 10]) round(t, peer, program, 60, segments);
    round(t, peer, program, 80, 50, 28 * MSS);
    expect([program.sk.rcvQueue.length, sizes(program)]).toEqual([22 * MSS, before]);
  });

  it('has room for what stands behind a hole, once somebody has accepted the connection', () => {
    const buffers = [true, false].map((accepted) => {
      const t = conversation();
      const peer = t.peer();
      const { listener } = t;
      t.handshake(peer, { wscale: 7, sackOk: true });
      const program = accepted ? listener.accept() : null;
      for (let i = 1; i < 43; i++) peer.sends({ seq: 1 + i * MSS, data: MSS });
      return (program ?? listener.accept()).sk.rcvbuf;
    });
    expect(buffers).toEqual([charged(2 * 10 * MSS + 43 * MSS), 131_072]);
  });

  it('stays as the program set it', () => {
    const t = conversation();
    Object.assign(t.listener.sk, { rcvbuf: 131_072, userlocks: t.listener.sk.userlocks | 2 });
    const { peer, program } = t.established({ wscale: 7 });
    for (const segments of [1, 22, 22, 22]) round(t, peer, program, 20, segments);
    expect([program.sk.rcvSpace, program.sk.rcvbuf]).toEqual([45 * MSS, 131_072]);
  });
});

// covers: receive-buffer autotuning | Linux tcp_rcv_rtt_update | src/tcp/window.ts
describe('the round trip as a receiver sees it', () => {
  it('is the shortest time that a windowful took', () => {
    const t = conversation();
    Object.assign(t.listener.sk, { rcvbuf: 131_072, userlocks: t.listener.sk.userlocks | 2 });
    const { peer, program } = t.established({ wscale: 7 });
    const seen: number[] = [];
    for (const ms of [40, 40, 20, 20, 60, 60]) {
      const { sk } = program;
      // From one end of the window to the next, in two steps.
      const left = Math.ceil((sk.rcvRttTime === 0 ? 1 : (sk.rcvRttSeq - sk.rcvNxt) | 0) / MSS);
      round(t, peer, program, ms / 2, left >> 1);
      round(t, peer, program, ms / 2, left - (left >> 1));
      seen.push(sk.rcvRttUs >> 3);
    }
    expect(seen).toEqual([0, 40_000, 20_000, 20_000, 20_000, 20_000]);
  });

  it('by timestamps may grow, slowly, while the program keeps up; each timestamp counts once, and none that is fresh', () => {
    const t = conversation();
    const { peer, program } = t.established({ wscale: 7, ts: true });
    const rtt = () => program.sk.rcvRttUs >> 3;
    // What it echoes was sent `ms` ago, and is another timestamp than last time.
    const echo = (ms: number, read = true) => {
      t.after(100);
      peer.tsClock += 100;
      peer.sends({ data: 1448, ts: [peer.tsClock, t.host.nowMs + program.sk.tsOffset - ms] });
      if (read) program.drain();
      return rtt();
    };
    expect(echo(0)).toBe(0);
    expect([echo(16), echo(8), echo(24), echo(24)]).toEqual([16_000, 8000, 10_000, 11_750]);
    const same = { data: 1448, ts: [peer.tsClock, t.host.nowMs + program.sk.tsOffset - 4] as const };
    peer.sends(same);
    expect(rtt()).toBe(4000);
    program.drain();
    t.after(40);
    peer.sends(same);
    expect(rtt()).toBe(4000);
    // Unread: the program is slow, not the path.
    expect(echo(80, false)).toBe(4000);
  });
});
