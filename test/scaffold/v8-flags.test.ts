// V8's flags: who sets them, and who leaves them alone. V8 itself tells what it inlined and what it freed.
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const here = (path: string) => new URL(path, import.meta.url).href;
const LIBRARY = here('../../dist/index.js');
const COMMAND = fileURLToPath(here('../../dist/cli/main.js'));
const PRELOAD = `--import=${here('../../dist/cli/register.js')}`;
const LOAD = `import '${LIBRARY}'`;
const TUNE = `import { tuneV8 } from '${LIBRARY}'; console.log('set', ...tuneV8());`;
const INLINING = '--max-inlined-bytecode-size-cumulative=4000';
const SWEEPING = '--no-concurrent-array-buffer-sweeping';
const ACCOUNTED = '--external-memory-accounted-in-global-limit';
const GROWING = '--external-memory-max-growing-factor=4';
/** By the version of Node that the tests run on. */
const MAJOR = Number(process.versions.node.split('.')[0]);
const OUTSIDE = MAJOR >= 25 ? [ACCOUNTED, GROWING] : MAJOR === 24 ? [ACCOUNTED] : [];

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'v8-flags-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** What a program printed; to a file, as V8 loses what a full pipe does not take. */
function run(...args: string[]): string {
  const output = join(directory, 'output');
  const fd = openSync(output, 'w');
  const { stderr, status } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', fd, 'pipe'],
  });
  closeSync(fd);
  expect([status, stderr]).toEqual([0, '']);
  return readFileSync(output, 'utf8');
}

const program = (text: string): string[] => ['--input-type=module', '--eval', text];

describe('the limit of what is inlined', () => {
  const OPTIONS = [
    '--allow-natives-syntax',
    '--trace-turbo-inlining',
    '--no-concurrent-recompilation',
    `--import=${here('inlining-probe.mjs')}`,
  ];
  const inlined = (trace: string): number =>
    trace.match(/^Inlining .*\bpart\d.* into .*\bcaller\b/gm)?.length ?? 0;
  const ALL = 8;
  /** As many as V8's own limit lets in. */
  const FEW = 2;

  it('is raised by who asks for it, and not by loading the library', () => {
    const raised = run(...OPTIONS, ...program(TUNE));
    expect(raised).toContain(`set ${[INLINING, SWEEPING, ...OUTSIDE].join(' ')}\n`);
    expect(inlined(raised)).toBe(ALL);
    expect(inlined(run(...OPTIONS, ...program(LOAD)))).toBe(FEW);
  });

  it.each(['--max-inlined-bytecode-size=460', '--max_inlined_bytecode_size_cumulative=920'])(
    'stays as the command line has it: %s',
    (option) => {
      const left = run(option, ...OPTIONS, ...program(TUNE));
      expect(left).toContain(`set ${[SWEEPING, ...OUTSIDE].join(' ')}\n`);
      expect(inlined(left)).toBe(FEW);
    },
  );

  it('is raised by the command', () => {
    expect(inlined(run(...OPTIONS, COMMAND, '--version'))).toBe(ALL);
  });

  it('is raised by the preload for a program that it puts on a stack', () => {
    expect(inlined(run(...OPTIONS, PRELOAD, ...program('')))).toBe(ALL);
  });
});

describe('ArrayBuffers that a collection finds dead', () => {
  const OPTIONS = ['--expose-gc', `--import=${here('sweeping-probe.mjs')}`];
  const left = (output: string): number => Number(/^left (\d+)$/m.exec(output)?.[1]);
  /** Of what the probe makes and lets go of. */
  const MOST = 640_000 / 2;

  it('are free at its end for who asks for it, and not for loading the library', () => {
    const freed = run(...OPTIONS, ...program(TUNE));
    expect(left(freed)).toBe(0);
    expect(left(run(...OPTIONS, ...program(LOAD)))).toBeGreaterThan(MOST);
  });

  it.each(['--concurrent-array-buffer-sweeping', '--concurrent_array_buffer_sweeping'])(
    'are left to a thread where the command line says so: %s',
    (option) => {
      const output = run(option, ...OPTIONS, ...program(TUNE));
      expect(output).toContain(`set ${[INLINING, ...OUTSIDE].join(' ')}\n`);
      expect(left(output)).toBeGreaterThan(MOST);
    },
  );

  it.each([SWEEPING, '--single-threaded-gc', '--single-threaded'])(
    'are free at its end where the command line says so already: %s',
    (option) => {
      const output = run(option, ...OPTIONS, ...program(TUNE));
      expect(output).toContain(`set ${[INLINING, ...OUTSIDE].join(' ')}\n`);
      expect(left(output)).toBe(0);
    },
  );

  it('are free at its end in the command', () => {
    expect(left(run(...OPTIONS, COMMAND, '--version'))).toBe(0);
  });

  it('are free at its end in a program that the preload puts on a stack', () => {
    expect(left(run(...OPTIONS, PRELOAD, ...program('')))).toBe(0);
  });
});

describe('full collections for buffers that scavenges free', () => {
  const PROBE = `--import=${here('outside-probe.mjs')}`;
  const full = (output: string): number => Number(/^full (\d+) beside/m.exec(output)?.[1]);
  const MANY = 6;
  const FEW = 4;

  it.skipIf(MAJOR < 24)('are few for who asks for it, and not for loading the library', () => {
    expect(full(run(PROBE, ...program(TUNE)))).toBeLessThanOrEqual(FEW);
    expect(full(run(PROBE, ...program(LOAD)))).toBeGreaterThanOrEqual(MANY);
  });

  it.skipIf(MAJOR < 24)('are as the command line has it where that decides', () => {
    expect(run(`--no-${ACCOUNTED.slice(2)}`, ...program(TUNE))).toBe(`set ${INLINING} ${SWEEPING}\n`);
  });

  it.skipIf(MAJOR < 25)('may come as early as the command line has it', () => {
    const option = '--external_memory_max_growing_factor=2';
    expect(run(option, ...program(TUNE))).toBe(`set ${INLINING} ${SWEEPING} ${ACCOUNTED}\n`);
  });
});
