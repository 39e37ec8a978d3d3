// Everybody asleep in a call of one stack, in a list through themselves: when the stack closes none of them may be left
// waiting for an event that cannot come.

/** A call asleep that can be ended. */
export interface Interruptible {
  asleepPrev: Interruptible | null;
  asleepNext: Interruptible | null;
  /** As a signal would: the call ends with -EINTR unless it finds something. */
  interrupt(): void;
}

export class AsleepList {
  #head: Interruptible | null = null;

  add(sleeper: Interruptible): void {
    sleeper.asleepPrev = null;
    sleeper.asleepNext = this.#head;
    if (this.#head !== null) this.#head.asleepPrev = sleeper;
    this.#head = sleeper;
  }

  remove(sleeper: Interruptible): void {
    if (sleeper.asleepPrev !== null) sleeper.asleepPrev.asleepNext = sleeper.asleepNext;
    else if (this.#head === sleeper) this.#head = sleeper.asleepNext;
    if (sleeper.asleepNext !== null) sleeper.asleepNext.asleepPrev = sleeper.asleepPrev;
    sleeper.asleepPrev = null;
    sleeper.asleepNext = null;
  }

  interruptAll(): void {
    for (let sleeper = this.#head; sleeper !== null; ) {
      const next: Interruptible | null = sleeper.asleepNext;
      sleeper.interrupt();
      sleeper = next;
    }
  }
}
