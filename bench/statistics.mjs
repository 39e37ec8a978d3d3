// Medians and their spread.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Half of the distance between the extremes, as a part of the median. */
export function spread(values) {
  return (Math.max(...values) - Math.min(...values)) / 2 / median(values);
}

const PARTS = ['p50', 'p99', 'p999', 'residentMb'];

/** What was measured of each contender, over its rounds. */
export function summarise({ name, title, unit, metric }, samples) {
  const contenders = {};
  for (const [contender, list] of Object.entries(samples)) {
    if (list.length === 0) continue;
    const values = list.map((sample) => sample[metric]);
    const entry = { median: median(values), spread: spread(values) };
    for (const part of PARTS)
      if (list[0][part] !== undefined) entry[part] = median(list.map((sample) => sample[part]));
    if (list[0].bytes !== undefined)
      entry.cpuPerGb = median(list.map(({ cpu, bytes }) => cpu / (bytes / 1e9)));
    if (list[0].count !== undefined && list[0].cpu !== undefined)
      entry.cpuEach = median(list.map(({ cpu, count }) => (cpu / count) * 1e6));
    contenders[contender] = entry;
  }
  return { name, title, unit, contenders };
}
