// What the benchmarks' options may say. A value that cannot be right is refused before anything is measured, as the commands do.

import { existsSync, readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';

/** Decides about `text` by `test`, or says what is expected. */
function number(text, test, expected) {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!test(value)) throw new InvalidArgumentError(`Expected ${expected}.`);
  return value;
}

export const count = (text) =>
  number(text, (value) => Number.isSafeInteger(value) && value > 0, 'a whole number above 0');

export const whole = (text) =>
  number(text, (value) => Number.isSafeInteger(value) && value >= 0, 'a whole number');

export const time = (text) =>
  number(text, (value) => Number.isFinite(value) && value > 0, 'seconds, above 0');

export function pattern(text) {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new InvalidArgumentError(`${error.message}.`);
  }
}

/** What a run before this one has written to `file`. @throws Error that says what is wrong with it */
export function earlierResults(file, key) {
  if (!existsSync(file)) throw new Error(`${file} does not exist`);
  let found;
  try {
    found = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`${file} is not what --json has written: ${error.message}`);
  }
  if (found[key] === undefined) throw new Error(`${file} is not what --json has written: it has no "${key}"`);
  return found;
}

/** What `find` finds; an error of its is one of the command line. */
export function refused(command, find) {
  try {
    return find();
  } catch (error) {
    return command.error(`error: ${error.message}`);
  }
}
