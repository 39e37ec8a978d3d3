// `tapstack lab plot`: connections over a wire that loses are recorded in the lab, written, and drawn; files that are not
// what it reads are refused by name.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { panels } from '../../src/cli/plot-panels.js';
import { readSeries } from '../../src/cli/plot-series.js';
import { drawSeries } from '../../src/cli/plot-svg.js';
import { type Dot, thin } from '../../src/cli/plot-thin.js';
import { Refusal } from '../../src/cli/refusal.js';
import { Lab } from '../../src/lab/index.js';
import type { SeriesPoint } from '../../src/lab/series.js';
import type { Stack } from '../../src/stack.js';
import { AF_INET, SOCK_STREAM } from '../../src/uapi/socket.js';
import { elementsOf, type XmlElement } from './xml.js';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tapstack-plot-'));
const recorded = join(folder, 'lossy.json');
const point: SeriesPoint = { atUs: 0, cwnd: 10, ssthresh: 7, srttUs: 100, inFlight: 1, delivered: 2 };

function plot(...args: string[]) {
  return spawnSync(process.execPath, [main, 'lab', 'plot', ...args], { encoding: 'utf8', timeout: 60_000 });
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function seriesFile(name: string, connections: Record<string, unknown>): string {
  return file(name, JSON.stringify({ connections }));
}

async function serve(stack: Stack, connections: number): Promise<void> {
  const { sys, blocking } = stack;
  const listener = sys.socket(AF_INET, SOCK_STREAM, 0);
  sys.bind(listener, { family: AF_INET, address: '0.0.0.0', port: 80 });
  sys.listen(listener, connections);
  const fds: number[] = [];
  while (fds.length < connections) fds.push(await blocking.accept(listener, null));
  await Promise.all(
    fds.map(async (fd) => {
      const buffer = new Uint8Array(20_000);
      while ((await blocking.read(fd, buffer)) > 0);
      sys.close(fd);
    }),
  );
}

async function send(stack: Stack, size: number): Promise<void> {
  const { sys, blocking } = stack;
  const fd = sys.socket(AF_INET, SOCK_STREAM, 0);
  await blocking.connect(fd, { family: AF_INET, address: '10.0.0.2', port: 80 });
  await blocking.write(fd, new Uint8Array(size));
  sys.close(fd);
}

/** Two senders over one slow wire with a short queue and some loss. */
async function record(path: string): Promise<void> {
  const lab = new Lab({ seed: 3 });
  const cable = lab.cable({
    bandwidth: 10_000_000,
    delayUs: 15_000,
    queue: { discipline: 'tail', frames: 40 },
    ab: { loss: 0.002 },
  });
  const a = lab.stack({ link: cable.a, address: '10.0.0.1/24' });
  const b = lab.stack({ link: cable.b, address: '10.0.0.2/24' });
  const series = lab.record(a);
  void send(a, 1_500_000);
  void send(a, 600_000);
  await lab.run({ until: serve(b, 2) });
  writeFileSync(path, JSON.stringify(series));
  await lab.close();
}

beforeAll(() => record(recorded));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the picture', () => {
  const textsOf = (svg: XmlElement[]): string[] =>
    svg.filter(({ name }) => name === 'text').map(({ text }) => text);

  it('has for each connection its title, its panels with units, and one path for each line', () => {
    const out = join(folder, 'lossy.svg');
    expect(plot('--out', out, recorded)).toMatchObject({ status: 0, stdout: '', stderr: '' });
    const svg = elementsOf(readFileSync(out, 'utf8'));
    expect(svg[0]).toMatchObject({ name: 'svg', attributes: { xmlns: 'http://www.w3.org/2000/svg' } });
    const texts = textsOf(svg);
    const { connections } = JSON.parse(readFileSync(recorded, 'utf8'));
    expect(Object.keys(connections)).toHaveLength(2);
    for (const name of Object.keys(connections)) expect(texts).toContain(name);
    const count = (text: string): number => texts.filter((each) => each === text).length;
    for (const { title, lines } of panels) {
      expect(count(title)).toBe(2);
      for (const { label, colour } of lines) {
        expect(count(label)).toBe(2);
        const drawn = svg.filter(({ name, attributes, parent }) => {
          return name === 'path' && attributes.stroke === colour && parent?.attributes.class?.includes(label);
        });
        expect(drawn.map(({ attributes }) => attributes.d.length > 40)).toEqual([true, true]);
      }
    }
    expect([count('segments'), count('milliseconds'), count('virtual time (s)')]).toEqual([4, 2, 2]);
  });

  it('goes to standard output, several files below each other, and leaves out a threshold that is not there', () => {
    const early = seriesFile('early.json', { 'a&b > c': [{ ...point, ssthresh: 2 ** 31 - 1 }] });
    const late = seriesFile('late.json', { 'd > e': [{ ...point, atUs: 5e6 }] });
    const { status, stdout } = plot(early, late);
    expect(status).toBe(0);
    const texts = textsOf(elementsOf(stdout));
    expect(texts).toEqual(expect.arrayContaining(['a&b > c', early, 'd > e', late]));
    expect(texts.filter((text) => text === 'ssthresh')).toHaveLength(1);
  });
});

