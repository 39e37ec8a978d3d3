// bench-wan: what TCP gets through bad networks, tapstack beside the running kernel. Runs inside scripts/lab; scripts/bench-wan
// sees to that. Every transfer of tapstack's has one of the kernel's with the same network, seed and congestion control beside it.

import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { expectedRate, grid, soakCell } from './grid.mjs';
import { Lane } from './lane.mjs';
import { Pool } from './pool.mjs';
import { section, table } from './report.mjs';
import { goodput, rowsOf } from './statistics.mjs';

const USAGE = `./scripts/bench-wan [OPTION…]
  --quick            fewer networks, 2 MB or 4 s each
  --soak             100 transfers of 10 MB through mixed networks, half of them each way, none of the kernel's alone
  --pairs N          transfers of each kind and direction in each network (default 4)
  --bytes N          of a transfer (default 10 MB)
  --seconds N        after which a transfer is measured by what has arrived (default 12)
  --congestion NAME  of all senders (default cubic)
  --only TEXT        networks whose name contains it; "1 ms, 0 %" for example
  --way WAY          only "sends" or "receives": what tapstack does
  --lanes N          slow transfers at a time (default 12)
  --seed N           of the first pair (default 1)
  --json FILE        all transfers, and the ratios
  --document FILE    puts the ratios into FILE, between the marks there`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    soak: { type: 'boolean', default: false },
    pairs: { type: 'string' },
    bytes: { type: 'string' },
    seconds: { type: 'string' },
    congestion: { type: 'string', default: 'cubic' },
    only: { type: 'string' },
    way: { type: 'string' },
    lanes: { type: 'string', default: '12' },
    seed: { type: 'string', default: '1' },
    json: { type: 'string' },
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
const SOAK_TRANSFERS = 100;

/** Above this the emulator, which waits for what is due soon by looking at the clock, wants a core for itself. */
const FAST_MBIT = 5;
const weightOf = (cell) => (expectedRate(cell) > FAST_MBIT ? 1 : 1 / Number(values.lanes));

const results = [];
let planned = 0;

async function measure(lane, order, failures) {
  const result = await lane.transfer(order);
  results.push({ ...order, ...result });
  const what = `${order.cell.name}: tapstack ${order.way}, ${order.who}, seed ${order.seed}`;
  const { ended, sound } = result;
  process.stderr.write(`[${results.length}/${planned}] ${what}: ${goodput(result).toFixed(2)} Mbit/s\n`);
  if (!sound) failures.push(`${what}: what arrived is not what was sent`);
  if (ended !== 'end' && (ended !== 'time' || order.whole))
    failures.push(`${what}: not over but ended by ${ended}`);
  if (result.bytes === 0) failures.push(`${what}: nothing arrived`);
}

/** A pair is one job, its two transfers one after the other; who begins alternates. */
function pairJobs(failures) {
  const cells = grid(quick).filter(({ name }) => values.only === undefined || name.includes(values.only));
  const jobs = [];
  for (let i = 0; i < pairs; i++) {
    for (const cell of cells) {
      for (const way of WAYS) {
        const order = { cell, way, seed: firstSeed + i, bytes, seconds };
        const who = i % 2 === 0 ? ['kernel', 'stack'] : ['stack', 'kernel'];
        const run = async (lane) => {
          for (const each of who) await measure(lane, { ...order, who: each }, failures);
        };
        jobs.push({ weight: weightOf(cell), run });
      }
    }
  }
  planned = jobs.length * 2;
  return jobs;
}

function soakJobs(failures) {
  planned = SOAK_TRANSFERS;
  return Array.from({ length: SOAK_TRANSFERS }, (_, i) => {
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
    return { weight: weightOf(cell), run: (lane) => measure(lane, order, failures) };
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
  await new Pool(lanes, 1).run(jobs);
} finally {
  for (const lane of lanes) lane.close();
}

const rows = soak ? [] : rowsOf(results);
if (rows.length > 0) console.log(table(rows));
else console.log(`${results.length} transfers of ${bytes / 1e6} MB, ${failures.length} failures`);
if (values.json !== undefined) {
  const about = { congestion, bytes, seconds, kernel: release(), cores: cpus().length };
  writeFileSync(values.json, `${JSON.stringify({ about, rows, results, failures }, null, 1)}\n`);
}
if (values.document !== undefined && !soak) document(rows);
for (const failure of failures) console.error(failure);
process.exitCode = failures.length === 0 ? 0 : 1;
