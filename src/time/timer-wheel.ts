// Hierarchical timing wheel with a tick of one millisecond, driven by one alarm of the clock (kernel/time/timer.c).
// Arming, re-arming and cancelling are O(1) and allocate nothing. A timer armed later than it stands only notes its new time, and one
// that is lapsed stays where it stands: what a connection arms and disarms with each segment is hardly ever linked anew.

import type { Alarm, Clock } from './clock.js';

const BITS = 8;
const SLOTS = 1 << BITS;
const MASK = SLOTS - 1;
const LEVELS = 4;
/** Delays are cut to 24.6 days: what int32 milliseconds can tell, less 4.6 hours by which a run may be late. */
const LONGEST = 0x7fffffff - (1 << 24);

/** One timer. Subclasses say what happens in `expire`; a timer may arm itself again there. */
export abstract class Timer {
  next: Timer | null = null;
  prev: Timer | null = null;
  /** Tick at which it is due (wrapping milliseconds). */
  expires = 0;
  /** Slot it is linked in, or -1; and the tick on which that looks at it, which may be earlier than `expires`. */
  slot = -1;
  due = 0;
  pending = false;

  abstract expire(): void;
}

/** Head of a slot's list: a timer that is never due. */
class SlotHead extends Timer {
  constructor() {
    super();
    this.next = this;
    this.prev = this;
  }

  override expire(): void {}
}

export class TimerWheel implements Alarm {
  readonly clock: Clock;
  /** The wheel's own time in wrapping milliseconds: everything due up to here has been run. */
  now: number;
  /** Called when the clock wakes the wheel, before it looks at what is due. */
  onWake: () => void = () => {};
  /** Called before and after a run of due timers; the stack refreshes its time and flushes its answers there. */
  onRunStart: () => void = () => {};
  onRunEnd: () => void = () => {};

  /** A slot gets its head when it is first used: a simulation makes many wheels. */
  readonly #slots: (Timer | null)[] = new Array<Timer | null>(LEVELS * SLOTS).fill(null);
  readonly #occupied = new Int32Array((LEVELS * SLOTS) / 32);
  #pending = 0;
  /** Timers in slots: all that are armed, and those that lapsed. */
  #linked = 0;
  #alarmAt = Infinity;
  #running = false;

  constructor(clock: Clock) {
    this.clock = clock;
    this.now = this.#clockMs();
  }

  /** Timers that are armed. */
  get size(): number {
    return this.#pending;
  }

  /** Arms `timer` for `ms` milliseconds from now, wherever it stood before (mod_timer). */
  arm(timer: Timer, ms: number): void {
    // From the clock's time even while a late run catches up: after a stall a timer that backs off must not fire in a row.
    // Whoever arms has looked at the clock for this moment already (Host.refresh).
    const base = Math.floor(this.clock.recent / 1000) | 0;
    const delay = ms < 1 ? 1 : ms > LONGEST ? LONGEST : Math.ceil(ms);
    const expires = (base + delay) | 0;
    if (!timer.pending) {
      timer.pending = true;
      this.#pending++;
    }
    timer.expires = expires;
    if (timer.slot >= 0) {
      // Linked already, and looked at in time (a re-arm per segment is free).
      if (((expires - timer.due) | 0) >= 0) return;
      this.#unlink(timer);
    }
    if (this.#linked === 0 && !this.#running) this.now = base;
    this.#link(timer);
    this.#setAlarm(this.#msToUs(expires));
  }

  /** Disarms, and forgets the timer; harmless if it is not armed. */
  cancel(timer: Timer): void {
    this.lapse(timer);
    if (timer.slot >= 0) this.#unlink(timer);
  }

  /** Disarms a timer that will soon be armed again: until it would have been due it stays linked, and is not collected. */
  lapse(timer: Timer): void {
    if (!timer.pending) return;
    timer.pending = false;
    this.#pending--;
  }

  /** Milliseconds until `timer` is due; 0 if it is not armed. */
  remaining(timer: Timer): number {
    if (!timer.pending) return 0;
    const left = (timer.expires - (Math.floor(this.clock.recent / 1000) | 0)) | 0;
    return left > 0 ? left : 0;
  }

  onAlarm(): void {
    this.#alarmAt = Infinity;
    this.onWake();
    this.run();
  }

  /** Runs everything that is due by the clock. */
  run(): void {
    const target = this.#clockMs();
    if (this.#running) return;
    this.#running = true;
    this.onRunStart();
    while (((target - this.now) | 0) > 0 && this.#linked > 0) {
      const step = this.#idleTicks();
      const left = (target - this.now) | 0;
      if (step > left) break;
      this.now = (this.now + step) | 0;
      this.#tick();
    }
    this.now = target;
    this.#running = false;
    this.onRunEnd();
    if (this.#linked > 0) this.#setAlarm(this.#msToUs((this.now + this.#idleTicks()) | 0));
  }

  /** Cancels the alarm; nothing fires any more. */
  stop(): void {
    this.clock.cancelAlarm(this);
    this.#alarmAt = Infinity;
    for (const head of this.#slots) {
      if (head === null) continue;
      for (let timer = head.next as Timer; timer !== head; ) {
        const next = timer.next as Timer;
        this.cancel(timer);
        timer = next;
      }
    }
  }

  #clockMs(): number {
    return Math.floor(this.clock.now() / 1000) | 0;
  }

  #msToUs(tick: number): number {
    const nowMs = Math.floor(this.clock.recent / 1000);
    return (nowMs + ((tick - (nowMs | 0)) | 0)) * 1000;
  }

  #setAlarm(at: number): void {
    if (this.#running || at >= this.#alarmAt) return;
    this.#alarmAt = at;
    this.clock.setAlarm(this, at);
  }

  #link(timer: Timer): void {
    let delta = (timer.expires - this.now) | 0;
    if (delta < 0) delta = 0;
    let level = 0;
    while (level < LEVELS - 1 && delta >= 1 << (BITS * (level + 1))) level++;
    const slot = level * SLOTS + ((timer.expires >>> (BITS * level)) & MASK);
    const head = this.#head(slot);
    timer.slot = slot;
    timer.due = timer.expires;
    this.#linked++;
    timer.prev = head.prev;
    timer.next = head;
    (head.prev as Timer).next = timer;
    head.prev = timer;
    this.#occupied[slot >> 5] |= 1 << (slot & 31);
  }

