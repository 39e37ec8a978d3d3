// HyStart's trains of ACKs: close together for half a round trip, they say that the pipe is full. What came one by one while
// the program held up the loop is received together, and is a train all the same.

import { describe, expect, it } from 'vitest';
import { Cubic } from '../../src/tcp/congestion/cubic.js';
import { conversation } from './conversation.js';

const RTT_MS = 100;

/** A sender in slow start; `acks(ms, n)` lets time pass, and then so many come at once. Says whether slow start is over. */
function slowStart() {
  const t = conversation();
  const { sk } = t.established().program;
  const cubic = new Cubic();
  cubic.init(sk);
  sk.sndCwnd = 100;
  sk.sndSsthresh = 0x7fffffff;
  sk.srttUs = (RTT_MS * 1000) << 3;
  sk.minRttUs = RTT_MS * 1000;
  const acks = (ms: number, count: number) => {
    t.after(ms);
    for (let i = 0; i < count; i++) cubic.packetsAcked(sk, 2, RTT_MS * 1000);
    return sk.sndSsthresh < 0x7fffffff;
  };
  return { t, acks };
}

// covers: HyStart and HyStart++ | Linux hystart_update | src/tcp/congestion/hystart.ts
describe('a train of ACKs', () => {
  it('ends slow start once it has lasted for half a round trip', () => {
    const { t, acks } = slowStart();
    for (let i = 0; i < 51; i++) expect(acks(1, 1)).toBe(false);
    expect(acks(1, 1)).toBe(true);
    expect(t.counter('TcpExt', 'TCPHystartTrainCwnd')).toBe(100);
  });

  it('is none with a pause of more than two milliseconds in it', () => {
    const { acks } = slowStart();
    for (let i = 0; i < 20; i++) acks(1, 1);
    acks(6, 1);
    for (let i = 0; i < 50; i++) expect(acks(1, 1)).toBe(false);
  });

  it('is one where the pause was ours, and all that came meanwhile is received together', () => {
    const { acks } = slowStart();
    for (let i = 0; i < 20; i++) acks(1, 1);
    acks(6, 6);
    for (let i = 0; i < 25; i++) expect(acks(1, 1)).toBe(false);
    expect(acks(1, 1)).toBe(true);
  });
});
