// The timer behind socket.setTimeout: it rings when the last of all that was said to it means, and troubles Node's timers but rarely.

import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from 'vitest';
import { IdleTimer } from '../../src/net/idle-timer.js';
import type { TimerSource } from '../../src/net/timers.js';

/** A time that moves when told, with timers as Node's that count. */
class Time implements TimerSource {
  at = 0;
  made = 0;
  readonly pending = new Map<object, { due: number; work: () => void }>();
  readonly now?: () => number;

  constructor(patient = true) {
    if (patient) this.now = () => this.at;
  }

  set(work: () => void, ms: number): { refresh(): void } {
    this.made++;
    const timer = { refresh: () => this.pending.set(timer, { due: this.at + ms, work }) };
    timer.refresh();
    return timer;
  }

  clear(timer: object): void {
    this.pending.delete(timer);
  }

  pass(ms: number): void {
    const end = this.at + ms;
    for (;;) {
      const [next] = [...this.pending].sort(([, one], [, other]) => one.due - other.due);
      if (next === undefined || next[1].due > end) break;
      this.at = next[1].due;
      this.pending.delete(next[0]);
      next[1].work();
    }
    this.at = end;
  }
}

function timerIn(time: Time): { timer: IdleTimer; rang: number[] } {
  const rang: number[] = [];
  return { timer: new IdleTimer(time, () => rang.push(time.at)), rang };
}

describe.each([
  ['in the machine’s time', true],
  ['in a virtual time', false],
])('an idle timer %s', (_, patient) => {
  it('rings after the last sign of life', () => {
    const time = new Time(patient);
    const { timer, rang } = timerIn(time);
    timer.set(100);
    for (let n = 0; n < 10; n++) {
      time.pass(60);
      timer.refresh();
    }
    expect(rang).toEqual([]);
    time.pass(99);
    expect(rang).toEqual([]);
    time.pass(1);
    expect(rang).toEqual([700]);
    time.pass(1000);
    expect(rang).toEqual([700]);
  });

  it('rings again when something happens after it has rung', () => {
    const time = new Time(patient);
    const { timer, rang } = timerIn(time);
    timer.set(100);
    time.pass(150);
    timer.refresh();
    time.pass(150);
    expect(rang).toEqual([100, 250]);
  });

  it('rings as it was set last: sooner, later, or not at all', () => {
    const time = new Time(patient);
    const { timer, rang } = timerIn(time);
    timer.set(1000);
    timer.set(10);
    time.pass(20);
    expect(rang).toEqual([10]);
    timer.set(10);
    timer.set(1000);
    time.pass(500);
    expect(rang).toEqual([10]);
    timer.clear();
    timer.refresh();
    time.pass(5000);
    expect(rang).toEqual([10]);
    timer.set(30);
    time.pass(30);
    expect(rang).toEqual([10, 5550]);
  });

  it('leaves nothing behind', () => {
    const time = new Time(patient);
    const { timer, rang } = timerIn(time);
    timer.set(100);
    timer.cancel();
    expect(time.pending.size).toBe(0);
    timer.refresh();
    time.pass(1000);
    expect([time.pending.size, rang]).toEqual([0, []]);
  });

  it('rings in the context of who set it last', () => {
    const time = new Time(patient);
    const who = new AsyncLocalStorage<string>();
    const heard: unknown[] = [];
    const timer = new IdleTimer(time, () => heard.push(who.getStore()));
    who.run('first', () => timer.set(100));
    who.run('second', () => timer.set(200));
    who.run('third', () => timer.refresh());
    time.pass(300);
    expect(heard).toEqual(['second']);
  });
});

it('a timer that is set and cleared with each of a thousand requests is one of Node’s', () => {
  const time = new Time();
  const { timer, rang } = timerIn(time);
  for (let n = 0; n < 1000; n++) {
    timer.set(5000);
    timer.refresh();
    timer.clear();
    time.pass(1);
  }
  expect([time.made, rang]).toEqual([1, []]);
  // Cleared, it rings in vain once and is not set again.
  time.pass(10_000);
  expect([time.made, time.pending.size, rang]).toEqual([1, 0, []]);
});

it('a cleared timer does not hold up a virtual time', () => {
  const time = new Time(false);
  const { timer } = timerIn(time);
  timer.set(5000);
  timer.clear();
  expect(time.pending.size).toBe(0);
});
