// One neighbour: the Ethernet address of an IP address on our link, and how sure we are of it (net/core/neighbour.c).
// The machine of RFC 4861 section 7.3, which Linux runs for ARP too. One timer each, however many packets wait.

import { below } from '../core/random.js';
import { Timer } from '../time/timer-wheel.js';
import type { NeighbourTable } from './neighbour-table.js';

/** States (linux/neighbour.h). */
export const NUD_NONE = 0;
export const NUD_INCOMPLETE = 0x01;
export const NUD_REACHABLE = 0x02;
export const NUD_STALE = 0x04;
export const NUD_DELAY = 0x08;
export const NUD_PROBE = 0x10;
export const NUD_FAILED = 0x20;
export const NUD_PERMANENT = 0x80;
/** The address is known. */
export const NUD_VALID = NUD_PERMANENT | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;
/** The address is known to work. */
export const NUD_CONNECTED = NUD_PERMANENT | NUD_REACHABLE;
/** Sending needs no step of the machine: the address is good, or being asked about already. */
const NUD_SEND = NUD_CONNECTED | NUD_DELAY | NUD_PROBE;

/** A new address does not replace one learnt less than this ago (LOCKTIME, one second). */
const LOCKTIME_MS = 1000;

export class Neighbour extends Timer {
  readonly table: NeighbourTable;
  /** IPv4 address, host order. */
  readonly address: number;
  state = NUD_NONE;
  macHigh = 0;
  macLow = 0;
  /** When the address or state last changed, was last confirmed, and last used to send (host.nowMs). */
  updated: number;
  confirmed: number;
  used: number;
  /** Solicitations sent in INCOMPLETE or PROBE. */
  probes = 0;
  /** Thrown out of the table: whoever still refers to it looks it up again. */
  dead = false;
  /** Frames that wait for the address: chunks of packet memory, oldest first. */
  queueHead = 0;
  queueTail = 0;
  queueLength = 0;
  /** Who wants to know when they are gone, sent or not (tcp_wfree). */
  #waiters: Map<object, () => void> | null = null;
  #reachableMs = 0;

  constructor(table: NeighbourTable, address: number) {
    super();
    this.table = table;
    this.address = address;
    const now = table.host.nowMs;
    this.updated = now;
    this.used = now;
    this.confirmed = this.#longAgo();
  }

  /** neigh_event_send: notes the use. True if a frame can go now; false if it must wait for `resolve`. */
  readyToSend(): boolean {
    const host = this.table.host;
    this.used = host.nowMs;
    if ((this.state & NUD_SEND) !== 0) return true;
    if (this.state !== NUD_STALE) return false;
    // What is not known to work is used first and probed later, unless a transport vouches for it (RFC 4861 7.3.3).
    this.#enter(NUD_DELAY);
    host.wheel.arm(this, host.sysctl.neighDelayFirstProbeTime * 1000);
    return true;
  }

  /** `resume` is called once when the frames that wait now are gone; once, too, if `who` asks again. */
  whenGone(who: object, resume: () => void): void {
    this.#waiters ??= new Map();
    this.#waiters.set(who, resume);
  }

  /** The queue is empty. */
  gone(): void {
    const waiters = this.#waiters;
    this.#waiters = null;
    if (waiters !== null) for (const resume of waiters.values()) resume();
  }

  /** Starts asking for the address, or asking again after a failure. The frame that wants it is queued already. */
  resolve(): void {
    if ((this.state & (NUD_VALID | NUD_INCOMPLETE)) !== 0) return;
    this.probes = 0;
    this.#enter(NUD_INCOMPLETE);
    this.#solicit();
  }

  /** __neigh_update: something was heard about this neighbour. `override`: a different address replaces the known one. */
  update(high: number, low: number, state: number, override: boolean): void {
    const host = this.table.host;
    const old = this.state;
    if (old === NUD_PERMANENT) return;
    if ((state & NUD_CONNECTED) !== 0) this.confirmed = host.nowMs;
    const same = this.macHigh === high && this.macLow === low;
    if ((old & NUD_VALID) !== 0) {
      if (!same && !override) return;
      if (same && state === NUD_STALE) return;
    }
    if (!same || (old & NUD_VALID) === 0) {
      this.macHigh = high;
      this.macLow = low;
      this.updated = host.nowMs;
      if ((state & NUD_CONNECTED) === 0) this.confirmed = this.#longAgo();
    }
    host.wheel.cancel(this);
    this.probes = 0;
    this.#enter(state);
    if (state === NUD_REACHABLE) this.#armReachable();
    if ((old & NUD_VALID) === 0) this.table.sendQueued(this);
  }

  /** True if an address learnt a moment ago must not be replaced by an unsolicited answer (arp_process). */
  get locked(): boolean {
    return ((this.table.host.nowMs - this.updated) | 0) <= LOCKTIME_MS;
  }

  /** A static entry: never asked about, never forgotten. */
  makePermanent(high: number, low: number): void {
    const old = this.state;
    this.table.host.wheel.cancel(this);
    this.macHigh = high;
    this.macLow = low;
    this.#enter(NUD_PERMANENT);
    if ((old & NUD_VALID) === 0) this.table.sendQueued(this);
  }

  /** neigh_timer_handler */
  override expire(): void {
    const host = this.table.host;
    const now = host.nowMs;
    const delay = host.sysctl.neighDelayFirstProbeTime * 1000;
    switch (this.state) {
      case NUD_REACHABLE:
        if (((now - this.confirmed) | 0) < this.#reachableMs) {
          host.wheel.arm(this, (this.confirmed + this.#reachableMs - now) | 0);
        } else if (((now - this.used) | 0) <= delay) {
          this.#enter(NUD_DELAY);
          host.wheel.arm(this, delay);
        } else {
          this.#enter(NUD_STALE);
        }
        return;
      case NUD_DELAY:
        // Strictly: the kernel's timers are late, so that what was confirmed with the packet that began the delay is not new enough.
        if (((now - this.confirmed) | 0) < delay) {
          // A transport vouched for it meanwhile.
          this.#enter(NUD_REACHABLE);
          this.#armReachable();
        } else {
          this.probes = 0;
          this.#enter(NUD_PROBE);
          if (host.sysctl.neighUcastSolicit > 0) this.#solicit();
          else this.#fail();
        }
        return;
      case NUD_PROBE:
        if (this.probes < host.sysctl.neighUcastSolicit) {
          this.#solicit();
        } else {
          this.#fail();
        }
        return;
      case NUD_INCOMPLETE:
        if (this.probes < host.sysctl.neighMcastSolicit) this.#solicit();
        else this.#fail();
        return;
    }
  }

  #longAgo(): number {
    return (this.table.host.nowMs - 2 * this.table.host.sysctl.neighBaseReachableTimeMs) | 0;
  }

  #enter(state: number): void {
    if (state !== this.state) this.updated = this.table.host.nowMs;
    this.state = state;
  }

  #armReachable(): void {
    // neigh_rand_reach_time: between half and one and a half times the base, so that hosts do not ask in step.
    const base = this.table.host.sysctl.neighBaseReachableTimeMs;
    this.#reachableMs = (base >> 1) + below(this.table.host.random, base);
    this.table.host.wheel.arm(this, this.#reachableMs);
  }

  #solicit(): void {
    this.probes++;
    this.table.host.wheel.arm(this, this.table.host.sysctl.neighRetransTimeMs);
    this.table.solicit(this);
  }

  #fail(): void {
    this.#enter(NUD_FAILED);
    this.table.failed(this);
  }
}
