// TCP options in the order of the wire. They must fill whole words, padding included, because a script shows every byte.

import type { TcpOption } from './ast.js';
import { optionLength } from './tcp-option-bytes.js';
import type { TokenStream } from './token-stream.js';

const U32 = 0xffffffff;

/** `<mss 1460,nop,wscale 8>`; null for `<...>`, any options. */
export function parseOptionList(tokens: TokenStream): TcpOption[] | null {
  const { place } = tokens.expect('<', 'TCP options');
  if (tokens.isKind('ellipsis')) {
    tokens.next();
    tokens.expect('>', 'the end of the TCP options');
    return null;
  }
  const options: TcpOption[] = [];
  do options.push(parseOption(tokens));
  while (tokens.accept(','));
  tokens.expect('>', 'the end of the TCP options');
  const length = options.reduce((sum, option) => sum + optionLength(option), 0);
  if (length % 4 !== 0)
    tokens.failAt(place, `these options take ${length} bytes, which is no multiple of 4: write the nops too`);
  if (length > 40) tokens.failAt(place, `these options take ${length} bytes; a TCP header has room for 40`);
  return options;
}

function parseOption(tokens: TokenStream): TcpOption {
  const token = tokens.expectKind('word', 'a TCP option');
  switch (token.text) {
    case 'nop':
    case 'eol':
    case 'sackOK':
      return { kind: token.text };
    case 'mss':
      return { kind: 'mss', value: tokens.integer('the MSS', 0, 0xffff) };
    case 'wscale':
      return { kind: 'wscale', value: tokens.integer('the window scale', 0, 0xff) };
    case 'sack':
      return { kind: 'sack', blocks: parseBlocks(tokens) };
    case 'TS': {
      tokens.expect('val', 'a timestamp option');
      const val = tokens.integer('the timestamp', 0, U32);
      tokens.expect('ecr', 'a timestamp option');
      return { kind: 'TS', val, ecr: tokens.integer('the timestamp echo', 0, U32) };
    }
    case 'md5':
      return { kind: 'md5', digest: parseHex(tokens, 16, 16) };
    case 'FO':
    case 'FOEXP':
      return { kind: token.text, cookie: parseHex(tokens, 0, 36) };
    case 'ECN':
      return { kind: 'ECN', counters: parseCounters(tokens) };
    default:
      return tokens.failAt(token.place, `'${token.text}' is no TCP option`);
  }
}

function parseBlocks(tokens: TokenStream): [number, number][] {
  const blocks: [number, number][] = [];
  do {
    const left = tokens.integer('the start of a SACK block', 0, U32);
    tokens.expect(':', 'a SACK block');
    blocks.push([left, tokens.integer('the end of a SACK block', 0, U32)]);
  } while (tokens.isKind('integer'));
  return blocks;
}

/** Hexadecimal digits, which may look like a number or like a word. */
function parseHex(tokens: TokenStream, least: number, most: number): Uint8Array {
  if (!tokens.isKind('word') && !tokens.isKind('integer') && !tokens.isKind('hex')) {
    if (least === 0) return new Uint8Array(0);
    return tokens.fail('expected hexadecimal digits');
  }
  const { text, place } = tokens.next();
  if (!/^(?:[0-9a-fA-F]{2})+$/.test(text))
    tokens.failAt(place, `'${text}' is no even number of hexadecimal digits`);
  const bytes = Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  if (bytes.length < least || bytes.length > most)
    tokens.failAt(
      place,
      `${bytes.length} bytes do not fit: ${least === most ? least : `${least} to ${most}`}`,
    );
  return bytes;
}

function parseCounters(tokens: TokenStream): { name: 'e0b' | 'ceb' | 'e1b'; value: number }[] {
  const first = tokens.is('e1b') ? 'e1b' : 'e0b';
  const order = [first, 'ceb', first === 'e0b' ? 'e1b' : 'e0b'] as const;
  const counters: { name: 'e0b' | 'ceb' | 'e1b'; value: number }[] = [];
  for (const name of order) {
    if (!tokens.accept(name)) break;
    counters.push({ name, value: tokens.integer(`the counter ${name}`, 0, 0xffffff) });
  }
  if (counters.length === 0) tokens.fail('expected e0b or e1b, the first counter of an AccECN option');
  return counters;
}
