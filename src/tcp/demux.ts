// From a segment's four-tuple to whom it belongs: keyed hash tables for connections, requests and TIME_WAIT remnants, and
// the listeners by port (inet_hashtables.c). O(1) however many there are, and not to be flooded from outside.

import type { HsipKey } from '../core/hsiphash.js';
import type { IpAddress } from '../packet/address.js';

/** One entry of a table: the local end is `saddr:sport`, the peer `daddr:dport`. */
export interface Tuple<T> {
  saddr: IpAddress;
  daddr: IpAddress;
  sport: number;
  dport: number;
  hash: number;
  hashNext: T | null;
}

function fold(key: HsipKey, address: IpAddress): number {
  return (address.b | address.c | address.d) === 0
    ? address.a
    : key.hash3(address.a ^ address.b, address.c, address.d, 1);
}

/** inet_ehashfn */
export function tupleHash(
  key: HsipKey,
  local: IpAddress,
  lport: number,
  remote: IpAddress,
  rport: number,
): number {
  return key.hash3(fold(key, local), fold(key, remote), (lport << 16) | rport, 1);
}

const FIRST_BUCKETS = 64;

export class TupleTable<T extends Tuple<T>> {
  count = 0;
  #buckets: (T | null)[] = new Array<T | null>(FIRST_BUCKETS).fill(null);
  #mask = FIRST_BUCKETS - 1;

  lookup(hash: number, local: IpAddress, lport: number, remote: IpAddress, rport: number): T | null {
    for (let entry = this.#buckets[hash & this.#mask]; entry !== null; entry = entry.hashNext) {
      if (
        entry.hash === hash &&
        entry.dport === rport &&
        entry.sport === lport &&
        entry.daddr.equals(remote) &&
        entry.saddr.equals(local)
      ) {
        return entry;
      }
    }
    return null;
  }

  insert(entry: T, hash: number): void {
    if (this.count > this.#mask) this.#grow();
    entry.hash = hash;
    entry.hashNext = this.#buckets[hash & this.#mask];
    this.#buckets[hash & this.#mask] = entry;
    this.count++;
  }

  remove(entry: T): void {
    const at = entry.hash & this.#mask;
    let previous: T | null = null;
    for (let e = this.#buckets[at]; e !== null; e = e.hashNext) {
      if (e === entry) {
        if (previous === null) this.#buckets[at] = entry.hashNext;
        else previous.hashNext = entry.hashNext;
        entry.hashNext = null;
        this.count--;
        return;
      }
      previous = e;
    }
  }

  /** All entries; for listings and for closing the stack. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (const head of [...this.#buckets]) {
      for (let entry = head; entry !== null; ) {
        const next: T | null = entry.hashNext;
        yield entry;
        entry = next;
      }
    }
  }

  #grow(): void {
    const old = this.#buckets;
    const size = old.length * 2;
    this.#buckets = new Array<T | null>(size).fill(null);
    this.#mask = size - 1;
    for (const head of old) {
      for (let entry = head; entry !== null; ) {
        const next: T | null = entry.hashNext;
        const at = entry.hash & this.#mask;
        entry.hashNext = this.#buckets[at];
        this.#buckets[at] = entry;
        entry = next;
      }
    }
  }
}
