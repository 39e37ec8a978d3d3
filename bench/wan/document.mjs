// The place in a page that a grid of ratios has: between two marks, so that the text around it stays.

import { readFileSync, writeFileSync } from 'node:fs';

/** Finds the place before anything is measured. @returns what writes into it */
export function placeIn(file, congestion) {
  const [begin, end] = ['begin', 'end'].map((word) => `<!-- ${word} ${congestion}, by scripts/bench-wan -->`);
  find();
  return (made) => {
    const { text, from, to } = find();
    writeFileSync(file, `${text.slice(0, from)}\n\n${made}\n\n${text.slice(to)}`);
  };

  function find() {
    const text = readFileSync(file, 'utf8');
    const [at, to] = [text.indexOf(begin), text.indexOf(end)];
    if (at < 0 || to < at)
      throw new Error(`${file} has no place for it: the two lines "${begin}" and "${end}"`);
    return { text, from: at + begin.length, to };
  }
}
