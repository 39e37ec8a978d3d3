// A turn of the event loop, once: what libuv does in a phase of its own, under the machine's time or a virtual one.

import { setImmediate } from 'node:timers';
import type { Alarm, Clock } from '../time/clock.js';

/** Calls `work` soon, once, however often it is asked to. */
export interface Turn {
  arm(): void;
}

/** A turn in the phase of the program's immediates: the one that a program can ask for. */
class CheckTurn implements Turn {
  readonly #run: () => void;
  #armed = false;

  constructor(work: () => void) {
    this.#run = () => {
      this.#armed = false;
      work();
    };
  }

  arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    setImmediate(this.#run);
  }
}

/** A turn in a virtual time: at this very moment, when programs have come to rest. */
class VirtualTurn implements Turn, Alarm {
  readonly #clock: Clock;
  readonly #work: () => void;
  #armed = false;

  constructor(clock: Clock, work: () => void) {
    this.#clock = clock;
    this.#work = work;
  }

  arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    this.#clock.setAlarm(this, this.#clock.look?.() ?? this.#clock.now());
  }

  onAlarm(): void {
    this.#armed = false;
    this.#work();
  }
}

/** In the machine's time, whatever the stack's is. */
export function soon(work: () => void): Turn {
  return new CheckTurn(work);
}

export function turn(clock: Clock, work: () => void): Turn {
  return clock.real === true ? soon(work) : new VirtualTurn(clock, work);
}
