// The timer wheel against a plain table of expiry times, on a virtual clock: every timer fires at its millisecond, once.

import { describe, expect, it } from 'vitest';
import { below, SeededRandom } from '../../src/core/random.js';
import { type Alarm, VirtualClock } from '../../src/time/clock.js';
import { Timer, TimerWheel } from '../../src/time/timer-wheel.js';

/** The clock of a program that blocks the event loop: alarms fire when it lets them, however late. */
class BusyClock extends VirtualClock {
  #late = 0;

  override get recent(): number {
    return this.now();
  }

  override now(): number {
    return super.now() + this.#late;
  }

  override setAlarm(alarm: Alarm, at: number): void {
    super.setAlarm(alarm, at - this.#late);
  }

  /** Time passes, and nobody looks: alarms already set come so much too late. */
  block(ms: number): void {
    this.#late += ms * 1000;
  }
}

class Note extends Timer {
  readonly fired: number[] = [];
  readonly #clock: VirtualClock;
  onExpire: () => void = () => {};

  constructor(clock: VirtualClock) {
    super();
    this.#clock = clock;
  }

  override expire(): void {
    this.fired.push(Math.floor(this.#clock.now() / 1000));
    this.onExpire();
  }
}

function setUp(startMs = 0): { clock: BusyClock; wheel: TimerWheel; note: () => Note; ms: () => number } {
  const clock = new BusyClock();
  clock.moveTo(startMs * 1000);
  const wheel = new TimerWheel(clock);
  return { clock, wheel, note: () => new Note(clock), ms: () => Math.floor(clock.now() / 1000) };
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

describe('TimerWheel', () => {
  it('fires at the millisecond asked for, on every level of the wheel', () => {
    const { clock, wheel, note } = setUp();
    const delays = [1, 2, 255, 256, 257, 65_535, 65_536, 65_537, 1 << 24, (1 << 24) + 1, 20 * DAY];
    const timers = delays.map((delay) => {
      const timer = note();
      wheel.arm(timer, delay);
      return timer;
    });
    clock.advance(21 * DAY * 1000);
    expect(timers.map((timer) => timer.fired)).toEqual(delays.map((delay) => [delay]));
    expect(wheel.size).toBe(0);
  });

  it('never fires early: half a millisecond into a tick counts from that tick, and 0 waits for the next', () => {
    const { clock, wheel, note } = setUp();
    clock.advance(10_500);
    const timer = note();
    wheel.arm(timer, 0);
    expect(wheel.remaining(timer)).toBe(1);
    clock.advance(499);
    expect(timer.fired).toEqual([]);
    clock.advance(1);
    expect(timer.fired).toEqual([11]);
  });

  it('a re-arm to later or earlier moves it, and a cancelled timer stays silent', () => {
    const { clock, wheel, note } = setUp();
    const [later, earlier, cancelled] = [note(), note(), note()];
    for (const timer of [later, earlier, cancelled]) wheel.arm(timer, 200);
    wheel.arm(later, 400);
    wheel.arm(earlier, 50);
    wheel.cancel(cancelled);
    wheel.cancel(cancelled);
    expect(wheel.size).toBe(2);
    expect([wheel.remaining(later), wheel.remaining(earlier), wheel.remaining(cancelled)]).toEqual([
      400, 50, 0,
    ]);
    clock.advance(1_000_000);
    expect([later.fired, earlier.fired, cancelled.fired]).toEqual([[400], [50], []]);
  });

  it('leaves a timer that lapsed where it stands, so that no list is touched when it is armed again for later', () => {
    const { clock, wheel, note } = setUp();
    const [first, second, third] = [note(), note(), note()];
    for (const timer of [first, second, third]) wheel.arm(timer, 40);
    wheel.lapse(second);
    wheel.lapse(second);
    expect([wheel.size, wheel.remaining(second), first.next === second]).toEqual([2, 0, true]);
    clock.advance(30_000);
    wheel.arm(second, 40);
    expect([wheel.size, wheel.remaining(second), first.next === second]).toEqual([3, 40, true]);
    wheel.lapse(third);
    clock.advance(100_000);
    expect([first.fired, second.fired, third.fired]).toEqual([[40], [70], []]);
    expect([wheel.size, third.slot, clock.nextAlarm]).toEqual([0, -1, Number.POSITIVE_INFINITY]);
  });

  it('a timer that lapsed can be armed for earlier, and after its time', () => {
    const { clock, wheel, note } = setUp();
    const [earlier, after] = [note(), note()];
    wheel.arm(earlier, 400);
    wheel.arm(after, 20);
    wheel.lapse(earlier);
    wheel.lapse(after);
    wheel.arm(earlier, 10);
    clock.advance(1_000_000);
    wheel.arm(after, 5);
    clock.advance(1_000_000);
    expect([earlier.fired, after.fired]).toEqual([[10], [1005]]);
  });

  it('lets a timer arm itself, and others, while it expires', () => {
    const { clock, wheel, note } = setUp();
    const [first, second] = [note(), note()];
    first.onExpire = () => {
      if (first.fired.length < 3) wheel.arm(first, 256);
      wheel.arm(second, 1);
    };
    wheel.arm(first, 10);
    clock.advance(5_000_000);
    expect(first.fired).toEqual([10, 266, 522]);
    expect(second.fired).toEqual([11, 267, 523]);
  });

  it('lets one timer cancel another that is due in the same tick', () => {
    const { clock, wheel, note } = setUp();
    const [first, second, third] = [note(), note(), note()];
    for (const timer of [first, second, third]) wheel.arm(timer, 5);
    first.onExpire = () => wheel.cancel(third);
    clock.advance(10_000);
    expect([first.fired, second.fired, third.fired]).toEqual([[5], [5], []]);
    expect(wheel.size).toBe(0);
  });

  it('catches up when it is run late, in order, and tells the stack before and after', () => {
    const { clock, wheel, note } = setUp();
    const order: string[] = [];
    const timers = [30, 10, 20].map((delay) => {
      const timer = note();
      timer.onExpire = () => order.push(`timer ${delay}`);
      wheel.arm(timer, delay);
      return timer;
    });
    wheel.onRunStart = () => order.push('start');
    wheel.onRunEnd = () => order.push('end');
    clock.block(100);
    wheel.run();
    expect(order).toEqual(['start', 'timer 10', 'timer 20', 'timer 30', 'end']);
    expect(timers.every((timer) => timer.fired[0] === 100)).toBe(true);
  });

  it('arms what is armed during a late run from now: after a stall a backing-off timer does not fire in a row', () => {
    const { clock, wheel, note } = setUp();
    const [first, second] = [note(), note()];
    first.onExpire = () => wheel.arm(second, 50);
    wheel.arm(first, 10);
    clock.block(100);
    wheel.run();
    clock.advance(200_000);
    expect(second.fired).toEqual([150]);
  });

  it('sets one alarm, for the earliest', () => {
    const { clock, wheel, note } = setUp();
    const [late, early] = [note(), note()];
    wheel.arm(late, 100);
    expect(clock.nextAlarm).toBe(100_000);
    wheel.arm(early, 40);
    expect(clock.nextAlarm).toBe(40_000);
  });

  it('stops: nothing fires, and it can be used again', () => {
    const { clock, wheel, note } = setUp();
    const timer = note();
    wheel.arm(timer, 10);
    wheel.stop();
    expect(wheel.size).toBe(0);
    clock.advance(1_000_000);
    expect(timer.fired).toEqual([]);
    wheel.arm(timer, 10);
    clock.advance(10_000);
    expect(timer.fired).toEqual([1010]);
  });

  it('holds the longest delay a 32-bit millisecond clock can tell, 24.6 days, even when it lags', () => {
    const { clock, wheel, note } = setUp();
    const [timer, other] = [note(), note()];
    const longest = 0x7fffffff - (1 << 24);
    wheel.arm(other, 1);
    clock.block(4 * HOUR);
    wheel.arm(timer, 100 * DAY);
    expect(wheel.remaining(timer)).toBe(longest);
    wheel.run();
    clock.advance((longest - 1) * 1000);
    expect(timer.fired).toEqual([]);
    clock.advance(1000);
    expect(timer.fired).toEqual([4 * HOUR + longest]);
  });

  // From time 0, across the sign change of int32 milliseconds (24.8 days up), and across their wrap (49.7 days).
  for (const startMs of [0, 2 ** 31 - 50_000, 2 ** 32 - 50_000, 2 ** 31 - 20 * HOUR]) {
    it(`does as a table of expiry times does: 20,000 random steps from ${startMs} ms`, () => {
      const { clock, wheel, note, ms } = setUp(startMs);
      const random = new SeededRandom(startMs);
      const timers = Array.from({ length: 60 }, note);
      const due = new Map<Note, number>();
      const bound = [3, 300, 3000, 70_000, 300_000, 20_000_000, DAY];
      for (let step = 0; step < 20_000; step++) {
        const timer = timers[below(random, timers.length)];
        const dice = below(random, 10);
        if (dice < 6) {
          const delay = below(random, bound[below(random, bound.length)]);
          wheel.arm(timer, delay);
          due.set(timer, ms() + Math.max(1, delay));
        } else if (dice < 7) {
          if (below(random, 2) === 0) wheel.cancel(timer);
          else wheel.lapse(timer);
          due.delete(timer);
        } else {
          clock.advance(below(random, 1000 * bound[below(random, dice === 9 ? 5 : 3)]));
          for (const [armed, at] of due) if (at <= ms()) expectFired(armed, at);
        }
        if (wheel.size !== due.size)
          throw new Error(`step ${step}: ${wheel.size} timers armed, not ${due.size}`);
      }
      clock.advance(2 * DAY * 1000);
      for (const [armed, at] of due) expectFired(armed, at);
      expect(due.size).toBe(0);
      expect(timers.every((timer) => timer.fired.length === 0)).toBe(true);

      function expectFired(armed: Note, at: number): void {
        if (armed.fired.length !== 1 || armed.fired[0] !== at) {
          throw new Error(`a timer due at ${at} ms fired at ${armed.fired.join(', ') || 'no time'}`);
        }
        armed.fired.length = 0;
        due.delete(armed);
      }
    });
  }

  it('runs as exactly when the clock jumps over many due times at once', () => {
    const { clock, wheel, note, ms } = setUp(2 ** 31 - 100_000);
    const random = new SeededRandom(3);
    const timers = Array.from({ length: 40 }, note);
    const due = new Map<Note, number>();
    for (let step = 0; step < 5000; step++) {
      const timer = timers[below(random, timers.length)];
      const delay = below(random, 100_000);
      wheel.arm(timer, delay);
      due.set(timer, ms() + Math.max(1, delay));
      if (step % 3 === 0) {
        clock.block(below(random, 50_000));
        wheel.run();
      }
      for (const [armed, at] of due) {
        const isDue = at <= ms() && step % 3 === 0;
        if (armed.fired.length !== (isDue ? 1 : 0))
          throw new Error(`step ${step}: due at ${at}, now ${ms()}`);
        if (!isDue) continue;
        armed.fired.length = 0;
        due.delete(armed);
      }
    }
  });
});
