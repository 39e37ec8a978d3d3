// When events are due, and how far off they may be: relative times count from the moment the event before was done with, and
// the tolerance grows with the time between two events.

import type { EventTime, ScriptEvent } from './ast.js';
import type { ScriptConfig } from './config.js';
import { Unmet } from './outcome.js';

/** An event's place in script time, microseconds. `from` and `to` are one unless it has a range. */
export interface Due {
  from: number;
  to: number;
  /** Added to what was written. */
  base: number;
  /** Null: any time will do. */
  toleranceUs: number | null;
}

export class Timetable {
  readonly #config: ScriptConfig;
  #last: { event: ScriptEvent; at: number } | null = null;

  constructor(config: ScriptConfig) {
    this.#config = config;
  }

  /** The next event, at script time `now`. */
  due(event: ScriptEvent, now: number): Due {
    const { time } = event;
    const isAbsolute = time.kind === 'absolute' || time.kind === 'absolute-range';
    const base = isAbsolute ? 0 : this.#base(event, now);
    const [from, to] = [base + time.from, base + time.to];
    const since = this.#last === null ? 0 : from - this.#last.at;
    this.#last = { event, at: from };
    return { from, to, base, toleranceUs: time.kind === 'any' ? null : this.tolerance(since) };
  }

  /** Of something that was to happen `since` microseconds after something else. */
  tolerance(since: number): number {
    return Math.max(this.#config.toleranceUs, (this.#config.tolerancePercent / 100) * since);
  }

  /** Packets injected in a row keep to their own rhythm, whatever the first of them set off. */
  #base(event: ScriptEvent, now: number): number {
    const last = this.#last;
    return last !== null && isInjection(last.event) && isInjection(event) ? last.at : now;
  }
}

function isInjection(event: ScriptEvent): boolean {
  return event.kind === 'packet' && event.packet.direction === 'in';
}

/** @throws Unmet if `at` is too early or too late. */
export function checkTime(due: Due, at: number, what: string, time?: EventTime): void {
  if (due.toleranceUs === null) return;
  if (at >= due.from - due.toleranceUs && at <= due.to + due.toleranceUs) return;
  const wanted = due.from === due.to ? seconds(due.from) : `${seconds(due.from)} to ${seconds(due.to)}`;
  const written = time !== undefined && due.base !== 0 ? `, which is +${seconds(time.from)}` : '';
  throw new Unmet(
    `${what} at the wrong time`,
    `at ${wanted}${written} (± ${seconds(due.toleranceUs)})`,
    `at ${seconds(at)}${due.base === 0 ? '' : `, which is +${seconds(at - due.base)}`}`,
  );
}

/** `0.204 s` */
export function seconds(us: number): string {
  return `${(us / 1e6).toFixed(6).replace(/0{1,3}$/, '')} s`;
}
