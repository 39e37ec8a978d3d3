// Wait queues (kernel/sched/wait.c). Every socket, pipe and eventpoll has one; sleepers and eventpolls hang entries into
// it, and a wake-up walks them with a key of poll bits. A frame's way through the stack ends here, and a program's begins.

import { traceWakeUpCommon, wakeNesting } from './trace.js';

export const WQ_FLAG_EXCLUSIVE = 1;

/**
 * Called for an entry by a wake-up. `key` is a mask of poll bits, 0 for "state changed, look again".
 * Returns whether somebody was woken, which is what ends the walk after enough exclusive entries.
 */
export type WaitQueueFunc = (entry: WaitQueueEntry, key: number) => boolean;

/** One who waits (struct wait_queue_entry). Linked in at most one queue. */
export class WaitQueueEntry {
  flags: number;
  func: WaitQueueFunc;
  /** The sleeper or the eventpoll item behind the entry; only `func` looks at it. */
  private_: unknown;
  queue: WaitQueue | null = null;
  next: WaitQueueEntry | null = null;
  prev: WaitQueueEntry | null = null;

  constructor(func: WaitQueueFunc, private_: unknown, flags = 0) {
    this.func = func;
    this.private_ = private_;
    this.flags = flags;
  }
}

/** A list of entries (struct wait_queue_head). */
export class WaitQueue {
  head: WaitQueueEntry | null = null;
  tail: WaitQueueEntry | null = null;

  /** add_wait_queue: non-exclusive entries go to the head, so the newest is told first. */
  add(entry: WaitQueueEntry): void {
    entry.queue = this;
    entry.prev = null;
    entry.next = this.head;
    if (this.head !== null) this.head.prev = entry;
    else this.tail = entry;
    this.head = entry;
  }

  /** add_wait_queue_exclusive: at the tail, served first come, first served. */
  addExclusive(entry: WaitQueueEntry): void {
    entry.flags |= WQ_FLAG_EXCLUSIVE;
    entry.queue = this;
    entry.next = null;
    entry.prev = this.tail;
    if (this.tail !== null) this.tail.next = entry;
    else this.head = entry;
    this.tail = entry;
  }

  remove(entry: WaitQueueEntry): void {
    if (entry.queue !== this) return;
    if (entry.prev !== null) entry.prev.next = entry.next;
    else this.head = entry.next;
    if (entry.next !== null) entry.next.prev = entry.prev;
    else this.tail = entry.prev;
    entry.queue = null;
    entry.next = null;
    entry.prev = null;
  }

  /** waitqueue_active */
  get active(): boolean {
    return this.head !== null;
  }

  /** __wake_up: everyone not exclusive, and exclusive entries until `exclusive` of them were woken (0: all of them). */
  wake(key: number, exclusive: number): void {
    if (traceWakeUpCommon.on) this.#tracedWake(key, exclusive);
    else this.#walk(key, exclusive);
  }

  #tracedWake(key: number, exclusive: number): void {
    traceWakeUpCommon.emit(null, { key, exclusive, nested: wakeNesting.depth });
    wakeNesting.depth++;
    try {
      this.#walk(key, exclusive);
    } finally {
      wakeNesting.depth--;
    }
  }

  #walk(key: number, exclusive: number): void {
    let left = exclusive;
    for (let entry = this.head; entry !== null; ) {
      const next: WaitQueueEntry | null = entry.next;
      const isExclusive = (entry.flags & WQ_FLAG_EXCLUSIVE) !== 0;
      if (entry.func(entry, key) && isExclusive && --left === 0) return;
      entry = next;
    }
  }
}

/** A call asleep: a promise that a wake-up, a timeout or a signal resolves. */
export interface Sleeper {
  /** try_to_wake_up: true if it was asleep and now is not. */
  wake(key: number): boolean;
}

/** Wakes the sleeper behind the entry and takes the entry out, so that it is woken once (autoremove_wake_function). */
export function autoremoveWakeFunction(entry: WaitQueueEntry, key: number): boolean {
  const woken = (entry.private_ as Sleeper).wake(key);
  if (woken) entry.queue?.remove(entry);
  return woken;
}
