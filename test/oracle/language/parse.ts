// A script's lines and words, cut exactly as kernel/script.c cuts them.

/** One operation of a script. */
export interface Line {
  /** Counted from 1, comments and blank lines included. */
  readonly number: number;
  /** As it is printed: without the comment. */
  readonly text: string;
  readonly words: readonly string[];
}

/** A script that cannot be run: which line, and why. */
export class ScriptError extends Error {}

/** Splits at white space; a quoted text is one word, quotes included. */
function split(text: string): string[] {
  return text.match(/"[^"]*"[^ \t]*|[^ \t"][^ \t]*/g) ?? [];
}

/** Cuts off ` # text`; `#5` is a descriptor, and a `#` in quotes is text. */
function withoutComment(text: string): string {
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '"') quoted = !quoted;
    if (text[i] !== '#' || quoted) continue;
    const blankBefore = i === 0 || text[i - 1] === ' ' || text[i - 1] === '\t';
    const blankAfter = i + 1 === text.length || text[i + 1] === ' ' || text[i + 1] === '\t';
    if (i === 0 || (blankBefore && blankAfter)) return text.slice(0, i);
  }
  return text;
}

export function parseScript(script: string): Line[] {
  const lines: Line[] = [];
  for (const [index, raw] of script.split('\n').entries()) {
    const text = withoutComment(raw.trim()).trim();
    if (text !== '') lines.push({ number: index + 1, text, words: split(text) });
  }
  return lines;
}

/** The number a word stands for, decimal or 0x. */
export function parseNumber(word: string): number {
  const value = /^[-+]?(0x[0-9a-f]+|\d+)$/i.test(word)
    ? word.startsWith('-')
      ? -Number(word.slice(1))
      : Number(word)
    : Number.NaN;
  if (Number.isNaN(value)) throw new ScriptError(`'${word}' is not a number`);
  return value;
}

const MARKER = /^=== (.*)$/m;

/** A batch: scripts, each after a line `=== NAME`. */
export function joinBatch(scripts: readonly { name: string; text: string }[]): string {
  return scripts.map(({ name, text }) => `=== ${name}\n${text.endsWith('\n') ? text : `${text}\n`}`).join('');
}

/** The texts after each marker, in order. */
export function splitBatch(batch: string): string[] {
  return batch
    .split(new RegExp(MARKER.source, 'gm'))
    .slice(1)
    .filter((_, index) => index % 2 === 1)
    .map((text) => text.replace(/^\n/, ''));
}
