// What npm and its users see: the lock file, the exports map, the files that would be shipped.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

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
