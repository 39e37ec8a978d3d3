// When the host's share goes to a thread of the kernel's, and when it comes back: twenty milliseconds at a time, on a device that is made up.

import { expect, test } from 'vitest';
import { ROUND_TRIPS, Scene } from './choice-scene.js';

/** More gets through by the thread, or less. */
const times =
  (factor: number) =>
  ({ threaded }: { threaded: boolean }) => ({
    ...ROUND_TRIPS,
    bytes: ROUND_TRIPS.bytes * (threaded ? factor : 1),
  });

test('a busy loop with small frames tries the thread, and keeps it if more gets through', () => {
  const scene = new Scene('napi');
  scene.play(60, times(1.2));
  expect(scene.said).toEqual(['5: threaded']);
});

test('so does one that sends bulk', () => {
  const scene = new Scene('napi');
  scene.play(60, (state) => ({ ...times(1.2)(state), frames: 4 }));
  expect(scene.said).toEqual([]);
  scene.play(60, (state) => ({ ...times(1.2)(state), frames: 20 }));
  expect(scene.said).toEqual(['65: threaded']);
});

test('where no more gets through the thread is given up, and tried again ever more rarely', () => {
  const scene = new Scene('napi');
  scene.play(500, times(0.8));
  // Five windows to see what is, six to try; then a rest of 1 s, 2 s, 4 s.
  expect(scene.said).toEqual([
    ...['5: threaded', '11: softirq', '65: threaded', '71: softirq'],
    ...['175: threaded', '181: softirq', '385: threaded', '391: softirq'],
  ]);
  const same = new Scene('napi');
  same.play(20, times(1.04));
  expect(same.said).toEqual(['5: threaded', '11: softirq']);
});

test('but traffic of another kind has not been tried: it need not wait', () => {
  const scene = new Scene('napi');
  const slower = times(0.8);
  scene.play(100, slower);
  expect(scene.said.length).toBe(4);
  // Frames of another size: acknowledgements became data.
  scene.play(12, (state) => ({ ...slower(state), frames: 100 }));
  expect(scene.said.slice(4)).toEqual(['105: threaded', '111: softirq']);
  // Twice as much of it, but not within 200 ms of that failure.
  scene.play(30, (state) => ({ frames: 200, bytes: 2 * slower(state).bytes, slept: 0 }));
  expect(scene.said.slice(6)).toEqual(['125: threaded', '131: softirq']);
});

test.each([
  ['the loop sleeps', { ...ROUND_TRIPS, slept: 5 }],
  ['frames are few', { ...ROUND_TRIPS, frames: 10, bytes: 1000 }],
])('nothing is tried while %s', (_what, work) => {
  const scene = new Scene('napi');
  scene.play(1000, () => work);
  expect(scene.said).toEqual([]);
});

test('the thread is kept while the loop sleeps a little, and not while it sleeps a lot', () => {
  const scene = new Scene('napi');
  scene.play(15, times(1.2));
  scene.play(10, () => ({ ...ROUND_TRIPS, slept: 7 }));
  scene.play(3, () => ({ ...ROUND_TRIPS, slept: 9 }));
  scene.play(10, () => ({ ...ROUND_TRIPS, slept: 7 }));
  expect(scene.said).toEqual(['5: threaded']);
  scene.play(4, () => ({ ...ROUND_TRIPS, slept: 9 }));
  expect(scene.said).toEqual(['5: threaded', '42: softirq']);
});

test('nor when frames become large, in the trial or behind it', () => {
  const large = () => ({ ...ROUND_TRIPS, bytes: 2000 * 60_000 });
  const scene = new Scene('napi');
  scene.play(7, times(1.2));
  scene.play(1, large);
  expect(scene.said).toEqual(['5: threaded', '8: softirq']);
  scene.pause(1000);
  scene.play(20, times(1.2));
  scene.play(4, large);
  expect(scene.said.slice(2)).toEqual(['13: threaded', '32: softirq']);
});

test('what was kept has to prove itself again after a second of traffic, then after two', () => {
  const scene = new Scene('napi');
  scene.play(177, times(1.2));
  expect(scene.said).toEqual(['5: threaded', '61: softirq', '66: threaded', '172: softirq', '177: threaded']);
  scene.play(300, times(0.9));
  expect(scene.said.slice(5)).toEqual([
    '183: softirq',
    '237: threaded',
    '243: softirq',
    '347: threaded',
    '353: softirq',
  ]);
});

test('what has paid is given up where it costs as much, not as soon as it brings nothing', () => {
  const scene = new Scene('napi');
  scene.play(60, times(1.2));
  scene.play(108, times(0.96));
  expect(scene.said).toEqual(['5: threaded', '61: softirq', '66: threaded']);
  scene.play(15, times(0.94));
  expect(scene.said.slice(3)).toEqual(['172: softirq', '177: threaded', '183: softirq']);
});

test('but not for traffic of another kind: there it has to bring something', () => {
  const scene = new Scene('napi');
  scene.play(60, times(1.2));
  scene.play(4, () => ({ ...ROUND_TRIPS, slept: 9 }));
  scene.play(20, (state) => ({ frames: 200, bytes: 2 * times(1.04)(state).bytes, slept: 0 }));
  expect(scene.said.slice(1)).toEqual(['61: softirq', '69: threaded', '75: softirq']);
});

test('a success makes an earlier failure forgotten, a failure earlier successes', () => {
  const scene = new Scene('napi');
  scene.play(20, times(0.8));
  scene.play(217, times(1.2));
  scene.play(59, times(0.8));
  scene.play(60, times(1.2));
  expect(scene.said).toEqual([
    ...['5: threaded', '11: softirq'],
    ...['65: threaded', '121: softirq', '126: threaded', '232: softirq', '237: threaded'],
    ...['243: softirq', '297: threaded', '353: softirq'],
  ]);
});

test('a pause says nothing: what follows it goes on where it was', () => {
  const scene = new Scene('napi');
  scene.play(4, times(1.2));
  scene.pause(5000);
  scene.play(3, times(1.2));
  scene.pause(5000);
  scene.play(20, times(1.2));
  scene.pause(60_000);
  scene.play(10, times(1.2));
  expect(scene.said).toEqual(['5: threaded']);
});

test('whichever processor the loop moves to, the thread is kept off it within a window', () => {
  const scene = new Scene('napi');
  scene.play(30, times(1.2));
  expect(scene.keptOff).toBe(30);
});

test('a switch that fails, or never ends, is given up', () => {
  const vain = new Scene('napi');
  vain.switches = 'in vain';
  vain.play(40, times(1.2));
  expect(vain.said).toEqual(['5: threaded', '6: softirq']);
  const stuck = new Scene('napi');
  stuck.switches = 'never';
  stuck.play(1000, times(1.2));
  expect(stuck.said).toEqual(['5: threaded', '56: softirq']);
});
