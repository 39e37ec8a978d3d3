// SYN cookies (RFC 4987 section 3.6; net/ipv4/syncookies.c): with the SYN queue full, the SYN is remembered by the client
// instead of us. Our initial sequence number holds a keyed hash, the minute and the MSS; the timestamp's low bits the options.

import type { Host } from '../../core/host.js';
import { HsipKey } from '../../core/hsiphash.js';
import type { IpAddress } from '../../packet/address.js';
import type { Segment } from '../segment.js';
import type { RequestSock } from './request-sock.js';

/** Values of the MSS that are common; the cookie has room for an index, and the client gets the next lower one. */
const MSS_TABLE = [536, 1300, 1440, 1460];
const COOKIE_BITS = 24;
const COOKIE_MASK = (1 << COOKIE_BITS) - 1;
/** Minutes that a cookie is good for. */
const MAX_AGE = 2;
/** A cookie is believed only this long after the last one was sent (TCP_SYNCOOKIE_VALID). */
const VALID_MS = MAX_AGE * 60_000;

const TS_BITS = 6;
const TS_WSCALE_MASK = 0xf;
const TS_SACK = 0x10;
const TS_ECN = 0x20;

export class SynCookies {
  readonly #host: Host;
  readonly #first: HsipKey;
  readonly #second: HsipKey;

  constructor(host: Host) {
    this.#host = host;
    this.#first = new HsipKey(host.random);
    this.#second = new HsipKey(host.random);
  }

  /** Settles the request's initial sequence number, and its MSS to what the cookie can tell (secure_tcp_syn_cookie). */
  issue(request: RequestSock): void {
    let index = MSS_TABLE.length - 1;
    while (index > 0 && request.mss < MSS_TABLE[index]) index--;
    request.mss = MSS_TABLE[index];
    const count = this.#minute();
    const hidden = (this.#seal(request, count) + index) & COOKIE_MASK;
    request.iss = (hash(this.#first, request, 0) + request.irs + (count << COOKIE_BITS) + hidden) | 0;
  }

  /** The MSS in the cookie that the request's `iss` claims to be, for its `irs`; 0 if it is none of ours, or too old. */
  check(request: RequestSock): number {
    const cookie = (request.iss - hash(this.#first, request, 0) - request.irs) | 0;
    const count = this.#minute();
    const age = (count - (cookie >>> COOKIE_BITS)) & 0xff;
    if (age >= MAX_AGE) return 0;
    const index = (cookie - this.#seal(request, (count - age) | 0)) & COOKIE_MASK;
    return index < MSS_TABLE.length ? MSS_TABLE[index] : 0;
  }

  /**
   * Unlike Linux's it covers the peer's sequence number: otherwise a segment one to three bytes on would pass for one with
   * another MSS, and its stream begin without them.
   */
  #seal(request: RequestSock, count: number): number {
    return this.#second.hash3(hash(this.#second, request, count), request.irs, 0, 2);
  }

  #minute(): number {
    return Math.floor(this.#host.clock.now() / 60_000_000) | 0;
  }
}

/** tcp_synq_no_recent_overflow, turned round: `last` is when the listener last sent a cookie, in milliseconds. */
export function cookiesAreOut(host: Host, last: number): boolean {
  const elapsed = (host.nowMs - last) | 0;
  return elapsed >= 0 && elapsed <= VALID_MS;
}

/** The time that the SYN-ACK's timestamp tells, with the options in its low bits (cookie_init_timestamp). */
export function cookieTimestamp(request: RequestSock, nowMs: number): number {
  let options = request.wscaleOk ? request.sndWscale : TS_WSCALE_MASK;
  if (request.sackOk) options |= TS_SACK;
  if (request.ecnOk) options |= TS_ECN;
  const ts = (nowMs & ~((1 << TS_BITS) - 1)) | options;
  return ((ts - nowMs) | 0) > 0 ? (ts - (1 << TS_BITS)) | 0 : ts;
}

/** Reads the options back from the timestamp echoed; false if they are none that we allow (cookie_timestamp_decode). */
export function decodeCookieTimestamp(request: RequestSock, segment: Segment): boolean {
  if (!segment.hasTs) return true;
  const { sysctl } = request.listener.host;
  if (sysctl.tcpTimestamps === 0) return false;
  const options = segment.tsEcr === 0 ? 0 : (segment.tsEcr - request.tsOffset) | 0;
  request.tstampOk = true;
  request.tsRecent = segment.tsVal;
  request.sackOk = (options & TS_SACK) !== 0;
  if (request.sackOk && sysctl.tcpSack === 0) return false;
  request.ecnOk = (options & TS_ECN) !== 0 && sysctl.tcpEcn !== 0;
  const wscale = options & TS_WSCALE_MASK;
  if (wscale === TS_WSCALE_MASK) return true;
  request.wscaleOk = true;
  request.sndWscale = wscale;
  return sysctl.tcpWindowScaling !== 0;
}

/** cookie_hash */
function hash(key: HsipKey, request: RequestSock, count: number): number {
  const { saddr, daddr, sport, dport } = request;
  return key.hash3(fold(key, daddr, fold(key, saddr, 0)), (sport << 16) | dport, count, 2);
}

function fold(key: HsipKey, address: IpAddress, seed: number): number {
  return key.hash3(key.hash3(seed, address.a, address.b, 2), address.c, address.d, 2);
}