  #head(slot: number): Timer {
    const head = this.#slots[slot];
    if (head !== null) return head;
    const made = new SlotHead();
    this.#slots[slot] = made;
    return made;
  }

  #unlink(timer: Timer): void {
    const slot = timer.slot;
    (timer.prev as Timer).next = timer.next;
    (timer.next as Timer).prev = timer.prev;
    timer.next = null;
    timer.prev = null;
    timer.slot = -1;
    this.#linked--;
    const head = this.#head(slot);
    if (head.next === head) this.#occupied[slot >> 5] &= ~(1 << (slot & 31));
  }

  /** Ticks until the next one on which something may be due or must cascade. */
  #idleTicks(): number {
    const index = this.now & MASK;
    for (let slot = index + 1; slot < SLOTS; slot++) {
      const word = this.#occupied[slot >> 5];
      if (word === 0) slot |= 31;
      else if ((word & (1 << (slot & 31))) !== 0) return slot - index;
    }
    // The inner wheel wraps: what stands in its slots from 0 on is due next, or the next outer slot cascades.
    let ahead = SLOTS - index;
    if (this.#innerOccupied()) return ahead;
    for (let outer = (this.now >>> BITS) + 1; ; outer++, ahead += SLOTS) {
      const slot = SLOTS + (outer & MASK);
      if ((outer & MASK) === 0 || (this.#occupied[slot >> 5] & (1 << (slot & 31))) !== 0) return ahead;
    }
  }

  #innerOccupied(): boolean {
    for (let word = 0; word < SLOTS / 32; word++) if (this.#occupied[word] !== 0) return true;
    return false;
  }

  #tick(): void {
    if ((this.now & MASK) === 0) this.#cascade(1);
    const head = this.#slots[this.now & MASK];
    if (head === null) return;
    // Only what stands here now: a timer that re-arms itself for the same slot belongs to the next round.
    const last = head.prev as Timer;
    if (last === head) return;
    for (;;) {
      const timer = head.next as Timer;
      if (timer === head) return;
      const isLast = timer === last;
      this.#unlink(timer);
      if (timer.pending) {
        if (((timer.expires - this.now) | 0) > 0) {
          this.#link(timer);
        } else {
          this.lapse(timer);
          timer.expire();
        }
      }
      if (isLast) return;
    }
  }

  #cascade(level: number): void {
    const index = (this.now >>> (BITS * level)) & MASK;
    if (index === 0 && level + 1 < LEVELS) this.#cascade(level + 1);
    const head = this.#slots[level * SLOTS + index];
    if (head === null) return;
    for (let timer = head.next as Timer; timer !== head; ) {
      const next = timer.next as Timer;
      this.#unlink(timer);
      if (timer.pending) this.#link(timer);
      timer = next;
    }
  }
}
