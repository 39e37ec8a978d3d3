// CUBIC's curve, round trip by round trip: back to where the loss was in K seconds, flat there, and then beyond.

import { describe, expect, it } from 'vitest';
import { Cubic } from '../../src/tcp/congestion/cubic.js';
import { conversation } from './conversation.js';

/** The window after each of so many round trips of 100 ms that follow a loss at 100 segments. */
function afterLoss(rounds: number): number[] {
  const t = conversation();
  const { program } = t.established();
  const { sk } = program;
  const cubic = new Cubic();
  cubic.init(sk);
  sk.sndCwnd = 100;
  sk.sndSsthresh = cubic.ssthresh(sk);
  sk.sndCwnd = sk.sndSsthresh;
  sk.ownTx().isCwndLimited = true;
  return Array.from({ length: rounds }, () => {
    t.after(100);
    cubic.packetsAcked(sk, sk.sndCwnd, 100_000);
    cubic.congestionAvoidance(sk, sk.sndUna, sk.sndCwnd);
    return sk.sndCwnd;
  });
}

// covers: CUBIC | RFC 9438 section 4.2 | src/tcp/congestion/cubic.ts
describe('the window after a loss at 100 segments', () => {
  // K is the cube root of 30 / 0.4: 4.2 seconds.
  const windows = afterLoss(90);

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
