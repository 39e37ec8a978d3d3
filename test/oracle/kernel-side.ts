// The oracle's first side: compiles the C program when it has changed, and runs scripts through it.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { joinBatch, splitBatch } from './language/parse.js';
import type { OracleOptions } from './options.js';

/** Found from the compiled copy in build/oracle/js as well as from the source. */
function repository(): string {
  let directory = fileURLToPath(new URL('.', import.meta.url));
  while (!existsSync(join(directory, 'binding.gyp'))) directory = join(directory, '..');
  return directory;
}

export const root = repository();
const sources = join(root, 'test/oracle/kernel');
const output = join(root, 'build/oracle');
const program = join(output, 'kernel');

/** Compiles kernel/*.c unless that has been done since they changed. */
export function buildKernelSide(): void {
  const files = readdirSync(sources).filter((name) => /\.[ch]$/.test(name));
  const built = existsSync(program) ? statSync(program).mtimeMs : 0;
  if (files.every((name) => statSync(join(sources, name)).mtimeMs < built)) return;
  mkdirSync(output, { recursive: true });
  const units = files.filter((name) => name.endsWith('.c')).map((name) => join(sources, name));
  const flags = ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', '-o', program, ...units, '-lpthread'];
  const result = spawnSync(process.env.CC ?? 'cc', flags, { encoding: 'utf8' });
  if (result.status !== 0) {
    throw new Error(
      `the oracle's kernel side does not compile: ${result.error?.message ?? result.stderr}\n` +
        'A C compiler and the Linux headers are needed (Debian, Ubuntu: apt-get install gcc libc6-dev).',
    );
  }
}

/** Whether this system lets the C program make a network namespace, as root or through a user namespace. */
export function kernelSideWorks(): boolean {
  if (process.platform !== 'linux') return false;
  buildKernelSide();
  return spawnSync(program, ['-'], { input: 'print\n' }).status === 0;
}

function flagsOf(options: OracleOptions, jobs: number): string[] {
  const flags = ['-s', String(options.settleMs), '-b', String(options.blockedMs), '-j', String(jobs)];
  if (options.sort) flags.push('-u');
  if (options.hideFds) flags.push('-F');
  if (options.results) flags.push('-q');
  if (options.stay) flags.push('-N');
  if (options.delayedAck) flags.push('-A');
  return flags;
}

/** They mostly sleep. */
const JOBS = 24;

/** What the running kernel prints for each script. In a namespace of its own each, unless they stay in this one. */
export async function runOnKernel(scripts: readonly string[], options: OracleOptions): Promise<string[]> {
  buildKernelSide();
  const jobs = options.stay ? 1 : JOBS;
  const child = spawn(program, [...flagsOf(options, jobs), '-'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let [text, complaints] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    complaints += part;
  });
  child.stdin.end(joinBatch(scripts.map((script, index) => ({ name: String(index), text: script }))));
  const status = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (status !== 0)
    throw new Error(`the oracle's kernel side failed: ${complaints.trim() || `status ${status}`}`);
  return splitBatch(text);
}
