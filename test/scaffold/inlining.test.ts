// V8's limit for inlining: who raises it, and who leaves it alone. V8 itself tells what it compiled.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const here = (path: string) => new URL(path, import.meta.url).href;
const OPTIONS = [
  '--allow-natives-syntax',
  '--trace-turbo-inlining',
  '--no-concurrent-recompilation',
  `--import=${here('inlining-probe.mjs')}`,
];
const LIBRARY = here('../../dist/index.js');
const COMMAND = fileURLToPath(here('../../dist/cli/main.js'));
const RAISE = `import { raiseInliningLimit } from '${LIBRARY}'; console.log('raised', raiseInliningLimit());`;

function run(...args: string[]): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, [...OPTIONS, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  expect([status, stderr]).toEqual([0, '']);
  return stdout;
}

const program = (text: string): string[] => ['--input-type=module', '--eval', text];
const inlined = (trace: string): number =>
  trace.match(/^Inlining .*\bpart\d.* into .*\bcaller\b/gm)?.length ?? 0;
const ALL = 8;
/** As many as V8's own limit lets in. */
const FEW = 2;

it('it is raised by who asks for it, and not by loading the library', () => {
  const raised = run(...program(RAISE));
  expect(raised).toContain('raised true');
  expect(inlined(raised)).toBe(ALL);
  expect(inlined(run(...program(`import '${LIBRARY}'`)))).toBe(FEW);
});

it.each(['--max-inlined-bytecode-size=460', '--max_inlined_bytecode_size_cumulative=920'])(
  'it stays as the command line has it: %s',
  (option) => {
    const left = run(option, ...program(RAISE));
    expect(left).toContain('raised false');
    expect(inlined(left)).toBe(FEW);
  },
);

it('the command raises it', () => {
  expect(inlined(run(COMMAND, '--version'))).toBe(ALL);
});

it('the preload raises it for a program that it puts on a stack', () => {
  const preload = `--import=${here('../../dist/cli/register.js')}`;
  expect(inlined(run(preload, ...program('')))).toBe(ALL);
});
