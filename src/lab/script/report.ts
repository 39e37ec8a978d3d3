// How results are told: one line for each script that did not pass, and for a failure what was expected, what came, and the
// exchange so far as a ladder with the stack on the left and its peer on the right.

import type { Rung, ScriptResult } from './outcome.js';

const OUT = '────────▶';
const IN = '◀────────';

/** A failure or a skipped script, for people; empty for one that passed. */
export function reportText(result: ScriptResult): string {
  if (result.result === 'passed') return '';
  if (result.result === 'skipped') return `SKIP ${result.path}: needs ${result.reason}\n`;
  const at = result.place === null ? '' : `:${result.place.line}:${result.place.column}`;
  const lines = [`FAIL ${result.path}${at}: ${result.reason}`];
  if (result.event !== null) lines.push(`     line      ${result.event}`);
  if (result.expected !== null) lines.push(`     expected  ${result.expected}`);
  if (result.got !== null) lines.push(`     got       ${result.got}`);
  if (result.notes.length > 0) lines.push(`     passed over (not here): ${result.notes.join(', ')}`);
  if (result.ladder.length > 0) lines.push('', ...ladderLines(result.ladder), '');
  return `${lines.join('\n')}\n`;
}

/** The exchange, oldest first. What left the stack and no line of the script has asked for is marked. */
export function ladderLines(ladder: readonly Rung[]): string[] {
  const lines = ['         time  line  the stack      its peer'];
  for (const { at, side, text, line } of ladder) {
    const time = (at / 1e6).toFixed(6).padStart(12);
    const where = (line === null ? '' : String(line)).padStart(6);
    lines.push(` ${time}${where}  ${rungText(side, text)}`);
  }
  return lines;
}

function rungText(side: Rung['side'], text: string): string {
  switch (side) {
    case '<':
      return `   ${IN}   ${text}`;
    case '>':
      return `   ${OUT}   ${text}`;
    case '?':
      return `   ${OUT}   ${text}   (no line asked for it)`;
    default:
      return text;
  }
}

export interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

export function countResults(results: readonly ScriptResult[]): Totals {
  const count = (kind: ScriptResult['result']): number =>
    results.filter(({ result }) => result === kind).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped') };
}

/** `3 passed, 0 failed, 1 skipped` */
export function totalsText({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
