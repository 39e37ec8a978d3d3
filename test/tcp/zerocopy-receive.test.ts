// Reads that lend instead of copying (TCP_ZEROCOPY_RECEIVE): what is worth lending, what has to be read, and what the peer is told.

import { describe, expect, it } from 'vitest';
import { CHUNK_LARGE } from '../../src/memory/packet-memory.js';
import { ProcessMemory } from '../../src/memory/process-memory.js';
import type { TcpZerocopyReceive } from '../../src/tcp/zerocopy-receive.js';
import { type ConversationOptions, conversation, fill, type Opening } from './conversation.js';
import type { Program } from './program.js';

const ALL = 1 << 20;
const MSG_OOB = 1;

/** A connection, and the memory of the program that reads from it. */
function talk(options: ConversationOptions = {}, opening: Opening = {}) {
  const t = conversation(options);
  return { t, mm: new ProcessMemory(t.host.memory), ...t.established(opening) };
}

/** All that is lent, copied. */
function joined(zc: TcpZerocopyReceive): Uint8Array {
  return Uint8Array.from((zc.iov ?? []).flatMap((part) => [...part]));
}

/** One call: its result, or what was lent, is to be skipped, and is left; what was copied, if there was room for copies. */
function ask(
  program: Program,
  mm: ProcessMemory,
  zc: TcpZerocopyReceive = { length: ALL },
): number | (number | string)[] {
  const result = program.lend(zc, mm);
  if (result < 0) return result;
  expect(joined(zc).length).toBe(zc.length);
  const told: (number | string)[] = [zc.length, zc.recv_skip_hint as number, zc.inq as number];
  if (zc.copybuf) told.push(new TextDecoder().decode(zc.copybuf.subarray(0, zc.copybuf_len)));
  return told;
}

// covers: reading by reference (TCP_ZEROCOPY_RECEIVE) | Linux tcp_zerocopy_receive | src/tcp/zerocopy-receive.ts
describe('what is lent', () => {
  it('is the memory that the bytes were received into', () => {
    const { t, peer, program, mm } = talk();
    const bytes = fill(8000);
    peer.sends({ data: bytes });
    const zc: TcpZerocopyReceive = { length: ALL };
    expect(ask(program, mm, zc)).toEqual([8000, 0, 0]);
    expect(zc.iov).toEqual([bytes]);
    expect(zc.iov?.[0].buffer).toBe(t.host.memory.buffer);
    expect(program.recv()).toBe(-11);
  });

  it('is in as many pieces as it was received into, and no more than `length`', () => {
    const { peer, program, mm } = talk();
    const expected = fill(40_000);
    for (let at = 0; at < 40_000; at += 8000) peer.sends({ data: expected.subarray(at, at + 8000) });
    const zc: TcpZerocopyReceive = { length: 39_999 };
    const [first, skip, left] = ask(program, mm, zc) as number[];
    expect([skip, left]).toEqual([0, 40_000 - first]);
    expect(zc.iov?.length).toBeGreaterThan(1);
    const got = [...joined(zc)];
    zc.length = ALL;
    expect(ask(program, mm, zc)).toEqual([left, 0, 0]);
    expect(Uint8Array.from([...got, ...joined(zc)])).toEqual(expected);
  });

  it('goes from the accounts as what is read does, and the peer hears the same', () => {
    const [lends, reads] = [talk({}, { wscale: 7 }), talk({}, { wscale: 7 })];
    for (const { peer, program } of [lends, reads]) {
      peer.sends({ data: 20_000 }, { data: 9000 });
      expect(program.sk.tcp.memory.allocated).toBeGreaterThan(29_000);
    }
    expect(ask(lends.program, lends.mm)).toEqual([29_000, 0, 0]);
    expect(reads.program.drain()).toBe(29_000);
    const told = ({ peer, program: { sk } }: typeof lends) => {
      const { copiedSeq, rmemAlloc, rcvWnd, rcvSsthresh, windowClamp } = sk;
      const heard = peer.inbox.splice(0).map(({ flags, ack, win }) => ({ flags, ack, win }));
      return { copiedSeq, rmemAlloc, rcvWnd, rcvSsthresh, windowClamp, heard, all: sk.tcp.memory.allocated };
    };
    expect(told(lends)).toEqual(told(reads));
    expect(told(reads).all).toBe(0);
  });

  it('opens a window that was closed', () => {
    const { t, peer, program, mm } = talk({ sysctl: { tcpRmem: [4096, 16_384, 16_384] } });
    let taken = 0;
    for (let win = program.sk.rcvWnd; win > 0; t.after(100)) {
      peer.sends({ data: win });
      taken += win;
      t.after(100);
      win = peer.hears({ ack: 1 + taken }).win;
    }
    peer.hearsNothing();
    expect(ask(program, mm)).toEqual([taken, 0, 0]);
    expect(peer.hears({ ack: 1 + taken }).win).toBeGreaterThan(4000);
  });

  it('makes the receive buffer grow as reading does', () => {
    const sizes = [true, false].map((lend) => {
      const { t, peer, program, mm } = talk({}, { wscale: 7, ts: true, mss: 1460 });
      const zc: TcpZerocopyReceive = { length: ALL };
      for (let i = 0; i < 40; i++) {
        zc.length = ALL;
        peer.tsClock += 10;
        peer.sends({ data: 14_600 }, { data: 14_600 });
        if (lend) expect(ask(program, mm, zc)).toEqual([29_200, 0, 0]);
        else program.drain();
        t.after(10);
      }
      return program.sk.rcvbuf;
    });
    expect(sizes[0]).toBe(sizes[1]);
    expect(sizes[0]).toBeGreaterThan(conversation().host.sysctl.tcpRmem[1]);
  });

  it('waits behind a hole until that is filled', () => {
    const { peer, program, mm } = talk();
    peer.sends({ seq: 5001, data: 8000 });
    expect(ask(program, mm)).toEqual([0, 0, 0]);
    peer.sends({ seq: 1, data: fill(13_000).subarray(0, 5000) });
    const zc: TcpZerocopyReceive = { length: ALL };
    expect(ask(program, mm, zc)).toEqual([13_000, 0, 0]);
    expect(joined(zc)).toEqual(Uint8Array.from([...fill(5000), ...fill(8000)]));
  });
});

