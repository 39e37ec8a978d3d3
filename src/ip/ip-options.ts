// The options of an IPv4 header that came in (ip_options_compile). They are read over, and nobody may choose our packets' way
// (RFC 7126 sections 4.3 and 4.4); but what is malformed is refused, and its sender told where.

import {
  IP_HLEN,
  IPOPT_CIPSO,
  IPOPT_END,
  IPOPT_LSRR,
  IPOPT_NOOP,
  IPOPT_RA,
  IPOPT_RR,
  IPOPT_SSRR,
  IPOPT_TIMESTAMP,
} from '../packet/ipv4.js';

/** Flags of a timestamp option, and the count of those who found no room. */
const TS_PRESPECIFIED = 3;
const OVERFLOWS_MAX = 15;
const CIPSO_MIN = 8;

/** All is well. */
export const OPTIONS_OK = -1;
/** They ask for a way. */
export const OPTIONS_SOURCE_ROUTE = -2;

/** Which byte of the header at `ip` is wrong, or one of the above. */
export function checkOptions(view: DataView, ip: number, headerLength: number): number {
  let routed = false;
  let recorded = false;
  let stamped = false;
  for (let at = IP_HLEN; at < headerLength; ) {
    const kind = view.getUint8(ip + at);
    if (kind === IPOPT_END) break;
    if (kind === IPOPT_NOOP) {
      at++;
      continue;
    }
    const length = at + 1 < headerLength ? view.getUint8(ip + at + 1) : 0;
    if (length < 2 || at + length > headerLength) return at;
    const next = length > 2 ? view.getUint8(ip + at + 2) : 0;
    if (kind === IPOPT_RR || kind === IPOPT_LSRR || kind === IPOPT_SSRR) {
      const twice = kind === IPOPT_RR ? recorded : routed;
      if (kind === IPOPT_RR && twice) return at;
      if (length < 3) return at + 1;
      if (next < 4) return at + 2;
      if (twice) return at;
      if (kind === IPOPT_RR) {
        if (next <= length && next + 3 > length) return at + 2;
        recorded = true;
      } else routed = true;
    } else if (kind === IPOPT_TIMESTAMP) {
      if (stamped) return at;
      const fault = stampFault(view, ip + at, length, next);
      if (fault > 0) return at + fault;
      stamped = true;
    } else if (kind === IPOPT_RA) {
      if (length < 4) return at + 1;
    } else if (kind === IPOPT_CIPSO) {
      // Nobody has agreed on what its labels mean (cipso_v4_validate).
      return at + (length < CIPSO_MIN ? 1 : 2);
    }
    at += length;
  }
  return routed ? OPTIONS_SOURCE_ROUTE : OPTIONS_OK;
}

/** Which byte of a timestamp option is wrong; 0: none. */
function stampFault(view: DataView, option: number, length: number, next: number): number {
  if (length < 4) return 1;
  if (next < 5) return 2;
  const flags = view.getUint8(option + 3);
  const form = flags & 15;
  if (next > length) return form !== TS_PRESPECIFIED && flags >> 4 === OVERFLOWS_MAX ? 3 : 0;
  const needs = form === 1 || form === TS_PRESPECIFIED ? 7 : 3;
  return next + needs > length ? 2 : 0;
}
