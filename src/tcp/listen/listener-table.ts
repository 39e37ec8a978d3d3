// Listeners by port (inet_lhashtable). Of those that fit, the most specific address wins; members of an SO_REUSEPORT group
// share the connections by the hash of the four-tuple, so that one client's SYN always meets the same listener.

import type { IpAddress } from '../../packet/address.js';
import type { TcpSock } from '../sock.js';

export class ListenerTable {
  readonly #ports = new Map<number, TcpSock[]>();

  insert(sk: TcpSock): void {
    const list = this.#ports.get(sk.sport);
    if (list === undefined) this.#ports.set(sk.sport, [sk]);
    else list.push(sk);
  }

  remove(sk: TcpSock): void {
    const list = this.#ports.get(sk.sport);
    const at = list?.indexOf(sk) ?? -1;
    if (list === undefined || at < 0) return;
    list.splice(at, 1);
    if (list.length === 0) this.#ports.delete(sk.sport);
  }

  /** inet_lookup_listener: `hash` is the four-tuple's, `device` the index of the interface the segment came in by. */
  lookup(local: IpAddress, port: number, hash: number, device: number): TcpSock | null {
    const list = this.#ports.get(port);
    if (list === undefined) return null;
    if (list.length === 1) return matches(list[0], local, device) ? list[0] : null;
    let best: TcpSock | null = null;
    let group = 0;
    for (const sk of list) {
      if (!matches(sk, local, device)) continue;
      if (best === null || rank(sk) > rank(best)) {
        best = sk;
        group = 1;
      } else if (rank(sk) === rank(best) && best.laddr.equals(sk.laddr) && sk.reusePort && best.reusePort) {
        group++;
      }
    }
    if (best === null || group < 2) return best;
    let pick = share(hash, group);
    for (const sk of list) {
      const isMember = sk.reusePort && rank(sk) === rank(best) && sk.laddr.equals(best.laddr);
      if (isMember && matches(sk, local, device) && pick-- === 0) return sk;
    }
    return best;
  }

  /** reuseport_select_sock_by_hash: another of the SO_REUSEPORT group that `sk`, which listens no more, was in. */
  another(sk: TcpSock, hash: number): TcpSock | null {
    const group = this.#group(sk);
    return group.length === 0 ? null : group[share(hash, group.length)];
  }

  /** One of `sk`'s SO_REUSEPORT group that does not pause (steering.ts), while `sk` does. */
  awake(sk: TcpSock, hash: number): TcpSock | null {
    const group = this.#group(sk).filter(({ owned, listener }) => !owned && !listener?.steering?.paused);
    return group.length === 0 ? null : group[share(hash, group.length)];
  }

  #group({ sport, laddr, boundDevice }: TcpSock): TcpSock[] {
    const list = this.#ports.get(sport) ?? [];
    return list.filter((one) => one.reusePort && one.boundDevice === boundDevice && one.laddr.equals(laddr));
  }

  *[Symbol.iterator](): IterableIterator<TcpSock> {
    for (const list of this.#ports.values()) yield* list;
  }
}

/** reciprocal_scale: an even share of the hash space for each of a group. */
function share(hash: number, group: number): number {
  return Math.floor(((hash >>> 0) / 0x100000000) * group);
}

function matches(sk: TcpSock, local: IpAddress, device: number): boolean {
  return (sk.boundDevice === 0 || sk.boundDevice === device) && (sk.laddr.isAny || sk.laddr.equals(local));
}

/** How closely it is bound: an address counts for more than an interface (__inet_lookup_listener, compute_score). */
function rank(sk: TcpSock): number {
  return (sk.laddr.isAny ? 0 : 2) + (sk.boundDevice === 0 ? 0 : 1);
}