describe('what is not worth lending', () => {
  it('is told of, and is to be read', () => {
    const { peer, program, mm } = talk();
    peer.sends({ data: 100 });
    expect(ask(program, mm)).toEqual([0, 100, 100]);
    expect(program.recv(100)).toHaveLength(100);
    expect(ask(program, mm)).toEqual([0, 0, 0]);
    peer.sends({ data: 4095 });
    expect(ask(program, mm)).toEqual([0, 4095, 4095]);
    program.drain();
    peer.sends({ data: 4096 });
    expect(ask(program, mm)).toEqual([4096, 0, 0]);
  });

  it('in front of a piece that is ends before that', () => {
    const { peer, program, mm } = talk();
    peer.sends({ data: 4096 }, { data: 9000 });
    program.recv(1);
    expect(ask(program, mm)).toEqual([0, 4095, 13_095]);
    expect(program.recv(4095)).toHaveLength(4095);
    expect(ask(program, mm)).toEqual([9000, 0, 0]);
  });

  it('behind what was lent is told of in the same call', () => {
    const { peer, program, mm } = talk();
    peer.sends({ data: 16_384 }, { data: 50 });
    expect(ask(program, mm)).toEqual([16_384, 50, 50]);
    expect(program.recv()).toBe(new TextDecoder().decode(fill(50)));
  });

  it('is a piece that is larger than `length`: as much as that is to be read', () => {
    const { peer, program, mm } = talk();
    peer.sends({ data: 8000 });
    expect(ask(program, mm, { length: 7999 })).toEqual([0, 7999, 8000]);
    expect(ask(program, mm, { length: 0 })).toEqual([0, 0, 8000]);
    expect(ask(program, mm, { length: 8000 })).toEqual([8000, 0, 0]);
  });

  it('is copied into copybuf, as far as there is room', () => {
    const { peer, program, mm } = talk();
    const copybuf = new Uint8Array(64);
    peer.sends({ data: 'hello' });
    expect(ask(program, mm, { length: ALL, copybuf, copybuf_len: 64 })).toEqual([0, 0, 0, 'hello']);
    peer.sends({ data: 16_384 }, { data: 'tail' });
    expect(ask(program, mm, { length: ALL, copybuf, copybuf_len: 64 })).toEqual([16_384, 0, 0, 'tail']);
    peer.sends({ data: 'abcdef' });
    expect(ask(program, mm, { length: ALL, copybuf, copybuf_len: 4 })).toEqual([0, 2, 2, 'abcd']);
    expect(ask(program, mm, { length: ALL, copybuf, copybuf_len: 0 })).toEqual([0, 2, 2, '']);
    expect(program.recv()).toBe('ef');
  });
});

