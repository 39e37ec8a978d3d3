// The segment being received: its header and options parsed in place into one reusable record (tcp_skb_cb and
// tcp_options_received). Nothing a peer sends makes parsing throw; what is malformed is refused or ignored.

import type { RxPacket } from '../ip/rx-packet.js';
import { FIN, SYN } from './constants.js';
import { nopOrRest, nopsOrRest, writeSynAckFields } from './ecn/accecn-fields.js';
import { TCP_FASTOPEN_COOKIE_MAX, TCP_FASTOPEN_COOKIE_MIN } from './fastopen/fastopen-cookie.js';

const OPT_EOL = 0;
const OPT_NOP = 1;
const OPT_MSS = 2;
const OPT_WSCALE = 3;
const OPT_SACK_PERMITTED = 4;
const OPT_SACK = 5;
const OPT_TIMESTAMP = 8;
const OPT_FASTOPEN = 34;
const OPT_ACCECN0 = 172;
const OPT_ACCECN1 = 174;
const OPT_EXPERIMENT = 254;
const NOPS = 0x0101;
/** nop, nop, timestamp, length 10: the layout all common stacks use once connected (RFC 7323 appendix A). */
const ALIGNED_TIMESTAMP = 0x0101080a;
/** Fast Open among the experiments of kind 254 (RFC 6994). */
const FASTOPEN_MAGIC = 0xf989;

export class Segment {
  /** TCP header in packet memory. */
  offset = 0;
  headerLength = 0;
  data = 0;
  length = 0;
  /** Size of the segments it was merged from; 0: it came alone. */
  gsoSize = 0;
  /** How many segments that makes (skb_shinfo's gso_segs, at least 1). */
  segments = 1;
  sport = 0;
  dport = 0;
  seq = 0;
  /** Sequence number after the last byte, SYN and FIN counted. */
  endSeq = 0;
  ackSeq = 0;
  flags = 0;
  /** The header's reserved bits, and the ECN field of the IP header. */
  reserved = 0;
  tos = 0;
  /** As in the header, not scaled. */
  window = 0;
  urgent = 0;
  hasTs = false;
  tsVal = 0;
  tsEcr = 0;
  /** Offset of the first SACK block and how many there are. */
  sacks = 0;
  sackCount = 0;
  /** Where AccECN's option is (RFC 9768); 0: nowhere. */
  accecn = 0;
  /** Options of a SYN: 0 and -1 mean absent. */
  mss = 0;
  wscale = -1;
  sackPermitted = false;
  /** Fast Open's option of a SYN (RFC 7413): where its cookie is and how long, -1 absent; whether it was the experimental one. */
  cookie = 0;
  cookieLength = -1;
  cookieExp = false;

  /** INET_ECN_* */
  get ecn(): number {
    return this.tos & 3;
  }

  /** Parses the header at the packet's transport offset; false if it cannot be one. */
  parse(view: DataView, packet: RxPacket): boolean {
    if (packet.length < 20) return false;
    const at = packet.transport;
    const word = view.getUint16(at + 12);
    const headerLength = (word >> 12) << 2;
    if (headerLength < 20 || headerLength > packet.length) return false;
    this.offset = at;
    this.headerLength = headerLength;
    this.data = at + headerLength;
    this.length = packet.length - headerLength;
    this.gsoSize = packet.gsoSize;
    this.segments = packet.gsoSize === 0 ? 1 : Math.ceil(this.length / packet.gsoSize) || 1;
    this.sport = view.getUint16(at);
    this.dport = view.getUint16(at + 2);
    this.seq = view.getInt32(at + 4);
    this.ackSeq = view.getInt32(at + 8);
    this.flags = word & 0xff;
    this.reserved = (word >> 8) & 15;
    this.tos = packet.tos;
    this.window = view.getUint16(at + 14);
    this.urgent = view.getUint16(at + 18);
    this.endSeq = (this.seq + this.length + ((word & SYN) !== 0 ? 1 : 0) + (word & FIN)) | 0;
    this.hasTs = false;
    this.mss = 0;
    this.wscale = -1;
    this.sackPermitted = false;
    this.sackCount = 0;
    this.accecn = 0;
    this.cookieLength = -1;
    if (headerLength === 32 && view.getInt32(at + 20) === ALIGNED_TIMESTAMP) {
      this.hasTs = true;
      this.tsVal = view.getInt32(at + 24);
      this.tsEcr = view.getInt32(at + 28);
    } else if (headerLength > 20) {
      this.#parseOptions(view, at + 20, at + headerLength);
    }
    return true;
  }

