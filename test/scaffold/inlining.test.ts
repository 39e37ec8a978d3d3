// V8's limits for inlining: who raises them, and who leaves them alone. V8 itself tells what it compiled.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const here = (path: string) => new URL(path, import.meta.url).href;
const OPTIONS = [
  '--allow-natives-syntax',
  '--trace-turbo-inlining',
  `--import=${here('inlining-probe.mjs')}`,
];
const LIBRARY = here('../../dist/index.js');
const COMMAND = fileURLToPath(here('../../dist/cli/main.js'));
const RAISE = `import { raiseInliningLimits } from '${LIBRARY}'; console.log('raised', raiseInliningLimits());`;

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
const INLINED = /Inlining .*\blarge\b.* into .*\bcaller\b/;

it('they are raised by who asks for it, and not by loading the library', () => {
  const raised = run(...program(RAISE));
  expect(raised).toContain('raised true');
  expect(raised).toMatch(INLINED);
  expect(run(...program(`import '${LIBRARY}'`))).not.toMatch(INLINED);
});

it.each(['--max-inlined-bytecode-size=460', '--max_inlined_bytecode_size_cumulative=920'])(
  'they stay as the command line has them: %s',
  (option) => {
    const left = run(option, ...program(RAISE));
    expect(left).toContain('raised false');
    expect(left).not.toMatch(INLINED);
  },
);

it('the command raises them', () => {
  expect(run(COMMAND, '--version')).toMatch(INLINED);
});

it('the preload raises them for a program that it puts on a stack', () => {
  expect(run(`--import=${here('../../dist/cli/register.js')}`, ...program(''))).toMatch(INLINED);
});
