// Where something is exhausted or shrinks: receive buffer, packet memory, path MTU; and many connections at once.

import { describe, expect, it } from 'vitest';
import { address } from '../ip/stack.js';
import { type Conversation, conversation } from './conversation.js';
import { expectSound } from './invariants.js';
import type { Program } from './program.js';

describe('the receive buffer', () => {
  // covers: memory bounded for each socket | Linux tcp_try_rmem_schedule, sk_stream_memory_free | src/tcp/prune.ts
  it('bounds what is held, whatever window was promised before it shrank', () => {
    const t = conversation();
    const { peer, program } = t.established();
    Object.assign(program.sk, { rcvbuf: 20_000, userlocks: 2 });
    for (let i = 0; i < 40; i++) peer.sends({ data: 1460 });
    const held = program.sk.rcvQueue.length;
    expect([held > 9000, program.sk.rmemAlloc <= 30_000 + 4 * 1460]).toEqual([true, true]);
    expect(program.drain()).toBe(held);
    peer.sends({ seq: 1 + held, data: 'what was dropped comes again' });
    expect(program.recv()).toBe('what was dropped comes again');
  });

  // covers: receive-buffer autotuning | Linux tcp_measure_rcv_mss, tcp_win_from_space | src/tcp/scaling-ratio.ts
  it('is worth half of it until full segments have come, and then more, because headers weigh less', () => {
    const { peer, program } = conversation().established();
    const worth = () => [program.sk.windowClamp, program.sk.rmemAlloc];
    peer.sends({ data: 400 });
    expect(worth()).toEqual([64_076, 800]);
    program.drain();
    peer.sends({ seq: 401, data: 1460 });
    expect(worth()).toEqual([87_552, 2185]);
  });

  it('closes the window as it fills, and reading opens it again', () => {
    const t = conversation();
    const { peer, program } = t.established({ wscale: 7 });
    Object.assign(program.sk, { userlocks: 2 });
    let window = 65535;
    for (let i = 0; i < 200 && window > 0; i++) {
      peer.sends({ data: Math.min(1460, window) });
      t.after(50);
      window = (peer.inbox.at(-1)?.win ?? 0) << program.sk.rcvWscale;
    }
    expect([window, program.sk.rmemAlloc <= program.sk.rcvbuf * 1.1]).toEqual([0, true]);
    peer.heard();
    expect(t.counter('TcpExt', 'TCPRcvQDrop')).toBe(0);
    program.drain();
    expect(peer.heard().length).toBe(1);
  });

  // covers: silly windows avoided, receiver | RFC 1122 section 4.2.3.3 | src/tcp/window.ts
  it('closed, it opens again only by a segment or more', () => {
    const t = conversation();
    Object.assign(t.listener.sk, { rcvbuf: 60_000, userlocks: t.listener.sk.userlocks | 2 });
    const { peer, program } = t.established({ wscale: 7 });
    let window = 1;
    for (let i = 0; i < 40 && window > 0; i++) {
      window = (program.sk.rcvWup + program.sk.rcvWnd - program.sk.rcvNxt) | 0;
      if (window > 0) peer.sends({ data: Math.min(1460, window) });
      t.after(50);
    }
    expect(peer.inbox.at(-1)?.win).toBe(0);
    peer.heard();
    let read = 0;
    while (peer.inbox.length === 0 && read < 8000) read += Number(program.drain(200));
    expect(read).toBeGreaterThan(1460);
    expect(peer.hears({ flags: 'A' }).win << program.sk.rcvWscale).toBeGreaterThanOrEqual(1460);
  });

  // covers: receive-buffer autotuning | Linux tcp_rcv_space_adjust | src/tcp/window.ts
  it('grows with a program that reads as fast as data comes', () => {
    const t = conversation();
    const { peer, program } = t.established({ wscale: 7, ts: true, sackOk: true });
    const before = program.sk.rcvbuf;
    for (let round = 0; round < 30; round++) {
      t.after(20);
      peer.tsClock += 20;
      const window = peer.inbox.at(-1)?.win ?? 500;
      peer.heard();
      const count = Math.min(40, Math.floor((window << 7) / 1448));
      peer.sends(...Array.from({ length: count }, () => ({ data: 1448 })));
      program.drain();
    }
    expect(program.sk.rcvbuf).toBeGreaterThan(before);
  });

  it('gives up out-of-order data before it refuses what is next', () => {
    const t = conversation();
    const { peer, program } = t.established({ sackOk: true });
    peer.sends({ data: 'start' });
    for (let i = 0; i < 20; i++) peer.sends({ seq: 3000 + i * 2000, data: 1000 });
    Object.assign(program.sk, { rcvbuf: 10_000, userlocks: 2 });
    peer.sends({ seq: 6, data: 100 });
    expect(program.drain()).toBe(105);
    expect(t.counter('TcpExt', 'OfoPruned')).toBeGreaterThan(0);
    expect(program.sk.rmemAlloc).toBeLessThanOrEqual(10_000);
  });

  it('full of unread data, the next segment is dropped and the reader told', () => {
    const t = conversation();
    const { peer, program } = t.established();
    peer.sends({ data: 10_000 });
    Object.assign(program.sk, { rcvbuf: 5000, userlocks: 2 });
    program.wakes();
    peer.heard();
    peer.sends({ data: 'x' });
    expect([program.wakes(), t.counter('TcpExt', 'TCPRcvQDrop')]).toEqual([['DATA'], 1]);
    peer.hears({ ack: 10_001 });
    // An acknowledgement behind what was dropped still counts: a program that must write before it reads depends on it.
    program.send('y');
    peer.heard();
    peer.sends({});
    expect(program.sk.tx.packetsOut).toBe(0);
    expect(program.drain()).toBe(10_000);
    peer.sends({ seq: 10_001, data: 'x' });
    expect(program.recv()).toBe('x');
  });
});