// covers: reading by reference (TCP_ZEROCOPY_RECEIVE) | Linux tcp_zerocopy_receive | src/tcp/zerocopy-receive.ts
describe('urgent data', () => {
  it('ends what is lent: up to the mark it is read, and at the mark neither', () => {
    const { peer, program, mm } = talk();
    const data = fill(8000);
    peer.sends({ flags: 'UA', data, urg: 5001 });
    expect(ask(program, mm)).toEqual([0, 5000, 8000]);
    expect(program.drain(5000)).toBe(5000);
    expect(ask(program, mm)).toEqual([0, 0, 3000]);
    expect(program.recv(1, MSG_OOB)).toBe(String.fromCharCode(data[5000]));
    expect(program.drain()).toBe(2999);
  });

  it('inline it is lent with the rest', () => {
    const { peer, program, mm } = talk();
    program.sk.oobInline = true;
    peer.sends({ flags: 'UA', data: 8000, urg: 5001 });
    expect(ask(program, mm)).toEqual([8000, 0, 0]);
    peer.sends({ data: 'more' });
    expect(program.recv()).toBe('more');
    expect(program.poll()).toBe('O');
  });
});

describe('the end', () => {
  it('is -EIO once all is read, and one thing left to read before', () => {
    const { peer, program, mm } = talk();
    peer.sends({ flags: 'FA', data: 8000 });
    expect(ask(program, mm)).toEqual([8000, 0, 1]);
    expect(program.poll()).toBe('IOR');
    expect(ask(program, mm)).toBe(-5);
    expect(program.recv()).toBe(0);
    expect(ask(program, mm)).toBe(-5);
  });

  it('after too few bytes to lend: they are to be read first', () => {
    const { peer, program, mm } = talk();
    peer.sends({ flags: 'FA', data: 10 });
    expect(ask(program, mm)).toEqual([0, 10, 11]);
    program.drain();
    expect(ask(program, mm)).toBe(-5);
  });

  it('by a reset leaves what came, and tells the error once', () => {
    const { peer, program, mm } = talk();
    peer.sends({ data: 8000 }, { flags: 'R' });
    const zc: TcpZerocopyReceive = { length: ALL };
    expect(ask(program, mm, zc)).toEqual([8000, 0, 0]);
    expect(zc.err).toBe(-104);
    expect(ask(program, mm, zc)).toEqual([0, 0, 0]);
    expect(zc.err).toBe(0);
  });

  it('of reading, by shutdown, is nobody’s error', () => {
    const { program, mm } = talk();
    program.shutdown(1);
    expect(ask(program, mm)).toEqual([0, 0, 0]);
    expect(program.recv()).toBe(0);
  });
});

