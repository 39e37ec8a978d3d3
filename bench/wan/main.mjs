// bench-wan: what TCP gets through bad networks, tapstack beside the running kernel. Runs inside scripts/lab; scripts/bench-wan
// sees to that. Every transfer of tapstack's has one of the kernel's with the same network, seed and congestion control beside it.

import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { expectedRate, grid, soakCell } from './grid.mjs';
import { Lane } from './lane.mjs';
import { section, table } from './report.mjs';
import { runInRounds } from './rounds.mjs';
import { goodput, rowsOf } from './statistics.mjs';

const USAGE = `./scripts/bench-wan [OPTION…]
  --quick            fewer networks, 2 MB or 4 s each
  --soak             transfers of 10 MB through mixed networks, half of them each way, none of the kernel's alone: all must end
  --transfers N      how many of those (default 100)
  --pairs N          transfers of each kind and direction in each network (default 4)
  --bytes N          of a transfer (default 10 MB)
  --seconds N        after which a transfer is measured by what has arrived (default 12)
  --congestion NAME  of all senders (default cubic)
  --only PATTERN     networks whose name it matches, such as "^1 ms, [12] %"
  --way WAY          only "sends" or "receives": what tapstack does
  --lanes N          slow transfers at a time (default 8)
  --seed N           of the first pair (default 1)
  --pcap DIRECTORY   records every transfer there, at both ends
  --limit N          seconds after which no further transfer begins
  --json FILE        all transfers, and the ratios
  --continue         together with those that are in FILE already; give this run another --seed
  --document FILE    puts the ratios into FILE, between the marks there`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    soak: { type: 'boolean', default: false },
    pairs: { type: 'string' },
    transfers: { type: 'string', default: '100' },
    bytes: { type: 'string' },
    seconds: { type: 'string' },
    congestion: { type: 'string', default: 'cubic' },
    only: { type: 'string' },
    way: { type: 'string' },
    lanes: { type: 'string', default: '8' },
    seed: { type: 'string', default: '1' },
    json: { type: 'string' },
    continue: { type: 'boolean', default: false },
    limit: { type: 'string' },
    pcap: { type: 'string' },
    document: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const { quick, soak, congestion } = values;
const bytes = Number(values.bytes ?? (quick ? 2e6 : 10e6));
const seconds = Number(values.seconds ?? (quick ? 4 : soak ? 120 : 12));
const pairs = Number(values.pairs ?? (quick ? 1 : 4));
const firstSeed = Number(values.seed);
const WAYS = values.way === undefined ? ['sends', 'receives'] : [values.way];

/** What two cores move in all without anybody's waiting for them, besides what the programs' starting takes. */
const MACHINE_MBIT = 25;
const weightOf = (cell) => {
  const share = expectedRate(cell, congestion) / MACHINE_MBIT;
  return Math.min(1, Math.max(1 / Number(values.lanes), share));
};

const earlier = values.continue ? JSON.parse(readFileSync(values.json, 'utf8')).results : [];
const results = [];
let planned = 0;

async function measure(lane, begin, order, failures) {
  const what = `${order.cell.name}: tapstack ${order.way}, ${order.who}, seed ${order.seed}`;
  let result;
  try {
    const pcap = values.pcap && `${values.pcap}/${what.replaceAll(/[^\w.]+/g, '-')}.pcapng`;
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
  const cells = grid(quick).filter(
    ({ name }) => values.only === undefined || new RegExp(values.only).test(name),
  );
  const jobs = [];
  for (let i = 0; i < pairs; i++) {
    for (const cell of cells) {
      for (const way of WAYS) {
        const order = { cell, way, seed: firstSeed + i, bytes, seconds, spare: weightOf(cell) > 1 / 3 };
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
  planned = Number(values.transfers);
  return Array.from({ length: planned }, (_, i) => {
    const cell = soakCell(i >> 1);
    const order = {
      cell,
      way: ['sends', 'receives'][i % 2],
      who: 'stack',
      seed: firstSeed + i,
      bytes,
      seconds,
      whole: true,
    };
    return { weight: weightOf(cell), run: (lane, begin) => measure(lane, begin, order, failures) };
  });
}

function document(rows) {
  const file = values.document;
  const [begin, end] = ['begin', 'end'].map((word) => `<!-- ${word} ${congestion}, by scripts/bench-wan -->`);
  const text = readFileSync(file, 'utf8');
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from)
    throw new Error(`${file} has no place for it: the two lines "${begin}" and "${end}"`);
  const machine = `${cpus().length} cores`;
  const made = section({ congestion, rows, bytes, seconds, kernel: release().split('-')[0], machine });
  writeFileSync(file, `${text.slice(0, from + begin.length)}\n\n${made}\n\n${text.slice(to)}`);
}

const failures = [];
const jobs = soak ? soakJobs(failures) : pairJobs(failures);
// The fast ones first, one after the other; then the slow ones fill the machine.
jobs.sort((a, b) => b.weight - a.weight);
const lanes = Array.from({ length: Number(values.lanes) }, (_, i) => new Lane(i, congestion));
try {
  await runInRounds(jobs, lanes, soak ? 4 : 1, Number(values.limit ?? Number.POSITIVE_INFINITY));
} finally {
  for (const lane of lanes) lane.close();
}

const rows = soak ? [] : rowsOf([...earlier, ...results]);
if (rows.length > 0) console.log(table(rows));
else console.log(`${results.length} transfers of ${bytes / 1e6} MB, ${failures.length} failures`);
if (values.json !== undefined) {
  const about = { congestion, bytes, seconds, kernel: release(), cores: cpus().length };
  writeFileSync(
    values.json,
    `${JSON.stringify({ about, rows, results: [...earlier, ...results], failures }, null, 1)}\n`,
  );
}
if (values.document !== undefined && !soak) document(rows);
for (const failure of failures) console.error(failure);
process.exitCode = failures.length === 0 ? 0 : 1;