describe('packet memory', () => {
  /** Takes all memory there is, but `leave` chunks. */
  function exhaust(t: Conversation, leave = 0): () => void {
    const chunks: number[] = [];
    for (let chunk = t.host.memory.alloc(60_000); chunk !== 0; chunk = t.host.memory.alloc(60_000))
      chunks.push(chunk);
    for (let chunk = t.host.memory.alloc(1); chunk !== 0; chunk = t.host.memory.alloc(1)) chunks.push(chunk);
    for (let i = 0; i < leave; i++) t.host.memory.free(chunks.pop() as number);
    return () => {
      for (const chunk of chunks) t.host.memory.free(chunk);
    };
  }

  it('gone: send says EAGAIN, and SPACE when there is some', () => {
    const t = conversation({ memory: 4 << 20 });
    const { program } = t.established();
    const release = exhaust(t);
    expect([program.send('x'), program.wakes()]).toEqual([-11, []]);
    release();
    t.settle();
    expect([program.wakes(), program.send('x')]).toEqual([['SPACE'], 1]);
  });

  it('gone: received data is dropped, acknowledgements are not, and the data is taken later', () => {
    const t = conversation({ memory: 4 << 20 });
    const { peer, program } = t.established({ sackOk: true });
    program.send('waiting');
    peer.heard();
    const release = exhaust(t);
    peer.sends({ ack: 1, data: 'lost' }).hears({ ack: 1 });
    peer.sends({ ack: 8, seq: 100, data: 'lost, too' });
    expect([program.wakes(), program.recv(), t.counter('TcpExt', 'TCPRcvQDrop')]).toEqual([['DATA'], -11, 1]);
    expect(program.sk.tx.packetsOut).toBe(0);
    release();
    peer.sends({ seq: 1, data: 'came' });
    expect(program.recv()).toBe('came');
  });

  it('scarce: a stream still arrives whole', () => {
    const t = conversation({ memory: 4 << 20 });
    const { peer, program } = t.established({ win: 65535 });
    const release = exhaust(t, 3);
    let sent = 0;
    for (let turn = 0; turn < 300 && sent < 100_000; turn++) {
      const done = program.send(Math.min(5000, 100_000 - sent));
      if (done > 0) sent += done;
      expectSound(program.sk);
      peer.heard();
      peer.sends({});
      t.after(10);
    }
    expect([sent, peer.heardTo]).toEqual([100_000, 100_001]);
    release();
    program.close();
    t.listener.close();
    peer.sends({ flags: 'FA' });
    t.after(70_000);
    t.expectNothingLeft();
  });
});

