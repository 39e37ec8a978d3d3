// Both sides of a script, and what differs.

import { generate } from './generator/generator.js';
import { runOnKernel } from './kernel-side.js';
import type { OracleOptions } from './options.js';
import { shrink } from './shrink.js';
import { askStack, runOnStack } from './stack/run.js';

export interface NamedScript {
  readonly name: string;
  readonly text: string;
}

/** A script on which the two differ, with both answers. */
export interface Difference extends NamedScript {
  readonly kernel: string;
  readonly stack: string;
}

export async function differences(
  scripts: readonly NamedScript[],
  options: OracleOptions,
): Promise<Difference[]> {
  const kernel = runOnKernel(
    scripts.map(({ text }) => text),
    options,
  );
  const stack: string[] = [];
  for (const { text } of scripts) stack.push(await askStack(text, options));
  const answers = await kernel;
  return scripts
    .map((script, index) => ({ ...script, kernel: answers[index], stack: stack[index] }))
    .filter((answer) => answer.kernel !== answer.stack);
}

/** Lines of both answers, those that differ marked. Both answer line by line, so no alignment is needed. */
export function describe({ name, kernel, stack }: Difference): string {
  const [left, right] = [kernel.split('\n'), stack.split('\n')];
  let text = `${name}:\n`;
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    if (left[i] === right[i]) text += left[i] ? `    ${left[i]}\n` : '';
    else {
      if (left[i] !== undefined) text += `  - ${left[i]}\n`;
      if (right[i] !== undefined) text += `  + ${right[i]}\n`;
    }
  }
  return text;
}

export async function printSide(
  kernel: boolean,
  scripts: readonly NamedScript[],
  options: OracleOptions,
): Promise<number> {
  for (const { text } of scripts) {
    const [answer] = kernel ? await runOnKernel([text], options) : [await runOnStack(text, options)];
    process.stdout.write(answer);
  }
  return 0;
}

export async function compareFiles(scripts: readonly NamedScript[], options: OracleOptions): Promise<number> {
  const found = await differences(scripts, options);
  for (const difference of found) process.stdout.write(`${describe(difference)}(- kernel, + stack)\n`);
  if (found.length === 0) console.log(`${scripts.length} compared, no difference.`);
  return found.length === 0 ? 0 : 1;
}

const CHUNK = 250;
/** Shrinking asks the kernel again and again, so one of each kind will do, and not of too many kinds. */
const MOST_SHRUNK = 10;

/** What the first differing line is about, whatever its names and numbers: scripts of one kind mostly have one cause. */
function kindOf({ kernel, stack }: Difference): string {
  const right = stack.split('\n');
  const at = kernel.split('\n').findIndex((line, index) => line !== right[index]);
  const bare = (line = ''): string => line.replace(/"[^"]*"|\b[a-z]\d+\b|\d+/g, '#');
  return `${bare(kernel.split('\n')[at])} / ${bare(right[at]).split(' -> ')[1]}`;
}

/**
 * Those that differ when the kernel is asked again, too. On a machine that is held up for longer than the settle time its answer can be
 * another one than a moment ago; that says nothing of the stack, but it is said, and never passes for agreement.
 */
export async function confirmed(found: readonly Difference[], options: OracleOptions): Promise<Difference[]> {
  if (found.length === 0) return [];
  const again = await runOnKernel(
    found.map(({ text }) => text),
    options,
  );
  return found.filter((difference, index) => {
    const differs = again[index] !== difference.stack;
    if (!differs)
      console.log(`${difference.name}: the kernel itself answered differently a second time, left out`);
    return differs;
  });
}

/** The random scripts that differ, in the order they were made; `onProgress` is told after each chunk. */
export async function findDifferences(
  count: number,
  seed: number,
  options: OracleOptions,
  onProgress: (done: number, different: number) => void = () => {},
): Promise<Difference[]> {
  const found: Difference[] = [];
  for (let from = 0; from < count; from += CHUNK) {
    const scripts = Array.from({ length: Math.min(CHUNK, count - from) }, (_, index) => ({
      name: `seed ${seed}, script ${from + index}`,
      text: generate(seed, from + index),
    }));
    found.push(...(await confirmed(await differences(scripts, options), options)));
    onProgress(from + scripts.length, found.length);
  }
  return found;
}

export async function compareRandom(count: number, seed: number, options: OracleOptions): Promise<number> {
  console.log(`${count} random scripts, seed ${seed}`);
  const found = await findDifferences(count, seed, options, (done, different) => {
    if (done % 2000 === 0 && done < count) console.log(`${done} compared, ${different} different`);
  });
  const kinds = new Map<string, Difference[]>();
  for (const difference of found) {
    const kind = kindOf(difference);
    kinds.set(kind, [...(kinds.get(kind) ?? []), difference]);
  }
  for (const [kind, [difference, ...others]] of [...kinds].slice(0, MOST_SHRUNK)) {
    const small = await shrink(difference.text, options);
    if (others.length > 0) console.log(`and ${others.length} more of the kind ${kind}`);
    process.stdout.write(describe({ ...small, name: difference.name }));
    console.log('(- kernel, + stack; shrunk. The script itself:)');
    process.stdout.write(small.text);
  }
  for (const [kind, [{ name }, ...others]] of [...kinds].slice(MOST_SHRUNK)) {
    console.log(`${name}, and ${others.length} more, not shrunk: ${kind}`);
  }
  console.log(`${count} compared, ${found.length} different (seed ${seed}).`);
  return found.length === 0 ? 0 : 1;
}
