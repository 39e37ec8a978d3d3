// What holds after weeks: times are kept as 32 bits of milliseconds or microseconds, whose differences change their sign after 24 days
// or 35 minutes. Linux keeps the same times in more bits, or reads them without a sign.

import { describe, expect, it } from 'vitest';
import { tcpInfo } from '../../src/tcp/info.js';
import { armKeepalive, keepaliveIdleMs } from '../../src/tcp/tcp-timer.js';
import { conversation } from './conversation.js';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const MSS = 1448;

describe('a connection that was idle for a month', () => {
  it('still takes what the peer sends: PAWS compares no timestamps that have wrapped since', () => {
    const t = conversation();
    const { peer, program } = t.established({ ts: true });
    peer.sends({ data: 'x' });
    program.drain();
    peer.heard();
    t.after(30 * DAY);
    peer.tsClock = (peer.tsClock + 30 * DAY) | 0;
    peer.sends({ data: 'still here' });
    expect(program.drain()).toBe('still here'.length);
    expect(t.counter('TcpExt', 'PAWSEstab')).toBe(0);
  });

  it('is told how long, in TCP_INFO', () => {
    const t = conversation();
    const { peer, program } = t.established();
    peer.sends({ data: 'x' });
    t.after(30 * DAY);
    expect(tcpInfo(program.sk).last_data_recv).toBe(30 * DAY);
  });

  it('is probed by keepalive as on the first day', () => {
    const t = conversation();
    const { peer, program } = t.established();
    const { sk } = program;
    sk.ownTuning().keepIdle = 32_767;
    sk.keepOpen = true;
    armKeepalive(sk, keepaliveIdleMs(sk));
    // No data all the time, but the peer answers each probe.
    let probes = 0;
    for (let minutes = 0; minutes < 26 * 24 * 60; minutes++) {
      t.after(MINUTE);
      const heard = peer.heard().length;
      if (heard > 0) peer.sends({});
      probes += heard;
    }
    expect(probes).toBe(Math.floor((26 * DAY) / 32_767_000));
  });
});

describe('after an hour', () => {
  it('of a closed window TCP_INFO tells of an hour', () => {
    const t = conversation();
    const { peer, program } = t.established();
    program.send('x');
    peer.heard();
    peer.sends({ win: 0 });
    program.send(100);
    for (let minutes = 0; minutes < 60; minutes++) {
      t.after(MINUTE);
      peer.sends({ win: 0 });
    }
    const { busy_time, rwnd_limited } = tcpInfo(program.sk);
    expect([busy_time, rwnd_limited]).toEqual([3600e6, 3600e6]);
  });

  it.each([40, 60])('%i minutes of silence do not keep the receive buffer small', (minutes) => {
    const t = conversation();
    const { peer, program } = t.established({ wscale: 7, ts: true });
    const round = (ms: number, segments: number) => {
      t.after(ms);
      peer.tsClock += ms;
      peer.sends(...Array.from({ length: segments }, () => ({ data: MSS })));
      program.drain();
    };
    for (const segments of [1, 10, 10]) round(20, segments);
    const before = program.sk.rcvbuf;
    round(minutes * MINUTE, 10);
    for (const segments of [22, 22, 22, 22]) round(20, segments);
    expect(program.sk.rcvbuf).toBeGreaterThan(before);
  });

  it('in which a window trickled in, the round trip is not taken for a millisecond', () => {
    const t = conversation();
    const { peer, program } = t.established();
    for (let i = 0; i < 100; i++) {
      t.after(i === 50 ? 40 * MINUTE : 20);
      peer.sends({ data: 1000 });
      program.drain();
    }
    expect(program.sk.rcvRttUs >> 3).not.toBe(1000);
  });

  it.each([1, 20, 40, 60])(
    '%i minutes old, only what an acknowledgement has overtaken is lost',
    (minutes) => {
      const t = conversation({ sysctl: { tcpEarlyRetrans: 0 } });
      t.after(minutes * MINUTE);
      const { peer, program } = t.established({ sackOk: true });
      program.send(10 * 1460);
      peer.heard();
      t.after(100);
      // Of ten sent in one go the second is missing; nothing is known of those after the third.
      peer.sends({ ack: 1461, sack: [[2921, 4381]] });
      t.after(10);
      expect(tcpInfo(program.sk).lost).toBe(1);
    },
  );

  it('of silence BBR goes on from one phase to the next', () => {
    const t = conversation({ sysctl: { tcpCongestionControl: 'bbr', tcpWmem: [4096, 1 << 20, 1 << 20] } });
    const { peer, program } = t.established({ sackOk: true, wscale: 7, win: 400 });
    const round = () => {
      t.after(10);
      peer.heard();
      peer.sends({ ack: peer.heardTo });
    };
    /** Pacing gains of so many round trips, in 256ths. */
    const rounds = (count: number) => {
      const gains = new Set<number>();
      for (let i = 0; i < count; i++) {
        program.send(60 * 1460);
        round();
        gains.add(program.sk.cc.info(program.sk)?.pacing_gain ?? 0);
      }
      return gains;
    };
    rounds(100);
    const usual = rounds(50);
    expect(usual).toContain(320);
    while (program.sk.sndQueue.length > 0) round();
    for (let minutes = 0; minutes < 40; minutes++) t.after(MINUTE);
    expect(rounds(50)).toEqual(usual);
  });
});
