// The out-of-order queue: against a plain array, under a peer who sends crumbs, and when its memory is taken back.

import { describe, expect, it } from 'vitest';
import { below, SeededRandom } from '../../src/core/random.js';
import { MemoryAccount } from '../../src/memory/memory-account.js';
import { PacketMemory } from '../../src/memory/packet-memory.js';
import { Reassembly } from '../../src/tcp/reassembly.js';
import { conversation, fill } from './conversation.js';

function queue(bytes = 4 << 20) {
  const memory = new PacketMemory(bytes);
  const at = memory.region(1 << 16);
  const account = new MemoryAccount();
  return { memory, at, account, ooo: new Reassembly(memory, account) };
}

/** What a queue says of itself adds up. */
function check(ooo: Reassembly, account: MemoryAccount): void {
  let bytes = 0;
  let charge = 0;
  let held = 0;
  ooo.runs.forEach((run, i) => {
    if (i > 0 && run.start <= ooo.runs[i - 1].end)
      throw new Error('two runs touch or stand in the wrong order');
    if (run.end - run.start !== run.bytes.length) throw new Error('a run is not as long as its bytes');
    bytes += run.bytes.length;
    charge += Math.max(run.bytes.length * 2, run.bytes.held, 1024);
    held += run.bytes.held;
  });
  if (bytes !== ooo.bytes || charge !== ooo.charge || held !== account.allocated) {
    throw new Error(
      `sums: ${[ooo.bytes, ooo.charge, account.allocated]}, but runs: ${[bytes, charge, held]}`,
    );
  }
  for (let i = 0; i < ooo.sacks; i++) {
    const covered = ooo.runs.some(({ start, end }) => start <= ooo.sackStart[i] && ooo.sackEnd[i] <= end);
    if (!covered) throw new Error('a block promises what is not here');
  }
}

// covers: out-of-order queue | RFC 9293 section 3.10.7.4; RFC 2018 section 4 | src/tcp/reassembly.ts
describe('the out-of-order queue', () => {
  it('does not count what a later segment claims beyond a FIN that is held', () => {
    const { at, ooo } = queue();
    expect(ooo.insert(1132, 1133, true, at)).toBe(true);
    expect(ooo.insert(558, 1842, true, at)).toBe(true);
    expect(ooo.runs.map(({ start, end, fin, bytes }) => [start, end, fin, bytes.length])).toEqual([
      [558, 1133, true, 574],
    ]);
  });

  it('keeps data apart that was held before the FIN in front of it came, and tells of both as one', () => {
    const { at, ooo } = queue();
    expect(ooo.insert(4641, 4903, false, at)).toBe(true);
    expect(ooo.insert(4640, 4641, true, at)).toBe(true);
    expect(ooo.runs.map(({ start, end, fin, bytes }) => [start, end, fin, bytes.length])).toEqual([
      [4640, 4641, true, 0],
      [4641, 4903, false, 262],
    ]);
    expect([ooo.sacks, ooo.sackStart[0], ooo.sackEnd[0]]).toEqual([1, 4640, 4903]);
  });

  it('tells how many runs the new bytes make needless', () => {
    const { at, ooo } = queue();
    const merged = (start: number, end: number) => {
      ooo.insert(start, end, false, at);
      return ooo.merged;
    };
    expect([merged(100, 200), merged(300, 400), merged(500, 600)]).toEqual([0, 0, 0]);
    expect([merged(120, 130), merged(100, 210), merged(250, 450), merged(550, 700)]).toEqual([1, 1, 1, 0]);
  });

  it('holds what an array would, whatever comes, is pruned or taken', () => {
    const { memory, at, account, ooo } = queue();
    const random = new SeededRandom(7);
    const size = 1 << 15;
    const stream = Uint8Array.from({ length: size }, () => random.int32() & 255);
    memory.bytes.set(stream, at);
    let here = new Uint8Array(size);
    let taken = 0;
    for (let step = 0; step < 8000; step++) {
      const what = below(random, 100);
      if (what < 94) {
        const seq = taken + 1 + below(random, size - taken - 1);
        const end = Math.min(size, seq + 1 + below(random, what < 60 ? 3 : 2000));
        expect(ooo.insert(seq, end, false, at + seq)).toBe(true);
        here.fill(1, seq, end);
      } else if (what < 97) {
        const from = below(random, size);
        ooo.pruneTail(1 + below(random, 20_000), from);
        ooo.resetSacks();
        here = new Uint8Array(size);
        for (const { start, end } of ooo.runs) here.fill(1, start, end);
      } else if (ooo.runs.length > 0 && taken < size / 2) {
        taken = ooo.runs[0].start;
        const run = ooo.ready(taken);
        if (run === null) throw new Error('the stream has come to the first run, and it is not ready');
        ooo.shift();
        const got = new Uint8Array(run.bytes.length);
        run.bytes.copyTo(got, 0, got.length, 0);
        expect(got).toEqual(stream.subarray(run.start, run.end));
        taken = run.end;
        run.bytes.clear();
        ooo.forgetSacks(taken);
      }
      check(ooo, account);
      if (step % 500 === 0) {
        const held = new Uint8Array(size);
        for (const { start, end } of ooo.runs) held.fill(1, start, end);
        expect(held.subarray(taken + 1)).toEqual(here.subarray(taken + 1));
      }
    }
    ooo.clear();
    expect([memory.used, account.allocated]).toEqual([0, 0]);
  });

  it('weighs a crumb as what it holds, a full segment as twice its bytes', () => {
    const { at, ooo } = queue();
    ooo.insert(10, 11, false, at);
    expect(ooo.charge).toBe(1024);
    ooo.insert(100, 1548, false, at);
    expect(ooo.charge).toBe(1024 + 2 * 1448);
    ooo.insert(5000, 5001, true, at);
    expect(ooo.charge).toBe(1024 + 2 * 1448 + 1024);
  });

  it('remembers four blocks and forgets the rest, as the option has room for no more', () => {
    const { at, ooo } = queue();
    for (let i = 1; i <= 6; i++) ooo.insert(i * 100, i * 100 + 10, false, at);
    expect([ooo.sacks, ...ooo.sackStart]).toEqual([4, 600, 500, 400, 300]);
    // What touches a run that no block tells of any more is a block of its own.
    ooo.insert(110, 120, false, at);
    expect([ooo.sackStart[0], ooo.sackEnd[0], ooo.sackStart[1]]).toEqual([110, 120, 600]);
    ooo.insert(120, 600, false, at);
    expect([ooo.sacks, ooo.sackStart[0], ooo.sackEnd[0]]).toEqual([1, 110, 610]);
  });

  it('drops from the far end, part of a run if that is enough, and nothing behind the newcomer', () => {
    const { at, ooo } = queue();
    ooo.insert(1000, 21_000, false, at);
    ooo.insert(30_000, 30_001, false, at);
    expect(ooo.pruneTail(5000, 31_000)).toBe(false);
    expect(ooo.pruneTail(5000, 500)).toBe(true);
    expect(ooo.runs.map(({ start, end }) => [start, end])).toEqual([[1000, 1000 + 20_000 - 1988]]);
  });
});

