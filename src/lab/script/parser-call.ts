// Arguments and results of system calls: numbers, names joined by `|`, lists by reference, and struct literals.

import type { Expression, Field } from './ast.js';
import type { TokenStream } from './token-stream.js';

export function parseExpression(tokens: TokenStream): Expression {
  let left = parseOperand(tokens);
  while (tokens.accept('|')) left = { kind: 'or', left, right: parseOperand(tokens) };
  return left;
}

function parseOperand(tokens: TokenStream): Expression {
  const token = tokens.peek();
  switch (token.kind) {
    case 'ellipsis':
      tokens.next();
      return { kind: 'ellipsis' };
    case 'integer':
    case 'hex':
      return { kind: 'integer', value: tokens.next().value };
    case 'string':
      return parseStrings(tokens);
    case 'word':
      return parseName(tokens);
    default:
      if (tokens.accept('[')) return { kind: 'list', items: parseItems(tokens, ']') };
      if (tokens.is('{')) return parseBraces(tokens);
      return tokens.fail('expected an argument: a number, a name, "text", ..., [list] or {struct}');
  }
}

/** Adjacent strings are one; an ellipsis after a string only says that more would follow. */
function parseStrings(tokens: TokenStream): Expression {
  let value = '';
  while (tokens.isKind('string')) value += tokens.next().text;
  if (tokens.isKind('ellipsis')) tokens.next();
  return { kind: 'string', value };
}

function parseName(tokens: TokenStream): Expression {
  const name = tokens.next().text;
  if (tokens.accept('(')) return { kind: 'call', name, args: parseItems(tokens, ')') };
  if (tokens.accept('=')) return { kind: 'assign', name, value: parseExpression(tokens) };
  return { kind: 'word', name };
}

function parseItems(tokens: TokenStream, close: string): Expression[] {
  const items: Expression[] = [];
  if (tokens.accept(close)) return items;
  do items.push(parseExpression(tokens));
  while (tokens.accept(','));
  tokens.expect(close, 'the end of the list');
  return items;
}

/** `{fd=4, events=POLLIN}` is a struct, `{..., 100}` a list. */
function parseBraces(tokens: TokenStream): Expression {
  tokens.expect('{', 'a struct');
  if (!isField(tokens)) return { kind: 'list', items: parseItems(tokens, '}') };
  const fields: Field[] = [];
  do fields.push(parseField(tokens));
  while (tokens.accept(','));
  tokens.expect('}', 'the end of the struct');
  return { kind: 'struct', fields };
}

function isField(tokens: TokenStream): boolean {
  return tokens.isKind('word') && (tokens.is('=', 1) || tokens.is('(', 1));
}

function parseField(tokens: TokenStream): Field {
  const name = tokens.expectKind('word', "the name of the struct's field").text;
  let count: Expression | null = null;
  if (tokens.accept('(')) {
    count = parseExpression(tokens);
    tokens.expect(')', `the count of ${name}`);
  }
  tokens.expect('=', `the value of ${name}`);
  return { name, count, value: parseExpression(tokens) };
}