it('has axes with numbers even for one moment in which nothing happened, an hour on', async () => {
  const quiet = { atUs: 3.6e9, cwnd: 10, ssthresh: 2 ** 31 - 1, srttUs: 0, inFlight: 0, delivered: 0 };
  const svg = elementsOf(await drawSeries([{ file: 'f', name: 'n', points: [quiet] }]));
  const texts = svg.filter(({ name }) => name === 'text').map(({ text }) => text);
  expect(texts).toEqual(expect.arrayContaining(['3,600.0000', '3,600.0010', '0', '1', '10', 'Round trip']));
  expect(texts).not.toContain('srtt');
});

describe('refuses', () => {
  test.each([
    ['what is not there', () => join(folder, 'none.json'), 'it does not exist.'],
    ['a folder', () => folder, 'it is a folder.'],
    ['an empty file', () => file('empty.json', ''), 'is not a series of the lab: it is not JSON'],
    ['another file', () => file('other.json', '[1]'), 'is not a series of the lab: it has no "connections".'],
    ['a series of nothing', () => seriesFile('nothing.json', {}), 'holds no connection'],
    ['a connection of nothing', () => seriesFile('bare.json', { x: [] }), 'connection x has no points'],
    [
      'half a point',
      () => seriesFile('half.json', { x: [point, { atUs: 1 }] }),
      'point 1 of x has no number "cwnd"',
    ],
    [
      'time that goes back',
      () => seriesFile('back.json', { x: [{ ...point, atUs: 9 }, point] }),
      'point 1 of x is earlier than the one before',
    ],
  ])('%s', (_what, path, why) => {
    const named = path();
    expect(() => readSeries(named)).toThrow(Refusal);
    expect(() => readSeries(named)).toThrow(named);
    expect(() => readSeries(named)).toThrow(why);
  });

  it('files with status 2, also beside good ones', () => {
    const { status, stdout, stderr } = plot(recorded, 'none.json');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toBe('tapstack: Cannot read none.json: it does not exist.\n');
    expect(plot()).toMatchObject({ status: 2, stdout: '' });
  });

  it('a place where it cannot write', () => {
    const { status, stdout, stderr } = plot('--out', join(folder, 'none', 'a.svg'), recorded);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain('tapstack: Cannot write the picture: ENOENT');
  });
});

describe('thinning', () => {
  it('keeps first, lowest, highest and last of a column, the ends of steps, and every gap', () => {
    const values = [5, 6, 1, 3, 9, 4, 5, null, null, 2, 2, 2];
    const dots: Dot[] = values.map((value, i) => ({ at: i, value }));
    expect(thin(dots, 0, 100, 1).map(({ value }) => value)).toEqual([5, 1, 9, 5, null, 2, 2]);
    expect(thin(dots, 0, 100, 100)).toEqual(dots.filter((_, i) => i !== 10));
    expect(thin([{ at: 3, value: 1 }], 3, 3, 10)).toEqual([{ at: 3, value: 1 }]);
  });
});
