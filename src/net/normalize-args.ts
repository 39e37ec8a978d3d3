// The many ways to write the arguments of connect and listen, as one: options and perhaps a callback.

import builtin from 'node:net';

export type NetOptions = Record<string, unknown>;
export type Callback = (...args: unknown[]) => void;
export type NormalizedArgs = [options: NetOptions, callback: Callback | null];

type Normalize = (args: readonly unknown[]) => NormalizedArgs;
const builtinNormalize = (builtin as unknown as { _normalizeArgs: Normalize })._normalizeArgs;

/** Marks arrays that were normalized: Node's own mark, so that its http and tls and this net take them from each other. */
const normalized: symbol = Object.getOwnPropertySymbols(builtinNormalize([]))[0];

export function isNormalized(args: unknown): args is NormalizedArgs {
  return Array.isArray(args) && (args as unknown as Record<symbol, boolean>)[normalized] === true;
}

/** `(options[, …][, cb])`, `(path[, …][, cb])`, `([port][, host][, …][, cb])`. */
export function normalizeArgs(args: readonly unknown[]): NormalizedArgs {
  const first = args[0];
  let options: NetOptions = {};
  if (typeof first === 'object' && first !== null) options = first as NetOptions;
  else if (isPipeName(first)) options.path = first;
  else if (args.length > 0) {
    options.port = first;
    if (args.length > 1 && typeof args[1] === 'string') options.host = args[1];
  }
  const last = args[args.length - 1];
  const result: NormalizedArgs = [options, typeof last === 'function' ? (last as Callback) : null];
  Object.defineProperty(result, normalized, {
    value: true,
    writable: true,
    enumerable: true,
    configurable: true,
  });
  return result;
}

/** Not a number, and not text that reads as a port. */
function isPipeName(value: unknown): value is string {
  return typeof value === 'string' && toNumber(value) === false;
}

export function toNumber(value: unknown): number | false {
  const number = Number(value);
  return number >= 0 ? number : false;
}
