// What is remembered of a destination from one connection to the next (net/ipv4/tcp_metrics.c): one bounded table, by our
// address and the peer's. save-metrics.ts writes and reads the round-trip time and windows here.

import type { Host } from '../../core/host.js';
import type { HsipKey } from '../../core/hsiphash.js';
import type { RouteMetrics } from '../../ip/route-metrics.js';
import type { IpAddress } from '../../packet/address.js';
import { tupleHash } from '../demux.js';

/** What is older than an hour is no better than what the route says (TCP_METRICS_TIMEOUT). */
const TIMEOUT_MS = 3_600_000;
/** A chain that is longer gives up its oldest for a newcomer (TCP_METRICS_RECLAIM_DEPTH). */
const RECLAIM_DEPTH = 5;
const BUCKETS = 1024;

const NO_COOKIE = new Uint8Array(0);

/** What Fast Open remembers of a server (struct tcp_fastopen_metrics); it does not grow old. */
export class FastOpenMetrics {
  /** The MSS of its last SYN-ACK; 0: not known. */
  mss = 0;
  /** Empty: none yet. */
  cookie: Uint8Array = NO_COOKIE;
  /** The cookie came in the experimental option. */
  exp = false;
  /** 1: ask by the experimental option next time; 2: that was tried, too. */
  tryExp = 0;
  /** SYNs with data that were lost in a row, and when the last. */
  synLoss = 0;
  lastSynLoss = 0;
}

/** One destination (struct tcp_metrics_block). Times are microseconds, srtt << 3 and mdev << 2 as on the sock; 0: not known. */
export class TcpMetrics {
  readonly saddr: IpAddress;
  readonly daddr: IpAddress;
  next: TcpMetrics | null = null;
  /** Milliseconds of stack time when it was last written. */
  stamp = 0;
  rttUs = 0;
  rttvarUs = 0;
  ssthresh = 0;
  cwnd = 0;
  reordering = 0;
  fastopen: FastOpenMetrics | null = null;
  /** The line of the routing table that it was begun with, for what is locked there. */
  route: RouteMetrics;

  constructor(saddr: IpAddress, daddr: IpAddress, route: RouteMetrics, nowMs: number) {
    this.saddr = saddr.clone();
    this.daddr = daddr.clone();
    this.route = route;
    this.reset(route, nowMs);
  }

  /** tcpm_suck_dst: begins again with what the route says. */
  reset(route: RouteMetrics, nowMs: number): void {
    this.route = route;
    this.stamp = nowMs;
    this.rttUs = route.rtt * 8000;
    this.rttvarUs = route.rttvar * 4000;
    this.ssthresh = route.ssthresh;
    this.cwnd = route.cwnd;
    this.reordering = route.reordering;
  }
}

export class TcpMetricsTable {
  readonly #host: Host;
  readonly #key: HsipKey;
  /** Made when there is something to remember. */
  #buckets: (TcpMetrics | null)[] = [];
  count = 0;

  constructor(host: Host, key: HsipKey) {
    this.#host = host;
    this.#key = key;
  }

  /** What is known of the way from `saddr` to `daddr`, or null (tcp_get_metrics). */
  lookup(saddr: IpAddress, daddr: IpAddress, route: RouteMetrics): TcpMetrics | null {
    if (this.count === 0) return null;
    let entry = this.#buckets[this.#bucket(saddr, daddr)];
    while (entry !== null && !(entry.daddr.equals(daddr) && entry.saddr.equals(saddr))) entry = entry.next;
    if (entry === null) return null;
    const age = (this.#host.nowMs - entry.stamp) | 0;
    if (age < 0 || age > TIMEOUT_MS) entry.reset(route, this.#host.nowMs);
    return entry;
  }

  /** The same, made if it is not there; the oldest of a long chain goes for it (tcpm_new). */
  lookupOrCreate(saddr: IpAddress, daddr: IpAddress, route: RouteMetrics): TcpMetrics {
    const known = this.lookup(saddr, daddr, route);
    if (known !== null) return known;
    if (this.#buckets.length === 0) this.#buckets = new Array<TcpMetrics | null>(BUCKETS).fill(null);
    const bucket = this.#bucket(saddr, daddr);
    this.#reclaim(bucket);
    const entry = new TcpMetrics(saddr, daddr, route, this.#host.nowMs);
    entry.next = this.#buckets[bucket];
    this.#buckets[bucket] = entry;
    this.count++;
    return entry;
  }

  /** Forgets what is known of `daddr`, or everything. How many destinations that were. */
  flush(daddr: IpAddress | null = null): number {
    const before = this.count;
    for (let i = 0; i < this.#buckets.length; i++) {
      let last: TcpMetrics | null = null;
      for (let entry = this.#buckets[i]; entry !== null; entry = entry.next) {
        if (daddr === null || entry.daddr.equals(daddr)) {
          if (last === null) this.#buckets[i] = entry.next;
          else last.next = entry.next;
          this.count--;
        } else last = entry;
      }
    }
    return before - this.count;
  }

  *[Symbol.iterator](): IterableIterator<TcpMetrics> {
    for (const first of this.#buckets)
      for (let entry: TcpMetrics | null = first; entry !== null; entry = entry.next) yield entry;
  }

  #bucket(saddr: IpAddress, daddr: IpAddress): number {
    return tupleHash(this.#key, saddr, 0, daddr, 0) & (BUCKETS - 1);
  }

  #reclaim(bucket: number): void {
    let depth = 0;
    let oldest = this.#buckets[bucket];
    for (let entry = oldest; entry !== null; entry = entry.next) {
      depth++;
      if (oldest !== null && ((entry.stamp - oldest.stamp) | 0) < 0) oldest = entry;
    }
    if (depth <= RECLAIM_DEPTH || oldest === null) return;
    let entry = this.#buckets[bucket];
    if (entry === oldest) this.#buckets[bucket] = oldest.next;
    while (entry !== null && entry.next !== oldest) entry = entry.next;
    if (entry !== null) entry.next = oldest.next;
    this.count--;
  }
}
