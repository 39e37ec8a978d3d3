// What SOF_TIMESTAMPING_OPT_STATS adds to a transmit timestamp (tcp_get_timestamping_opt_stats): the connection's figures of
// that moment, by the names of TCP_NLA_*, and as the attributes that Linux lays out.

import { bytesSent } from './byte-counts.js';
import { CHRONO_BUSY, CHRONO_RWND_LIMITED, CHRONO_SNDBUF_LIMITED, chronoTotal } from './chrono.js';
import { deliveryRateOf, pacingRateOf } from './info.js';
import type { TcpSock } from './sock.js';

/** Type of each attribute and bytes of its value, in the order in which Linux lays them out. */
const LAYOUT: readonly (readonly [name: string, type: number, size: number])[] = [
  ['TCP_NLA_BUSY', 1, 8],
  ['TCP_NLA_RWND_LIMITED', 2, 8],
  ['TCP_NLA_SNDBUF_LIMITED', 3, 8],
  ['TCP_NLA_DATA_SEGS_OUT', 4, 8],
  ['TCP_NLA_TOTAL_RETRANS', 5, 8],
  ['TCP_NLA_PACING_RATE', 6, 8],
  ['TCP_NLA_DELIVERY_RATE', 7, 8],
  ['TCP_NLA_SND_CWND', 8, 4],
  ['TCP_NLA_REORDERING', 9, 4],
  ['TCP_NLA_MIN_RTT', 10, 4],
  ['TCP_NLA_RECUR_RETRANS', 11, 1],
  ['TCP_NLA_DELIVERY_RATE_APP_LMT', 12, 1],
  ['TCP_NLA_SND_SSTHRESH', 15, 4],
  ['TCP_NLA_DELIVERED', 16, 4],
  ['TCP_NLA_DELIVERED_CE', 17, 4],
  ['TCP_NLA_SNDQ_SIZE', 13, 4],
  ['TCP_NLA_CA_STATE', 14, 1],
  ['TCP_NLA_BYTES_SENT', 18, 8],
  ['TCP_NLA_BYTES_RETRANS', 19, 8],
  ['TCP_NLA_DSACK_DUPS', 20, 4],
  ['TCP_NLA_REORD_SEEN', 21, 4],
  ['TCP_NLA_SRTT', 22, 4],
  ['TCP_NLA_BYTES_NOTSENT', 24, 4],
  ['TCP_NLA_TTL', 26, 1],
];

/** `acked`: an acknowledgement is what occasions it, and its time to live is told. */
export function optStats(sk: TcpSock, acked: boolean): Record<string, number> {
  const stats: Record<string, number> = {
    TCP_NLA_BUSY: chronoTotal(sk, CHRONO_BUSY),
    TCP_NLA_RWND_LIMITED: chronoTotal(sk, CHRONO_RWND_LIMITED),
    TCP_NLA_SNDBUF_LIMITED: chronoTotal(sk, CHRONO_SNDBUF_LIMITED),
    TCP_NLA_DATA_SEGS_OUT: sk.dataSegsOut,
    TCP_NLA_TOTAL_RETRANS: sk.tx.totalRetrans,
    TCP_NLA_PACING_RATE: pacingRateOf(sk),
    TCP_NLA_DELIVERY_RATE: deliveryRateOf(sk),
    TCP_NLA_SND_CWND: sk.sndCwnd,
    TCP_NLA_REORDERING: sk.reordering,
    TCP_NLA_MIN_RTT: sk.minRttUs === 0 ? 0xffffffff : sk.minRttUs,
    TCP_NLA_RECUR_RETRANS: sk.tx.retransmits,
    TCP_NLA_DELIVERY_RATE_APP_LMT: sk.rateAppLimited ? 1 : 0,
    TCP_NLA_SND_SSTHRESH: sk.sndSsthresh,
    TCP_NLA_DELIVERED: sk.delivered,
    TCP_NLA_DELIVERED_CE: sk.tx.deliveredCe,
    TCP_NLA_SNDQ_SIZE: (sk.writeSeq - sk.sndUna) | 0,
    TCP_NLA_CA_STATE: sk.caState,
    TCP_NLA_BYTES_SENT: bytesSent(sk),
    TCP_NLA_BYTES_RETRANS: sk.tx.bytesRetrans,
    TCP_NLA_DSACK_DUPS: sk.tx.dsackDups,
    TCP_NLA_REORD_SEEN: sk.tx.reordSeen,
    TCP_NLA_SRTT: sk.srttUs >> 3,
    TCP_NLA_BYTES_NOTSENT: Math.max(0, sk.notsent),
  };
  if (acked) stats.TCP_NLA_TTL = sk.tcp.ip.packet.ttl;
  return stats;
}

/** struct nlattr each: length, type, value, padded to four bytes; in the machine's order, which is little-endian. */
export function encodeStats(stats: Readonly<Record<string, number>>): Uint8Array {
  const present = LAYOUT.filter(([name]) => stats[name] !== undefined);
  const bytes = new Uint8Array(present.reduce((sum, [, , size]) => sum + ((4 + size + 3) & ~3), 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [name, type, size] of present) {
    view.setUint16(at, 4 + size, true);
    view.setUint16(at + 2, type, true);
    if (size === 8) view.setBigUint64(at + 4, BigInt(stats[name]), true);
    else if (size === 4) view.setUint32(at + 4, stats[name] >>> 0, true);
    else view.setUint8(at + 4, stats[name]);
    at += (4 + size + 3) & ~3;
  }
  return bytes;
}
