// The yes and no of a TCP sock, and its small numbers, in the word that every sock has (core/flag-word.ts).

import { FLAG_BITS } from '../core/flag-word.js';
import { Sock } from '../core/sock.js';

const HASHED = 1 << FLAG_BITS;
const FIN_QUEUED = 1 << (FLAG_BITS + 1);
const DONE = 1 << (FLAG_BITS + 2);
const TSTAMP_OK = 1 << (FLAG_BITS + 3);
const SACK_OK = 1 << (FLAG_BITS + 4);
const WSCALE_OK = 1 << (FLAG_BITS + 5);
const ACK_DEFERRED = 1 << (FLAG_BITS + 6);
const DEFERRED = 1 << (FLAG_BITS + 7);
const PACING_NEEDED = 1 << (FLAG_BITS + 8);
const RATE_APP_LIMITED = 1 << (FLAG_BITS + 9);
const ACCEPT_QUEUED = 1 << (FLAG_BITS + 10);
const NONAGLE_SHIFT = FLAG_BITS + 11;
const NONAGLE_BITS = 7 << NONAGLE_SHIFT;
const SND_WSCALE_SHIFT = FLAG_BITS + 14;
const SND_WSCALE_BITS = 15 << SND_WSCALE_SHIFT;
const RCV_WSCALE_SHIFT = FLAG_BITS + 18;
const RCV_WSCALE_BITS = 15 << RCV_WSCALE_SHIFT;
const SEND_DEFERRED = 1 << (FLAG_BITS + 22);

export abstract class FlaggedSock extends Sock {
  /** It stands in the demux table. */
  get hashed(): boolean {
    return (this.bits & HASHED) !== 0;
  }

  set hashed(on: boolean) {
    this.bits = on ? this.bits | HASHED : this.bits & ~HASHED;
  }

  /** Our FIN is in the send queue, or sent. */
  get finQueued(): boolean {
    return (this.bits & FIN_QUEUED) !== 0;
  }

  set finQueued(on: boolean) {
    this.bits = on ? this.bits | FIN_QUEUED : this.bits & ~FIN_QUEUED;
  }

  /** SOCK_DONE: the peer's FIN was received. */
  get done(): boolean {
    return (this.bits & DONE) !== 0;
  }

  set done(on: boolean) {
    this.bits = on ? this.bits | DONE : this.bits & ~DONE;
  }

  /** rx_opt.tstamp_ok: segments bear timestamps (RFC 7323). Before the handshake is over: we offer them, this and the two below. */
  get tstampOk(): boolean {
    return (this.bits & TSTAMP_OK) !== 0;
  }

  set tstampOk(on: boolean) {
    this.bits = on ? this.bits | TSTAMP_OK : this.bits & ~TSTAMP_OK;
  }

  /** rx_opt.sack_ok: selective acknowledgements (RFC 2018). */
  get sackOk(): boolean {
    return (this.bits & SACK_OK) !== 0;
  }

  set sackOk(on: boolean) {
    this.bits = on ? this.bits | SACK_OK : this.bits & ~SACK_OK;
  }

  /** rx_opt.wscale_ok: windows are scaled (RFC 7323). */
  get wscaleOk(): boolean {
    return (this.bits & WSCALE_OK) !== 0;
  }

  set wscaleOk(on: boolean) {
    this.bits = on ? this.bits | WSCALE_OK : this.bits & ~WSCALE_OK;
  }

  /** An ACK leaves with this batch. */
  get ackDeferred(): boolean {
    return (this.bits & ACK_DEFERRED) !== 0;
  }

  set ackDeferred(on: boolean) {
    this.bits = on ? this.bits | ACK_DEFERRED : this.bits & ~ACK_DEFERRED;
  }

  /** Something to send waits for the end of the batch; else it is an ACK alone that does. */
  get sendDeferred(): boolean {
    return (this.bits & SEND_DEFERRED) !== 0;
  }

  set sendDeferred(on: boolean) {
    this.bits = on ? this.bits | SEND_DEFERRED : this.bits & ~SEND_DEFERRED;
  }

  /** It stands in the list of those that the end of the batch looks at. */
  get deferred(): boolean {
    return (this.bits & DEFERRED) !== 0;
  }

  set deferred(on: boolean) {
    this.bits = on ? this.bits | DEFERRED : this.bits & ~DEFERRED;
  }

  /** The congestion control wants its segments spread over time. */
  get pacingNeeded(): boolean {
    return (this.bits & PACING_NEEDED) !== 0;
  }

  set pacingNeeded(on: boolean) {
    this.bits = on ? this.bits | PACING_NEEDED : this.bits & ~PACING_NEEDED;
  }

  /** rate_app_limited: the program was the limit when the delivery rate was last measured. */
  get rateAppLimited(): boolean {
    return (this.bits & RATE_APP_LIMITED) !== 0;
  }

  set rateAppLimited(on: boolean) {
    this.bits = on ? this.bits | RATE_APP_LIMITED : this.bits & ~RATE_APP_LIMITED;
  }

  /** It stands in its listener's accept queue. */
  get acceptQueued(): boolean {
    return (this.bits & ACCEPT_QUEUED) !== 0;
  }

  set acceptQueued(on: boolean) {
    this.bits = on ? this.bits | ACCEPT_QUEUED : this.bits & ~ACCEPT_QUEUED;
  }

  /** TCP_NAGLE_* */
  get nonagle(): number {
    return (this.bits & NONAGLE_BITS) >> NONAGLE_SHIFT;
  }

  set nonagle(mask: number) {
    this.bits = (this.bits & ~NONAGLE_BITS) | (mask << NONAGLE_SHIFT);
  }

  /** rx_opt.snd_wscale: shift of the windows that the peer announces. */
  get sndWscale(): number {
    return (this.bits & SND_WSCALE_BITS) >> SND_WSCALE_SHIFT;
  }

  set sndWscale(scale: number) {
    this.bits = (this.bits & ~SND_WSCALE_BITS) | (scale << SND_WSCALE_SHIFT);
  }

  /** rx_opt.rcv_wscale: shift of the windows that we announce. */
  get rcvWscale(): number {
    return (this.bits & RCV_WSCALE_BITS) >> RCV_WSCALE_SHIFT;
  }

  set rcvWscale(scale: number) {
    this.bits = (this.bits & ~RCV_WSCALE_BITS) | (scale << RCV_WSCALE_SHIFT);
  }
}