describe('ICMP on a connection', () => {
  function complain(t: Conversation, program: Program, code: number, info: number, sequence = 0): void {
    const { memory } = t.host;
    const chunk = memory.alloc(64);
    const at = memory.offsetOf(chunk);
    memory.view.setUint16(at, program.sk.sport);
    memory.view.setUint16(at + 2, program.sk.dport);
    memory.view.setInt32(at + 4, (program.sk.sndUna + sequence) | 0);
    const errno = code === 4 ? 90 : 113;
    t.tcp.error(address('10.0.0.2'), address('10.0.0.1'), at, errno, code === 3, 3, code, info);
    memory.free(chunk);
    t.settle();
  }

  it('is only remembered, and forgotten when something works', () => {
    const t = conversation();
    const { peer, program } = t.established();
    program.send('x');
    peer.heard();
    complain(t, program, 1, 0);
    expect([program.sk.errSoft, program.sk.err, program.wakes(), program.state]).toEqual([
      113,
      0,
      [],
      'ESTABLISHED',
    ]);
    peer.sends({});
    expect(program.sk.errSoft).toBe(0);
  });

  it('names the reason when the connection fails', () => {
    const t = conversation({ sysctl: { tcpRetries2: 3 } });
    const { program } = t.established();
    program.send('x');
    complain(t, program, 1, 0);
    t.after(60_000);
    expect(program.recv()).toBe(-113);
  });

  it('a smaller path MTU: what was too large is sent again, smaller', () => {
    const t = conversation();
    const { peer, program } = t.established();
    program.send(4000);
    peer.heard();
    complain(t, program, 4, 1000);
    expect(program.sk.mss).toBe(960);
    expect(peer.heard().map((line) => line.split(' ')[1])).toContain('1:961');
    expectSound(program.sk);
    for (let i = 0; i < 10; i++) peer.sends({});
    expect([peer.heardTo, program.sk.tx.packetsOut]).toEqual([4001, 0]);
  });

  it('is believed only down to 552, and only about what is in flight', () => {
    const t = conversation();
    const { peer, program } = t.established();
    program.send(2000);
    peer.heard();
    complain(t, program, 4, 1000, 5000);
    expect([program.sk.mss, t.counter('TcpExt', 'OutOfWindowIcmps')]).toEqual([1460, 1]);
    complain(t, program, 4, 68);
    expect(program.sk.mss).toBe(512);
  });

  it('another connection to the same peer learns of it', () => {
    const t = conversation();
    const first = t.established();
    const second = t.established({ ts: true });
    first.program.send(2000);
    first.peer.heard();
    complain(t, first.program, 4, 1490);
    second.program.send(3000);
    second.peer.hears({ data: 1490 - 52 });
    // And forgets it after ten minutes.
    second.peer.sends({});
    second.peer.heard();
    second.peer.sends({});
    t.after(600_000);
    second.peer.heard();
    second.program.send(3000);
    second.peer.hears({ data: 1448 });
  });
});

describe('many connections', () => {
  it('are told apart, and leave nothing behind', () => {
    const t = conversation({ memory: 32 << 20 });
    const listener = t.listen(4096);
    const pairs = Array.from({ length: 1000 }, (_, i) => {
      const peer = t.peer(10_000 + i);
      t.handshake(peer);
      return { peer, program: listener.accept() };
    });
    for (const [i, { peer }] of pairs.entries()) peer.sends({ data: `number ${i}` });
    for (const [i, { program }] of pairs.entries()) expect(program.recv()).toBe(`number ${i}`);
    for (const { peer, program } of pairs) {
      program.close();
      peer.sends({ flags: 'FA' });
    }
    listener.close();
    expect(t.tcp.counts).toEqual({ established: 0, requests: 0, timeWait: 1000, orphans: 0 });
    t.after(61_000);
    t.expectNothingLeft();
  });
});
