// Whose a journal is: the version and build of tapstack and the kind of machine that recorded it. What another one recorded may go
// differently for no other reason.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ownPackage, UNBUNDLE } from '../link/native-nic.js';

/** What decides how a recorded stack behaves, beside what the journal holds. */
export interface Origin {
  /** Of tapstack. */
  version: string;
  /** A digest of the code of the stack and of its recorder: versions have many builds while they are worked on. */
  build: string;
  /** Version of Node.js (`process.version`). */
  node: string;
  /** In which programs find numbers in what `getsockopt` and the like fill in. */
  endianness: 'LE' | 'BE';
}

/** Rooms that stand above the stack: a replay does without them. */
const ABOVE: ReadonlySet<string> = new Set(['cli', 'control', 'lab', 'net']);

let known: Origin | undefined;

/** Of this process. @throws Error in a bundle */
export function originHere(): Origin {
  known ??= lookHere();
  return known;
}

/** What makes a journal another's, as a sentence; null: it was recorded by just this. */
export function foreignness(recorded: Origin): string | null {
  const here = originHere();
  const how: string[] = [];
  if (recorded.version !== here.version)
    how.push(`by tapstack ${recorded.version} (this is ${here.version}, on Node ${here.node})`);
  else if (recorded.build !== here.build) how.push(`by another build of tapstack ${here.version}`);
  if (recorded.endianness !== here.endianness)
    how.push(
      `on a machine with ${recorded.endianness === 'BE' ? 'the highest byte of a number first' : 'the lowest byte of a number first'}, which this is not`,
    );
  if (how.length === 0) return null;
  return `It was recorded ${how.join(', and ')}: where it goes differently, that may be why.`;
}

function lookHere(): Origin {
  const own = ownPackage();
  if (own === null)
    throw new Error(`A bundle cannot tell whose code it is made of, as journals have to. ${UNBUNDLE}`);
  return { version: own.version, build: digest(), node: process.version, endianness: endianness() };
}

function digest(): string {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const hash = createHash('sha256');
  const isCode = (path: string): boolean => /(?<!\.d)\.[jt]s$/.test(path) && !ABOVE.has(path.split('/')[0]);
  for (const path of readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(isCode).sort())
    hash.update(path).update(readFileSync(join(root, path)));
  return hash.digest('hex').slice(0, 16);
}
