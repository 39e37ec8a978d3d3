#!/usr/bin/env node
// node scripts/mutate.mjs [--part K/N] [WORD…]: breaks what docs/tcp.md lists, one place after the other (test/docs/mutations.json), in a copy of
// the project, and sees whether a test that claims to cover it turns red. With words, only items whose names contain one of them;
// with --part, only the Kth of N portions of those. Needs a build; all takes some minutes. Exit status 1 if something broke unnoticed.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import ts from 'typescript';
import { readMutations, readTags } from './ledger.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const copy = mkdtempSync(join(tmpdir(), 'tapstack-mutate-'));
/** What runs for longer than this hangs, and counts as red. */
const PATIENCE_MS = 120_000;

process.on('exit', () => rmSync(copy, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

function copyProject() {
  for (const name of [
    'src',
    'test',
    'dist',
    'scripts',
    'docs',
    'package.json',
    'tsconfig.json',
    'vitest.config.ts',
  ]) {
    cpSync(join(root, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  mkdirSync(join(copy, 'build'), { recursive: true });
}

/** The file as TypeScript for vitest, and as JavaScript for the command. */
function put(file, text) {
  writeFileSync(join(copy, file), text);
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
  const { outputText } = ts.transpileModule(text, { fileName: file, compilerOptions });
  writeFileSync(join(copy, file.replace(/^src/, 'dist').replace(/\.ts$/, '.js')), outputText);
}

function run(command, args) {
  return spawnSync(command, args, { cwd: copy, encoding: 'utf8', timeout: PATIENCE_MS, maxBuffer: 1 << 28 });
}

/** Which of these packet scripts fail. */
function redScripts(paths) {
  if (paths.length === 0) return [];
  const { stdout, status } = run(process.execPath, ['dist/cli/main.js', 'script', '--json', ...paths]);
  if (status === 0) return [];
  try {
    return JSON.parse(stdout)
      .scripts.filter(({ result }) => result !== 'passed')
      .map(({ path }) => path);
  } catch {
    return paths.slice(0, 1);
  }
}

/** Whether tests of this file fail, of those with these titles. */
function isRed(path, titles) {
  const pattern = titles
    .map((title) => title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/%\w/g, '.*'))
    .join('|');
  return run('node_modules/.bin/vitest', ['run', path, '-t', pattern]).status !== 0;
}

const tags = readTags(root);
const { values, positionals } = parseArgs({ options: { part: { type: 'string' } }, allowPositionals: true });
const [part, parts] = (values.part ?? '1/1').split('/').map(Number);
if (!(part >= 1 && part <= parts)) throw new Error(`--part ${values.part}: K/N is wanted, K from 1 to N.`);
const words = positionals.map((word) => word.toLowerCase());
const named = readMutations(root).filter(({ item }) => {
  return words.length === 0 || words.some((word) => item.toLowerCase().includes(word));
});
const size = Math.ceil(named.length / parts);
const mutations = named.slice((part - 1) * size, part * size);
const greenAtFirst = new Set();

/** The tests of an item, by file. */
function testsOf(item) {
  const files = new Map();
  for (const { path, title } of tags.filter((tag) => tag.item === item)) {
    files.set(path, [...(files.get(path) ?? []), ...(title === null ? [] : [title])]);
  }
  return files;
}

/** A test that is red by itself proves nothing. @throws Error */
function mustBeGreen(path, titles) {
  const key = `${path} ${titles.join('|')}`;
  if (greenAtFirst.has(key)) return;
  const red = titles.length === 0 ? redScripts([path]).length > 0 : isRed(path, titles);
  if (red) throw new Error(`${path} fails without any mutation.`);
  greenAtFirst.add(key);
}

/** The tests that turn red. */
function judge({ item, file, from, to }) {
  const files = testsOf(item);
  const original = readFileSync(join(copy, file), 'utf8');
  put(
    file,
    original.replace(from, () => to),
  );
  let red = redScripts([...files.keys()].filter((path) => path.endsWith('.pkt')));
  for (const [path, titles] of files) {
    if (red.length > 0) break;
    if (titles.length > 0 && isRed(path, titles)) red = [path];
  }
  put(file, original);
  for (const path of red) mustBeGreen(path, files.get(path) ?? []);
  return red;
}

copyProject();
const unnoticed = [];
for (const mutation of mutations) {
  const red = judge(mutation);
  const place = `${mutation.item} (${mutation.file})`;
  if (red.length === 0) unnoticed.push(mutation);
  console.log(
    red.length === 0
      ? `UNNOTICED  ${place}: ${mutation.from.trim()}`
      : `red        ${place}: ${red.join(' ')}`,
  );
}
console.log(`${mutations.length - unnoticed.length} of ${mutations.length} mutations turned a test red.`);
process.exitCode = unnoticed.length === 0 ? 0 : 1;
