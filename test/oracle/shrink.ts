// The smallest part of a failing script that still fails: lines are left out while the two sides still differ (delta
// debugging). Handles stay what they are; one whose making was left out is a closed descriptor on both sides.

import { runOnKernel } from './kernel-side.js';
import type { OracleOptions } from './options.js';
import { askStack } from './stack/run.js';

export interface Shrunk {
  readonly text: string;
  readonly kernel: string;
  readonly stack: string;
}

/** Whether the answers of many variants differ, asked at once, since the kernel's side mostly sleeps. */
async function failing(variants: readonly string[][], options: OracleOptions): Promise<Shrunk | undefined> {
  const texts = variants.map((lines) => `${lines.join('\n')}\n`);
  const kernel = await runOnKernel(texts, options);
  for (const [index, text] of texts.entries()) {
    const stack = await askStack(text, options);
    if (stack !== kernel[index]) return { text, kernel: kernel[index], stack };
  }
  return undefined;
}

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** Everything but one part, for each of `parts` parts; the late parts first, since what follows the failure goes first. */
function complements(lines: readonly string[], parts: number): string[][] {
  const size = Math.ceil(lines.length / parts);
  const variants: string[][] = [];
  for (let from = 0; from < lines.length; from += size) {
    variants.push([...lines.slice(0, from), ...lines.slice(from + size)]);
  }
  return variants.reverse();
}

/** Both sides' answers to the smallest script found; to the script itself if it does not fail (again). */
export async function shrink(script: string, options: OracleOptions): Promise<Shrunk> {
  let lines = linesOf(script);
  let best = await failing([lines], options);
  if (best === undefined) {
    const [kernel] = await runOnKernel([script], options);
    return { text: script, kernel, stack: await askStack(script, options) };
  }
  for (let parts = 2; parts <= lines.length; ) {
    const smaller = await failing(complements(lines, parts), options);
    if (smaller === undefined) {
      if (parts === lines.length) break;
      parts = Math.min(lines.length, parts * 2);
      continue;
    }
    best = smaller;
    lines = linesOf(smaller.text);
    parts = Math.max(2, Math.min(parts - 1, lines.length));
  }
  return best;
}
