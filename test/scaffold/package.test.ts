// What npm and its users see: the lock file, the exports map, the files that would be shipped.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

it('needs no package for which the Node.js that runs this is too old', () => {
  const project = mkdtempSync(join(tmpdir(), 'tapstack-engines-'));
  onTestFinished(() => rmSync(project, { recursive: true }));
  for (const name of ['package.json', 'package-lock.json']) cpSync(`${root}/${name}`, join(project, name));
  const options = ['--dry-run', '--engine-strict', '--offline', '--ignore-scripts'];
  const ran = spawnSync('npm', ['ci', ...options], { cwd: project, encoding: 'utf8' });
  expect(ran, ran.stderr).toMatchObject({ status: 0 });
});

it('records no download addresses in package-lock.json', () => {
  const text = readFileSync(`${root}/package-lock.json`, 'utf8');
  expect(text).not.toMatch(/"resolved"/);
  const lock = JSON.parse(text) as { packages: Record<string, { integrity?: string }> };
  // Addresses are allowed for what they tell readers: whom to fund.
  const stripped = JSON.stringify(lock, (key, value) => (key === 'funding' ? undefined : value));
  expect(stripped).not.toContain('://');
  const packages = Object.entries(lock.packages).filter(([path]) => path !== '');
  expect(packages.length).toBeGreaterThan(50);
  expect(packages.filter(([, entry]) => entry.integrity === undefined)).toEqual([]);
});

it('resolves what the exports map names, by import and by require, and nothing else', () => {
  const run = (code: string) =>
    execFileSync(process.execPath, ['-p', code], { cwd: root, encoding: 'utf8', stdio: 'pipe' });
  expect(run("require.resolve('tapstack/net')")).toContain('dist/net/index.js');
  expect(run("typeof require('tapstack/net').createServer")).toBe('function\n');
  const missing = (name: string) =>
    run(`import('${name}').then((all) => {
      const required = require('${name}');
      console.log(Object.keys(all).filter((key) => !/^(default|module.exports)$/.test(key) && !(key in required)));
    }); ''`);
  for (const name of ['tapstack', 'tapstack/lab', 'tapstack/control', 'tapstack/replay', 'tapstack/net'])
    expect([name, missing(name).trim()]).toEqual([name, '[]']);
  expect(() => run("require.resolve('tapstack/dist/index.js')")).toThrow(/Package subpath/);
});
