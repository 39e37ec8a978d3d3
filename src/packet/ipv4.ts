// The IPv4 header (RFC 791). Offsets count from the IP header.

export const IP_HLEN = 20;
export const IP_MAX_HLEN = 60;
export const IP_VERSION_IHL = 0;
export const IP_TOS_FIELD = 1;
export const IP_TOTAL_LENGTH = 2;
export const IP_ID = 4;
export const IP_FRAGMENT = 6;
export const IP_TTL_FIELD = 8;
export const IP_PROTOCOL = 9;
export const IP_CHECKSUM = 10;
export const IP_SRC = 12;
export const IP_DST = 16;

/** Bits of the fragment field; the offset counts in units of 8 bytes. */
export const IP_DF = 0x4000;
export const IP_MF = 0x2000;
export const IP_OFFSET_MASK = 0x1fff;

export const IP_MAX_LENGTH = 65535;

/** Options (RFC 791 section 3.1). */
export const IPOPT_END = 0;
export const IPOPT_NOOP = 1;
export const IPOPT_RR = 7;
export const IPOPT_TIMESTAMP = 68;
export const IPOPT_LSRR = 131;
export const IPOPT_CIPSO = 134;
export const IPOPT_SSRR = 137;
export const IPOPT_RA = 148;

/** ECN field of the TOS byte (RFC 3168). */
export const INET_ECN_MASK = 3;
export const INET_ECN_CE = 3;

/** Header length in bytes. */
export function ipv4HeaderLength(view: DataView, at: number): number {
  return (view.getUint8(at) & 15) << 2;
}

/** Writes a header without options; the checksum field is left 0 for whoever completes it. */
export function writeIpv4(
  view: DataView,
  at: number,
  totalLength: number,
  tos: number,
  id: number,
  fragment: number,
  ttl: number,
  protocol: number,
  src: number,
  dst: number,
): void {
  view.setInt32(at, 0x45000000 | (tos << 16) | totalLength);
  view.setInt32(at + IP_ID, (id << 16) | fragment);
  view.setInt32(at + IP_TTL_FIELD, (ttl << 24) | (protocol << 16));
  view.setInt32(at + IP_SRC, src);
  view.setInt32(at + IP_DST, dst);
}
