// Initial sequence numbers and timestamp offsets: a keyed hash of the four-tuple plus a clock, so that they cannot be
// guessed and still grow for each successive connection between the same ends (RFC 6528; secure_seq.c).

import type { HsipKey } from '../core/hsiphash.js';
import type { IpAddress } from '../packet/address.js';
import type { TcpShared } from './tcp-shared.js';

const ISN = 0x15e;
const TS_OFFSET = 0x75a;

/** What a use may tell of these two ends, and nobody can foretell. */
function secret(
  { secretKey }: TcpShared,
  local: IpAddress,
  lport: number,
  remote: IpAddress,
  rport: number,
  use: number,
): number {
  const hosts = secretKey.hash3(word(secretKey, local), word(secretKey, remote), use, 2);
  return secretKey.hash3(hosts, (lport << 16) | rport, use, 2);
}

/** An IPv4 address is one already. */
function word(key: HsipKey, { a, b, c, d }: IpAddress): number {
  return (b | c | d) === 0 ? a : key.hash3(a ^ b, c, d, 2);
}

/** secure_tcp_seq; the clock ticks once in 64 ns, which passes the whole space in under five minutes. */
export function initialSequence(
  tcp: TcpShared,
  local: IpAddress,
  lport: number,
  remote: IpAddress,
  rport: number,
): number {
  const ticks = Math.floor(tcp.host.clock.recent * (1000 / 64));
  return (secret(tcp, local, lport, remote, rport, ISN) + (ticks | 0)) | 0;
}

/** secure_tcp_ts_off: per pair of hosts, so that PAWS and TIME_WAIT reuse still see one clock. */
export function timestampOffset(tcp: TcpShared, local: IpAddress, remote: IpAddress): number {
  return tcp.host.sysctl.tcpTimestamps === 1 ? secret(tcp, local, 0, remote, 0, TS_OFFSET) : 0;
}

/** Keyed hash of source, destination and destination port, from which the ephemeral port is sought (RFC 6056). */
export function portOffset(tcp: TcpShared, local: IpAddress, remote: IpAddress, rport: number): number {
  return secret(tcp, local, 0, remote, rport, ISN);
}
