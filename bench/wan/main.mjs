// bench-wan: what TCP gets through bad networks, tapstack beside the running kernel. Runs inside scripts/lab; scripts/bench-wan
// sees to that. Every transfer of tapstack's has one of the kernel's with the same network, seed and congestion control beside it.

import { writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { expectedRate, soakCell } from './grid.mjs';
import { Lane } from './lane.mjs';
import { commandLine } from './options.mjs';
import { section, table } from './report.mjs';
import { runInRounds } from './rounds.mjs';
import { goodput, rowsOf } from './statistics.mjs';

const options = commandLine();
const { soak, congestion, bytes, seconds, earlier, document } = options;

/** What two cores move in all without anybody's waiting for them, besides what the programs' starting takes. */
const MACHINE_MBIT = 16;
const weightOf = (cell) => {
  const share = expectedRate(cell, congestion) / MACHINE_MBIT;
  return Math.min(1, Math.max(1 / options.lanes, share));
};

const results = [];
let planned = 0;

async function measure(lane, begin, order, failures) {
  const what = `${order.cell.name}: tapstack ${order.way}, ${order.who}, seed ${order.seed}`;
  let result;
  try {
    const pcap = options.pcap && `${options.pcap}/${what.replaceAll(/[^\w.]+/g, '-')}.pcapng`;
    result = await lane.transfer({ ...order, pcap }, begin);
  } catch (error) {
    failures.push(`${what}: ${error.message}`);
    return;
  }
  results.push({ ...order, ...result });
  const { ended, sound } = result;
  process.stderr.write(`[${results.length}/${planned}] ${what}: ${goodput(result).toFixed(2)} Mbit/s\n`);
  if (!sound) failures.push(`${what}: what arrived is not what was sent`);
  if (ended !== 'end' && (ended !== 'time' || order.whole))
    failures.push(`${what}: not over but ended by ${ended}`);
  if (result.bytes === 0) failures.push(`${what}: nothing arrived`);
}

/** The two of a pair follow each other, or run at the same time; who comes first alternates. */
function pairJobs(failures) {
  const jobs = [];
  for (let i = 0; i < options.pairs; i++) {
    for (const cell of options.cells) {
      for (const way of options.ways) {
        const order = { cell, way, seed: options.seed + i, bytes, seconds, spare: weightOf(cell) > 1 / 3 };
        for (const who of i % 2 === 0 ? ['kernel', 'stack'] : ['stack', 'kernel']) {
          const run = (lane, begin) => measure(lane, begin, { ...order, who }, failures);
          jobs.push({ weight: weightOf(cell), run });
        }
      }
    }
  }
  planned = jobs.length;
  return jobs;
}

function soakJobs(failures) {
  planned = options.transfers;
  return Array.from({ length: planned }, (_, i) => {
    const cell = soakCell(i >> 1);
    const order = {
      cell,
      way: ['sends', 'receives'][i % 2],
      who: 'stack',
      seed: options.seed + i,
      bytes,
      seconds,
      whole: true,
    };
    return { weight: weightOf(cell), run: (lane, begin) => measure(lane, begin, order, failures) };
  });
}

const failures = [];
const jobs = soak ? soakJobs(failures) : pairJobs(failures);
// The fast ones first, one after the other; then the slow ones fill the machine.
jobs.sort((a, b) => b.weight - a.weight);
const lanes = Array.from({ length: options.lanes }, (_, i) => new Lane(i, congestion));
try {
  await runInRounds(jobs, lanes, soak ? 4 : 1, options.limit);
} finally {
  for (const lane of lanes) lane.close();
}

const rows = soak ? [] : rowsOf([...earlier, ...results]);
if (rows.length > 0) console.log(table(rows));
else console.log(`${results.length} transfers of ${bytes / 1e6} MB, ${failures.length} failures`);
if (options.json !== undefined) {
  const about = { congestion, bytes, seconds, kernel: release(), cores: cpus().length };
  writeFileSync(
    options.json,
    `${JSON.stringify({ about, rows, results: [...earlier, ...results], failures }, null, 1)}\n`,
  );
}
if (!soak)
  document?.(
    section({
      congestion,
      rows,
      bytes,
      seconds,
      kernel: release().split('-')[0],
      machine: `${cpus().length} cores`,
    }),
  );
for (const failure of failures) console.error(failure);
process.exitCode = failures.length === 0 ? 0 : 1;
