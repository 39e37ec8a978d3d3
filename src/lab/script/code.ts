// Evaluates the assertions of a script: `assert E, message`, `print(…)`, `name = E`, `name += E`, over numbers sampled from
// TCP_INFO. A recursive descent over tokens; no Python is run, and nothing of the process can be reached.

import { type CodeToken, tokenizeCode } from './code-lexer.js';

export type Value = number | string | boolean | null | Value[];

/** An assertion that was false. */
export class AssertionFailed extends Error {
  override readonly name = 'AssertionFailed';
}

/** Binary operators by how tightly they bind, loosest first, below comparisons. */
const LEVELS: readonly (readonly string[])[] = [
  ['|'],
  ['^'],
  ['&'],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '//', '%'],
];
const COMPARISONS = new Set(['==', '!=', '<', '<=', '>', '>=']);
const FUNCTIONS: Readonly<Record<string, (...args: number[]) => number>> = {
  abs: Math.abs,
  min: Math.min,
  max: Math.max,
  int: Math.trunc,
  float: Number,
  round: Math.round,
};

export class CodeRunner {
  /** Assigned by the script; they live as long as it does. */
  readonly #variables = new Map<string, Value>();
  readonly #lookup: (name: string) => Value | undefined;
  /** What print() wrote. */
  readonly output: string[] = [];
  #tokens: CodeToken[] = [];
  #at = 0;
  #sample: ReadonlyMap<string, number> = new Map();

  /** @param lookup Constants. */
  constructor(lookup: (name: string) => Value | undefined) {
    this.#lookup = lookup;
  }

  /** Runs one block over one sample. @throws AssertionFailed, SyntaxError */
  run(code: string, sample: ReadonlyMap<string, number>): void {
    this.#tokens = tokenizeCode(code);
    this.#at = 0;
    this.#sample = sample;
    while (this.#peek().kind !== 'end') {
      if (this.#peek().kind !== 'line') this.#statement();
      if (this.#peek().kind !== 'end' && this.#next().kind !== 'line')
        throw new SyntaxError(`the code does not go on with '${this.#tokens[this.#at - 1].text}'`);
    }
  }

  #peek(ahead = 0): CodeToken {
    return this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)];
  }

  #next(): CodeToken {
    const token = this.#peek();
    this.#at++;
    return token;
  }

  #isOperator(text: string, ahead = 0): boolean {
    const token = this.#peek(ahead);
    return token.kind === 'operator' && token.text === text;
  }

  #accept(text: string): boolean {
    const token = this.#peek();
    if (token.text !== text || (token.kind !== 'operator' && token.kind !== 'name')) return false;
    this.#at++;
    return true;
  }

  #expect(text: string): void {
    if (!this.#accept(text))
      throw new SyntaxError(`the code needs '${text}' where it has '${this.#peek().text}'`);
  }

  #statement(): void {
    const token = this.#peek();
    if (token.kind === 'name' && token.text === 'assert') {
      this.#assert();
      return;
    }
    if (token.kind === 'name' && token.text === 'pass') {
      this.#next();
      return;
    }
    const isAssignment = ['=', '+=', '-=', '*='].some((operator) => this.#isOperator(operator, 1));
    if (token.kind === 'name' && isAssignment) {
      this.#next();
      const operator = this.#next().text;
      const value = this.#expression();
      const result = operator === '=' ? value : binary(operator.slice(0, -1), this.#name(token.text), value);
      this.#variables.set(token.text, result);
      return;
    }
    this.#expression();
  }

  #assert(): void {
    this.#next();
    const from = this.#at;
    const holds = truth(this.#expression());
    const text = this.#tokens
      .slice(from, this.#at)
      .map(({ text: each }) => each)
      .join(' ');
    const message = this.#accept(',') ? this.#expression() : null;
    if (!holds) throw new AssertionFailed(message === null ? text : `${text}: ${show(message)}`);
  }

  #expression(): Value {
    let left = this.#conjunction();
    while (this.#accept('or')) {
      const right = this.#conjunction();
      left = truth(left) ? left : right;
    }
    return left;
  }

  #conjunction(): Value {
    let left = this.#negation();
    while (this.#accept('and')) {
      const right = this.#negation();
      left = truth(left) ? right : left;
    }
    return left;
  }

  #negation(): Value {
    return this.#accept('not') ? !truth(this.#negation()) : this.#comparison();
  }

  /** `a <= b <= c` holds if each pair does. */
  #comparison(): Value {
    let left = this.#binary(0);
    if (!this.#isComparison()) return left;
    let holds = true;
    while (this.#isComparison()) {
      const operator = this.#next().text;
      const right = this.#binary(0);
      holds &&= compare(operator, left, right);
      left = right;
    }
    return holds;
  }

  #isComparison(): boolean {
    const token = this.#peek();
    return token.kind === 'operator' && COMPARISONS.has(token.text);
  }

  #binary(level: number): Value {
    if (level === LEVELS.length) return this.#unary();
    let left = this.#binary(level + 1);
    while (this.#peek().kind === 'operator' && LEVELS[level].includes(this.#peek().text)) {
      const operator = this.#next().text;
      left = binary(operator, left, this.#binary(level + 1));
    }
    return left;
  }

  #unary(): Value {
    if (this.#accept('-')) return -number(this.#unary());
    if (this.#accept('+')) return number(this.#unary());
    if (this.#accept('~')) return -number(this.#unary()) - 1;
    const base = this.#operand();
    return this.#accept('**') ? number(base) ** number(this.#unary()) : base;
  }

  #operand(): Value {
    const token = this.#next();
    if (token.kind === 'number') return Number(token.text);
    if (token.kind === 'string') return token.text;
    if (token.kind === 'name') return this.#isOperator('(') ? this.#call(token.text) : this.#name(token.text);
    if (token.text !== '(') throw new SyntaxError(`the code has '${token.text}' where a value belongs`);
    const items = this.#list(')');
    return items.isTuple ? items.values : items.values[0];
  }

  #list(close: string): { values: Value[]; isTuple: boolean } {
    const values: Value[] = [];
    let isTuple = this.#isOperator(close);
    while (!this.#isOperator(close)) {
      values.push(this.#expression());
      if (!this.#accept(',')) break;
      isTuple = true;
    }
    this.#expect(close);
    return { values, isTuple };
  }

  #call(name: string): Value {
    this.#expect('(');
    const { values } = this.#list(')');
    if (name === 'print') {
      this.output.push(values.map(show).join(' '));
      return null;
    }
    const fn = FUNCTIONS[name];
    if (fn === undefined) throw new SyntaxError(`the code calls ${name}(), which is not known here`);
    return fn(...values.map(number));
  }

  #name(name: string): Value {
    if (name === 'True') return true;
    if (name === 'False') return false;
    if (name === 'None') return null;
    const value = this.#variables.get(name) ?? this.#sample.get(name) ?? this.#lookup(name);
    if (value === undefined) throw new SyntaxError(`the code uses ${name}, which nobody has set`);
    return value;
  }
}

