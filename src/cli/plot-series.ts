// What `tapstack lab plot` reads: a file with the series of one recorded stack. Checked point by point, because what is wrong
// in a file should be told by the file's name, not by a curve that looks odd.

import { readFileSync } from 'node:fs';
import type { SeriesPoint } from '../lab/series.js';
import { Refusal } from './refusal.js';

/** One connection of one file. */
export interface PlottedConnection {
  file: string;
  /** `10.0.0.1:40000 > 10.0.0.2:80` */
  name: string;
  /** At least one; time never goes back. */
  points: readonly SeriesPoint[];
}

const FIELDS: readonly (keyof SeriesPoint)[] = [
  'atUs',
  'cwnd',
  'ssthresh',
  'srttUs',
  'inFlight',
  'delivered',
];
const HOW = 'a program of the lab writes one: writeFileSync(path, JSON.stringify(lab.record(stack)))';
const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  EACCES: 'it may not be read',
  EISDIR: 'it is a folder',
};

/** The connections recorded in a file. @throws Refusal when it cannot be read, is no series, or has no connection in it. */
export function readSeries(file: string): PlottedConnection[] {
  const connections = Object.entries(connectionsOf(file));
  if (connections.length === 0)
    throw new Refusal(
      `${file} holds no connection: none was established on that stack while the lab recorded it.`,
      ['record before the lab runs, and the stack that connects or accepts'],
      2,
    );
  return connections.map(([name, points]) => ({ file, name, points: checked(file, name, points) }));
}

function connectionsOf(file: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(read(file));
  } catch (error) {
    if (error instanceof SyntaxError) throw notSeries(file, `it is not JSON (${error.message})`);
    throw error;
  }
  if (isObject(value) && isObject(value.connections)) return value.connections;
  throw notSeries(file, 'it has no "connections"');
}

function checked(file: string, name: string, points: unknown): SeriesPoint[] {
  if (!Array.isArray(points) || points.length === 0)
    throw notSeries(file, `connection ${name} has no points`);
  let before = Number.NEGATIVE_INFINITY;
  points.forEach((point: unknown, at) => {
    const missing = FIELDS.find((field) => !isObject(point) || !Number.isFinite(point[field]));
    if (missing !== undefined) throw notSeries(file, `point ${at} of ${name} has no number "${missing}"`);
    const { atUs } = point as SeriesPoint;
    if (atUs < before) throw notSeries(file, `point ${at} of ${name} is earlier than the one before`);
    before = atUs;
  });
  return points;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = String((error as NodeJS.ErrnoException).code);
    throw new Refusal(`Cannot read ${file}: ${WHY[code] ?? code}.`, [], 2, error);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function notSeries(file: string, why: string): Refusal {
  return new Refusal(`${file} is not a series of the lab: ${why}.`, [HOW], 2);
}
