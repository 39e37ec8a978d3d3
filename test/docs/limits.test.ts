// docs/limits.md names tunables and counters: each of them exists.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Mib } from '../../src/core/mib.js';
import { Sysctl } from '../../src/core/sysctl.js';

const rows = readFileSync(new URL('../../docs/limits.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('|') && !/^\| (what|---)/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()));

const names = (cell: string) => [...cell.matchAll(/`([\w.]+)`/g)].map(([, name]) => name);

describe('docs/limits.md', () => {
  it('names tunables that there are', () => {
    const sysctl = new Sysctl();
    const named = rows.flatMap((cells) => names(cells[3]));
    expect(named.length).toBeGreaterThan(20);
    expect(
      named.filter((name) => typeof sysctl.get(name) === 'number' && (sysctl.get(name) as number) < 0),
    ).toEqual([]);
  });

  it('names counters that there are', () => {
    const counters = new Mib().snapshot();
    const named = rows.flatMap((cells) => names(cells[4]));
    expect(named.length).toBeGreaterThan(25);
    const unknown = named.filter((name) => {
      const [group, counter] = name.split('.');
      return counters[group]?.[counter] === undefined;
    });
    expect(unknown).toEqual([]);
  });
});
