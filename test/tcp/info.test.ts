// TCP_INFO: every figure of it, told by a conversation that moves it.

import { describe, expect, it } from 'vitest';
import type { TcpInfo } from '../../src/tcp/info.js';
import {
  type ConversationOptions,
  conversation,
  LINK_F_CSUM,
  LINK_F_TSO4,
  type Opening,
} from './conversation.js';

function connection(opening: Opening = {}, options: ConversationOptions = {}) {
  const t = conversation(options);
  const both = t.established(opening);
  return { t, ...both, info: () => t.tcp.info(both.program.sk) };
}

function part(info: TcpInfo, ...names: (keyof TcpInfo)[]): number[] {
  return names.map((name) => info[name]);
}

// covers: TCP_INFO | Linux tcp_get_info | src/tcp/info.ts
describe('TCP_INFO', () => {
  it('tells what was agreed on', () => {
    const { info } = connection({ mss: 1000, wscale: 3, sackOk: true, ts: true });
    // TIMESTAMPS, SACK, WSCALE
    expect(info()).toMatchObject({
      state: 1,
      options: 7,
      snd_wscale: 3,
      snd_mss: 988,
      advmss: 1448,
      pmtu: 1500,
    });
    expect(info().rcv_wscale).toBeGreaterThan(0);
    const plain = connection({ mss: 1000 }).info();
    expect(plain).toMatchObject({ options: 0, snd_wscale: 0, rcv_wscale: 0, snd_mss: 1000, advmss: 1460 });
  });

  it('tells what is in flight, and what came back of it', () => {
    const { t, peer, program, info } = connection(
      { mss: 1000, sackOk: true },
      { sysctl: { tcpEarlyRetrans: 0 } },
    );
    program.send(5000);
    expect(part(info(), 'unacked', 'segs_out', 'data_segs_out', 'bytes_sent', 'notsent_bytes')).toEqual([
      5, 5, 5, 5000, 0,
    ]);
    t.after(20);
    peer.sends({ ack: 1, sack: [[1001, 4001]] });
    expect(info()).toMatchObject({
      unacked: 5,
      sacked: 3,
      lost: 1,
      retrans: 1,
      ca_state: 3,
      bytes_retrans: 1000,
    });
    expect(info()).toMatchObject({ total_retrans: 1, delivered: 4, last_ack_recv: 0, last_data_sent: 0 });
    t.after(20);
    peer.sends({ ack: 5001 });
    expect(info()).toMatchObject({
      unacked: 0,
      sacked: 0,
      lost: 0,
      retrans: 0,
      ca_state: 0,
      bytes_acked: 5000,
    });
    expect(part(info(), 'delivered', 'min_rtt', 'snd_cwnd', 'segs_in')).toEqual([6, 1, 7, 4]);
    t.after(5);
    expect(part(info(), 'last_ack_recv', 'last_data_sent')).toEqual([5, 25]);
  });

  it('tells how time passed: busy, held by the window, held by the send buffer', () => {
    const { t, peer, program, info } = connection({ win: 1000, mss: 1000 });
    program.send(3000);
    t.after(10);
    expect(part(info(), 'busy_time', 'rwnd_limited', 'sndbuf_limited', 'notsent_bytes')).toEqual([
      10_000, 10_000, 0, 2000,
    ]);
    peer.sends({ ack: 1001, win: 65_535 });
    t.after(10);
    peer.sends({ ack: 3001, win: 65_535 });
    t.after(50);
    expect(part(info(), 'busy_time', 'rwnd_limited', 'snd_wnd')).toEqual([20_000, 10_000, 65_535]);
  });

  it('tells of timeouts: how many, how many series, how long, and how far it has backed off', () => {
    const { t, peer, program, info } = connection(
      { mss: 1000, sackOk: true },
      { sysctl: { tcpEarlyRetrans: 0 } },
    );
    program.send(1000);
    expect(info()).toMatchObject({ rto: 201_000, backoff: 0, retransmits: 0 });
    t.after(650);
    expect(info()).toMatchObject({ retransmits: 2, backoff: 2, rto: 804_000, total_rto: 2, ca_state: 4 });
    peer.sends({ ack: 1001 });
    expect(info()).toMatchObject({
      retransmits: 0,
      total_rto: 2,
      total_rto_recoveries: 1,
      total_rto_time: 449,
    });
  });

  it('tells of window probes', () => {
    const { t, peer, program, info } = connection({ mss: 1000 });
    peer.sends({ win: 0 });
    program.send(1000);
    t.after(700);
    expect(info()).toMatchObject({ probes: 2, unacked: 0, notsent_bytes: 1000, snd_wnd: 0 });
  });

  it('tells what was received, in and out of order', () => {
    const { t, peer, program, info } = connection({ sackOk: true });
    peer.sends({ data: 1460 });
    t.after(30);
    peer.sends({ seq: 2921, data: 1460 });
    expect(info()).toMatchObject({ bytes_received: 1460, data_segs_in: 2, rcv_ooopack: 1, rcv_mss: 1460 });
    peer.sends({ seq: 1461, data: 1460 });
    expect(info()).toMatchObject({ bytes_received: 4380, data_segs_in: 3, segs_in: 5, last_data_recv: 0 });
    const { rcv_wnd, rcv_ssthresh, rcv_space, ato } = info();
    expect([rcv_wnd > 50_000, rcv_ssthresh > 50_000, rcv_space, ato]).toEqual([true, true, 14_600, 50_000]);
    program.recv();
    t.after(7);
    expect(info().last_data_recv).toBe(7);
  });

  // In the middle of a transfer a field that outgrew 31 bits would have all of TCP compiled anew.
  it('counts bytes beyond four gibibytes in fields that stay below one', () => {
    const { t, peer, program, info } = connection({ mss: 1000 });
    for (let gib = 1; gib <= 4; gib++) {
      program.sk.sentLow = 2 ** 30 - 1;
      program.sk.ackedLow = 2 ** 30 - 1;
      program.sk.receivedLow = 2 ** 30 - 1;
      program.send(1000);
      t.after(10);
      peer.sends({ ack: program.sk.sndNxt - program.sk.iss, data: 500 });
    }
    expect(info()).toMatchObject({
      bytes_sent: 4 * 2 ** 30 + 999,
      bytes_acked: 4 * 2 ** 30 + 999,
      bytes_received: 4 * 2 ** 30 + 499,
    });
    const { sentLow, ackedLow, receivedLow } = program.sk;
    expect([sentLow, ackedLow, receivedLow]).toEqual([999, 999, 499]);
    program.disconnect();
    expect(info()).toMatchObject({ bytes_sent: 0, bytes_acked: 0, bytes_received: 0 });
  });

  it('tells of duplicates and reordering that the peer reported', () => {
    const { t, peer, program, info } = connection({ mss: 1000, sackOk: true });
    program.send(4000);
    t.after(20);
    peer.sends({ ack: 1, sack: [[1001, 4001]] });
    t.after(2);
    peer.sends({ ack: 4001 });
    peer.sends({
      ack: 4001,
      sack: [[1, 1001]],
    });
    expect(info()).toMatchObject({ dsack_dups: 1, reordering: 3, ca_state: 0 });
  });

  it('tells pace and delivery rate in bytes a second', () => {
    const { t, peer, program, info } = connection({ mss: 1000 });
    expect(info()).toMatchObject({ max_pacing_rate: -1, delivery_rate: 0 });
    t.after(100);
    program.send(10_000);
    t.after(100);
    peer.sends({ ack: 10_001 });
    // Ten segments in a tenth of a second; nothing more was there to be sent.
    expect(info()).toMatchObject({ delivery_rate: 100_000, delivery_rate_app_limited: 1 });
    expect(info().pacing_rate).toBeGreaterThan(100_000);
  });

  // covers: delivery rate | Linux tcp_rate_skb_delivered; draft-cheng-iccrg-delivery-rate-estimation section 3.3 | src/tcp/rate.ts
  it('measures each acknowledgement of a large segment, not the first alone', () => {
    const options = { features: LINK_F_CSUM | LINK_F_TSO4 };
    const { t, peer, program, info } = connection({ mss: 1000, sackOk: true }, options);
    program.send(10_000);
    t.after(100);
    peer.sends({ ack: 4001 });
    expect(info().delivery_rate).toBe(40_000);
    t.after(10);
    peer.sends({ ack: 5001 });
    // The five that left as one, in 110 ms.
    expect(info().delivery_rate).toBe(45_454);
  });

  it('begins with Linux’s figures', () => {
    const t = conversation();
    const fresh = t.tcp.info(t.program().sk);
    // What was never measured: no least round trip, a quarter of the first timeout as deviation, no segment sizes.
    const figures = {
      rttvar: 250_000,
      min_rtt: 0xffffffff,
      rcv_mss: 0,
      advmss: 0,
      snd_mss: 536,
      rto: 1_000_000,
    };
    expect(fresh).toMatchObject({ state: 7, snd_cwnd: 10, reordering: 3, ...figures });
  });

  it('tells a passive end of the handshake: its SYN and its round trip', () => {
    const t = conversation();
    const listener = t.listen();
    const peer = t.peer();
    peer.sends(t.syn(peer)).hears({ flags: 'SA' });
    t.after(30);
    peer.sends({});
    const { sk } = listener.accept();
    expect(t.tcp.info(sk)).toMatchObject({
      rtt: 30_000,
      rttvar: 15_000,
      min_rtt: 30_000,
      segs_in: 2,
      segs_out: 0,
    });
  });

  it('tells nothing of what was transferred once the connection is dissolved', () => {
    const { peer, program, info } = connection({ wscale: 3 });
    program.send('abc');
    peer.heard();
    peer.sends({ data: 'x' });
    const names = ['segs_in', 'segs_out', 'data_segs_out', 'delivered', 'bytes_acked', 'snd_wscale'] as const;
    expect(part(info(), ...names)).toEqual([3, 2, 1, 2, 3, 3]);
    program.disconnect();
    expect(part(info(), ...names)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('tells of a listener its queue and its backlog', () => {
    const t = conversation();
    const listener = t.listen(5);
    for (const peer of [t.peer(), t.peer()]) t.handshake(peer);
    const info = t.tcp.info(listener.sk);
    expect(info).toMatchObject({
      state: 10,
      unacked: 2,
      sacked: 5,
      snd_cwnd: 10,
      reordering: 3,
      pacing_rate: -1,
    });
    expect(info).toMatchObject({
      rto: 0,
      snd_mss: 0,
      rttvar: 0,
      min_rtt: 0,
      snd_ssthresh: 0,
      rcv_mss: 0,
      advmss: 0,
    });
  });
});
