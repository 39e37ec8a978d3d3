// The copy of a small message between a program's buffer and packet memory (copy_from_iter, copy_to_iter).

/** Eight at a time, because V8 looks up both arrays anew in each turn of a loop. */
export function copyBytes(
  target: Uint8Array,
  to: number,
  source: Uint8Array,
  from: number,
  count: number,
): void {
  let i = 0;
  for (; i + 8 <= count; i += 8) {
    const t = (to + i) | 0;
    const s = (from + i) | 0;
    target[t] = source[s];
    target[t + 1] = source[s + 1];
    target[t + 2] = source[s + 2];
    target[t + 3] = source[s + 3];
    target[t + 4] = source[s + 4];
    target[t + 5] = source[s + 5];
    target[t + 6] = source[s + 6];
    target[t + 7] = source[s + 7];
  }
  for (; i < count; i++) target[to + i] = source[from + i];
}
