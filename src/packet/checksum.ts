// The Internet checksum (RFC 1071) in TypeScript, for links whose NIC has none and for the few packets that are completed
// before they reach a NIC (fragments). Sums are unfolded 32-bit integers; `fold` makes 16 bits of one.

/** Folds a sum to 16 bits. */
export function fold(sum: number): number {
  sum = (sum >>> 16) + (sum & 0xffff);
  return ((sum >>> 16) + sum) & 0xffff;
}

/** Adds a range of bytes to a sum. The range starts at an even position of what is summed; a last odd byte is padded. */
export function addRange(view: DataView, offset: number, length: number, sum: number): number {
  // Two 16-bit halves for each word read: 64 KiB add at most 2^31, so the sum starts folded and fits 32 bits unsigned.
  sum = fold(sum);
  const end = (offset + length) | 0;
  let at = offset | 0;
  let left = length;
  while (left > 65536) {
    sum = addRange(view, at, 65536, sum);
    at = (at + 65536) | 0;
    left -= 65536;
    sum = fold(sum);
  }
  for (; at + 3 < end; at += 4) {
    const word = view.getInt32(at);
    sum += (word >>> 16) + (word & 0xffff);
  }
  if (at + 1 < end) {
    sum += view.getUint16(at);
    at += 2;
  }
  if (at < end) sum += view.getUint8(at) << 8;
  return fold(sum);
}

/** Adds a range that starts at byte `position` of what is summed: at an odd position its bytes change places (RFC 1071 2B). */
export function addPiece(
  view: DataView,
  offset: number,
  length: number,
  sum: number,
  position: number,
): number {
  if ((position & 1) === 0) return addRange(view, offset, length, sum);
  const piece = addRange(view, offset, length, 0);
  return fold(fold(sum) + (((piece & 0xff) << 8) | (piece >>> 8)));
}

/** Sum of the IPv4 pseudo-header; addresses as 32-bit integers in host order. */
export function pseudoHeader(src: number, dst: number, protocol: number, length: number): number {
  return fold(
    (src >>> 16) +
      (src & 0xffff) +
      (dst >>> 16) +
      (dst & 0xffff) +
      protocol +
      (length >>> 16) +
      (length & 0xffff),
  );
}

/** The checksum field's value for a sum. */
export function complement(sum: number): number {
  return ~fold(sum) & 0xffff;
}

/** Checksum of one range, as it goes into an IPv4 or ICMP header whose own field is 0. */
export function checksum(view: DataView, offset: number, length: number): number {
  return complement(addRange(view, offset, length, 0));
}

/** True if a range that includes its checksum field (and the pseudo-header's sum) is intact. */
export function verify(view: DataView, offset: number, length: number, sum = 0): boolean {
  return addRange(view, offset, length, sum) === 0xffff;
}

/** A checksum after one 16-bit field of what it covers changed (RFC 1624, equation 3). */
export function updateChecksum(old: number, from: number, to: number): number {
  return complement((~old & 0xffff) + (~from & 0xffff) + to);
}
