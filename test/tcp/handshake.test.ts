// The passive handshake: which options are agreed on, and what the SYN-ACK says.

import { describe, expect, it } from 'vitest';
import { conversation } from './conversation.js';

describe('options of the SYN-ACK', () => {
  it('answers all options that the SYN offers', () => {
    const t = conversation();
    t.listen();
    const peer = t.peer();
    peer.ts = true;
    peer.sends({ flags: 'S', seq: 0, mss: 1460, wscale: 7, sackOk: true });
    const heard = peer.hears({ flags: 'SA', seq: 0, ack: 1, mss: 1460, sackOk: true, wscale: 7 });
    expect(heard.ts).toEqual([t.host.nowMs, 5000]);
    expect(heard.win).toBe(65160);
  });

  it('offers nothing that the SYN did not', () => {
    const t = conversation();
    t.listen();
    const peer = t.peer().sends({ flags: 'S', seq: 0 });
    const heard = peer.hears({ flags: 'SA', seq: 0, ack: 1, mss: 1460 });
    expect([heard.sackOk, heard.wscale, heard.ts]).toEqual([undefined, undefined, undefined]);
    expect(heard.win).toBe(64240);
  });

  for (const sack of [0, 1])
    for (const ts of [0, 1])
      for (const scaling of [0, 1])
        it(`tcp_sack=${sack} tcp_timestamps=${ts} tcp_window_scaling=${scaling}`, () => {
          const t = conversation({ sysctl: { tcpSack: sack, tcpTimestamps: ts, tcpWindowScaling: scaling } });
          t.listen();
          const peer = t.peer();
          peer.ts = true;
          const heard = peer
            .sends({ flags: 'S', seq: 0, mss: 1000, wscale: 2, sackOk: true })
            .hears({ flags: 'SA' });
          expect(heard.sackOk === true).toBe(sack === 1);
          expect(heard.ts !== undefined).toBe(ts === 1);
          expect(heard.wscale !== undefined).toBe(scaling === 1);
        });
});

describe('sizes that are agreed on', () => {
  const sizes = [
    { name: 'the peer is smaller', mtu: 1500, mss: 1000, ts: false, expected: 1000 },
    { name: 'we are smaller', mtu: 576, mss: 1460, ts: false, expected: 536 },
    { name: 'timestamps take twelve bytes', mtu: 1500, mss: 1460, ts: true, expected: 1448 },
    { name: 'no MSS option means 536', mtu: 1500, mss: null, ts: false, expected: 536 },
    { name: 'MSS 0 is none', mtu: 1500, mss: 0, ts: false, expected: 536 },
    { name: 'a tiny MSS is raised to 48', mtu: 1500, mss: 1, ts: false, expected: 48 },
    { name: 'and still leaves room for timestamps', mtu: 1500, mss: 1, ts: true, expected: 36 },
    { name: 'jumbo frames', mtu: 9000, mss: 8960, ts: false, expected: 8960 },
  ];
  for (const { name, mtu, mss, ts, expected } of sizes) {
    it(name, () => {
      const t = conversation({ mtu });
      const { peer, program } = t.established({ mss, ts, win: 65535 });
      program.send(expected * 3);
      for (let i = 0; i < 3; i++) peer.hears({ data: expected });
    });
  }

  it('never sends segments larger than half of the largest window ever offered', () => {
    const { peer, program } = conversation().established({ win: 1000 });
    program.send(700);
    peer.hears({ data: 500 });
  });

  it('TCP_MAXSEG bounds what both ends send', () => {
    const t = conversation();
    const listener = t.listen().set((sk) => {
      sk.ownTuning().userMss = 700;
    });
    const peer = t.peer();
    peer.sends({ flags: 'S', seq: 0, mss: 1460 }).hears({ flags: 'SA', mss: 700 });
    peer.sends({});
    listener.accept().send(1500);
    peer.hears({ data: 700 });
  });

  it('scales the window by what the peer asked for, but not in its SYN', () => {
    const t = conversation();
    const { peer, program } = t.established({ wscale: 3, win: 1000 });
    expect(program.sk.sndWnd).toBe(8000);
    peer.sends({ win: 3000 });
    expect(program.sk.sndWnd).toBe(24000);
  });

  it('a shift above 14 counts as 14', () => {
    const { program } = conversation().established({ wscale: 15, win: 10 });
    expect(program.sk.sndWscale).toBe(14);
  });

  // covers: window scaling | RFC 7323 section 2 | src/tcp/window.ts
  it('announces the scale that lets the largest receive buffer be told', () => {
    for (const [most, wscale] of [
      [6291456, 7],
      [131072, 2],
      [65535, 1],
    ] as const) {
      const t = conversation({ sysctl: { tcpRmem: [4096, 131072, most], rmemMax: 65536 } });
      t.listen();
      t.peer().sends({ flags: 'S', seq: 0, mss: 1460, wscale: 0 }).hears({ flags: 'SA', wscale });
    }
  });

  it('measures the first round trip by the SYN-ACK', () => {
    const t = conversation();
    const listener = t.listen();
    const peer = t.peer().sends({ flags: 'S', seq: 0, mss: 1460 });
    peer.hears({ flags: 'SA' });
    t.after(50);
    peer.sends({});
    const { sk } = listener.accept();
    expect([sk.srttUs >> 3, sk.rto]).toEqual([50_000, 250]);
  });

  it('but not by one that was repeated (RFC 6298 section 5.7)', () => {
    const t = conversation();
    const listener = t.listen();
    const peer = t.peer().sends({ flags: 'S', seq: 0, mss: 1460 });
    t.after(1500);
    peer.sends({});
    const { sk } = listener.accept();
    expect([sk.srttUs, sk.rto]).toEqual([0, 3000]);
  });

  it('unless the timestamp echoed tells which', () => {
    const t = conversation();
    const listener = t.listen();
    const peer = t.peer();
    peer.sends(t.syn(peer, { ts: true }));
    t.after(1030);
    peer.sends({});
    expect(listener.accept().sk.srttUs >> 3).toBe(30_000);
  });
});

