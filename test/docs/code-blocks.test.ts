// Every fenced block of README.md, CONTRIBUTING.md and docs/ is run, or says why not. UPDATE_FIGURES=1 writes outputs and files anew.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { requireLab } from '../link/lab.js';
import { type Block, pattern } from './blocks.js';
import { typeErrors } from './check-types.js';
import {
  allBlocks,
  type Ran,
  root,
  runConsole,
  runModule,
  runPacketScript,
  runShell,
  Scratch,
} from './run-block.js';

requireLab();

const CODE = ['js', 'ts'];
/** Nothing to run, whatever the notes say. */
const NO_CODE = ['text', 'mermaid'];
const blocks = allBlocks();
const runnable = blocks.filter((block) => !NO_CODE.includes(block.language) && !block.notes.has('not run'));
const place = (block: Block) => `${block.page}:${block.line}`;
/** The block that shows what `block` prints. */
const outputOf = (block: Block) =>
  blocks.find((other) => other.notes.has('output') && other.previous === block);
const updating = process.env.UPDATE_FIGURES !== undefined;

/** Looks behind the block before: an empty one is like any other empty one. */
function replace(block: Block, text: string): void {
  const path = join(root, block.page);
  const page = readFileSync(path, 'utf8');
  const before = block.previous?.text ?? '';
  const from = page.indexOf(
    `\`\`\`${block.language}\n${block.text}\`\`\``,
    page.indexOf(before) + before.length,
  );
  if (from < 0) throw new Error(`${place(block)} is not where it was`);
  const at = from + block.language.length + 4;
  writeFileSync(path, page.slice(0, at) + text + page.slice(at + block.text.length));
}

function succeeded(ran: Ran): void {
  expect(ran, ran.output + ran.errors).toMatchObject({ status: 0 });
}

function looksAsShown(ran: Ran, shown: string): void {
  if (pattern(shown).test(`${ran.output.trimEnd()}\n`)) return;
  expect(ran.output.trimEnd()).toBe(shown.trimEnd());
}

async function checkModule(block: Block, scratch: Scratch): Promise<void> {
  const ran = await runModule(block, scratch);
  succeeded(ran);
  const output = outputOf(block);
  if (output === undefined) return;
  if (updating) replace(output, ran.output);
  else looksAsShown(ran, output.text);
}

async function checkConsole(block: Block, scratch: Scratch): Promise<void> {
  for (const [{ command, typed, shown }, ran] of await runConsole(block, scratch)) {
    if (!block.notes.has('interrupted after'))
      expect(ran, `${command}\n${ran.errors}`).toMatchObject({ status: 0 });
    // A shell has much to say; what is shown must be among it, in this order.
    if (typed.length > 0) looksAsShown(ran, ['…', ...shown.flatMap((line) => [line, '…'])].join('\n'));
    else if (shown.length > 0) looksAsShown({ ...ran, output: ran.output + ran.errors }, shown.join('\n'));
  }
}

async function check(block: Block): Promise<void> {
  const scratch = new Scratch();
  try {
    if (CODE.includes(block.language)) await checkModule(block, scratch);
    else if (block.language === 'sh') succeeded(await runShell(block, scratch));
    else if (block.language === 'console') await checkConsole(block, scratch);
    else if (block.language === 'packetdrill') succeeded(await runPacketScript(block, scratch));
    else if (block.language === 'json') JSON.parse(block.text);
    else {
      expect.fail(
        `${place(block)}: nobody knows how to run '${block.language}'. CONTRIBUTING.md, "Code in the docs", says what can stand there.`,
      );
    }
  } finally {
    scratch.remove();
  }
}

describe('code blocks of the docs', () => {
  // They run several at a time, and a block may be a whole session.
  it.concurrent.each(runnable.map((block) => [place(block), block] as const))(
    '%s',
    (_place, block) => check(block),
    60_000,
  );

  it.each(blocks.filter((block) => block.notes.has('file')).map((block) => [place(block), block] as const))(
    '%s shows the file it names, whole',
    (_place, block) => {
      const file = readFileSync(join(root, block.notes.get('file') ?? ''), 'utf8');
      if (updating) replace(block, file);
      else expect(block.text).toBe(file);
    },
  );

  it('has TypeScript that a compiler takes', { timeout: 60_000 }, () => {
    expect(typeErrors(runnable.filter((block) => block.language === 'ts'))).toEqual([]);
  });

  it('gives a reason where a block is not run', () => {
    const mute = blocks.filter((block) => block.notes.get('not run') === '');
    expect(mute.map(place)).toEqual([]);
  });

  it('takes what follows a program for its output', () => {
    const outputs = blocks.filter((block) => block.notes.has('output'));
    const lost = outputs.filter(
      ({ previous }) => previous === undefined || !CODE.includes(previous.language),
    );
    expect(lost.map(place)).toEqual([]);
  });
});
