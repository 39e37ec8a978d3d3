// The yes and no of a TCP sock, a bit each: as fields they would take eight bytes apiece of every idle connection.

import { Sock } from '../core/sock.js';

const HASHED = 1 << 0;
const FIN_QUEUED = 1 << 1;
const DONE = 1 << 2;
const TSTAMP_OK = 1 << 3;
const SACK_OK = 1 << 4;
const WSCALE_OK = 1 << 5;
const ACK_DEFERRED = 1 << 6;
const DEFERRED = 1 << 7;
const PACING_NEEDED = 1 << 8;
const RATE_APP_LIMITED = 1 << 9;

export abstract class FlaggedSock extends Sock {
  #bits = 0;

  /** It stands in the demux table. */
  get hashed(): boolean {
    return (this.#bits & HASHED) !== 0;
  }

  set hashed(on: boolean) {
    this.#bits = on ? this.#bits | HASHED : this.#bits & ~HASHED;
  }

  get finQueued(): boolean {
    return (this.#bits & FIN_QUEUED) !== 0;
  }

  set finQueued(on: boolean) {
    this.#bits = on ? this.#bits | FIN_QUEUED : this.#bits & ~FIN_QUEUED;
  }

  /** SOCK_DONE: the peer's FIN was received. */
  get done(): boolean {
    return (this.#bits & DONE) !== 0;
  }

  set done(on: boolean) {
    this.#bits = on ? this.#bits | DONE : this.#bits & ~DONE;
  }

  get tstampOk(): boolean {
    return (this.#bits & TSTAMP_OK) !== 0;
  }

  set tstampOk(on: boolean) {
    this.#bits = on ? this.#bits | TSTAMP_OK : this.#bits & ~TSTAMP_OK;
  }

  get sackOk(): boolean {
    return (this.#bits & SACK_OK) !== 0;
  }

  set sackOk(on: boolean) {
    this.#bits = on ? this.#bits | SACK_OK : this.#bits & ~SACK_OK;
  }

  get wscaleOk(): boolean {
    return (this.#bits & WSCALE_OK) !== 0;
  }

  set wscaleOk(on: boolean) {
    this.#bits = on ? this.#bits | WSCALE_OK : this.#bits & ~WSCALE_OK;
  }

  /** An ACK leaves with this batch. */
  get ackDeferred(): boolean {
    return (this.#bits & ACK_DEFERRED) !== 0;
  }

  set ackDeferred(on: boolean) {
    this.#bits = on ? this.#bits | ACK_DEFERRED : this.#bits & ~ACK_DEFERRED;
  }

  /** It stands in the list of those that the end of the batch looks at. */
  get deferred(): boolean {
    return (this.#bits & DEFERRED) !== 0;
  }

  set deferred(on: boolean) {
    this.#bits = on ? this.#bits | DEFERRED : this.#bits & ~DEFERRED;
  }

  /** The congestion control wants its segments spread over time. */
  get pacingNeeded(): boolean {
    return (this.#bits & PACING_NEEDED) !== 0;
  }

  set pacingNeeded(on: boolean) {
    this.#bits = on ? this.#bits | PACING_NEEDED : this.#bits & ~PACING_NEEDED;
  }

  get rateAppLimited(): boolean {
    return (this.#bits & RATE_APP_LIMITED) !== 0;
  }

  set rateAppLimited(on: boolean) {
    this.#bits = on ? this.#bits | RATE_APP_LIMITED : this.#bits & ~RATE_APP_LIMITED;
  }
}
