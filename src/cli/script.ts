// `tapstack script`: runs packet scripts in a simulated network. No device, no privilege, no waiting: time is virtual.

import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { findScripts } from '../lab/script/find-scripts.js';
import type { ScriptResult } from '../lab/script/outcome.js';
import { Refusal } from './refusal.js';

interface ScriptOptions {
  json: boolean;
  define: Map<string, string>;
}

/** Adds the subcommand to the program. */
export function registerScript(program: Command): void {
  program
    .command('script')
    .description('run packet scripts (packetdrill language) against the stack, in virtual time')
    .argument('<path...>', 'scripts, or folders of *.pkt files')
    .option('--json', 'results as one JSON object on standard output', false)
    .option(
      '-D, --define <name=value>',
      'what a word in the scripts stands for (repeatable)',
      define,
      new Map(),
    )
    .action((paths: string[], options: ScriptOptions) => runScripts(paths, options));
}

function define(text: string, defines: Map<string, string>): Map<string, string> {
  const equals = text.indexOf('=');
  if (equals < 1 || !/^\w+$/.test(text.slice(0, equals)))
    throw new InvalidArgumentError('It must be NAME=VALUE.');
  return new Map(defines).set(text.slice(0, equals), text.slice(equals + 1));
}

async function runScripts(paths: readonly string[], { json, define: defines }: ScriptOptions): Promise<void> {
  const files = scriptFiles(paths);
  // The lab is as large as the stack: other commands start without it.
  const { runScript } = await import('../lab/script/runner.js');
  const { countResults, reportText, totalsText } = await import('../lab/script/report.js');
  const results: ScriptResult[] = [];
  for (const path of files) {
    const result = await runScript(read(path), path, defines);
    results.push(result);
    if (!json) process.stdout.write(reportText(result));
  }
  const totals = countResults(results);
  if (json) process.stdout.write(`${JSON.stringify({ ...totals, scripts: results }, null, 2)}\n`);
  else process.stdout.write(`${totalsText(totals)}\n`);
  if (totals.failed > 0) process.exitCode = 1;
}

function scriptFiles(paths: readonly string[]): string[] {
  let files: string[];
  try {
    files = findScripts(paths);
  } catch (error) {
    throw refusal(error);
  }
  if (files.length > 0) return files;
  throw new Refusal(`There is no script (*.pkt) in ${paths.join(', ')}.`, [], 2);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw refusal(error);
  }
}

function refusal(error: unknown): Refusal {
  const { code, path } = error as NodeJS.ErrnoException;
  const why =
    code === 'ENOENT' ? 'it does not exist' : code === 'EACCES' ? 'it may not be read' : String(code);
  return new Refusal(`Cannot read ${path ?? 'a script'}: ${why}.`, [], 2, error);
}
