// What an eventpoll watches (the kernel's red-black tree `rbr`): a hash table chained through the items, by descriptor number.
// A Map would take three times as much of each registration, and keeps the graves of what was removed in the way.

import type { File } from '../core/file.js';
import type { EpItem } from './epitem.js';

const FIRST_BUCKETS = 8;

export class InterestSet {
  #count = 0;
  #buckets: (EpItem | null)[] = new Array<EpItem | null>(FIRST_BUCKETS).fill(null);

  /** The same number may be registered several times: a descriptor was closed while a dup of its file lives. */
  find(file: File, fd: number): EpItem | null {
    const buckets = this.#buckets;
    let item = buckets[fd & (buckets.length - 1)];
    while (item !== null && (item.fd !== fd || item.file !== file)) item = item.setNext;
    return item;
  }

  insert(item: EpItem): void {
    if (this.#count >= this.#buckets.length) this.#grow();
    this.#link(item);
    this.#count++;
  }

  remove(item: EpItem): void {
    const buckets = this.#buckets;
    const at = item.fd & (buckets.length - 1);
    const first = buckets[at] as EpItem;
    if (first === item) {
      buckets[at] = item.setNext;
    } else {
      let before = first;
      while (before.setNext !== item) before = before.setNext as EpItem;
      before.setNext = item.setNext;
    }
    item.setNext = null;
    this.#count--;
  }

  *[Symbol.iterator](): IterableIterator<EpItem> {
    for (const first of this.#buckets) {
      for (let item = first; item !== null; item = item.setNext) yield item;
    }
  }

  #link(item: EpItem): void {
    const buckets = this.#buckets;
    const at = item.fd & (buckets.length - 1);
    item.setNext = buckets[at];
    buckets[at] = item;
  }

  #grow(): void {
    const old = this.#buckets;
    this.#buckets = new Array<EpItem | null>(old.length * 2).fill(null);
    for (const first of old) {
      for (let item = first; item !== null; ) {
        const next: EpItem | null = item.setNext;
        this.#link(item);
        item = next;
      }
    }
  }
}