// covers: memory bounded for each socket | Linux tcp_try_rmem_schedule, sk_stream_memory_free | src/tcp/reassembly.ts
describe('a peer who sends crumbs', () => {
  it('holds no more memory than the receive buffer says, and its stream still completes', () => {
    const t = conversation();
    const { peer, program } = t.established({ sackOk: true });
    const { sk } = program;
    const length = 60_000;
    const stream = fill(length);
    sk.userlocks |= 2;
    for (let at = 2; at < length; at += 2) {
      peer.sends({ seq: at, data: stream.subarray(at - 1, at) });
      if (sk.rmemAlloc > sk.rcvbuf * 1.1) throw new Error(`${sk.rmemAlloc} is charged`);
    }
    expect(t.host.memory.used).toBeLessThan(sk.rcvbuf * 1.6);
    expect(t.counter('TcpExt', 'TCPOFODrop')).toBeGreaterThan(0);
    peer.heard();
    let got = '';
    for (let at = 1; at <= length; at = peer.inbox.splice(0).at(-1)?.ack ?? at) {
      peer.sends({ seq: at, data: stream.subarray(at - 1, at + 999) });
      for (let part = program.recv(); typeof part === 'string'; part = program.recv()) got += part;
      t.after(50);
    }
    expect(got).toBe(new TextDecoder().decode(stream));
  });

  it('joined in order they stand close together', () => {
    const t = conversation();
    const { peer, program } = t.established({ sackOk: true });
    const stream = fill(6000);
    for (let round = 0; round < 60; round++) {
      const base = 1 + round * 100;
      for (let i = 1; i < 100; i += 2)
        peer.sends({ seq: base + i, data: stream.subarray(base + i - 1, base + i) });
      for (let i = 0; i < 100; i += 2)
        peer.sends({ seq: base + i, data: stream.subarray(base + i - 1, base + i) });
    }
    expect(program.sk.rcvQueue.length).toBe(6000);
    expect(program.sk.rcvQueue.held).toBeLessThan(6000 + 3 * 4096);
    expect(program.recv()).toBe(new TextDecoder().decode(stream));
  });
});

