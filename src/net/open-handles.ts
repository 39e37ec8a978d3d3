// All handles that are open on a stack, linked through themselves. A Set through which short-lived ones pass would not do: its old tables
// lie in the old generation, and keep what was in them, with all that hangs on it, until a full collection.

export interface OpenHandle {
  /** Neighbours in the list; whose they are is the list's business alone. */
  openBefore: OpenHandle | null;
  openAfter: OpenHandle | null;
}

export class OpenHandles<T extends OpenHandle> {
  #first: OpenHandle | null = null;
  #last: OpenHandle | null = null;

  add(handle: T): void {
    if (this.#has(handle)) return;
    handle.openBefore = this.#last;
    if (this.#last === null) this.#first = handle;
    else this.#last.openAfter = handle;
    this.#last = handle;
  }

  delete(handle: T): void {
    if (!this.#has(handle)) return;
    const { openBefore: before, openAfter: after } = handle;
    if (before === null) this.#first = after;
    else before.openAfter = after;
    if (after === null) this.#last = before;
    else after.openBefore = before;
    handle.openBefore = null;
    handle.openAfter = null;
  }

  /** In the order in which they were opened, as they are now: telling one may close others. */
  all(): T[] {
    const handles: T[] = [];
    for (let handle = this.#first; handle !== null; handle = handle.openAfter) handles.push(handle as T);
    return handles;
  }

  #has(handle: T): boolean {
    return handle.openBefore !== null || this.#first === handle;
  }
}
