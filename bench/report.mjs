// docs/performance.md and its charts, made from what was measured. What people have to say about it stands in
// docs/performance-notes.md, which is put in as it is.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { drawPanels, panel } from './charts.mjs';
import { judge } from './goals.mjs';
import { columns, idleRows, number } from './table.mjs';

const docs = (name) => new URL(`../docs/${name}`, import.meta.url);

const row = (cells) => `| ${cells.join(' | ')} |`;
const markdownTable = (head, rows) =>
  [row(head), row(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(row)].join('\n');

const CHARTS = [
  {
    file: 'performance-bulk.svg',
    title: 'Bulk transfers',
    works: ['in-1', 'in-1-cubic', 'out-1', 'in-8', 'out-8'],
  },
  {
    file: 'performance-rates.svg',
    title: 'Round trips and connections',
    works: ['rr-1', 'rr-64', 'crr-1', 'crr-64', 'http'],
  },
  {
    file: 'performance-iperf3.svg',
    title: 'iperf3',
    works: ['iperf3-in', 'iperf3-out', 'iperf3-in-4', 'iperf3-out-4'],
  },
];

async function charts(measured, works) {
  const lines = [];
  for (const { file, title, works: names } of CHARTS) {
    const panels = works
      .filter(({ name }) => names.includes(name) && measured[name] !== undefined)
      .map((work) => panel(measured[work.name], work.contenders));
    if (panels.every(({ bars }) => bars.length === 0)) continue;
    writeFileSync(docs(file), await drawPanels(title, panels));
    lines.push(`![${title}](${file})`);
  }
  const latency = works
    .filter(({ name }) => ['rr-1', 'rr-64'].includes(name) && measured[name] !== undefined)
    .flatMap((work) =>
      ['p50', 'p99'].map((part) => {
        const { title } = measured[work.name];
        const renamed = { ...measured[work.name], title: `${title}: ${part}`, unit: 'µs, shorter is better' };
        return panel(renamed, work.contenders, (entry) => entry[part]);
      }),
    );
  if (latency.length > 0) {
    writeFileSync(docs('performance-latency.svg'), await drawPanels('Latency of round trips', latency));
    lines.push('![Latency of round trips](performance-latency.svg)');
  }
  return lines.join('\n\n');
}

/** A machine that does other things at the same time measures them too. */
const disturbed = ({ load, cores }) =>
  load < cores / 2
    ? ''
    : `\n**The machine was busy with other programs in this run** (load ${load.toFixed(0)} on ${cores} cores): absolute figures are too low, and
ratios are rough.\n`;

function goalsSection(results) {
  const verdict = { true: 'yes', false: '**no**', null: '' };
  const judged = judge(results);
  const known = judged.filter(({ met }) => met !== null);
  const rows = judged.map(({ work, goal, measured, met, ceiling }) => [
    work,
    goal,
    measured,
    verdict[met],
    ceiling,
  ]);
  const count = known.filter(({ met }) => met).length;
  const beyond = known.filter(({ met, possible }) => !met && !possible).length;
  return `${count} of the ${known.length} goals that were measured are met; ${judged.length - known.length} were not measured. The last column is what
the [limit program](#contenders) had in the same run: a C program on the same device with no TCP behind it. It misses ${beyond} of those that
are not met itself.

${markdownTable(['work', 'goal', 'measured', 'met', 'the limit'], rows)}`;
}

function workSection(summary, known) {
  const entries = summary.contenders;
  const extra = columns(Object.values(entries));
  const head = ['', summary.unit, 'spread', ...extra.map(([name]) => name)];
  const rows = known
    .filter(({ name }) => entries[name] !== undefined)
    .map(({ name, title }) => {
      const entry = entries[name];
      return [
        title,
        number(entry.median),
        `±${(entry.spread * 100).toFixed(0)} %`,
        ...extra.map(([, show]) => show(entry)),
      ];
    });
  return `### ${summary.title[0].toUpperCase()}${summary.title.slice(1)}\n\n${markdownTable(head, rows)}`;
}

function idleSection(idle, known) {
  const whole = (value) => Math.round(value).toLocaleString('en-US');
  const rows = idleRows(idle, known).map(({ title, count, own, kernel, speed, last }) => [
    title,
    whole(count),
    whole(own),
    Number.isFinite(kernel) ? whole(kernel) : '?',
    last ? `${speed.toFixed(2)} ×` : '',
  ]);
  return `### Idle connections

Accepted, registered with epoll, and once answered. Bytes for each connection: what the process became larger by, and what the
kernel's slabs did for the server's end (over a TAP that is nothing: the stack's ends are the process's). Where a process may not have
100,000 descriptors, the kernel's servers have as many as it may.

${markdownTable(['', 'connections', 'process', 'kernel', 'an active one, against alone'], rows)}`;
}

function microSection(micro) {
  const rows = Object.entries(micro).map(([name, ns]) => [name, number(ns)]);
  return `### Small parts\n\nBy [mitata](https://github.com/evanwashere/mitata), in a process of their own.\n\n${markdownTable(['', 'ns'], rows)}`;
}

function failuresSection(failures) {
  if (failures.length === 0) return '';
  const lines = failures.map(
    ({ work, contender, error }) => `- ${contender} at ${work}: ${error.split('\n')[0]}`,
  );
  return `\n## What failed in this run\n\n${lines.join('\n')}\n`;
}

export async function writeReport(results, works) {
  const { machine, measured, idle, micro, failures } = results;
  const notes = docs('performance-notes.md');
  const sections = works
    .filter(({ name }) => measured[name] !== undefined)
    .map((work) => workSection(measured[work.name], work.contenders));
  const text = `# Performance

<!-- Written by ./scripts/bench; change bench/report.mjs or docs/performance-notes.md instead. -->

Measured by \`./scripts/bench\` on ${machine.date}: ${machine.processor}, ${machine.cores} cores, Linux ${machine.kernel}, Node.js
${machine.node}; the kernel's congestion control is ${machine.congestion} unless another is named. All contenders ran interleaved with the
same client in the same run, and only ratios within a run mean much: medians of all rounds, and half of the distance between
the extremes beside them. [What each contender is](#contenders) stands below.${existsSync(docs('performance-wan.md')) ? '\nBad networks have a page of their own, [performance-wan.md](performance-wan.md).' : ''}

${disturbed(machine)}
## Goals

${goalsSection(results)}

## Charts

${await charts(measured, works)}
${existsSync(notes) ? `\n${readFileSync(notes, 'utf8').trim()}\n` : ''}
## All that was measured

${sections.join('\n\n')}
${idle === undefined ? '' : `\n${idleSection(idle, works.find(({ name }) => name === 'idle').contenders)}\n`}${micro === undefined ? '' : `\n${microSection(micro)}\n`}${failuresSection(failures)}
## Contenders

- **tapstack**: \`tapstack bench-server\` on a TAP device, level-triggered on \`stack.sys\`; offloads on (checksums and segmentation
  left to the kernel), or plain 1500-byte frames. As it comes it looks for frames for 100 µs before it sleeps while clearly more gets through that
  way, for about as much processor time each as sleeping and being woken takes (\`--busy-poll auto\`): with few connections here. Busy-polling it always does (50 µs), never
  polling it sleeps, as all the others do. Its source
  sends by reference from memory that it mapped (\`sys.mmap\`, \`MSG_ZEROCOPY\`), its sink is lent what comes (\`TCP_ZEROCOPY_RECEIVE\`).
  **tapstack/net**: the same services written as one writes them on \`node:net\`.
- **Node net, kernel** and **C epoll, kernel**: what one has today, on the kernel's TCP at the far end of a veth pair. V8's limit for
  inlining is the one that the tapstack command sets for itself; its other flag makes Node's server no faster.
- **lwIP**: as Debian builds it, on a TAP with plain frames, through its raw API in one thread. Its window (64 KiB), buffers and
  software checksums are fixed in that library, so they could not be tuned here.
- **limit of the TAP**: a C program on the same TAP device with no TCP behind it, which copies and acknowledges, blasts valid
  frames, or bounces one. No stack on this device can be much faster. Plain frames are received for the host by a thread of the
  kernel's (threaded NAPI), as they are for tapstack while that is faster.

The client is \`bench/client.c\`. Bulk into a server counts what it has acknowledged, bulk out of it what has been read. A
connection is \`connect\`, 64 bytes, their echo, \`close\`, in order and without TIME_WAIT. CPU seconds, and microseconds for each round trip or connection, are those of the server's
process; over a TAP that includes the kernel's whole receive path, which runs inside the server's \`write\` (but for threaded
NAPI, whose thread is counted nowhere), over a veth pair much of
the kernel's work is charged to the client.
`;
  writeFileSync(docs('performance.md'), text);
  console.log('docs/performance.md and its charts are written.');
}