// covers: reading by reference (TCP_ZEROCOPY_RECEIVE) | Linux tcp_zerocopy_receive | src/memory/process-memory.ts
describe('refused', () => {
  it('is a listener, -ENOTCONN; a socket that is not connected has nothing to lend', () => {
    const t = conversation();
    const mm = new ProcessMemory(t.host.memory);
    expect(ask(t.listen(), mm)).toBe(-107);
    expect(ask(t.program(), mm)).toEqual([0, 0, 0]);
  });

  it('is what makes no sense: -EINVAL, -EFAULT', () => {
    const { peer, program, mm } = talk();
    peer.sends({ data: 8000 });
    expect(ask(program, mm, {} as TcpZerocopyReceive)).toBe(-22);
    expect(ask(program, mm, { length: -1 })).toBe(-22);
    expect(ask(program, mm, { length: ALL, copybuf_len: -1 })).toBe(-22);
    expect(ask(program, mm, { length: ALL, copybuf_len: 1 })).toBe(-14);
    expect(ask(program, mm, { length: ALL, copybuf_len: 9, copybuf: new Uint8Array(8) })).toBe(-14);
    expect(ask(program, mm)).toEqual([8000, 0, 0]);
  });

  it('is nothing that the next call cannot lend: half of the memory at most is lent and mapped together', () => {
    const { t, peer, program, mm } = talk({ memory: 4 << 20 }, { wscale: 9 });
    const { memory } = t.host;
    const before = memory.used;
    const views: Uint8Array[] = [];
    for (;;) {
      peer.sends({ data: 40_000 });
      const zc: TcpZerocopyReceive = { length: ALL };
      const told = ask(program, mm, zc) as number[];
      if (told[0] === 0) {
        expect(told).toEqual([0, 40_000, 40_000]);
        break;
      }
      views.push(...(zc.iov as Uint8Array[]));
    }
    expect(views.length).toBe(Math.floor((2 << 20) / CHUNK_LARGE));
    expect(new ProcessMemory(memory).map(1)).toBe(null);
    // The rest is read as ever, and what was lent stays as it was.
    expect(program.drain()).toBe(40_000);
    for (const bytes of views) expect(Buffer.compare(bytes, fill(40_000))).toBe(0);
    expect(mm.unmap(views[0])).toBe(true);
    peer.sends({ data: 40_000 });
    expect(ask(program, mm)).toEqual([40_000, 0, 0]);
    mm.unmapAll();
    expect(memory.used).toBe(before);
  });
});

// covers: reading by reference (TCP_ZEROCOPY_RECEIVE) | Linux tcp_zerocopy_receive | src/memory/process-memory.ts
describe('the loan', () => {
  it('ends with the next call with the same object', () => {
    const { t, peer, program, mm } = talk();
    const before = t.host.memory.used;
    const zc: TcpZerocopyReceive = { length: ALL };
    for (let i = 0; i < 3; i++) {
      peer.sends({ data: 8000 });
      zc.length = ALL;
      expect(ask(program, mm, zc)).toEqual([8000, 0, 0]);
      expect(t.host.memory.used - before).toBe(16_384);
    }
    expect(ask(program, mm, zc)).toEqual([0, 0, 0]);
    expect(t.host.memory.used).toBe(before);
  });

  it('lasts until munmap for what was taken out of the object', () => {
    const { t, peer, program, mm } = talk();
    const before = t.host.memory.used;
    const zc: TcpZerocopyReceive = { length: ALL };
    peer.sends({ data: fill(8000) });
    ask(program, mm, zc);
    const kept = zc.iov?.pop() as Uint8Array;
    peer.sends({ data: new Uint8Array(8000) });
    zc.length = ALL;
    expect(ask(program, mm, zc)).toEqual([8000, 0, 0]);
    expect(ask(program, mm, zc)).toEqual([0, 0, 0]);
    expect(kept).toEqual(fill(8000));
    expect([mm.unmap(kept), mm.unmap(kept), mm.unmap(kept.subarray(0))]).toEqual([true, false, false]);
    expect(t.host.memory.used).toBe(before);
  });

  it('outlasts the socket', () => {
    const { t, peer, program, mm } = talk();
    const before = t.host.memory.used;
    peer.sends({ data: 8000 }, { data: 16_000 });
    const zc: TcpZerocopyReceive = { length: ALL };
    expect(ask(program, mm, zc)).toEqual([24_000, 0, 0]);
    const was = joined(zc);
    program.close();
    peer.hears({});
    peer.sends({ flags: 'R' });
    t.after(1000);
    const { peer: next, program: other } = t.established();
    next.sends({ data: new Uint8Array(20_000) });
    expect(joined(zc)).toEqual(was);
    other.drain();
    mm.unmapAll();
    expect(t.host.memory.used).toBe(before);
  });
});
