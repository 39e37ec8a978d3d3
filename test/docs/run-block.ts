// Runs one code block of the docs as its reader would: in a directory that looks like the checkout, in a private network of its own.

import { spawn } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { type Block, blocksOf, type Command, commandsOf } from './blocks.js';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Ran {
  readonly status: number | null;
  readonly output: string;
  readonly errors: string;
}

/** Markdown pages whose blocks are run. docs/api is generated from comments in the source. */
export function pages(): string[] {
  const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !name.startsWith('api/'))
    .map((name) => `docs/${name}`);
  return ['README.md', 'CONTRIBUTING.md', ...docs.sort()];
}

export function allBlocks(): Block[] {
  return pages().flatMap((page) => blocksOf(page, readFileSync(join(root, page), 'utf8')));
}

/**
 * A scratch copy of the checkout, made of links: what a block writes beside them is gone with it, `import 'tapstack'` is the built
 * package, and `tapstack` a command.
 */
export class Scratch {
  readonly path: string;
  readonly #tools: string;

  constructor() {
    mkdirSync(join(root, 'build'), { recursive: true });
    this.path = mkdtempSync(join(root, 'build/docs-'));
    for (const name of readdirSync(root)) {
      if (name !== 'build' && !name.startsWith('.git')) symlinkSync(join(root, name), join(this.path, name));
    }
    symlinkSync(join(root, 'build/Release'), join(this.path, 'build'));
    this.#tools = join(this.path, '.tools');
    mkdirSync(this.#tools);
    symlinkSync(join(root, 'dist/cli/main.js'), join(this.#tools, 'tapstack'));
  }

  remove(): void {
    rmSync(this.path, { recursive: true });
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.path, name), text);
  }

  /** `interruptMs`: Ctrl-C so long after the start. */
  run(argv: readonly string[], typed = '', interruptMs?: number): Promise<Ran> {
    const lab = ['bash', '-c', 'exec "$@"', 'block', ...argv];
    const stop =
      interruptMs === undefined ? [] : ['timeout', '--foreground', '-s', 'INT', `${interruptMs / 1000}`];
    const child = spawn(join(root, 'scripts/lab'), [...stop, ...lab], {
      cwd: this.path,
      env: { ...process.env, PATH: `${this.#tools}:${process.env.PATH}`, SHELL: '/bin/bash', NO_COLOR: '1' },
    });
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    child.stdin.on('error', () => {});
    child.stdin.end(typed);
    return new Promise((resolve) => {
      child.on('close', (status) => resolve({ status, output, errors }));
    });
  }
}

/** Code of a js or ts block, with what its page hides before it, and the block before that if it continues one. */
export function programOf(block: Block): string {
  const parts = [block.notes.get('before') ?? '', block.text];
  if (block.notes.has('continues')) parts.unshift(programOf(programBefore(block)));
  return parts.join('\n');
}

function programBefore(block: Block): Block {
  let from = block.previous;
  while (from !== undefined && !['js', 'ts'].includes(from.language)) from = from.previous;
  if (from === undefined) throw new Error(`${block.page}:${block.line} continues nothing`);
  return from;
}

/** A block that shows a file is that file; any other is written beside the package, and imports it by its name. */
export function runModule(block: Block, scratch: Scratch): Promise<Ran> {
  const file = block.notes.get('file');
  if (file !== undefined) return scratch.run(['node', file]);
  const code = programOf(block);
  const plain =
    block.language === 'ts'
      ? ts.transpileModule(code, {
          compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
        }).outputText
      : code;
  scratch.write('block.mjs', plain);
  return scratch.run(['node', 'block.mjs']);
}

export function runShell(block: Block, scratch: Scratch): Promise<Ran> {
  const script = `set -euo pipefail\n${block.notes.get('before') ?? ''}\n${block.text}`;
  return scratch.run(['bash', '-c', script], '', interruptMs(block));
}

function interruptMs(block: Block): number | undefined {
  const note = block.notes.get('interrupted after');
  if (note === undefined) return undefined;
  const seconds = /^([\d.]+) s$/.exec(note)?.[1];
  if (seconds === undefined) throw new Error(`${block.page}:${block.line}: not a time: ${note}`);
  return Number(seconds) * 1000;
}

/**
 * The commands of a console block, one after the other in one directory; each in a network of its own. If it continues a program,
 * that runs first, in the same directory.
 */
export async function runConsole(block: Block, scratch: Scratch): Promise<[Command, Ran][]> {
  const runs: [Command, Ran][] = [];
  const before = block.notes.get('before');
  if (before !== undefined) {
    const ran = await scratch.run(['bash', '-ec', before]);
    if (ran.status !== 0)
      throw new Error(`${block.page}:${block.line}: <!-- before --> failed: ${ran.errors}`);
  }
  if (block.notes.has('continues')) {
    const ran = await runModule(programBefore(block), scratch);
    if (ran.status !== 0)
      throw new Error(`${block.page}:${block.line}: what it continues failed: ${ran.errors}`);
  }
  for (const command of commandsOf(block)) {
    const typed = command.typed.map((line) => `${line}\n`).join('');
    runs.push([command, await scratch.run(['bash', '-c', command.command], typed, interruptMs(block))]);
  }
  return runs;
}

export function runPacketScript(block: Block, scratch: Scratch): Promise<Ran> {
  scratch.write('block.pkt', block.text);
  return scratch.run(['tapstack', 'script', 'block.pkt']);
}
