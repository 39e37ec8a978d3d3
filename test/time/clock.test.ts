// Both clocks: the virtual one to the microsecond, the real one as far as a busy machine lets it be told.

import { describe, expect, it } from 'vitest';
import { RealClock, VirtualClock } from '../../src/time/clock.js';

describe('VirtualClock', () => {
  it('stands still until it is advanced, and fires alarms at their time, in the order they were set', () => {
    const clock = new VirtualClock(1_700_000_000_000_000);
    const heard: string[] = [];
    const alarm = (name: string) => ({ onAlarm: () => heard.push(`${name} at ${clock.now()}`) });
    clock.setAlarm(alarm('b'), 200);
    clock.setAlarm(alarm('a'), 100);
    clock.setAlarm(alarm('c'), 200);
    expect(clock.nextAlarm).toBe(100);
    clock.advance(150);
    expect(heard).toEqual(['a at 100']);
    expect(clock.now()).toBe(150);
    clock.advance(1000);
    expect(heard).toEqual(['a at 100', 'b at 200', 'c at 200']);
    expect(clock.nextAlarm).toBe(Number.POSITIVE_INFINITY);
    expect(clock.epoch).toBe(1_700_000_000_000_000);
  });

  it('replaces an earlier wish of the same alarm, forgets a cancelled one, and fires a past one now', () => {
    const clock = new VirtualClock();
    let heard = 0;
    const alarm = { onAlarm: () => heard++ };
    clock.setAlarm(alarm, 10);
    clock.setAlarm(alarm, 20);
    clock.advance(15);
    expect(heard).toBe(0);
    clock.cancelAlarm(alarm);
    clock.advance(100);
    expect(heard).toBe(0);
    clock.setAlarm(alarm, 5);
    clock.advance(0);
    expect(heard).toBe(1);
  });

  it('fires what alarms set on the way', () => {
    const clock = new VirtualClock();
    const times: number[] = [];
    const alarm = {
      onAlarm: () => {
        times.push(clock.now());
        if (times.length < 3) clock.setAlarm(alarm, clock.now() + 10);
      },
    };
    clock.setAlarm(alarm, 10);
    clock.advance(100);
    expect(times).toEqual([10, 20, 30]);
  });

  it('never goes back, nor to no time at all', () => {
    const clock = new VirtualClock();
    clock.advance(100);
    for (const us of [-5, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => clock.advance(us)).toThrow(/0 or more/);
    expect(() => clock.moveTo(Number.NaN)).toThrow(/cannot move to NaN/);
    expect(clock.now()).toBe(100);
  });

  it('refuses to skip an alarm', () => {
    const clock = new VirtualClock();
    clock.setAlarm({ onAlarm: () => {} }, 10);
    expect(() => clock.moveTo(11)).toThrow(/cannot skip/);
    clock.moveTo(10);
    expect(clock.now()).toBe(10);
    expect(clock.step(9)).toBe(false);
    expect(clock.step()).toBe(true);
  });
});

describe('RealClock', () => {
  it('follows the machine: microseconds that never go back, from an epoch that is now', () => {
    const clock = new RealClock();
    const first = clock.now();
    expect(Number.isInteger(first)).toBe(true);
    expect(clock.now()).toBeGreaterThanOrEqual(first);
    expect(Math.abs(clock.epoch + clock.now() - Date.now() * 1000)).toBeLessThan(1_000_000);
  });

  it('fires an alarm at or after its time, once', async () => {
    const clock = new RealClock();
    clock.hold();
    const at = clock.now() + 20_000;
    let heard = 0;
    await new Promise<void>((resolve) => {
      const alarm = {
        onAlarm: () => {
          heard++;
          setTimeout(resolve, 20);
        },
      };
      clock.setAlarm(alarm, at + 1_000_000);
      clock.setAlarm(alarm, at);
    });
    clock.release();
    expect(heard).toBe(1);
    expect(clock.now()).toBeGreaterThan(at);
  });

  it('fires what is due already in the next turn of the loop, after the microtasks of this one', async () => {
    const clock = new RealClock();
    const heard: string[] = [];
    const done = new Promise<void>((resolve) => {
      const alarm = {
        onAlarm: () => {
          heard.push('alarm');
          resolve();
        },
      };
      clock.setAlarm(alarm, clock.now());
    });
    const cancelled = { onAlarm: () => heard.push('cancelled') };
    clock.setAlarm(cancelled, 0);
    clock.cancelAlarm(cancelled);
    await Promise.resolve().then(() => heard.push('microtask'));
    await done;
    expect(heard).toEqual(['microtask', 'alarm']);
  });
});
