// The walls of the house are worth what the lint makes of them: here each is broken once, in a small house of its own.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A house in order: imports point down, the command uses a package, tests reach in, examples stay outside. */
const house: Record<string, string> = {
  'src/uapi/errno.ts': 'export const EINVAL = 22;',
  'src/udp/table.ts': 'export const port = 7;',
  'src/tcp/input.ts': "import { EINVAL } from '../uapi/errno.js'; export const answer = -EINVAL;",
  'src/core/random.ts':
    "import { randomBytes } from 'node:crypto'; export const word = () => randomBytes(4);",
  'src/kernel/fd.ts': 'export type Fd = number;',
  'src/index.ts': "export { answer } from './tcp/input.js';",
  'src/cli/main.ts':
    "import { Command } from 'commander'; export { answer } from '../index.js'; new Command();",
  'src/ip/knows.ts': "import { by } from './type.js'; export const knows = () => by();",
  'src/ip/type.ts':
    "import type { knows } from './knows.js'; export const by = (): ReturnType<typeof knows> => 1;",
  'test/tcp/input.test.ts': "import { answer } from '../../src/tcp/input.js'; answer.toString();",
  'examples/echo.ts': "import { answer } from 'tapstack'; import 'node:util'; answer.toString();",
};

let dir: string;

function build(files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(dir, dirname(path)), { recursive: true });
    writeFileSync(join(dir, path), `${text}\n`);
  }
}

function tool(name: string, ...args: string[]) {
  return spawnSync(join(root, 'node_modules/.bin', name), args, { cwd: dir, encoding: 'utf8' });
}

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tapstack-floors-'));
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'));
  for (const name of ['package.json', 'biome.json', 'scripts/rules']) {
    cpSync(join(root, name), join(dir, name), { recursive: true });
  }
});

beforeEach(() => {
  for (const folder of ['src', 'test', 'examples'])
    rmSync(join(dir, folder), { recursive: true, force: true });
  build(house);
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('floors', () => {
  const cruise = (...args: string[]) =>
    tool('depcruise', '--config', join(root, '.dependency-cruiser.cjs'), ...args, 'src', 'test', 'examples');

  it('lets imports point down, and examples and tests stand on them', () => {
    const run = cruise();
    expect(run.stdout).toContain('no dependency violations found');
    expect(run.status).toBe(0);
  });

  it('refuses every other import', () => {
    const broken: [path: string, text: string, ...rules: string[]][] = [
      ['src/uapi/up.ts', "export { answer } from '../tcp/input.js';", 'floor-uapi'],
      ['src/uapi/up-by-type.ts', "export type { Fd } from '../kernel/fd.js';", 'floor-uapi'],
      ['src/eventpoll/up.ts', "export type { Fd } from '../kernel/fd.js';", 'floor-eventpoll'],
      ['src/stack.ts', "export { answer } from './index.js';", 'floor-stack'],
      ['src/udp/beside.ts', "export { answer } from '../tcp/input.js';", 'floor-udp', 'wall-udp-tcp'],
      ['src/tcp/beside.ts', "export { port } from '../udp/table.js';", 'wall-udp-tcp'],
      ['src/net/of-cli.ts', "import '../cli/main.js';", 'floor-net'],
      ['src/lab/of-net.ts', "import '../net/of-cli.js';", 'floor-lab'],
      ['src/replay/of-lab.ts', "import '../lab/of-net.js';", 'floor-replay'],
      ['src/tcp/of-attic.ts', "import '../attic/x.js';", 'floor-tcp', 'no-unknown-room'],
      ['src/attic/x.ts', 'export const x = 1;'],
      ['src/tcp/of-test.ts', "import '../../test/tcp/input.test.js';", 'src-stands-alone'],
      ['src/ip/of-node.ts', "import 'node:crypto';", 'no-node-in-the-stack'],
      ['src/kernel/of-package.ts', "import 'commander';", 'no-package-in-the-stack'],
      ['src/cli/of-dev.ts', "import 'typescript';", 'no-dev-dependency'],
      ['src/ip/nowhere.ts', "import './no-such-file.js';", 'no-unresolvable'],
      ['src/ip/a.ts', "import { b } from './b.js'; export const a = (): number => b();", 'no-cycle'],
      ['src/ip/b.ts', "import { a } from './a.js'; export const b = (): number => a();"],
      ['examples/inside.ts', "import '../src/index.js';", 'examples-as-users-write-them'],
    ];
    build(Object.fromEntries(broken));

    const report = JSON.parse(cruise('-T', 'json').stdout) as {
      summary: { violations: { from: string; rule: { name: string } }[] };
    };
    const found = report.summary.violations.map(({ from, rule }) => `${from}: ${rule.name}`);
    const expected = broken.flatMap(([path, , ...rules]) => rules.map((rule) => `${path}: ${rule}`));
    expect(found.sort()).toEqual(expected.sort());
    // The lint step reads the exit code: the number of errors.
    expect(cruise().status).toBe(expected.length);
  });
});

describe('clock, timers and randomness', () => {
  const uses = [
    'Date.now()',
    'performance.now()',
    'setTimeout(f, 1)',
    'setImmediate(f)',
    'Math.random()',
    'crypto.randomUUID()',
    'process.pid',
    'Buffer.alloc(1)',
  ];
  const stack = [
    'uapi',
    'packet',
    'memory',
    'core',
    'ip',
    'icmp',
    'udp',
    'tcp',
    'socket',
    'eventpoll',
    'kernel',
  ];
  const text = `const f = () => 1;\nexport const used = [\n${uses.map((use) => `  ${use},\n`).join('')}];`;

  /** Lines of `uses` that Biome complains about, by file. */
  function complaints(...paths: string[]): Record<string, string[]> {
    build(Object.fromEntries(paths.map((path) => [path, text])));
    const run = tool('biome', 'lint', '--reporter=json', '--max-diagnostics=none', ...paths);
    const { diagnostics } = JSON.parse(run.stdout) as {
      diagnostics: { location: { path: string; start: { line: number } } }[];
    };
    expect(run.status === 0).toBe(diagnostics.length === 0);
    const found: Record<string, string[]> = Object.fromEntries(paths.map((path) => [path, []]));
    for (const { location } of diagnostics) {
      found[location.path]?.push(uses[location.start.line - 3] ?? `line ${location.start.line}`);
    }
    return found;
  }

  it('come from the stack in every room of it', () => {
    const found = complaints(...stack.map((room) => `src/${room}/uses.ts`));
    for (const room of stack) expect(found[`src/${room}/uses.ts`]?.sort(), room).toEqual([...uses].sort());
  });

  it("are Node's in the command and in the real clock, and the random source draws from Node", () => {
    const found = complaints('src/cli/uses.ts', 'src/time/uses.ts', 'src/core/random-source.ts');
    expect(found['src/cli/uses.ts']).toEqual([]);
    expect(found['src/time/uses.ts']).toEqual([]);
    expect(found['src/core/random-source.ts']).not.toContain('crypto.randomUUID()');
    expect(found['src/core/random-source.ts']).toContain('Math.random()');
  });
});
