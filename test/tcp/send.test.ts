// Data going out: segments, PSH, Nagle, cork, the peer's window, and the sender's side of silly windows.

import { describe, expect, it } from 'vitest';
import { NAGLE_CORK, NAGLE_OFF } from '../../src/tcp/constants.js';
import { pushUncorked } from '../../src/tcp/output.js';
import { conversation, fill, LINK_F_CSUM, LINK_F_TSO4 } from './conversation.js';

const MSG_MORE = 0x8000;

describe('segments', () => {
  it('are full but for the last, which is pushed', () => {
    const { peer, program } = conversation().established();
    expect(program.send(3000)).toBe(3000);
    peer.hears({ flags: 'A', seq: 1, data: 1460 });
    peer.hears({ flags: 'A', seq: 1461, data: 1460 });
    peer.hears({ flags: 'PA', seq: 2921, data: 80 });
    peer.hearsNothing();
  });

  it('carry what was written', () => {
    const { peer, program } = conversation().established();
    program.send('hello');
    peer.hears({ flags: 'PA', data: 'hello', ack: 1 });
  });

  it('ten at first, then as acknowledgements come (slow start)', () => {
    const { peer, program } = conversation().established({ win: 65535 });
    program.send(60_000);
    expect(peer.heard().length).toBe(10);
    peer.sends({ ack: 1 + 2 * 1460 });
    expect(peer.heard().length).toBe(4);
  });

  // covers: payload by reference | Linux tcp_sendmsg, skb_fill_page_desc | src/tcp/transmit.ts
  it('of up to 64 KiB where the device cuts them itself', () => {
    const t = conversation({ features: LINK_F_TSO4 | LINK_F_CSUM });
    const { peer, program } = t.established({ win: 65535, wscale: 4 });
    peer.sends({ win: 65535 });
    // Half of the window leaves at once, and this is no more than that.
    program.sk.sndCwnd = 14;
    program.send(10_000);
    peer.hears({ flags: 'PA', seq: 1, data: 10_000, gso: 1460 });
    expect(program.sk.tx.packetsOut).toBe(7);
    peer.sends({});
    expect(program.sk.tx.packetsOut).toBe(0);
  });

  // covers: segments of 64 KiB where the device cuts them | Linux tcp_tso_should_defer, tcp_mss_split_point | src/tcp/transmit.ts
  it('make room for SACK blocks, in large ones too', () => {
    for (const features of [0, LINK_F_TSO4 | LINK_F_CSUM]) {
      const t = conversation({ features });
      const { peer, program } = t.established({ sackOk: true, ts: true });
      peer.sends({ seq: 101, data: 100 }).sends({ seq: 301, data: 100 });
      peer.heard();
      program.send(9000);
      for (const heard of peer.inbox) {
        expect(Math.min(heard.length, heard.gso || heard.length) + 20 + 20 + 12 + 20).toBeLessThanOrEqual(
          1500,
        );
      }
      expect(peer.heard().length).toBeGreaterThan(0);
      peer.sends({});
      expect([program.sk.tx.packetsOut, program.sk.writeQueue.count]).toEqual([0, 0]);
    }
  });

  // covers: payload by reference | Linux tcp_sendmsg, skb_fill_page_desc | src/tcp/transmit.ts
  it('never refer to more pieces of memory than a descriptor holds', () => {
    const t = conversation({ mtu: 9000 });
    const { peer, program } = t.established({ mss: 8960, win: 65535 });
    const stream = fill(100_000);
    let sent = 0;
    let heard = 0;
    // Odd acknowledgements leave odd remains of chunks at the head of the queue.
    for (let turn = 0; turn < 400; turn++) {
      if (sent < stream.length) {
        const done = program.send(stream.slice(sent, sent + 100 + ((turn * 731) % 4000)));
        if (done > 0) sent += done;
      }
      for (const segment of peer.inbox.splice(0)) {
        expect(segment.data).toEqual(stream.slice(segment.seq - 1, segment.seq - 1 + segment.length));
        heard = Math.max(heard, segment.seq - 1 + segment.length);
      }
      if (turn % 3 === 0) peer.sends({});
      if (turn % 50 === 0) t.after(300);
    }
    expect([sent, heard]).toEqual([100_000, 100_000]);
  });
});

