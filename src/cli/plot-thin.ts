// An hour of a connection has millions of points and a picture a thousand columns. Of each column a line keeps its first,
// lowest, highest and last value (the M4 aggregation of Jugel et al., VLDB 2014), which draws the same picture.

/** A moment of one line; `value` null where there is nothing to show. */
export interface Dot {
  at: number;
  value: number | null;
}

/** Of a line in steps, `dots` in order of time, those that show when `columns` columns span `from` to `to`. */
export function thin(all: readonly Dot[], from: number, to: number, columns: number): Dot[] {
  const dots = all.filter(({ value }, i) => value !== all[i - 1]?.value || value !== all[i + 1]?.value);
  const width = (to - from) / columns;
  const columnOf = ({ at }: Dot): number => (width === 0 ? 0 : Math.floor((at - from) / width));
  const together = (a: Dot, b: Dot): boolean =>
    (a.value === null) === (b.value === null) && columnOf(a) === columnOf(b);
  const kept: Dot[] = [];
  for (let start = 0; start < dots.length; ) {
    let end = start + 1;
    while (end < dots.length && together(dots[start], dots[end])) end++;
    if (dots[start].value === null) kept.push(dots[start]);
    else keepOutline(dots, start, end, kept);
    start = end;
  }
  return kept;
}

function keepOutline(dots: readonly Dot[], start: number, end: number, kept: Dot[]): void {
  let [low, high] = [start, start];
  for (let i = start; i < end; i++) {
    if (heightOf(dots[i]) < heightOf(dots[low])) low = i;
    if (heightOf(dots[i]) > heightOf(dots[high])) high = i;
  }
  const indices = new Set([start, Math.min(low, high), Math.max(low, high), end - 1]);
  for (const index of indices) kept.push(dots[index]);
}

function heightOf({ value }: Dot): number {
  return value as number;
}