describe('the third segment', () => {
  it('may carry data', () => {
    const t = conversation();
    const listener = t.listen();
    const peer = t.peer().sends({ flags: 'S', seq: 0, mss: 1460 });
    peer.hears({ flags: 'SA' });
    peer.sends({ flags: 'PA', data: 'hello' });
    peer.hears({ flags: 'A', ack: 6 });
    expect(listener.accept().recv()).toBe('hello');
  });

  it('may be lost, if data follows', () => {
    const t = conversation();
    const listener = t.listen();
    const peer = t.peer().sends({ flags: 'S', seq: 0, mss: 1460 });
    expect(listener.waiting).toBe(0);
    peer.sends({ seq: 1, data: 'data alone completes it' });
    expect(listener.wakes()).toEqual(['DATA']);
    expect(listener.accept().recv()).toBe('data alone completes it');
  });

  it('may be a FIN', () => {
    const t = conversation();
    const listener = t.listen();
    const peer = t.peer().sends({ flags: 'S', seq: 0, mss: 1460 });
    peer.sends({ flags: 'FA' });
    const program = listener.accept();
    expect([program.state, program.recv(), program.poll()]).toEqual(['CLOSE_WAIT', 0, 'IOR']);
  });

  for (const [ack, what] of [
    [0, 'acknowledges nothing'],
    [2, 'acknowledges too much'],
  ] as const) {
    it(`is answered by a reset if it ${what}, and the request stays`, () => {
      const t = conversation();
      const listener = t.listen();
      const peer = t.peer().sends({ flags: 'S', seq: 0, mss: 1460 });
      peer.hears({ flags: 'SA' });
      peer.sends({ ack });
      peer.hears({ flags: 'R', seq: ack });
      peer.sends({ ack: 1 });
      expect(listener.waiting).toBe(1);
    });
  }

  it('a RST in the handshake ends it without a word', () => {
    const t = conversation();
    const listener = t.listen();
    const peer = t.peer().sends({ flags: 'S', seq: 0, mss: 1460 });
    peer.hears({ flags: 'SA' });
    peer.sends({ flags: 'R', seq: 1 }).hearsNothing();
    expect(t.tcp.counts.requests).toBe(0);
    peer.sends({}).hears({ flags: 'R', seq: 1 });
    expect(listener.wakes()).toEqual([]);
  });

  it('out of the window is answered by an ACK, once in half a second', () => {
    const t = conversation();
    t.listen();
    const peer = t.peer().sends({ flags: 'S', seq: 0, mss: 1460 });
    peer.hears({ flags: 'SA' });
    peer.sends({ seq: 100_000 }).hears({ flags: 'A', seq: 1, ack: 1 });
    peer.sends({ seq: 100_000 }).hearsNothing();
    t.after(600);
    peer.sends({ seq: 100_000 }).hears({ flags: 'A' });
    expect(t.counter('TcpExt', 'TCPACKSkippedSynRecv')).toBe(1);
  });

  it('with a timestamp older than the SYN (PAWS) is not believed', () => {
    const t = conversation();
    const listener = t.listen();
    const peer = t.peer();
    peer.sends(t.syn(peer, { ts: true })).hears({ flags: 'SA' });
    peer.sends({ ts: [4000, peer.tsSeen] }).hears({ flags: 'A', ack: 1 });
    expect([listener.waiting, t.counter('TcpExt', 'PAWSEstab')]).toEqual([0, 1]);
  });

  it('that echoes a timestamp we never sent is not believed', () => {
    const t = conversation();
    const listener = t.listen();
    const peer = t.peer();
    peer.sends(t.syn(peer, { ts: true })).hears({ flags: 'SA' });
    peer.sends({ ts: [peer.tsClock, peer.tsSeen + 1] }).hears({ flags: 'A', ack: 1 });
    expect([listener.waiting, t.counter('TcpExt', 'TSEcrRejected')]).toEqual([0, 1]);
  });
});
