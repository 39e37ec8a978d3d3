// A system call's arguments as its row in the table wants them: numbers, descriptors, buffers, struct fields.

import type { Expression } from './ast.js';
import { constant } from './names.js';
import { NotHere, Unmet } from './outcome.js';

/** The number an expression stands for. @throws NotHere for unknown names */
export function evaluate(expression: Expression): number {
  switch (expression.kind) {
    case 'integer':
      return expression.value;
    case 'word': {
      const value = constant(expression.name);
      if (value === undefined) throw new NotHere(`the constant ${expression.name}`);
      return value;
    }
    case 'or':
      return evaluate(expression.left) | evaluate(expression.right);
    case 'call':
      if (expression.name === 'htons' && expression.args.length === 1) return evaluate(expression.args[0]);
      throw new NotHere(`${expression.name}() among the arguments`);
    default:
      throw new Unmet(`${expressionText(expression)} stands where a number belongs`);
  }
}

export function expressionText(expression: Expression): string {
  switch (expression.kind) {
    case 'ellipsis':
      return '...';
    case 'integer':
      return String(expression.value);
    case 'word':
      return expression.name;
    case 'string':
      return JSON.stringify(expression.value);
    case 'or':
      return `${expressionText(expression.left)}|${expressionText(expression.right)}`;
    case 'assign':
      return `${expression.name}=${expressionText(expression.value)}`;
    case 'list':
      return `[${expression.items.map(expressionText).join(', ')}]`;
    case 'struct':
      return `{${expression.fields.map((each) => `${each.name}=${expressionText(each.value)}`).join(', ')}}`;
    case 'call':
      return `${expression.name}(${expression.args.map(expressionText).join(', ')})`;
  }
}

export function isNull(expression: Expression | undefined): boolean {
  return expression?.kind === 'word' && expression.name === 'NULL';
}

/** A struct literal's field by name, or undefined. */
export function field(struct: Expression, name: string): Expression | undefined {
  return struct.kind === 'struct' ? struct.fields.find((each) => each.name === name)?.value : undefined;
}

export class Arguments {
  readonly call: string;
  readonly all: readonly Expression[];

  constructor(call: string, all: readonly Expression[]) {
    this.call = call;
    this.all = all;
  }

  get count(): number {
    return this.all.length;
  }

  /** @throws Unmet when there are not so many */
  at(index: number): Expression {
    const expression = this.all[index];
    if (expression !== undefined) return expression;
    throw new Unmet(`${this.call}() needs at least ${index + 1} arguments`);
  }

  isEllipsis(index: number): boolean {
    return this.at(index).kind === 'ellipsis';
  }

  int(index: number): number {
    return evaluate(this.at(index));
  }

  /** The int that `[n]` refers to; null for `...`. */
  reference(index: number): number | null {
    const expression = this.at(index);
    if (expression.kind === 'ellipsis') return null;
    if (expression.kind === 'list' && expression.items.length === 1) return evaluate(expression.items[0]);
    throw new Unmet(`argument ${index + 1} of ${this.call}() must be [n], not ${expressionText(expression)}`);
  }

  list(index: number): readonly Expression[] {
    const expression = this.at(index);
    if (expression.kind === 'list') return expression.items;
    throw new Unmet(
      `argument ${index + 1} of ${this.call}() must be a list, not ${expressionText(expression)}`,
    );
  }

  /** `...` is `count` zero bytes, a string its bytes, NULL no buffer at all. */
  buffer(index: number, count: number): Uint8Array {
    return bufferOf(this.at(index), count);
  }
}

/** A NULL pointer has no value in these calls' types: what the stack gets is as wrong as what a C program passes. */
export function bufferOf(expression: Expression, count: number): Uint8Array {
  if (expression.kind === 'string') return new TextEncoder().encode(expression.value);
  return isNull(expression) ? (null as unknown as Uint8Array) : new Uint8Array(count);
}
