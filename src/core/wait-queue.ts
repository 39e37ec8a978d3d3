// Wait queues (kernel/sched/wait.c). Every socket, pipe and eventpoll has one; sleepers and eventpolls hang entries into
// it, and a wake-up walks them with a key of poll bits. A frame's way through the stack ends here, and a program's begins.

import { traceWakeUpCommon, wakeNesting } from './trace.js';

export const WQ_FLAG_EXCLUSIVE = 1;

/**
 * Called for an entry by a wake-up. `key` is a mask of poll bits, 0 for "state changed, look again".
 * Returns whether somebody was woken, which is what ends the walk after enough exclusive entries.
 */
export type WaitQueueFunc = (entry: WaitQueueEntry, key: number) => boolean;

/** A place in a wait queue (struct wait_queue_entry). Linked in at most one. */
export abstract class WaitNode {
  flags = 0;
  /** The queue it is linked in. */
  whead: WaitQueue | null = null;
  next: WaitNode | null = null;
  /** The one before; that of the first is the last, so that a queue is one reference. */
  prev: WaitNode | null = null;

  /** As a WaitQueueFunc. */
  abstract woken(key: number): boolean;
}

/** The place of somebody who is none himself. */
export class WaitQueueEntry extends WaitNode {
  readonly func: WaitQueueFunc;
  /** The sleeper behind the entry; only `func` looks at it. */
  readonly private_: unknown;

  constructor(func: WaitQueueFunc, private_: unknown, flags = 0) {
    super();
    this.func = func;
    this.private_ = private_;
    this.flags = flags;
  }

  override woken(key: number): boolean {
    return this.func(this, key);
  }
}

/** A list of entries (struct wait_queue_head). Every socket has one, so it has no private methods: those take a field. */
export class WaitQueue {
  head: WaitNode | null = null;

  /** add_wait_queue: non-exclusive entries go to the head, so the newest is told first. */
  add(entry: WaitNode): void {
    const { head } = this;
    entry.whead = this;
    entry.next = head;
    if (head === null) {
      entry.prev = entry;
    } else {
      entry.prev = head.prev;
      head.prev = entry;
    }
    this.head = entry;
  }

  /** add_wait_queue_exclusive: at the tail, served first come, first served. */
  addExclusive(entry: WaitNode): void {
    const { head } = this;
    entry.flags |= WQ_FLAG_EXCLUSIVE;
    if (head === null) {
      this.add(entry);
      return;
    }
    const tail = head.prev as WaitNode;
    entry.whead = this;
    entry.next = null;
    entry.prev = tail;
    tail.next = entry;
    head.prev = entry;
  }

  remove(entry: WaitNode): void {
    if (entry.whead !== this) return;
    const { next } = entry;
    const prev = entry.prev as WaitNode;
    if (entry === this.head) this.head = next;
    else prev.next = next;
    if (next !== null) next.prev = prev;
    else if (this.head !== null) this.head.prev = prev;
    entry.whead = null;
    entry.next = null;
    entry.prev = null;
  }

  /** waitqueue_active */
  get active(): boolean {
    return this.head !== null;
  }

  /** __wake_up: everyone not exclusive, and exclusive entries until `exclusive` of them were woken (0: all of them). */
  wake(key: number, exclusive: number): void {
    if (traceWakeUpCommon.on) tracedWalk(this, key, exclusive);
    else walk(this, key, exclusive);
  }

  /** As `wake` for one exclusive entry, which is the last of them from then on. No kernel has it; a program may ask a listener for it. */
  wakeInTurns(key: number): void {
    const woken = traceWakeUpCommon.on ? tracedWalk(this, key, 1) : walk(this, key, 1);
    // A blocking call has left the queue already.
    if (woken?.whead !== this) return;
    this.remove(woken);
    this.addExclusive(woken);
  }
}

function tracedWalk(queue: WaitQueue, key: number, exclusive: number): WaitNode | null {
  traceWakeUpCommon.emit(null, { key, exclusive, nested: wakeNesting.depth });
  wakeNesting.depth++;
  try {
    return walk(queue, key, exclusive);
  } finally {
    wakeNesting.depth--;
  }
}

/** __wake_up_common. @returns the exclusive entry that ended it */
function walk(queue: WaitQueue, key: number, exclusive: number): WaitNode | null {
  let left = exclusive;
  for (let entry = queue.head; entry !== null; ) {
    const next: WaitNode | null = entry.next;
    const isExclusive = (entry.flags & WQ_FLAG_EXCLUSIVE) !== 0;
    if (entry.woken(key) && isExclusive && --left === 0) return entry;
    entry = next;
  }
  return null;
}

/** A call asleep: a promise that a wake-up, a timeout or a signal resolves. */
export interface Sleeper {
  /** try_to_wake_up: true if it was asleep and now is not. */
  wake(key: number): boolean;
}

/** Wakes the sleeper behind the entry and takes the entry out, so that it is woken once (autoremove_wake_function). */
export function autoremoveWakeFunction(entry: WaitQueueEntry, key: number): boolean {
  const woken = (entry.private_ as Sleeper).wake(key);
  if (woken) entry.whead?.remove(entry);
  return woken;
}
