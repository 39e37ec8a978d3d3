// `tapstack lab plot`: how connections of a simulated network fared, drawn as SVG. It needs no network: it reads what `lab.record`
// recorded and a program wrote to a file.

import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { readSeries } from './plot-series.js';
import { Refusal } from './refusal.js';

interface PlotOptions {
  out?: string;
}

/** Adds the subcommand to `lab`, whose other words are programs to run. */
export function registerLabPlot(lab: Command): void {
  lab
    .command('plot')
    .description('draw the connections that lab.record recorded (JSON files) as SVG')
    .argument('<series.json...>', 'JSON.stringify(lab.record(stack)), one file or several')
    .option('--out <file.svg>', 'where to write the picture (default: standard output)')
    .addHelpText('after', '\nA program that is named plot: tapstack lab env plot …')
    .action((paths: string[], options: PlotOptions) => plot(paths, options));
}

async function plot(paths: readonly string[], { out }: PlotOptions): Promise<void> {
  const connections = paths.flatMap(readSeries);
  // The drawing library brings fifty packages and takes longer to load than most commands take to run: only who draws pays.
  const { drawSeries } = await import('./plot-svg.js').catch(refuseWithoutVega);
  const svg = `${await drawSeries(connections)}\n`;
  if (out === undefined) process.stdout.write(svg);
  else write(out, svg);
}

function refuseWithoutVega(error: NodeJS.ErrnoException): never {
  if (error.code !== 'ERR_MODULE_NOT_FOUND' || !error.message.includes("'vega'")) throw error;
  throw new Refusal(
    "The package 'vega' draws the picture, and is not installed here.",
    ['npm install vega'],
    1,
    error,
  );
}

function write(path: string, svg: string): void {
  try {
    writeFileSync(path, svg);
  } catch (error) {
    throw new Refusal(`Cannot write the picture: ${(error as Error).message}.`, [], 1, error);
  }
}
