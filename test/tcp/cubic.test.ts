// CUBIC's curve, round trip by round trip: back to where the loss was in K seconds, flat there, and then beyond.

import { describe, expect, it } from 'vitest';
import { Cubic } from '../../src/tcp/congestion/cubic.js';
import { conversation } from './conversation.js';

/** The window after each of so many full windows, acknowledged one every so many milliseconds, that follow a loss at so many segments. */
function afterLoss(at: number, rounds: number, everyMs: number, rttMs = everyMs): number[] {
  const t = conversation();
  const { program } = t.established();
  const { sk } = program;
  const cubic = new Cubic();
  cubic.init(sk);
  sk.sndCwnd = at;
  sk.srttUs = (rttMs * 1000) << 3;
  sk.sndSsthresh = cubic.ssthresh(sk);
  sk.sndCwnd = sk.sndSsthresh;
  sk.ownTx().isCwndLimited = true;
  return Array.from({ length: rounds }, () => {
    t.after(everyMs);
    cubic.packetsAcked(sk, sk.sndCwnd, rttMs * 1000);
    cubic.congestionAvoidance(sk, sk.sndUna, sk.sndCwnd);
    return sk.sndCwnd;
  });
}

// covers: CUBIC | RFC 9438 section 4.2 | src/tcp/congestion/cubic.ts
describe('the window after a loss at 100 segments', () => {
  // K is the cube root of 30 / 0.4: 4.2 seconds.
  const windows = afterLoss(100, 90, 100);

  it('begins at 0.7 of it, and is back after 4.2 seconds', () => {
    expect(windows[0]).toBeLessThan(76);
    expect(Math.abs(windows[42] - 100)).toBeLessThanOrEqual(3);
  });

  it('grows fast, then slowly, then fast again', () => {
    const grown = [10, 42, 84].map((at) => windows[at + 4] - windows[at - 6]);
    expect(grown[1]).toBeLessThan(grown[0]);
    expect(grown[1]).toBeLessThan(grown[2]);
    expect(windows[84]).toBeGreaterThan(122);
  });
});

// covers: CUBIC | RFC 9438 section 4.3 | src/tcp/congestion/cubic.ts
describe('the window after a loss at 20 segments', () => {
  // 3 * (1 - 0.7) / (1 + 0.7) = 0.53 segments for each window that is acknowledged.
  it("grows as Reno's from the start across a LAN, where a loss every 30 ms must not keep it where it is", () => {
    const windows = afterLoss(20, 30, 2);
    expect(windows[0]).toBe(15);
    expect(windows[13]).toBeGreaterThanOrEqual(20);
    expect(windows[28]).toBeGreaterThanOrEqual(27);
    expect(windows[28]).toBeLessThanOrEqual(30);
  });

  it('stands for a 32nd of a second where a round trip is longer, and then catches up', () => {
    const windows = afterLoss(20, 20, 2, 50);
    expect(windows.slice(0, 16)).toEqual(Array(16).fill(15));
    expect(windows[17]).toBeGreaterThanOrEqual(20);
  });
});
