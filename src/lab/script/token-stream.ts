// The tokens as the parsers see them: one ahead, words replaced by what `-D` and `--define` say, and errors that name the
// token met and what would have fitted.

import { type Place, ScriptSyntaxError } from './ast.js';
import { definedToken, type Token, type TokenKind, tokenize } from './lexer.js';

export class TokenStream {
  readonly source: string;
  readonly defines: Map<string, string>;
  readonly #tokens: Token[];
  #next = 0;

  constructor(source: string, defines: ReadonlyMap<string, string>) {
    this.source = source;
    this.defines = new Map(defines);
    this.#tokens = tokenize(source);
  }

  /** As written, before `-D` is looked at. */
  raw(ahead = 0): Token {
    return this.#tokens[Math.min(this.#next + ahead, this.#tokens.length - 1)];
  }

  peek(ahead = 0): Token {
    const token = this.raw(ahead);
    const value = token.kind === 'word' ? this.defines.get(token.text) : undefined;
    return value === undefined ? token : definedToken(value, token);
  }

  next(): Token {
    const token = this.peek();
    if (token.kind !== 'end') this.#next++;
    return token;
  }

  nextRaw(): Token {
    const token = this.raw();
    if (token.kind !== 'end') this.#next++;
    return token;
  }

  /** End of what was consumed last, in the source. */
  get consumed(): number {
    return this.#next === 0 ? 0 : this.#tokens[this.#next - 1].to;
  }

  is(text: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return (token.kind === 'punctuation' || token.kind === 'word') && token.text === text;
  }

  isKind(kind: TokenKind, ahead = 0): boolean {
    return this.peek(ahead).kind === kind;
  }

  /** Consumes `text` if it is next. */
  accept(text: string): boolean {
    if (!this.is(text)) return false;
    this.next();
    return true;
  }

  expect(text: string, where: string): Token {
    if (!this.is(text)) this.fail(`${where}: expected '${text}'`);
    return this.next();
  }

  expectKind(kind: TokenKind, what: string): Token {
    if (!this.isKind(kind)) this.fail(`expected ${what}`);
    return this.next();
  }

  /** A decimal or hexadecimal number within bounds. */
  integer(what: string, least: number, most: number): number {
    const token = this.peek();
    if (token.kind !== 'integer' && token.kind !== 'hex') this.fail(`expected ${what} (a number)`);
    if (token.value < least || token.value > most)
      throw new ScriptSyntaxError(token.place, `${what} is ${token.text}; it must be ${least} to ${most}`);
    return this.next().value;
  }

  /** @throws always, about the next token. */
  fail(message: string): never {
    const token = this.peek();
    const met =
      token.kind === 'end' ? token.text : `'${this.source.slice(token.from, token.to).slice(0, 40)}'`;
    throw new ScriptSyntaxError(token.place, `${message}, but met ${met}`);
  }

  failAt(place: Place, message: string): never {
    throw new ScriptSyntaxError(place, message);
  }
}