function truth(value: Value): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

function number(value: Value): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return Number(value);
  throw new SyntaxError(`${show(value)} in the code is no number`);
}

function compare(operator: string, left: Value, right: Value): boolean {
  if (operator === '==') return left === right || Number(left) === Number(right);
  if (operator === '!=') return !compare('==', left, right);
  const [a, b] = [number(left), number(right)];
  if (operator === '<') return a < b;
  if (operator === '<=') return a <= b;
  return operator === '>' ? a > b : a >= b;
}

/** Python's integers have no bounds; what scripts compute fits 53 bits, so bits are taken apart by BigInt. */
function binary(operator: string, left: Value, right: Value): Value {
  if (operator === '%' && typeof left === 'string')
    return format(left, Array.isArray(right) ? right : [right]);
  if (operator === '+' && typeof left === 'string' && typeof right === 'string') return left + right;
  const [a, b] = [number(left), number(right)];
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    case '//':
      return Math.floor(a / b);
    case '%':
      return a - b * Math.floor(a / b);
    case '&':
      return Number(BigInt(a) & BigInt(b));
    case '|':
      return Number(BigInt(a) | BigInt(b));
    case '^':
      return Number(BigInt(a) ^ BigInt(b));
    case '<<':
      return a * 2 ** b;
    default:
      return Math.floor(a / 2 ** b);
  }
}

function show(value: Value): string {
  if (Array.isArray(value)) return `(${value.map(show).join(', ')})`;
  if (value === true) return 'True';
  return value === false ? 'False' : String(value);
}

/** The `%` operator on strings: %d %i %u %x %s %f and %%. */
function format(text: string, values: readonly Value[]): string {
  let next = 0;
  return text.replace(/%([-0-9.]*)([diuxsf%])/g, (_whole, _width, kind: string) => {
    if (kind === '%') return '%';
    const value = values[next++];
    if (kind === 's') return show(value);
    if (kind === 'x') return number(value).toString(16);
    return kind === 'f' ? number(value).toFixed(6) : String(Math.trunc(number(value)));
  });
}
