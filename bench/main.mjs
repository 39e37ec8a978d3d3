// ./scripts/bench, inside its private network: every kind of work, every contender, in rounds (A B C, A B C, …), so that a noisy
// machine disturbs all alike. Prints medians, and writes them as JSON.

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { contenders, start } from './contenders.mjs';
import { json, sh } from './shell.mjs';
import { summary, table } from './table.mjs';
import { workloads } from './workloads.mjs';

const client = fileURLToPath(new URL('build/client', import.meta.url));

const USAGE = `./scripts/bench [--quick] [--json FILE] [NAME…]
  --quick      two minutes instead of ten: fewer and shorter rounds
  --json FILE  writes all that was measured
  --rounds N, --seconds S   how often and for how long each is measured
  NAME         work or contender; only what is named is measured
    work:       ${workloads.map(({ name }) => name).join(' ')}
    contenders: ${contenders.map(({ name }) => name).join(' ')}`;

function commandLine() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const known = new Set([...workloads, ...contenders].map(({ name }) => name));
  const strange = positionals.filter((name) => !known.has(name));
  if (strange.length > 0) {
    console.error(`Nothing is called ${strange.join(' or ')}.\n${USAGE}`);
    process.exit(2);
  }
  const named = (list) => {
    const some = list.filter(({ name }) => positionals.includes(name));
    return some.length > 0 ? some : list;
  };
  return {
    json: values.json,
    rounds: Number(values.rounds ?? (values.quick ? 3 : 5)),
    seconds: Number(values.seconds ?? (values.quick ? 0.3 : 0.8)),
    workloads: named(workloads),
    contenders: named(contenders),
  };
}

/** The client's end, the same for all: ports enough, and none of them kept in TIME_WAIT. */
async function prepareNetwork() {
  await sh(`
    sysctl -qw net.ipv4.ip_local_port_range="10240 65535"
    sysctl -qw net.ipv4.tcp_max_tw_buckets=0
    sysctl -qw net.ipv6.conf.default.disable_ipv6=1`);
}

async function measure(workload, server, { seconds }) {
  const warmUp = Math.max(0.2, seconds / 4);
  const args = [...workload.args, '-w', `${warmUp}`, '-t', `${seconds}`, '-p', `${server.pid}`];
  return json(client, [...args, workload.work, server.contender.server], seconds + 15);
}

/** One line that is overwritten, where somebody watches. */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

async function runWork(workload, options) {
  const runners = [];
  const samples = {};
  try {
    for (const contender of options.contenders.filter(workload.who)) {
      runners.push(await start(contender));
      samples[contender.name] = [];
    }
    for (let round = 0; round < options.rounds; round++) {
      for (const server of runners) {
        const { name } = server.contender;
        progress(`${workload.title}: round ${round + 1} of ${options.rounds}, ${name}`);
        try {
          samples[name].push(await measure(workload, server, options));
        } catch (error) {
          throw new Error(`${workload.name}, ${name}: ${error.message}\n${server.said()}`);
        }
      }
    }
  } finally {
    for (const server of runners) await server.stop();
  }
  progress('');
  return samples;
}

const options = commandLine();
await prepareNetwork();
const results = {};
for (const workload of options.workloads) {
  results[workload.name] = await runWork(workload, options);
  console.log(table(workload, options.contenders, results[workload.name]));
}
if (options.json !== undefined) {
  const measured = options.workloads.map((workload) => summary(workload, results[workload.name]));
  writeFileSync(options.json, `${JSON.stringify({ measured, samples: results }, null, 2)}\n`);
}
