// Memory that is read into: parts of one slab, as libuv is given 64 KiB at a time. The bytes are not cleared first, because
// each part is handed out only with what was received written over it.

/** Largest read, and the size of a slab. */
export const READ_SIZE = 65536;

let slab = Buffer.allocUnsafeSlow(READ_SIZE);
let used = 0;

/** A part of exactly `length` bytes, at most READ_SIZE. */
export function takePart(length: number): Buffer {
  if (length > READ_SIZE - used) {
    slab = Buffer.allocUnsafeSlow(READ_SIZE);
    used = 0;
  }
  const part = slab.subarray(used, used + length);
  // Each part begins at a multiple of 8, as allocated memory does.
  used = (used + length + 7) & ~7;
  return part;
}
