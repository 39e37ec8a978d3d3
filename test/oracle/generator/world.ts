// What the generator believes about a script so far, so that most operations make sense. It need not be exact: an operation
// that fails is a result like any other. It must only know what makes a result depend on time or on buffer sizes.

import type { Dice } from './dice.js';

export type Kind = 'stream' | 'listener' | 'epoll' | 'pipe' | 'eventfd';

/** One open file, shared by the handles dup() made of it. */
export interface OpenFile {
  kind: Kind;
  /** The other end, if there is one. */
  peer: OpenFile | undefined;
  /** Its send buffer was filled: how much fits until the other end is drained is nobody's promise. */
  filled: boolean;
  /** It was shut for reading: an empty queue reads as the end, and what is still to come stays unread. */
  shutRead: boolean;
  /** It was filled, or disconnected from a window that had grown: what its queues then hold is nobody's promise either. */
  unsized: boolean;
  /** How often it was filled. */
  fills: number;
  /** SO_RCVTIMEO was set: when a call that sleeps on it ends is a matter of time. */
  timed: boolean;
  /** A call on it may sleep. */
  blocking: boolean;
  /** TCP_DEFER_ACCEPT was set: handshakes may stay with it that nobody sees (moves.listenAgain). */
  defers: boolean;
  /** It was shut for sending, reset, or its last handle was closed. */
  ended: boolean;
  /** Bytes sent to it and not received from it. */
  unread: number;
  /** The handles in an epoll set, by name, and how. */
  registered: Map<string, string>;
  /** Clients that connected and were not accepted. */
  waiting: OpenFile[];
  /** Background threads that sleep in a call on it; a second one, or another reader, would race with it. */
  sleepers: number;
}

export interface Handle {
  name: string;
  file: OpenFile;
  open: boolean;
}

export class World {
  readonly lines: string[] = [];
  readonly handles: Handle[] = [];
  readonly threads: { name: string; reads: boolean }[] = [];
  /** Some set is in a set. */
  nested = false;
  /** Calls that may sleep until they are interrupted; each costs real time. */
  sleeps = 0;
  /** Bytes that large sends may still put in flight. */
  largeBytes = 12_000;
  /** The line after which something was filled; the sender probes a full receiver after 200 ms, and that shows. */
  filledAt = 0;
  readonly #counters = new Map<string, number>();

  constructor(readonly dice: Dice) {}

  emit(line: string): void {
    this.lines.push(line);
  }

  name(letter: string): string {
    const count = (this.#counters.get(letter) ?? 0) + 1;
    this.#counters.set(letter, count);
    return `${letter}${count}`;
  }

  file(kind: Kind): OpenFile {
    return {
      kind,
      peer: undefined,
      filled: false,
      unsized: false,
      fills: 0,
      timed: false,
      shutRead: false,
      defers: false,
      ended: false,
      unread: 0,
      registered: new Map(),
      blocking: false,
      waiting: [],
      sleepers: 0,
    };
  }

  handle(name: string, file: OpenFile): Handle {
    const handle = { name, file, open: true };
    this.handles.push(handle);
    return handle;
  }

  open(...kinds: Kind[]): Handle[] {
    return this.handles.filter(
      (handle) => handle.open && (kinds.length === 0 || kinds.includes(handle.file.kind)),
    );
  }

  /** Something is full; one whose other end has no handle any more is dead, and drains itself. */
  get anyFilled(): boolean {
    return this.handles.some(({ file }) => file.filled);
  }

  /** A handle of these kinds; now and then, where that is safe, one that is closed or of another kind. */
  choose(...kinds: Kind[]): Handle | undefined {
    const fitting = this.open(...kinds);
    if (this.dice.chance(0.03) && this.handles.length > 0 && !this.anyFilled)
      return this.dice.pick(this.handles);
    return fitting.length > 0 ? this.dice.pick(fitting) : undefined;
  }

  /** Among the newest few, since what just happened is where the next edge is. */
  recent(...kinds: Kind[]): Handle | undefined {
    const fitting = this.open(...kinds);
    if (fitting.length > 4 && this.dice.chance(0.6)) return this.dice.pick(fitting.slice(-4));
    return this.choose(...kinds);
  }

  /** Among those that make sense, mostly; else any. */
  likely(sensible: (handle: Handle) => boolean, ...kinds: Kind[]): Handle | undefined {
    const fitting = this.open(...kinds).filter(sensible);
    if (fitting.length > 0 && this.dice.chance(0.88)) return this.dice.pick(fitting);
    return this.recent(...kinds);
  }

  /** An epoll set with something in it, mostly. */
  set(): Handle | undefined {
    return this.likely((handle) => handle.file.registered.size > 0, 'epoll');
  }

  closed(handle: Handle): void {
    handle.open = false;
    if (!this.handles.some((other) => other.open && other.file === handle.file)) handle.file.ended = true;
  }

  /** May a call on it be made that sleeps if it cannot be done at once? */
  mayBlock(handle: Handle): boolean {
    if (!handle.file.blocking) return true;
    if (this.sleeps >= 3 || this.anyFilled) return false;
    this.sleeps++;
    return true;
  }
}