describe('Nagle', () => {
  it('holds a small segment while a small one is unacknowledged', () => {
    const { peer, program } = conversation().established();
    program.send('a');
    program.send('b');
    program.send('c');
    peer.hears({ data: 'a' });
    peer.hearsNothing();
    peer.sends({});
    peer.hears({ flags: 'PA', data: 'bc' });
  });

  // covers: Nagle with Minshall's rule | RFC 9293 section 3.7.4; Linux tcp_nagle_check | src/tcp/tso.ts
  it('but not while only full ones are (Minshall)', () => {
    const { peer, program } = conversation().established();
    program.send(1460);
    program.send('tail');
    peer.hears({ data: 1460 });
    peer.hears({ data: 'tail' });
  });

  it('and not with TCP_NODELAY', () => {
    const { peer, program } = conversation().established();
    program.sk.nonagle = NAGLE_OFF;
    program.send('a');
    program.send('b');
    expect(peer.heard().length).toBe(2);
  });

  it('full segments are never held', () => {
    const { peer, program } = conversation().established();
    program.send('a');
    program.send(3000);
    expect(peer.heard()).toEqual(['PA 1:2 ack 1', 'A 2:1462 ack 1', 'A 1462:2922 ack 1']);
  });

  it('nor is a FIN, nor urgent data', () => {
    const { peer, program } = conversation().established();
    program.send('a');
    program.send('!', 1);
    program.send('b');
    expect(peer.heard().length).toBe(3);
    peer.sends({});
    program.send('c');
    program.send('d');
    program.shutdown(2);
    expect(peer.heard()).toEqual(['PA 4:5 ack 1', 'FPA 5:6 ack 1']);
  });
});

describe('cork', () => {
  it('TCP_CORK holds a small tail until it is taken off', () => {
    const { peer, program } = conversation().established();
    program.sk.nonagle = NAGLE_CORK;
    program.send(100);
    peer.hearsNothing();
    program.send(1400);
    peer.hears({ data: 1460 });
    peer.hearsNothing();
    program.set((sk) => {
      sk.nonagle = 0;
      pushUncorked(sk);
    });
    peer.hears({ flags: 'PA', data: 40 });
  });

  it('for 200 ms at most', () => {
    const t = conversation();
    const { peer, program } = t.established();
    program.sk.nonagle = NAGLE_CORK;
    t.mark();
    program.send(100);
    t.after(500);
    expect(peer.times('PA')[0]).toBe(201);
  });

  it('MSG_MORE is a cork for one call', () => {
    const { peer, program } = conversation().established();
    program.send('head ', MSG_MORE);
    peer.hearsNothing();
    program.send('body');
    peer.hears({ flags: 'PA', data: 'head body' });
  });

  it('does not hold what fills the send buffer', () => {
    const t = conversation({ mtu: 9000 });
    const { peer, program } = t.established({ mss: 8960 });
    Object.assign(program.sk, { nonagle: NAGLE_CORK, sndbuf: 4608, userlocks: 1 });
    program.send(10_000);
    program.send(1);
    expect(peer.heard().length).toBeGreaterThan(0);
  });
});

describe("the peer's window", () => {
  // covers: silly windows avoided, sender | RFC 1122 section 4.2.3.4; RFC 9293 section 3.8.6.2.1 | src/tcp/output.ts
  it('is never overrun; a segment goes whole or not at all', () => {
    const { peer, program } = conversation().established({ win: 4000 });
    program.send(10_000);
    expect(peer.heard().map((line) => line.split(' ')[1])).toEqual(['1:1461', '1461:2921']);
    peer.sends({ win: 4000 });
    expect(peer.heard().length).toBe(2);
  });

  it('moves only by newer segments (RFC 9293 section 3.10.7.4)', () => {
    const { peer, program } = conversation().established();
    peer.sends({ data: 100 }).sends({ win: 3000 });
    expect(program.sk.sndWnd).toBe(3000);
    peer.sends({ seq: 1, data: 100, win: 20_000 });
    expect(program.sk.sndWnd).toBe(3000);
    peer.sends({ win: 20_000 });
    expect(program.sk.sndWnd).toBe(20_000);
    // The same moment may only open it, or close it altogether.
    peer.sends({ win: 10_000 });
    expect(program.sk.sndWnd).toBe(20_000);
    peer.sends({ win: 0 });
    expect(program.sk.sndWnd).toBe(0);
  });

  it('shrunk below what is in flight: acknowledgements come from its edge', () => {
    const { peer, program } = conversation().established();
    program.send(3000);
    peer.heard();
    peer.sends({ ack: 1461, win: 100, data: 'x' });
    expect(peer.hears({ flags: 'A' }).seq).toBe(1561);
    expect(program.sk.sndWnd).toBe(100);
  });
});

