// Cuts a packet script into tokens: the longest match wins, so that `3021b9d8` is one word and `1:1001` is no IPv6 address.
// Newlines mean nothing; comments are dropped.

import { type Place, ScriptSyntaxError } from './ast.js';

export type TokenKind =
  | 'integer'
  | 'hex'
  | 'float'
  | 'word'
  | 'string'
  | 'shell'
  | 'code'
  | 'ipv4'
  | 'ipv6'
  | 'ellipsis'
  | 'option'
  | 'punctuation'
  | 'end';

export interface Token {
  kind: TokenKind;
  /** As written; of strings, commands and code what is between the quotes, with escapes resolved in strings. */
  text: string;
  value: number;
  place: Place;
  /** Where it begins and ends in the source. */
  from: number;
  to: number;
}

const SEG = '[0-9a-fA-F]{1,4}';
const IPV4 = '[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+';
/** Every form has `::` or seven colons, which no range of sequence numbers has. */
const IPV6 = `(?:${SEG}:){7}${SEG}|(?:(?:${SEG}:)*${SEG})?::(?:(?:${SEG}:)*(?:${IPV4}|${SEG}))?`;

const patterns: [TokenKind, RegExp][] = [
  ['option', /--[a-zA-Z0-9_]+/y],
  ['ipv4', new RegExp(IPV4, 'y')],
  ['ipv6', new RegExp(IPV6, 'y')],
  ['ellipsis', /\.\.\./y],
  ['float', /-?[0-9]*\.[0-9]+/y],
  ['integer', /-?[0-9]+/y],
  ['hex', /0x[0-9a-fA-F]+/y],
  ['word', /[a-zA-Z0-9_]+/y],
];
const BLANK = /(?:[ \t\r\n\f]+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
const STRING = /"(?:\\[\s\S]|[^"\\])*"/y;
const SHELL = /`(?:\\[\s\S]|[^`\\])*`/y;
const CODE = /%\{[\s\S]*?\}%/y;

function matchAt(pattern: RegExp, source: string, at: number): string | null {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0] ?? null;
}

export function tokenize(source: string): Token[] {
  const lines = lineStarts(source);
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    at += (matchAt(BLANK, source, at) as string).length;
    const place = placeOf(lines, at);
    if (at >= source.length) {
      tokens.push({ kind: 'end', text: 'the end of the script', value: 0, place, from: at, to: at });
      return tokens;
    }
    const token = quoted(source, at, place) ?? longest(source, at, place);
    tokens.push(token);
    at = token.to;
  }
}

function longest(source: string, at: number, place: Place): Token {
  let kind: TokenKind = 'punctuation';
  let text = source[at];
  let length = 0;
  for (const [candidate, pattern] of patterns) {
    const match = matchAt(pattern, source, at);
    if (match !== null && match.length > length) {
      kind = candidate;
      text = match;
      length = match.length;
    }
  }
  const value = kind === 'integer' || kind === 'hex' || kind === 'float' ? Number(text) : 0;
  return { kind, text, value, place, from: at, to: at + text.length };
}

function quoted(source: string, at: number, place: Place): Token | null {
  const token = (kind: TokenKind, match: string | null, what: string, close: string): Token => {
    if (match === null)
      throw new ScriptSyntaxError(place, `${what} that begins here has no closing ${close}`);
    const skip = kind === 'code' ? 2 : 1;
    const inner = match.slice(skip, -skip);
    const text = kind === 'string' ? resolveEscapes(inner, place) : kind === 'code' ? inner.trim() : inner;
    return { kind, text, value: 0, place, from: at, to: at + match.length };
  };
  if (source[at] === '"') return token('string', matchAt(STRING, source, at), 'the string', '"');
  if (source[at] === '`') return token('shell', matchAt(SHELL, source, at), 'the command', '`');
  if (source.startsWith('%{', at)) return token('code', matchAt(CODE, source, at), 'the code', '}%');
  if (source.startsWith('/*', at))
    throw new ScriptSyntaxError(place, 'the comment that begins here has no closing */');
  return null;
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f', v: '\v' };

function resolveEscapes(text: string, place: Place): string {
  return text.replace(/\\(x[0-9a-fA-F]{1,2}|[\s\S])/g, (_whole, code: string) => {
    if (/^x./.test(code)) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    if (code in ESCAPES) return ESCAPES[code];
    if (code === '\\' || code === '"' || code === "'") return code;
    throw new ScriptSyntaxError(place, `there is no escape \\${code} in a string`);
  });
}

/** Token of a `-D NAME=VALUE` value: quoted text a string, backquoted a command, an integer an integer, else a word. */
export function definedToken(value: string, original: Token): Token {
  const inner = value.length >= 2 ? value.slice(1, -1) : '';
  if (value.startsWith('"') && value.endsWith('"') && value.length >= 2)
    return { ...original, kind: 'string', text: resolveEscapes(inner, original.place) };
  if (value.startsWith('`') && value.endsWith('`') && value.length >= 2)
    return { ...original, kind: 'shell', text: inner };
  if (/^-?(?:0x[0-9a-fA-F]+|[0-9]+)$/.test(value))
    return { ...original, kind: 'integer', text: value, value: parseInteger(value) };
  return { ...original, kind: 'word', text: value };
}

/** strtol with base 0. */
function parseInteger(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1;
  const digits = text.replace('-', '');
  return sign * (/^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits));
}

function lineStarts(source: string): number[] {
  const starts = [0];
  for (let at = source.indexOf('\n'); at >= 0; at = source.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

function placeOf(lines: readonly number[], at: number): Place {
  let low = 0;
  let high = lines.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (lines[middle] <= at) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: at - lines[low] + 1 };
}
