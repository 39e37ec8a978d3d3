// The least value of the last so many milliseconds, in constant space and time: the best, second and third best of the
// window's parts (Kathleen Nichols' algorithm, as lib/minmax.c has it). TCP keeps its least round-trip time in one.

export class WindowedMin {
  #t0: number;
  #v0: number;
  #t1: number;
  #v1: number;
  #t2: number;
  #v2: number;

  /** Begins with `value` measured at `now`; times in wrapping milliseconds. */
  constructor(now: number, value: number) {
    this.#t0 = now;
    this.#t1 = now;
    this.#t2 = now;
    this.#v0 = value;
    this.#v1 = value;
    this.#v2 = value;
  }

  /** Begins anew, with what `stamp` and `value` may have kept of another. */
  restart(now: number, value: number): void {
    this.#t0 = now;
    this.#t1 = now;
    this.#t2 = now;
    this.#v0 = value;
    this.#v1 = value;
    this.#v2 = value;
  }

  /** When the least was measured. */
  get stamp(): number {
    return this.#t0;
  }

  get value(): number {
    return this.#v0;
  }

  /** Takes a measurement in; returns the least of the last `window` milliseconds. */
  update(window: number, now: number, value: number): number {
    if (value <= this.#v0 || ((now - this.#t2) | 0) > window) {
      this.#t0 = now;
      this.#t1 = now;
      this.#t2 = now;
      this.#v0 = value;
      this.#v1 = value;
      this.#v2 = value;
      return value;
    }
    if (value <= this.#v1) {
      this.#set1(now, value);
      this.#set2(now, value);
    } else if (value <= this.#v2) {
      this.#set2(now, value);
    }
    this.#age(window, now, value);
    return this.#v0;
  }

  /** Lets go of what has left the window, and refreshes the later choices from its second quarter and half. */
  #age(window: number, now: number, value: number): void {
    const age = (now - this.#t0) | 0;
    if (age > window) {
      this.#shift(now, value);
      if (((now - this.#t0) | 0) > window) this.#shift(now, value);
    } else if (this.#t1 === this.#t0 && age > window / 4) {
      this.#set1(now, value);
      this.#set2(now, value);
    } else if (this.#t2 === this.#t1 && age > window / 2) {
      this.#set2(now, value);
    }
  }

  #shift(now: number, value: number): void {
    this.#t0 = this.#t1;
    this.#v0 = this.#v1;
    this.#t1 = this.#t2;
    this.#v1 = this.#v2;
    this.#set2(now, value);
  }

  #set1(now: number, value: number): void {
    this.#t1 = now;
    this.#v1 = value;
  }

  #set2(now: number, value: number): void {
    this.#t2 = now;
    this.#v2 = value;
  }
}
