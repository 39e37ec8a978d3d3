// docs/tcp.md is drawn from the tags of the tests. UPDATE_FIGURES=1 draws it anew.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readMutations, readTags } from '../../scripts/ledger.mjs';
import { findScripts } from '../../src/lab/script/find-scripts.js';
import { groups } from './tcp-items.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PAGE = new URL('../../docs/tcp.md', import.meta.url);
const TABLE = /<!-- items: (.+?) -->\n([\s\S]*?)<!-- end -->/g;

const tags = readTags(ROOT);
const items = Object.values(groups).flat();

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)];
}

/** A test as the table names it: `sack/off`, or `tcp/send.test.ts`. */
function testName(path: string): string {
  return path.replace(/^test\/(scripts\/)?/, '').replace(/\.pkt$/, '');
}

function row(item: string): string {
  const about = tags.filter((tag) => tag.item === item);
  const references = distinct(about.flatMap((tag) => tag.reference.split('; '))).join('; ');
  const files = distinct(about.map((tag) => `\`${tag.file.replace(/^src\//, '')}\``)).join(', ');
  const tests = distinct(about.map((tag) => `\`${testName(tag.path)}\``)).join(', ');
  return `| ${item} | ${references} | ${files} | ${tests} |`;
}

function table(group: string): string {
  return ['| item | after | in src/ | tests |', '| --- | --- | --- | --- |', ...groups[group].map(row)].join(
    '\n',
  );
}

describe('docs/tcp.md', () => {
  it('shows what the tests cover, as they say today', () => {
    const page = readFileSync(PAGE, 'utf8');
    const fresh = page.replaceAll(TABLE, (_, group: string) => {
      return `<!-- items: ${group} -->\n${table(group)}\n<!-- end -->`;
    });
    if (process.env.UPDATE_FIGURES !== undefined) writeFileSync(PAGE, fresh);
    else expect(page, 'UPDATE_FIGURES=1 npx vitest run test/docs draws it anew').toBe(fresh);
    expect([...page.matchAll(TABLE)].map(([, group]) => group)).toEqual(Object.keys(groups));
  });
});

describe('the tags', () => {
  it('name items that there are, and each item has a test', () => {
    const named = distinct(tags.map((tag) => tag.item));
    expect(named.filter((item) => !items.includes(item))).toEqual([]);
    expect(items.filter((item) => !named.includes(item))).toEqual([]);
  });

  it('name files that there are', () => {
    expect(distinct(tags.map((tag) => tag.file)).filter((file) => !existsSync(`${ROOT}${file}`))).toEqual([]);
  });

  it('are in every packet script', () => {
    const scripts = findScripts([`${ROOT}test/scripts`]).map((path) => path.slice(ROOT.length));
    const tagged = new Set(tags.map((tag) => tag.path));
    expect(scripts.length).toBeGreaterThan(200);
    expect(scripts.filter((path) => !tagged.has(path))).toEqual([]);
  });
});

describe('the mutations', () => {
  const mutations = readMutations(ROOT);

  it('are there for each item', () => {
    const broken = distinct(mutations.map((mutation) => mutation.item));
    expect(items.filter((item) => !broken.includes(item))).toEqual([]);
    expect(broken.filter((item) => !items.includes(item))).toEqual([]);
  });

  it('name a place that is there once, and change it', () => {
    const wrong = mutations.filter(({ file, from, to }) => {
      return readFileSync(`${ROOT}${file}`, 'utf8').split(from).length !== 2 || from === to;
    });
    expect(wrong).toEqual([]);
  });
});
