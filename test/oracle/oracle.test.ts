// The stack against Linux: what Linux answered to the corpus, and what the running kernel answers to random scripts.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { confirmed, describe as describeDifference, findDifferences } from './differential.js';
import { generate } from './generator/generator.js';
import { kernelSideWorks, runOnKernel } from './kernel-side.js';
import { defaultOptions, randomOptions } from './options.js';
import { shrink } from './shrink.js';
import { runOnStack } from './stack/run.js';

const corpus = fileURLToPath(new URL('corpus', import.meta.url));
const names = readdirSync(corpus)
  .filter((name) => name.endsWith('.txt'))
  .map((name) => name.slice(0, -'.txt'.length));
const script = (name: string): string => readFileSync(join(corpus, `${name}.txt`), 'utf8');
const recorded = (name: string): string => readFileSync(join(corpus, `${name}.out`), 'utf8');

const randomCount = Number(process.env.ORACLE_RANDOM ?? 100);
/** Always the same, so that what turns red is the change that is tested; `npm run -s oracle -- --random N` tries others. */
const seed = Number(process.env.ORACLE_SEED ?? 20_261_128);
const shrunkAtMost = 5;
/** Generous, since a machine with other work to do is slow: milliseconds for all, and for each script. */
const patience = 60_000;
const patienceEach = 500;

describe('the corpus', () => {
  it.each(names)('%s: the stack answers as Linux did', async (name) => {
    expect(await runOnStack(script(name), defaultOptions)).toBe(recorded(name));
  });

  it('has a comment that names the rule in every script', () => {
    expect(names.filter((name) => !/^# .{8}/.test(script(name)))).toEqual([]);
  });
});

describe('the generator', () => {
  it('makes the same script of the same seed, and another of another', () => {
    expect(generate(7, 3)).toBe(generate(7, 3));
    expect(generate(7, 4)).not.toBe(generate(7, 3));
    expect(generate(8, 3)).not.toBe(generate(7, 3));
    expect(generate(7, 3).split('\n').length).toBeGreaterThan(60);
  });

  it('makes one script in ten about datagrams', () => {
    const about = Array.from({ length: 20 }, (_, index) => / dgram /.test(generate(7, index)));
    expect(about.flatMap((is, index) => (is ? [index] : []))).toEqual([9, 19]);
  });

  it('sets no receive buffer that two datagrams may fill', () => {
    // Of 1,472 and 5,000 bytes, where 10,000 are free: the second fits or not by what the kernel makes of it.
    const lines = generate(910_281, 16_429).split('\n');
    expect(lines.some((line) => / SO_RCVBUF /.test(line))).toBe(true);
    expect(lines.filter((line) => /SO_RCVBUF (?!200000)/.test(line))).toEqual([]);
  });

  it('fills nothing a third time', () => {
    const most = Array.from({ length: 2000 }, (_, index) => {
      const fills = generate(12_758_972, index)
        .split('\n')
        .filter((line) => line.startsWith('fill '));
      return Math.max(0, ...fills.map((line) => fills.filter((other) => other === line).length));
    });
    expect(Math.max(...most)).toBe(2);
  });

  it('lets no thread sleep where a timeout may wake it', () => {
    const lines = generate(161_596_785, 6761).split('\n');
    expect(lines).toContain('setsockopt b1 SO_RCVTIMEO 20');
    expect(lines.filter((line) => /^bg .* recv b1/.test(line))).toEqual([]);
  });

  it('lets no listener listen again that may have put off handshakes when it was shut', () => {
    const lines = generate(15_995_986, 3945).split('\n');
    // d1 is l1 by another name.
    expect(lines).toEqual(expect.arrayContaining(['setsockopt l1 TCP_DEFER_ACCEPT 1', 'd1 = dup2 l1 a1']));
    expect(lines.filter((line) => /^listen [ld]1 /.test(line))).toEqual(['listen l1 3']);
  });
});

describe.runIf(kernelSideWorks())('the running kernel', () => {
  it(
    'answers the corpus as recorded',
    async () => {
      const answers = await runOnKernel(names.map(script), defaultOptions);
      const found = names
        .map((name, index) => ({ name, text: script(name), kernel: answers[index], stack: recorded(name) }))
        .filter(({ kernel, stack }) => kernel !== stack);
      const differing = await confirmed(found, defaultOptions);
      expect(differing.map(describeDifference).join('\n'), `of ${names.length}`).toBe('');
    },
    patience,
  );

  it('gives the same answer to a random script twice', async () => {
    const scripts = Array.from({ length: 100 }, (_, index) => generate(seed, index));
    const twice = async (asked: readonly string[]): Promise<string[]> => {
      const hasty = await runOnKernel(asked, { ...randomOptions, settleMs: 3 });
      const calm = await runOnKernel(asked, randomOptions);
      return asked.filter((_, index) => hasty[index] !== calm[index]);
    };
    // Held up in the middle, as a busy machine may be, a script is not the same script.
    expect(await twice(await twice(scripts))).toEqual([]);
  });

  it(
    `and the stack answer ${randomCount} random scripts alike (ORACLE_SEED=${seed})`,
    async () => {
      const found = await findDifferences(randomCount, seed, randomOptions);
      const reports: string[] = [];
      for (const difference of found.slice(0, shrunkAtMost)) {
        const small = await shrink(difference.text, randomOptions);
        reports.push(`${describeDifference({ ...small, name: difference.name })}${small.text}`);
      }
      expect(reports.join('\n'), `${found.length} of ${randomCount} differ`).toBe('');
    },
    patience + randomCount * patienceEach,
  );
});