// covers: pruning the out-of-order queue | RFC 2018 section 8; Linux tcp_prune_ofo_queue | src/tcp/prune.ts
describe('when the buffer is full', () => {
  function shrunk() {
    const t = conversation();
    const { peer, program } = t.established({ sackOk: true });
    for (let i = 0; i < 8; i++) peer.sends({ seq: 2001 + i * 4000, data: 1400 });
    peer.heard();
    Object.assign(program.sk, { rcvbuf: 16_000, userlocks: 2 });
    return { t, peer, program };
  }

  it('what stands furthest ahead is given up, an eighth at a time, and no block speaks of it any more', () => {
    const { t, peer, program } = shrunk();
    peer.sends({ seq: 1001, data: 100 });
    // 22,400 were charged; six runs of 2800 are left below 16,000, less what came.
    expect(program.sk.rx.reassembly?.runs.map(({ start }) => start)[0]).toBe((-300 + 1001) | 0);
    expect(program.sk.rmemAlloc).toBeLessThanOrEqual(16_000 + 1024);
    expect(program.sk.rx.reassembly?.runs.length).toBeGreaterThan(4);
    expect([t.counter('TcpExt', 'PruneCalled'), t.counter('TcpExt', 'OfoPruned')]).toEqual([1, 1]);
    peer.hears({ ack: 1, sack: [[1001, 1101]] });
  });

  it('a segment that would itself be the furthest is the one that is dropped', () => {
    const { t, peer, program } = shrunk();
    program.wakes();
    peer.sends({ seq: 40_001, data: 100 });
    expect(program.sk.rx.reassembly?.runs.length).toBe(8);
    expect(['OfoPruned', 'RcvPruned', 'TCPOFODrop'].map((name) => t.counter('TcpExt', name))).toEqual([
      0, 1, 1,
    ]);
    expect(program.wakes()).toEqual(['DATA']);
  });

  it('a peer that sends again what was selected once gets everything through', () => {
    const { peer, program } = shrunk();
    peer.sends({ seq: 1001, data: 100 });
    const stream = fill(34_000);
    let got = '';
    for (let at = 1; at < 30_000; ) {
      peer.sends({ seq: at, data: stream.subarray(at - 1, at + 999) });
      at = Math.max(at, ...peer.inbox.splice(0).map(({ ack }) => ack));
      for (let part = program.recv(); typeof part === 'string'; part = program.recv()) got += part;
    }
    // The early segments bore a text of their own.
    expect(got.length).toBeGreaterThan(29_999);
  });

  it('a buffer that nobody fixed grows to what is in it', () => {
    const t = conversation({ sysctl: { tcpModerateRcvbuf: 0 } });
    const { peer, program } = t.established({ sackOk: true });
    for (let i = 0; i < 8; i++) peer.sends({ seq: 2001 + i * 4000, data: 1400 });
    program.sk.rcvbuf = 16_000;
    peer.sends({ seq: 40_001, data: 100 });
    // What the kernel charges for 1400 bytes (scaling-ratio.ts).
    expect([program.sk.rcvbuf, t.counter('TcpExt', 'OfoPruned')]).toEqual([8 * 2120, 0]);
  });
});

// covers: out-of-order queue | RFC 9293 section 3.10.7.4; RFC 2018 section 4 | src/tcp/input.ts
describe('an out-of-order segment', () => {
  it('behind a FIN that comes later goes with what was before it: the stream ends there', () => {
    const t = conversation();
    const { peer, program } = t.established({ sackOk: true });
    peer.sends({ seq: 12, data: 100 }).hears({ ack: 1, sack: [[12, 112]] });
    peer.sends({ seq: 11, flags: 'FA' }).hears({ ack: 1, sack: [[11, 112]] });
    peer.sends({ seq: 1, data: '0123456789' }).hears({ ack: 12 });
    expect([program.recv(), program.recv(), program.sk.rx.reassembly]).toEqual(['0123456789', 0, null]);
    program.close();
    t.after(120_000);
    t.expectNothingLeft();
  });

  it('tells how long the segments of the peer are', () => {
    const t = conversation();
    const { peer, program } = t.established({ sackOk: true });
    expect(program.sk.rcvMss).toBe(536);
    peer.sends({ seq: 5001, data: 1000 });
    expect(program.sk.rcvMss).toBe(1000);
  });

  it('that finds no room is not answered: nothing new could be said', () => {
    const t = conversation();
    const { peer, program } = t.established({ sackOk: true });
    for (let i = 0; i < 8; i++) peer.sends({ seq: 2001 + i * 4000, data: 1400 });
    Object.assign(program.sk, { rcvbuf: 16_000, userlocks: 2 });
    peer.heard();
    peer.sends({ seq: 40_001, data: 100 }).hearsNothing();
  });

  it('beyond the window is counted as such, an old one is not', () => {
    const t = conversation();
    const { peer, program } = t.established({ sackOk: true });
    peer.sends({ data: 100 });
    const edge = 1 + ((program.sk.rcvWup + program.sk.rcvWnd - program.sk.irs - 1) | 0);
    peer.sends({ seq: edge - 10, data: 100 }).sends({ seq: edge + 1000, data: 1 });
    expect(t.counter('TcpExt', 'BeyondWindow')).toBe(2);
    peer.sends({ seq: 1, data: 50 }).sends({ seq: -500, data: 10 });
    expect(t.counter('TcpExt', 'BeyondWindow')).toBe(2);
  });
});
