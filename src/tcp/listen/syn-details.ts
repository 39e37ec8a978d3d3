// A SYN in words, for a listener's `onSyn` (steering.ts): who it is from, and what it offers.

import type { RxPacket } from '../../ip/rx-packet.js';
import { CWR, ECE } from '../constants.js';
import { accEcnAsked } from '../ecn/accecn.js';
import type { Segment } from '../segment.js';

/** One end of a connection: an address in text form, and a port. */
export interface ConnectionEnd {
  /** `192.0.2.1` */
  readonly address: string;
  /** In host order. */
  readonly port: number;
}

/** What a SYN says of its sender. */
export interface SynDetails {
  /** Who wants to connect. */
  readonly peer: ConnectionEnd;
  /** To which address of ours. */
  readonly local: ConnectionEnd;
  /** TTL of its packet. */
  readonly ttl: number;
  /** Type of service of its packet, ECN bits and all. */
  readonly tos: number;
  /** Bytes of a segment that the peer can take; null: it does not say. */
  readonly mss: number | null;
  /** Shift of the windows that it will announce, 0 to 14 (RFC 7323); null: windows are not scaled. */
  readonly windowScale: number | null;
  /** It understands selective acknowledgements (RFC 2018). */
  readonly sack: boolean;
  /** It bears a timestamp (RFC 7323). */
  readonly timestamps: boolean;
  /** Congestion notification that it asks for: none, as in RFC 3168, or the accurate one of RFC 9768. */
  readonly ecn: 'none' | 'classic' | 'accurate';
  /** It bears a Fast Open cookie, or asks for one (RFC 7413). */
  readonly fastOpen: boolean;
  /** Bytes of data in it. */
  readonly length: number;
}

export function synDetails(packet: RxPacket, segment: Segment): SynDetails {
  return {
    peer: { address: packet.src.toString(), port: segment.sport },
    local: { address: packet.dst.toString(), port: segment.dport },
    ttl: packet.ttl,
    tos: packet.tos,
    mss: segment.mss === 0 ? null : segment.mss,
    windowScale: segment.wscale < 0 ? null : segment.wscale,
    sack: segment.sackPermitted,
    timestamps: segment.hasTs,
    ecn: ecnAsked(segment),
    fastOpen: segment.cookieLength >= 0,
    length: segment.length,
  };
}

function ecnAsked(segment: Segment): SynDetails['ecn'] {
  if (accEcnAsked(segment)) return 'accurate';
  return (segment.flags & (ECE | CWR)) === (ECE | CWR) ? 'classic' : 'none';
}