  #parseOptions(view: DataView, from: number, end: number): void {
    const isSyn = (this.flags & SYN) !== 0;
    for (let at = from; at < end; ) {
      const kind = view.getUint8(at);
      if (kind === OPT_EOL) return;
      if (kind === OPT_NOP) {
        at++;
        continue;
      }
      if (at + 1 >= end) return;
      const length = view.getUint8(at + 1);
      if (length < 2 || at + length > end) return;
      if (kind === OPT_TIMESTAMP && length === 10) {
        this.hasTs = true;
        this.tsVal = view.getInt32(at + 2);
        this.tsEcr = view.getInt32(at + 6);
      } else if (kind === OPT_SACK && length >= 10 && (length - 2) % 8 === 0) {
        this.sacks = at + 2;
        this.sackCount = (length - 2) >> 3;
      } else if (kind === OPT_ACCECN0 || kind === OPT_ACCECN1) {
        this.accecn = at;
      } else if (isSyn && kind === OPT_MSS && length === 4) {
        this.mss = view.getUint16(at + 2);
      } else if (isSyn && kind === OPT_WSCALE && length === 3) {
        // RFC 7323 section 2.3: a shift above 14 counts as 14.
        this.wscale = Math.min(view.getUint8(at + 2), 14);
      } else if (isSyn && kind === OPT_SACK_PERMITTED && length === 2) {
        this.sackPermitted = true;
      } else if (isSyn && kind === OPT_FASTOPEN) {
        this.#noteCookie(at + 2, length - 2, false);
      } else if (
        isSyn &&
        kind === OPT_EXPERIMENT &&
        length >= 4 &&
        view.getUint16(at + 2) === FASTOPEN_MAGIC
      ) {
        this.#noteCookie(at + 4, length - 4, true);
      }
      at += length;
    }
  }

  /** tcp_parse_fastopen_option: an odd length is ignored; one that no cookie has means that there is none. */
  #noteCookie(at: number, length: number, exp: boolean): void {
    if ((length & 1) !== 0) return;
    const fits = length >= TCP_FASTOPEN_COOKIE_MIN && length <= TCP_FASTOPEN_COOKIE_MAX;
    this.cookie = at;
    this.cookieLength = fits || length === 0 ? length : -1;
    this.cookieExp = exp;
  }
}

/**
 * Writes the SYN's options in the kernel's order; returns their length (tcp_syn_options, tcp_synack_options). `accecn`: so many
 * fields of AccECN's option, -1: without it.
 */
export function writeSynOptions(
  view: DataView,
  at: number,
  mss: number,
  sackPermitted: boolean,
  timestamps: boolean,
  tsVal: number,
  tsEcr: number,
  wscale: number,
  accecn = -1,
): number {
  let to = at;
  view.setUint32(to, (OPT_MSS << 24) | (4 << 16) | mss);
  to += 4;
  if (timestamps) {
    view.setUint32(to, sackPermitted ? 0x0402080a : ALIGNED_TIMESTAMP);
    view.setInt32(to + 4, tsVal);
    view.setInt32(to + 8, tsEcr);
    to += 12;
  }
  to += writeSynAckFields(view, to, accecn);
  if (sackPermitted && !timestamps) {
    view.setUint32(to, (nopsOrRest() << 16) | (OPT_SACK_PERMITTED << 8) | 2);
    to += 4;
  }
  if (wscale >= 0) {
    view.setUint32(to, (nopOrRest() << 24) | (OPT_WSCALE << 16) | (3 << 8) | wscale);
    to += 4;
  }
  const rest = nopsOrRest();
  if (rest !== NOPS) {
    view.setUint32(to, (rest << 16) | NOPS);
    to += 4;
  }
  return to - at;
}

/** Writes nop, nop, timestamps; 12 bytes. */
export function writeTimestamp(view: DataView, at: number, tsVal: number, tsEcr: number): void {
  view.setInt32(at, ALIGNED_TIMESTAMP);
  view.setInt32(at + 4, tsVal);
  view.setInt32(at + 8, tsEcr);
}

/** Starts a SACK option of `blocks` blocks with its two nops; the blocks follow, eight bytes each. */
export function writeSackHeader(view: DataView, at: number, blocks: number): void {
  view.setUint32(at, (OPT_NOP << 24) | (OPT_NOP << 16) | (OPT_SACK << 8) | (2 + 8 * blocks));
}

/** Bytes that Fast Open's option takes with a cookie of so many, padded to words. */
export function fastOpenOptionLength(cookieLength: number, exp: boolean): number {
  return (cookieLength + (exp ? 4 : 2) + 3) & ~3;
}

/** Writes Fast Open's option (RFC 7413 section 4.1.1), or the experimental one, padded by nops; returns its length. */
export function writeFastOpen(view: DataView, at: number, cookie: Uint8Array, exp: boolean): number {
  const base = exp ? 4 : 2;
  view.setUint8(at, exp ? OPT_EXPERIMENT : OPT_FASTOPEN);
  view.setUint8(at + 1, base + cookie.length);
  if (exp) view.setUint16(at + 2, FASTOPEN_MAGIC);
  for (let i = 0; i < cookie.length; i++) view.setUint8(at + base + i, cookie[i]);
  const padded = fastOpenOptionLength(cookie.length, exp);
  for (let i = base + cookie.length; i < padded; i++) view.setUint8(at + i, OPT_NOP);
  return padded;
}
