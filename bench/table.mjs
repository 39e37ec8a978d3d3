// The tables that are printed while the benchmark runs.

export const number = (value) =>
  value >= 1000 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3);

/** Columns in line: the first `left` ones to the left, numbers to the right. */
export function align(rows, left = 1) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const cell = (text, i) => (i < left ? text.padEnd(widths[i]) : text.padStart(widths[i]));
  return rows.map((row) => row.map(cell).join('   ').trimEnd()).join('\n');
}

const us = (value) => value?.toFixed(1) ?? '';

/** What stands beside the number itself, by what was measured. */
export function columns(entries) {
  if (entries.some(({ cpuPerGb }) => cpuPerGb !== undefined))
    return [['CPU s/GB', ({ cpuPerGb }) => cpuPerGb?.toFixed(3) ?? '']];
  if (entries.some(({ p50 }) => p50 !== undefined))
    return [
      ['p50 µs', ({ p50 }) => us(p50)],
      ['p99 µs', ({ p99 }) => us(p99)],
      ['p99.9 µs', ({ p999 }) => us(p999)],
      ...(entries.some(({ cpuEach }) => cpuEach !== undefined)
        ? [['CPU µs', ({ cpuEach }) => us(cpuEach)]]
        : []),
    ];
  if (entries.some(({ residentMb }) => residentMb !== undefined))
    return [['resident MB', ({ residentMb }) => residentMb?.toFixed(1) ?? '']];
  return [];
}

export function workTable({ title, unit, contenders }, known) {
  const present = known.filter(({ name }) => contenders[name] !== undefined);
  if (present.length === 0) return `${title}: nothing was measured\n`;
  const extra = columns(Object.values(contenders));
  const first = contenders[present[0].name].median;
  const head = ['', unit, '', `${present[0].title} is × this`, ...extra.map(([name]) => name)];
  const rows = present.map(({ name, title: who }) => {
    const entry = contenders[name];
    const spread = `±${(entry.spread * 100).toFixed(0)} %`;
    const ratio = (first / entry.median).toFixed(2);
    return [`  ${who}`, number(entry.median), spread, ratio, ...extra.map(([, show]) => show(entry))];
  });
  return `${title}\n${align([head, ...rows])}\n`;
}

const bytes = (value) => Math.round(value).toLocaleString('en-US');

/** The kernel's part of a server: over a TAP the kernel holds the client's ends only, over a veth pair both. */
export function idleRows(idle, known) {
  // What a client's end costs the kernel does not depend on how many there are.
  const client = Object.values(idle.tapstack?.counts ?? {}).at(-1)?.kernel;
  return known
    .filter(({ name }) => idle[name] !== undefined)
    .flatMap(({ name, title, kernel }) =>
      Object.entries(idle[name].counts).map(([count, { own, kernel: slab }]) => ({
        title,
        count: Number(count),
        own,
        kernel: kernel ? slab - (client ?? NaN) : 0,
        speed: idle[name].beside / idle[name].alone,
        last: Number(count) === idle[name].most,
      })),
    );
}

export function idleTable(idle, known) {
  const head = ['', 'connections', 'bytes each, process', 'kernel', 'an active one, × alone'];
  const rows = idleRows(idle, known).map(({ title, count, own, kernel, speed, last }) => [
    `  ${title}`,
    bytes(count),
    bytes(own),
    Number.isNaN(kernel) ? '?' : bytes(kernel),
    last ? speed.toFixed(2) : '',
  ]);
  return `idle connections\n${align([head, ...rows])}\n`;
}

export function goalTable(judged) {
  const verdict = { true: 'yes', false: 'NO', null: '' };
  const rows = judged.map(({ work, goal, measured, met }) => [`  ${work}`, goal, measured, verdict[met]]);
  return `goals\n${align([['', 'goal', 'measured', 'met'], ...rows], 2)}\n`;
}

export function microTable(micro) {
  const rows = Object.entries(micro).map(([name, ns]) => [`  ${name}`, number(ns)]);
  return `small parts\n${align([['', 'ns'], ...rows])}\n`;
}
