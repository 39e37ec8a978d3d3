// When a device looks for frames instead of sleeping, and when it sleeps again: twenty milliseconds at a time, on a device that is made up.

import { expect, test } from 'vitest';
import { ROUND_TRIPS, Scene, type State, type Work } from './choice-scene.js';

/** One connection's: the loop sleeps half of the time, and looks in vain as long instead. */
const ASLEEP: Work = { frames: 200, bytes: 20_000, slept: 10, cpu: 10 };

/** Polling, so many times as much gets through, for so many times the processor time of each frame. */
const times =
  (factor: number, cost: number, work = ASLEEP) =>
  ({ polls }: State): Work => {
    const { frames, bytes, slept, cpu = 20 - slept } = work;
    if (!polls) return work;
    return {
      frames: frames * factor,
      bytes: bytes * factor,
      slept: 0,
      spun: slept,
      cpu: cpu * factor * cost,
    };
  };

test('a loop that is woken again and again looks for frames instead, if more gets through for no more processor time', () => {
  const scene = new Scene('poll');
  scene.play(60, times(2, 0.9));
  expect(scene.said).toEqual(['5: polls 100']);
});

test.each([
  ['no more gets through', times(1.05, 0.9)],
  ['it takes more processor time', times(1.5, 1.2)],
])('where %s it sleeps, and tries again ever more rarely', (_what, work) => {
  const scene = new Scene('poll');
  scene.play(200, work);
  expect(scene.said).toEqual([
    ...['5: polls 100', '11: polls 0', '65: polls 100', '71: polls 0', '175: polls 100', '181: polls 0'],
  ]);
});

test('a trial ends as soon as others want the processors', () => {
  const scene = new Scene('poll');
  scene.play(7, times(2, 0.9));
  scene.play(1, (state) => ({ ...times(2, 0.9)(state), waited: 3 }));
  expect(scene.said).toEqual(['5: polls 100', '8: polls 0']);
});

test.each<[string, Work]>([
  ['the loop hardly sleeps', { ...ROUND_TRIPS, slept: 1 }],
  ['frames are few', { ...ASLEEP, frames: 50 }],
  ['frames are large', { ...ASLEEP, bytes: 200 * 60_000 }],
  ['others have the processors', { ...ASLEEP, waited: 3 }],
])('nothing is tried while %s', (_what, work) => {
  const scene = new Scene('poll');
  scene.play(1000, () => work);
  expect(scene.said).toEqual([]);
});

test.each<[string, Work]>([
  ['the loop sleeps', { ...ASLEEP, frames: 400, bytes: 40_000, slept: 9 }],
  ['the loop would hardly sleep', { ...ASLEEP, frames: 400, bytes: 40_000, slept: 0, spun: 0.5 }],
  ['twice as much gets through', { ...ASLEEP, frames: 400, bytes: 80_000, slept: 0, spun: 10 }],
  ['half as much gets through', { ...ASLEEP, frames: 400, bytes: 20_000, slept: 0, spun: 10 }],
  ['others want the processors', { ...ASLEEP, frames: 400, bytes: 40_000, slept: 0, spun: 10, waited: 3 }],
  ['frames become large', { ...ASLEEP, frames: 5, bytes: 45_000, slept: 0, spun: 10 }],
])('what was found good is given up once %s, for 80 ms', (_what, work) => {
  const scene = new Scene('poll');
  scene.play(20, times(2, 0.9));
  scene.play(3, () => work);
  scene.play(1, times(2, 0.9));
  expect(scene.said).toEqual(['5: polls 100']);
  scene.play(4, () => work);
  expect(scene.said).toEqual(['5: polls 100', '28: polls 0']);
});

test('a thread of the kernel’s is for whom has no time to sleep, and neither is tried beside the other', () => {
  const scene = new Scene('napi', 'poll');
  const busy = ({ threaded }: State): Work => ({
    ...ROUND_TRIPS,
    bytes: ROUND_TRIPS.bytes * (threaded ? 1.2 : 1),
  });
  scene.play(15, times(2, 0.9));
  scene.play(30, busy);
  // Four windows to notice, five to see what is.
  expect(scene.said).toEqual(['5: polls 100', '19: polls 0', '24: threaded']);
  scene.play(4, () => ({ ...ASLEEP, frames: 100, slept: 12 }));
  scene.play(10, times(2, 0.9));
  expect(scene.said.slice(3)).toEqual(['49: softirq', '54: polls 100']);
});
