// ./scripts/bench, inside its private network: every kind of work, all its contenders. Prints a table after each, then the goals;
// writes JSON, and after a whole run docs/performance.md.

import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { Command } from 'commander';
import { judge } from './goals.mjs';
import { count, earlierResults, refused, time } from './options.mjs';
import { writeReport } from './report.mjs';
import { inRounds } from './rounds.mjs';
import { sh } from './shell.mjs';
import { summarise } from './statistics.mjs';
import { goalTable, idleTable, microTable, workTable } from './table.mjs';
import { http } from './work/http.mjs';
import { idle } from './work/idle.mjs';
import { iperf3 } from './work/iperf3.mjs';
import { micro } from './work/micro.mjs';
import { startup } from './work/startup.mjs';
import { transfers } from './work/transfers.mjs';

const works = [...transfers, http, ...iperf3, startup, idle, micro];
const everybody = [
  ...new Map(works.flatMap((work) => work.contenders).map((one) => [one.name, one])).values(),
];

const HELP = `
NAME is a kind of work or a contender; only what is named is measured, and docs/performance.md is left as it is.
  work:       ${works.map(({ name }) => name).join(' ')}
  contenders: ${everybody.map(({ name }) => name).join(' ')}`;

function commandLine() {
  const command = new Command('./scripts/bench')
    .description(
      'Measures the stack beside the kernel, lwIP and the limit of the device, and writes docs/performance.md.',
    )
    .argument('[NAME...]', 'only these')
    .option(
      '--quick',
      'two minutes instead of ten: fewer and shorter rounds, docs/performance.md is left as it is',
      false,
    )
    .option('--json <file>', 'also write all that was measured')
    .option(
      '--report',
      'measure nothing: write docs/performance.md from files of --json, later ones over earlier',
      false,
    )
    // Many short ones: a virtual machine is twice as fast in one second as in the next.
    .option('--rounds <n>', 'how often each is measured (default: 7)', count)
    .option('--seconds <s>', 'for how long (default: 0.35)', time)
    .addHelpText('after', HELP)
    .showHelpAfterError('(--help shows what there is)')
    .parse();
  const options = command.opts();
  const { args: names } = command;
  const { quick, report } = options;
  const refuse = (why) => command.error(`error: ${why}`);
  const known = new Set([...works, ...everybody].map(({ name }) => name));
  const strange = report ? [] : names.filter((name) => !known.has(name));
  if (strange.length > 0) refuse(`nothing is called ${strange.join(' or ')}`);
  if (report && names.length === 0) refuse('--report needs the files that --json has written');
  const picked = (list) => list.filter(({ name }) => names.includes(name));
  const contendersNamed = picked(everybody).length > 0;
  return {
    rounds: quick ? 2 : 7,
    seconds: quick ? 0.25 : 0.35,
    ...options,
    earlier: report ? refused(command, () => names.map((file) => earlierResults(file, 'measured'))) : [],
    contendersNamed,
    /** Rounds that count for nobody: V8 compiles most of a frame's way within two seconds and a half of traffic. */
    warmUps: quick ? 1 : 6,
    works: picked(works).length > 0 ? picked(works) : works,
    whole: !quick && names.length === 0,
    among: (list) => (contendersNamed ? picked(list) : list),
  };
}

/** The client's end, the same for all: ports enough, and none of them kept in TIME_WAIT. */
async function prepareNetwork() {
  await sh(`
    sysctl -qw net.ipv4.ip_local_port_range="10240 65535"
    sysctl -qw net.ipv4.tcp_max_tw_buckets=0
    sysctl -qw net.ipv6.conf.default.disable_ipv6=1`);
}

const machine = () => ({
  date: new Date().toISOString().slice(0, 10),
  kernel: release(),
  node: process.version,
  processor: cpus()[0].model.trim(),
  cores: cpus().length,
  /** Of the last minute, before any of it was ours. */
  load: loadavg()[0],
  congestion: readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim(),
});

async function measureAll(options) {
  const results = { machine: machine(), measured: {}, failures: [] };
  for (const work of options.works) {
    const some = options.among(work.contenders);
    if (work === micro) {
      if (!options.contendersNamed) {
        results.micro = await work.run();
        console.log(microTable(results.micro));
      }
    } else if (some.length > 0 && work === idle) {
      results.idle = await work.run(some, options);
      console.log(idleTable(results.idle, some));
    } else if (some.length > 0) {
      const samples = await (work.run?.(some, options) ?? inRounds(work, some, options, results.failures));
      results.measured[work.name] = summarise(work, samples);
      console.log(workTable(results.measured[work.name], some));
    }
  }
  return results;
}

/** Runs of parts, put together. */
function merged(runs) {
  const whole = { measured: {}, failures: [] };
  for (const { measured, failures, ...rest } of runs) {
    Object.assign(whole, rest);
    Object.assign(whole.measured, measured);
    whole.failures.push(...failures);
  }
  return whole;
}

const options = commandLine();
if (options.report) {
  await writeReport(merged(options.earlier), works);
} else {
  await prepareNetwork();
  const results = await measureAll(options);
  const judged = judge(results).filter(({ met }) => options.whole || met !== null);
  if (judged.length > 0) console.log(goalTable(judged));
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
  if (options.whole) await writeReport(results, works);
  if (results.failures.length > 0) process.exitCode = 1;
}
