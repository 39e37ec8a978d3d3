// Sequence-number arithmetic (RFC 9293 section 3.4): int32 values on a circle, compared by the sign of their difference.

export function before(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

export function after(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

/** a <= b */
export function notAfter(a: number, b: number): boolean {
  return ((a - b) | 0) <= 0;
}

/** low <= x <= high, going forward from low. */
export function between(x: number, low: number, high: number): boolean {
  return (high - low) >>> 0 >= (x - low) >>> 0;
}
