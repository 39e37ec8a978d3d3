// What is printed and what is written: a table of ratios for the terminal, the same as a page of the documentation, and JSON.

import { meanRatio } from './statistics.mjs';

export const GOAL = 0.95;
const LOSSES_FIRST = (a, b) => a - b;

const number = (value) => value.toFixed(2);
/** A ratio with its standard error in hundredths. */
const withError = ({ value, error }) => `${number(value)} ±${Number.isNaN(error) ? '?' : number(error)}`;

export function table(rows) {
  const width = Math.max(...rows.map(({ cell }) => cell.name.length));
  const lines = rows.map(({ cell, way, kernel, stack, pairs, ...row }) => {
    const below = row.value < GOAL ? '  <' : '';
    return `${cell.name.padEnd(width)}  ${way.padEnd(8)} ${number(kernel).padStart(6)} ${number(stack).padStart(6)}  ${withError(row)}  (${pairs})${below}`;
  });
  return [`${'network'.padEnd(width)}  tapstack kernel  stack  ratio  (pairs)`, ...lines, summary(rows)].join(
    '\n',
  );
}

export function summary(rows) {
  const below = rows.filter(({ value }) => value < GOAL).length;
  return `${rows.length} cells, mean ratio ${number(meanRatio(rows))}, below ${GOAL}: ${below}`;
}

/** In a table of the page; one pair alone has no error to tell. */
const shown = (row) => {
  if (row === undefined) return '';
  const error = Number.isNaN(row.error) ? '' : ` ±${number(row.error)}`;
  return `**${number(row.value)}**${error} (${number(row.kernel)})`;
};

/** The ratios of one direction: losses down, round trips across. */
function square(rows) {
  const plain = rows.filter(({ cell }) => cell.reorder === 0 && cell.duplicate === 0);
  const rtts = [...new Set(plain.map(({ cell }) => cell.rtt))].sort(LOSSES_FIRST);
  const losses = [...new Set(plain.map(({ cell }) => cell.loss))].sort(LOSSES_FIRST);
  const find = (loss, rtt) => plain.find(({ cell }) => cell.loss === loss && cell.rtt === rtt);
  return [
    `| lost | ${rtts.map((rtt) => `${rtt} ms`).join(' | ')} |`,
    `| --- |${' ---: |'.repeat(rtts.length)}`,
    ...losses.map((loss) => {
      const cells = rtts.map((rtt) => shown(find(loss, rtt)));
      return `| ${loss} % | ${cells.join(' | ')} |`;
    }),
  ].join('\n');
}

function list(rows) {
  const disordered = rows.filter(({ cell }) => cell.reorder > 0 || cell.duplicate > 0);
  return [
    '| network | tapstack sends | tapstack receives |',
    '| --- | ---: | ---: |',
    ...[...new Set(disordered.map(({ cell }) => cell.name))].map((name) => {
      const one = (way) => disordered.find((row) => row.cell.name === name && row.way === way);
      return `| ${name} | ${shown(one('sends'))} | ${shown(one('receives'))} |`;
    }),
  ].join('\n');
}

function pairsOf(rows) {
  const all = rows.map(({ pairs }) => pairs);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  return least === most ? `${most}` : `${least} to ${most}`;
}

/** One congestion control's part of the page. */
export function section({ congestion, rows, bytes, seconds, kernel, machine }) {
  const ways = ['sends', 'receives'].map((way) => {
    const of = rows.filter((row) => row.way === way);
    return `tapstack ${way}: mean ratio **${number(meanRatio(of))}**\n\n${square(of)}`;
  });
  return [
    `## ${congestion} beside ${congestion}`,
    `Linux ${kernel}, ${machine}; ${bytes / 1e6} MB or ${seconds} s a transfer, ${pairsOf(rows)} pairs a cell. ${summary(rows)}.`,
    ...ways,
    'Frames out of order and frames that come twice:',
    list(rows),
  ].join('\n\n');
}
