// Where all time comes from. The real clock follows the machine's monotonic clock; the virtual one moves only when told,
// which makes every timer, and so every test of one, instant and exact.

/** Something that wants to be called at a time. One pending call each. */
export interface Alarm {
  /** The time has come. Called by the clock, never inside `setAlarm`. */
  onAlarm(): void;
}

/** All time a stack knows. */
export interface Clock {
  /** Microseconds since an arbitrary start; an integer in a double, never goes back. */
  now(): number;
  /** What `now()` last said: where a moment ago is near enough, because a read of the clock costs. */
  readonly recent: number;
  /** It is the machine's own time, in which the event loop lives, too. */
  readonly real?: boolean;
  /** Unix time, in microseconds, at which `now()` was 0; for captures only. */
  readonly epoch: number;
  /** `now()` for onlookers (a trace), where what is looked at must not go differently for it; `now` will do unless given. */
  look?(): number;
  /** Calls `alarm.onAlarm()` once, at or after `at` (microseconds); replaces an earlier wish of the same alarm. */
  setAlarm(alarm: Alarm, at: number): void;
  /** Takes the wish of `alarm` back, if there is one. */
  cancelAlarm(alarm: Alarm): void;
  /** While held, a program that sleeps in a call keeps its process alive, as a task asleep in the kernel does. */
  hold(): void;
  /** Ends one `hold`. */
  release(): void;
  /** Calls back after a turn of the event loop, when what has arrived meanwhile is received. Absent where nothing arrives by itself. */
  afterTurn?(callback: () => void): void;
}

/** setTimeout fires at once for delays over 2^31 - 1 ms; such alarms are set again when they come early. */
const LONGEST_TIMEOUT_MS = 0x7fffffff;

/** The machine's own time. Alarms are timers that do not keep the process alive; `hold` does. */
export class RealClock implements Clock {
  readonly real: boolean = true;
  readonly epoch = Date.now() * 1000;
  readonly #timers = new Map<Alarm, NodeJS.Timeout>();
  readonly #immediates = new Map<Alarm, NodeJS.Immediate>();
  #holders = 0;
  #keeper: NodeJS.Timeout | undefined;

  recent = 0;
  readonly #origin = Math.floor(performance.now() * 1000);

  now(): number {
    const now = Math.floor(performance.now() * 1000) - this.#origin;
    this.recent = now;
    return now;
  }

  setAlarm(alarm: Alarm, at: number): void {
    this.cancelAlarm(alarm);
    const wait = Math.ceil((at - this.now()) / 1000);
    if (wait <= 0) {
      // Due already: the next turn of the loop, not the next millisecond. An in-memory wire without delay lives on this.
      // It stays referenced, because the loop goes to sleep before immediates that are not.
      const immediate = setImmediate(() => {
        this.#immediates.delete(alarm);
        alarm.onAlarm();
      });
      this.#immediates.set(alarm, immediate);
      return;
    }
    const timer = setTimeout(
      () => {
        this.#timers.delete(alarm);
        if (this.now() < at && wait > LONGEST_TIMEOUT_MS) this.setAlarm(alarm, at);
        else alarm.onAlarm();
      },
      Math.min(wait, LONGEST_TIMEOUT_MS),
    );
    timer.unref();
    this.#timers.set(alarm, timer);
  }

  /** Takes the wish of `alarm` back, if there is one. */
  cancelAlarm(alarm: Alarm): void {
    const timer = this.#timers.get(alarm);
    if (timer !== undefined) clearTimeout(timer);
    this.#timers.delete(alarm);
    const immediate = this.#immediates.get(alarm);
    if (immediate !== undefined) clearImmediate(immediate);
    this.#immediates.delete(alarm);
  }

  hold(): void {
    if (this.#holders++ > 0) return;
    this.#keeper ??= setInterval(() => {}, LONGEST_TIMEOUT_MS);
    this.#keeper.ref();
  }

  /** Ends one `hold`. */
  release(): void {
    if (--this.#holders === 0) this.#keeper?.unref();
  }

  afterTurn(callback: () => void): void {
    setImmediate(callback);
  }
}

/** Time that stands still until it is advanced. Alarms due at the same time fire in the order in which they were set. */
export class VirtualClock implements Clock {
  readonly epoch: number;
  #now = 0;
  #order = 0;
  readonly #alarms = new Map<Alarm, { at: number; order: number }>();

  /** @param epoch Unix time of virtual time 0, in microseconds. */
  constructor(epoch = 0) {
    this.epoch = epoch;
  }

  now(): number {
    return this.#now;
  }

  get recent(): number {
    return this.#now;
  }

  setAlarm(alarm: Alarm, at: number): void {
    this.#alarms.set(alarm, { at: Math.max(at, this.#now), order: this.#order++ });
  }

  /** Takes the wish of `alarm` back, if there is one. */
  cancelAlarm(alarm: Alarm): void {
    this.#alarms.delete(alarm);
  }

  hold(): void {}
  /** Ends one `hold`. */
  release(): void {}

  /** When the next alarm is due (microseconds), or Infinity. */
  get nextAlarm(): number {
    const next = this.#earliest();
    return next === undefined ? Infinity : next[1].at;
  }

  /** Moves to `at` without firing anything. It is an error to jump over an alarm. */
  moveTo(at: number): void {
    if (!Number.isFinite(at)) throw new RangeError(`virtual time cannot move to ${at} µs`);
    if (at > this.nextAlarm)
      throw new Error(`virtual time cannot skip the alarm at ${this.nextAlarm} µs on its way to ${at} µs`);
    if (at > this.#now) this.#now = at;
  }

  /** Moves to the next alarm and fires it; false if there is none at or before `limit`. */
  step(limit = Infinity): boolean {
    const next = this.#earliest();
    if (next === undefined || next[1].at > limit) return false;
    this.#now = next[1].at;
    this.#alarms.delete(next[0]);
    next[0].onAlarm();
    return true;
  }

  /** Advances by `us` microseconds, 0 or more, firing every alarm on the way. */
  advance(us: number): void {
    if (!(Number.isFinite(us) && us >= 0))
      throw new RangeError(`virtual time advances by microseconds, 0 or more, not by ${us}`);
    const end = this.#now + us;
    while (this.step(end));
    this.#now = end;
  }

  #earliest(): [Alarm, { at: number; order: number }] | undefined {
    let best: [Alarm, { at: number; order: number }] | undefined;
    for (const entry of this.#alarms) {
      if (
        best === undefined ||
        entry[1].at < best[1].at ||
        (entry[1].at === best[1].at && entry[1].order < best[1].order)
      ) {
        best = entry;
      }
    }
    return best;
  }
}