describe('the send buffer', () => {
  it('full: a part is taken, then EAGAIN, then SPACE when a third is free', () => {
    const t = conversation();
    const { peer, program } = t.established({ win: 65535 });
    Object.assign(program.sk, { sndbuf: 30_000, userlocks: 1 });
    const taken = program.send(100_000);
    // Fourteen segments of 1460 bytes, each charged 832 more: with thirteen there was still room.
    expect(taken).toBe(14 * 1460);
    expect([program.send(1), program.poll(), program.wakes()]).toEqual([-11, '', []]);
    peer.sends({ ack: 1 + 5840 });
    expect(program.wakes()).toEqual([]);
    for (let ack = 1; program.wakes().length === 0; ack += 1460)
      peer.sends({ ack: Math.min(ack, peer.heardTo) });
    expect(program.sk.wmemQueued).toBeLessThanOrEqual(20_000);
    expect(program.poll()).toBe('O');
  });

  // covers: send-buffer autotuning | Linux tcp_sndbuf_expand | src/tcp/ack.ts
  it('grows with the congestion window, up to tcp_wmem, unless it was sized', () => {
    const grown = (fixed: boolean) => {
      const t = conversation({ sysctl: { tcpWmem: [4096, 16_384, 200_000] } });
      const { peer, program } = t.established({ mss: 1000 });
      if (fixed) Object.assign(program.sk, { sndbuf: 60_000, userlocks: 1 });
      const sizes = [program.sk.sndbuf];
      for (let round = 0; round < 8; round++) {
        program.send(1_000_000);
        peer.sends({ ack: peer.heardTo });
        sizes.push(program.sk.sndbuf);
      }
      return sizes;
    };
    const [first, ...later] = grown(false);
    // Room for two windows of ten segments from the start (tcp_init_buffer_space), and then for what the window becomes.
    expect(first).toBe(2 * 10 * (2048 + 256));
    // What fills the window is enough (tcp_should_expand_sndbuf).
    expect(later[0]).toBe(first);
    expect(later.at(-1)).toBe(200_000);
    expect(new Set(grown(true))).toEqual(new Set([60_000]));
  });

  it('without anybody having looked, no wake-up', () => {
    const { peer, program } = conversation().established({ win: 65535 });
    program.send(5000);
    peer.sends({});
    expect(program.wakes()).toEqual([]);
  });
});

describe('the transmit ring', () => {
  it('full: nothing is lost, and sending goes on when there is room', () => {
    const t = conversation({ slots: 4 });
    const { peer, program } = t.established({ win: 65535 });
    program.send(14_600);
    expect(peer.heard().length).toBe(10);
    expect(t.counter('Link', 'TxDropped')).toBeGreaterThan(0);
  });

  it('full when an acknowledgement is due: it follows', () => {
    const t = conversation({ slots: 4 });
    const { peer, program } = t.established({ win: 65535 });
    t.stack.link.deliver([]);
    const { tcp } = t;
    tcp.lock(program.sk);
    tcp.send(program.sk, fill(7300), 7300, 0);
    tcp.release(program.sk);
    t.stack.link.deliver([peer.frame({ data: 'ping' })]);
    t.collect();
    expect(peer.heard().at(-1)).toMatch(/ack 5$/);
    expect(program.sk.tx.packetsOut).toBe(5);
  });
});
