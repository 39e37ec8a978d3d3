// Errors for people: what the command says when it cannot do what it was asked. One table from codes (the kernel's, the NIC's,
// the stack's) to a headline and to what may be done; the sentence between them is the error's own.

import { errnoName, strerror } from '../uapi/errno.js';
import { AS_ROOT, TAPSTACK } from './called.js';

/** A refusal whose text is written already. `exitCode` 2 means that the command line itself is wrong. */
export class Refusal extends Error {
  readonly exitCode: number;
  /** Lines, each one thing to do. */
  readonly remedies: readonly string[];

  constructor(message: string, remedies: readonly string[] = [], exitCode = 1, cause?: unknown) {
    super(message, { cause });
    this.exitCode = exitCode;
    this.remedies = remedies;
  }
}

interface Entry {
  readonly title: string;
  readonly remedies: readonly string[];
}

const OTHER_NAME = 'another name: --tap NAME';
const OWN_NAMESPACE = 'a network namespace of its own: --netns NAME';

const permission: Entry = {
  title: 'Not permitted',
  remedies: [`as root: ${AS_ROOT} …`, `without any privilege, in a private network: ${TAPSTACK} lab`],
};
const argument: Entry = {
  title: 'The device cannot be set up like that',
  remedies: [`all options: ${TAPSTACK} help echo`],
};

const table: Readonly<Record<string, Entry>> = {
  EPERM: permission,
  EACCES: permission,
  // Root lets nobody else at /dev/net/tun, or a container nobody at all: a private network changes neither.
  ERR_TUN_CLOSED: { title: 'Not permitted', remedies: [`what is in the way here: ${TAPSTACK} doctor`] },
  EBUSY: { title: 'The TAP device is taken', remedies: [OTHER_NAME, OWN_NAMESPACE] },
  EEXIST: { title: 'There can be no TAP device of that name', remedies: [OTHER_NAME, OWN_NAMESPACE] },
  ERR_ROUTE_SHADOW: {
    title: 'The addresses are in use on this machine',
    remedies: ['another network: --address 10.9.9.2/24', OWN_NAMESPACE],
  },
  ERR_NO_THREADED_NAPI: {
    title: argument.title,
    remedies: ['with what can be had: --napi auto', `what is in the way here: ${TAPSTACK} doctor`],
  },
  ENOTSUP: {
    title: 'This needs Linux',
    remedies: ['a Linux machine, a virtual one, or a container that has /dev/net/tun'],
  },
  ERR_ADDON_MISSING: {
    title: 'A part of tapstack is missing',
    remedies: ['in a checkout: npm run build:native', 'as an installed package: npm rebuild tapstack'],
  },
  ENOENT: {
    title: 'This system has no TAP devices',
    remedies: ['as root: modprobe tun', 'in a container: start it with --device /dev/net/tun'],
  },
  ENOTTY: {
    title: 'This system has no TAP devices',
    remedies: ['as root: rm /dev/net/tun; mknod -m 0666 /dev/net/tun c 10 200'],
  },
  ENODEV: { title: 'The TAP device is gone', remedies: ['start again'] },
  EINVAL: argument,
  ERANGE: argument,
};
const aliases: Readonly<Record<string, string>> = { ENXIO: 'ENOENT' };

/** The refusal for an error of the NIC or the stack; undefined when it is none we know, which makes it a bug of ours. */
export function refusalFor(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error;
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  if (error.code === 'ERR_TAPSTACK_SETTINGS') return new Refusal(error.message, [], 2, error);
  const entry = table[aliases[error.code] ?? error.code];
  if (entry === undefined) return undefined;
  return new Refusal(`${entry.title}: ${sentence(error.message)}`, entry.remedies, 1, error);
}

/** Refuses for an error that says itself what happened and what to do, as those of captures and journals do. */
export function refuse(error: unknown): never {
  throw new Refusal((error as Error).message, [], 1, error);
}

/** A server's own call failed with `result`, a negative errno. */
export function cannotGoOn(call: string, result: number): Refusal {
  return new Refusal(
    `The server cannot go on: ${call} failed with ${errnoName(result)} (${strerror(result)}).`,
  );
}

/** Passes on what one of the server's own calls returned. They must not fail; a stack whose link is gone is the way they do. */
export function check(call: string, result: number): number {
  if (result >= 0) return result;
  throw cannotGoOn(call, result);
}

/** What is printed: what happened and why on the first line, what to do below. */
export function describeRefusal(refusal: Refusal): string {
  return [`tapstack: ${refusal.message}`, ...refusal.remedies.map((remedy) => `  - ${remedy}`), ''].join(
    '\n',
  );
}

/** What is printed when the fault is ours; the trace is what a report of it needs. */
export function describeBug(error: unknown): string {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return [
    'tapstack: Something went wrong that should not have; what was made has been removed.',
    '  - please report it, with the command line and these lines:',
    detail,
    '',
  ].join('\n');
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
