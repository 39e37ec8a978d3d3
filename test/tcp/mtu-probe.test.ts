// When the path is probed for larger packets, when that has to wait, and what a probe proves (RFC 4821).

import { describe, expect, it } from 'vitest';
import { NAGLE_OFF } from '../../src/tcp/constants.js';
import { conversation, type Opening } from './conversation.js';
import type { Program } from './program.js';

/** Half way between 512 and 1460 bytes of payload; with it must wait four segments of 512. */
const PROBE = 986;
const NEEDED = PROBE + 4 * 512;

/** A connection that we opened and that searches; its segments carry 512 bytes. */
function searching(cwnd = 11, opening: Opening = {}) {
  const t = conversation({ sysctl: { tcpMtuProbing: 2, tcpBaseMss: 512, tcpTimestamps: 0 } });
  const both = t.connected(opening);
  both.program.sk.sndCwnd = cwnd;
  both.program.sk.nonagle = NAGLE_OFF;
  return { t, ...both };
}

/** Writes `count` bytes at once: a program's write would send its first segment before the rest is there. */
function write(program: Program, count: number): void {
  const { sk } = program;
  const { sndCwnd } = sk;
  sk.sndCwnd = 0;
  program.send(count);
  sk.sndCwnd = sndCwnd;
  program.push();
}

// covers: black holes and probing for larger segments (tcp_mtu_probing) | RFC 4821 section 7 | src/tcp/path/mtu-probe.ts
describe('a probe', () => {
  it('is made of the data itself, if so much waits as tells of its loss', () => {
    const { peer, program } = searching();
    write(program, NEEDED - 1);
    expect(peer.heard()[0]).toBe('A 1:513 ack 1');
    peer.sends({});
    write(program, NEEDED);
    const [first] = peer.heard();
    expect(first).toBe(`A ${NEEDED}:${NEEDED + PROBE} ack 1`);
  });

  it('needs a window that takes all that', () => {
    const small = searching(11, { win: NEEDED - 1 });
    write(small.program, 8000);
    expect(small.peer.heard()[0]).toBe('A 1:513 ack 1');
    const enough = searching(11, { win: NEEDED });
    write(enough.program, 8000);
    expect(enough.peer.heard()[0]).toBe(`A 1:${1 + PROBE} ack 1`);
  });

  it('needs eleven segments of congestion window', () => {
    const { peer, program } = searching(10);
    write(program, NEEDED);
    expect(peer.heard()[0]).toBe('A 1:513 ack 1');
  });

  it('is not sent while headers bear SACK blocks', () => {
    const { peer, program } = searching(11, { sackOk: true });
    peer.sends({ seq: 100, data: 10 });
    peer.heard();
    write(program, NEEDED);
    expect(peer.hears().length).toBeLessThanOrEqual(512);
  });

  it('waits until what is in flight leaves it room in the peer’s window', () => {
    const { peer, program } = searching(30, { win: NEEDED + 500 });
    program.send(512);
    peer.heard();
    write(program, NEEDED);
    peer.hearsNothing().sends({});
    expect(peer.heard()[0]).toBe(`A 513:${513 + PROBE} ack 1`);
  });

  it('waits until the congestion window has room for two', () => {
    const { peer, program } = searching(11);
    for (let i = 0; i < 10; i++) program.send(512);
    expect(peer.heard()).toHaveLength(10);
    write(program, NEEDED);
    peer.hearsNothing().sends({});
    expect(peer.heard()[0]).toBe(`A 5121:${5121 + PROBE} ack 1`);
  });

  it('proves nothing once something was sent again', () => {
    const { t, peer, program } = searching();
    write(program, NEEDED);
    peer.heard();
    t.after(1000);
    expect(peer.heard()[0]).toBe('A 1:513 ack 1');
    peer.sends({});
    expect([t.counter('TcpExt', 'TCPMTUPSuccess'), t.counter('TcpExt', 'TCPMTUPFail')]).toEqual([0, 0]);
    expect(program.sk.mss).toBe(512);
  });

  it('proves nothing by what was acknowledged before it', () => {
    const { t, peer, program } = searching(30);
    program.send(512);
    write(program, NEEDED);
    expect(peer.heard().slice(0, 2)).toEqual(['PA 1:513 ack 1', `A 513:${513 + PROBE} ack 1`]);
    peer.sends({ ack: 513 });
    expect([t.counter('TcpExt', 'TCPMTUPSuccess'), program.sk.mss]).toEqual([0, 512]);
    peer.sends({ ack: 513 + PROBE });
    expect([t.counter('TcpExt', 'TCPMTUPSuccess'), program.sk.mss]).toEqual([1, PROBE]);
  });

  it('is one at a time, and counts as one packet', () => {
    const { peer, program } = searching(40);
    write(program, NEEDED);
    peer.heard();
    expect([program.sk.tx.packetsOut, program.sk.sndCwnd]).toEqual([5, 39]);
    write(program, NEEDED);
    expect(peer.hears().length).toBe(512);
  });
});

describe('without tcp_mtu_probing', () => {
  it('a sock has no state of it', () => {
    const t = conversation();
    expect(t.established().program.sk.mtup).toBeNull();
  });
});
