// Errors as Node's own: `code` and the bracketed code in the stack, errno errors with syscall, address and port. Programs look
// at the code and people at the message, so both are Node's to the letter.

import { getSystemErrorMap, inspect } from 'node:util';

export interface NodeError extends Error {
  code?: string;
  errno?: number;
  syscall?: string;
  address?: string;
  port?: number;
  localAddress?: string;
  localPort?: number;
}

type ErrorClass = new (message: string) => Error;

function coded(Base: ErrorClass, code: string, message: string): NodeError {
  const error: NodeError = new Base(message);
  // Where Node shows its codes: in the first line of the stack, not in `message` or `name`.
  error.stack = error.stack?.replace(error.name, `${error.name} [${code}]`);
  error.code = code;
  return error;
}

/** What was received instead: `undefined`, `function f`, `an instance of Foo`, `type number (1)`. */
export function received(value: unknown): string {
  if (value === null || value === undefined) return `${value}`;
  if (typeof value === 'function') return value.name === '' ? 'function ' : `function ${value.name}`;
  if (typeof value === 'object') {
    const name = value.constructor?.name;
    return name ? `an instance of ${name}` : inspect(value, { depth: -1 });
  }
  let text = inspect(value, { colors: false });
  if (text.length > 28) text = `${text.slice(0, 25)}...`;
  return `type ${typeof value} (${text})`;
}

/** @param expected such as `of type number`, `one of type string or number`, `an instance of AbortSignal` */
export function invalidArgType(name: string, expected: string, value: unknown): NodeError {
  const kind = name.includes('.') ? 'property' : 'argument';
  const message = `The "${name}" ${kind} must be ${expected}. Received ${received(value)}`;
  return coded(TypeError, 'ERR_INVALID_ARG_TYPE', message);
}

export function invalidArgValue(name: string, value: unknown, reason = 'is invalid'): NodeError {
  let text = inspect(value);
  if (text.length > 128) text = `${text.slice(0, 128)}...`;
  const kind = name.includes('.') ? 'property' : 'argument';
  const message = `The ${kind} '${name}' ${reason}. Received ${text}`;
  return coded(TypeError, 'ERR_INVALID_ARG_VALUE', message);
}

/** `1234567` as `1_234_567`, which is how Node prints numbers that are out of range. */
function grouped(value: number): string {
  const text = String(value);
  return Number.isInteger(value) && Math.abs(value) > 2 ** 32 ? text.replace(/\B(?=(\d{3})+$)/g, '_') : text;
}

export function outOfRange(name: string, range: string, value: number): NodeError {
  const message = `The value of "${name}" is out of range. It must be ${range}. Received ${grouped(value)}`;
  return coded(RangeError, 'ERR_OUT_OF_RANGE', message);
}

export function badPort(name: string, value: unknown): NodeError {
  const message = `${name} should be >= 0 and < 65536. Received ${received(value)}.`;
  return coded(RangeError, 'ERR_SOCKET_BAD_PORT', message);
}

export function missingConnectArgs(): NodeError {
  const message = 'The "options" or "port" or "path" argument must be specified';
  return coded(TypeError, 'ERR_MISSING_ARGS', message);
}

export function invalidIpAddress(address: unknown): NodeError {
  return coded(TypeError, 'ERR_INVALID_IP_ADDRESS', `Invalid IP address: ${address}`);
}

export function invalidAddressFamily(family: unknown, host: string, port: number): NodeError {
  const error = coded(
    RangeError,
    'ERR_INVALID_ADDRESS_FAMILY',
    `Invalid address family: ${family} ${host}:${port}`,
  );
  return Object.assign(error, { host, port });
}

export function socketClosed(): NodeError {
  return coded(Error, 'ERR_SOCKET_CLOSED', 'Socket is closed');
}

export function closedBeforeConnection(): NodeError {
  const message = 'Socket closed before the connection was established';
  return coded(Error, 'ERR_SOCKET_CLOSED_BEFORE_CONNECTION', message);
}

export function connectionTimeout(): NodeError {
  return coded(Error, 'ERR_SOCKET_CONNECTION_TIMEOUT', 'Socket connection timeout');
}

export function alreadyListening(): NodeError {
  const message = 'Listen method has been called more than once without closing.';
  return coded(Error, 'ERR_SERVER_ALREADY_LISTEN', message);
}

export function notRunning(): NodeError {
  return coded(Error, 'ERR_SERVER_NOT_RUNNING', 'Server is not running.');
}

export function invalidHandleType(): NodeError {
  return coded(TypeError, 'ERR_INVALID_HANDLE_TYPE', 'This handle type cannot be sent');
}

/** The peer has closed, and our own half was closed with it. */
export function endedByPeer(): NodeError {
  return Object.assign(new Error('This socket has been ended by the other party'), { code: 'EPIPE' });
}

/** Name and words of an errno given negative, as syscalls return it. */
function systemError(errno: number): [name: string, text: string] {
  return getSystemErrorMap().get(errno) ?? [`Unknown system error ${errno}`, 'unknown error'];
}

export function errnoException(errno: number, syscall: string, detail?: string): NodeError {
  const [code] = systemError(errno);
  const message = `${syscall} ${code}${detail ? ` ${detail}` : ''}`;
  return Object.assign(new Error(message), { errno, code, syscall });
}

/** `connect ECONNREFUSED 192.0.2.1:80`, and where from and why if that is known. */
export function connectException(
  errno: number,
  syscall: string,
  address: string,
  port: number | undefined,
  local?: string,
  why?: string,
): NodeError {
  const [code] = systemError(errno);
  const where = port !== undefined && port > 0 ? `${address}:${port}` : address;
  const parts = [syscall, code, where, local ? `- Local (${local})` : '', why].filter(Boolean);
  const message = parts.join(' ');
  const error: NodeError = Object.assign(new Error(message), { errno, code, syscall, address });
  if (port) error.port = port;
  return error;
}

/** `listen EADDRINUSE: address already in use 192.0.2.1:80` */
export function listenException(
  errno: number,
  syscall: string,
  address: string,
  port?: number,
  why?: string,
): NodeError {
  const [code, text] = systemError(errno);
  const where = port !== undefined && port > 0 ? `${address}:${port}` : address;
  const message = `${syscall} ${code}: ${text}${where ? ` ${where}` : ''}${why ? ` ${why}` : ''}`;
  const error: NodeError = Object.assign(new Error(message), { code, errno, syscall, address });
  if (port) error.port = port;
  return error;
}

/** Every attempt failed; `code` is the first one's. */
export function allAttemptsFailed(errors: readonly NodeError[]): AggregateError & NodeError {
  const aggregate: AggregateError & NodeError = new AggregateError([...errors]);
  aggregate.code = errors[0]?.code;
  return aggregate;
}
