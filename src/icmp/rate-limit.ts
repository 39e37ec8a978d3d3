// How many ICMP errors leave this host: a token bucket for all of them (icmp_global_allow) and one for each destination
// (inet_peer_xrlim_allow), so that a flood of bad packets cannot make us flood somebody else.

import type { Host } from '../core/host.js';
import { below } from '../core/random.js';
import type { Route } from '../ip/routes.js';
import {
  ICMP_DEST_UNREACH,
  ICMP_PARAMETERPROB,
  ICMP_SOURCE_QUENCH,
  ICMP_TIME_EXCEEDED,
} from '../packet/icmp.js';

/** icmp_ratemask: the types that are limited. */
const RATEMASK =
  (1 << ICMP_DEST_UNREACH) |
  (1 << ICMP_SOURCE_QUENCH) |
  (1 << ICMP_TIME_EXCEEDED) |
  (1 << ICMP_PARAMETERPROB);
/** A destination may get this many at once (XRLIM_BURST_FACTOR). */
const BURST_FACTOR = 6;
/** The global bucket is refilled in steps of at least this (HZ / 50). */
const REFILL_MS = 20;

export class IcmpRateLimit {
  readonly #host: Host;
  #credit = 0;
  #stamp: number;

  constructor(host: Host) {
    this.#host = host;
    this.#stamp = (host.nowMs - 1000) | 0;
  }

  static limits(type: number): boolean {
    return (RATEMASK & (1 << type)) !== 0;
  }

  /** True if the host as a whole may send another; `consume` then takes it from the bucket. */
  globalAllows(): boolean {
    if (this.#credit > 0) return true;
    const elapsed = (this.#host.nowMs - this.#stamp) | 0;
    const delta = elapsed < 0 || elapsed > 1000 ? 1000 : elapsed;
    if (delta < REFILL_MS) return false;
    const { icmpMsgsPerSec, icmpMsgsBurst } = this.#host.sysctl;
    const refill = Math.floor((icmpMsgsPerSec * delta) / 1000);
    if (refill === 0) return false;
    this.#stamp = this.#host.nowMs;
    this.#credit = Math.min(refill, icmpMsgsBurst);
    return this.#credit > 0;
  }

  /** Takes one token on average: an exact count would tell an attacker which ports answer (SAD DNS). */
  consume(): void {
    this.#credit = Math.max(0, this.#credit - below(this.#host.random, 3));
  }

  /** True, and counted against it, if this destination may get another. */
  destinationAllows(route: Route): boolean {
    const interval = this.#host.sysctl.icmpRatelimit;
    const most = BURST_FACTOR * interval;
    const elapsed = (this.#host.nowMs - route.icmpLast) | 0;
    const tokens = elapsed < 0 ? most : Math.min(route.icmpTokens + elapsed, most);
    const allowed = tokens >= interval;
    route.icmpTokens = allowed ? tokens - interval : tokens;
    route.icmpLast = this.#host.nowMs;
    return allowed;
  }
}
