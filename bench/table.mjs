// Medians and their spread, as a table for people and as an object for programs.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Half of the distance between the extremes, as a part of the median. */
export function spread(values) {
  return (Math.max(...values) - Math.min(...values)) / 2 / median(values);
}

const number = (value) => (value >= 1000 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3));

const pad = (rows) => {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('   '),
    )
    .join('\n');
};

/** One number per contender and measurement: medians over the rounds. */
export function summary({ name, title, unit, metric }, samples) {
  const contenders = {};
  for (const [contender, list] of Object.entries(samples)) {
    const values = list.map((sample) => sample[metric]);
    const entry = { median: median(values), spread: spread(values) };
    const cpuPerGb = list.filter(({ bytes }) => bytes > 0).map(({ cpu, bytes }) => cpu / (bytes / 1e9));
    if (cpuPerGb.length > 0) entry.cpuPerGb = median(cpuPerGb);
    for (const part of ['p50', 'p99', 'p999'])
      if (list[0][part] !== undefined) entry[part] = median(list.map((sample) => sample[part]));
    contenders[contender] = entry;
  }
  return { name, title, unit, contenders };
}

export function table(workload, contenders, samples) {
  const measured = summary(workload, samples).contenders;
  const present = contenders.filter(({ name }) => measured[name] !== undefined);
  const bulk = present.some(({ name }) => measured[name].cpuPerGb !== undefined);
  const first = measured[present[0].name].median;
  const extra = bulk ? ['CPU s/GB'] : ['p50 µs', 'p99 µs', 'p99.9 µs'];
  const rows = present.map(({ name, title }) => {
    const { median: value, spread: width, cpuPerGb, p50, p99, p999 } = measured[name];
    const rest = bulk ? [cpuPerGb?.toFixed(3) ?? ''] : [p50, p99, p999].map((us) => us?.toFixed(1) ?? '');
    return [
      `  ${title}`,
      number(value),
      `±${(width * 100).toFixed(0)} %`,
      (first / value).toFixed(2),
      ...rest,
    ];
  });
  return `${workload.title}\n${pad([['', workload.unit, '', `${present[0].title} is × this`, ...extra], ...rows])}\n`;
}
