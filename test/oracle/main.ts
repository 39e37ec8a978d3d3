// npm run oracle: the same script on the running kernel and on the stack.

import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { compareFiles, compareRandom, printSide } from './differential.js';
import { defaultOptions, type OracleOptions, randomOptions } from './options.js';

interface Flags {
  kernel?: boolean;
  stack?: boolean;
  random?: number;
  seed?: number;
  s?: number;
  b?: number;
  u?: boolean;
  F?: boolean;
  q?: boolean;
  N?: boolean;
  A?: boolean;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('A whole number is needed.');
  return value;
}

function optionsOf(flags: Flags, defaults: OracleOptions): OracleOptions {
  return {
    settleMs: flags.s ?? defaults.settleMs,
    blockedMs: flags.b ?? defaults.blockedMs,
    sort: flags.u ?? false,
    hideFds: flags.F ?? false,
    results: flags.q ?? false,
    stay: flags.N ?? false,
    delayedAck: flags.A ?? false,
  };
}

async function main(files: string[], flags: Flags): Promise<number> {
  if (flags.random !== undefined) {
    const seed = flags.seed ?? Math.floor(Math.random() * 2 ** 31);
    return compareRandom(flags.random, seed, optionsOf(flags, randomOptions));
  }
  if (files.length === 0) throw new Error('a script file is needed, or --random N; --help tells more');
  const options = optionsOf(flags, defaultOptions);
  const scripts = files.map((file) => ({ name: file, text: readFileSync(file === '-' ? 0 : file, 'utf8') }));
  if (flags.kernel || flags.stack) return printSide(flags.kernel === true, scripts, options);
  return compareFiles(scripts, options);
}

const command = new Command('oracle')
  .description(
    'Runs a script of socket and epoll operations on the running kernel and on the stack, and compares.',
  )
  .argument('[script...]', 'files in the language of test/oracle/README.md; - reads from standard input')
  .option('--kernel', "print the kernel's answer alone")
  .option('--stack', "print the stack's answer alone")
  .option('--random <count>', 'compare this many random scripts', wholeNumber)
  .option('--seed <number>', 'make them from this seed', wholeNumber)
  .option('-s <ms>', 'settle time before an observing or sending operation (3; random: 1)', wholeNumber)
  .option('-b <ms>', 'interrupt a call that has been asleep for so long (250; random: 60)', wholeNumber)
  .option('-u', "sort a wait's events by data")
  .option('-F', 'print ok instead of fd=N')
  .option('-q', 'print results only')
  .option('-N', 'kernel: stay in the current network namespace')
  .option('-A', 'leave delayed acknowledgements on')
  .action(async (files: string[], flags: Flags) => {
    try {
      process.exitCode = await main(files, flags);
    } catch (error) {
      console.error(`oracle: ${error instanceof Error ? error.message : String(error)}`);
      process.exitCode = 2;
    }
  });

await command.parseAsync();
