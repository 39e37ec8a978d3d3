// Where control sockets are: a directory that belongs to one user and that nobody else may look into. Its path is the same for
// all of a user's programs, and what dead ones have left in it is swept by whoever looks next.

import { lstatSync, mkdirSync, readdirSync, readFileSync, type Stats } from 'node:fs';
import { isAbsolute, join } from 'node:path';

const SUFFIX = '.sock';
/** sun_path holds a zero at its end, too; what is longer Node would cut, and make a socket of another name. */
const LONGEST_PATH = 107;

/** A directory cannot be used: what is wrong with it, and what to do. */
export class ControlDirectoryError extends Error {}

/**
 * $XDG_RUNTIME_DIR/tapstack, or /run/user/UID/tapstack, or /tmp/tapstack-UID; made if it is not there.
 * @throws ControlDirectoryError if it is not ours alone.
 */
export function controlDirectory(): string {
  const uid = process.getuid?.() ?? 0;
  const path = choose(uid, uidOutside(uid));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST') throw new ControlDirectoryError(`${path} cannot be made (${message})`);
  }
  const wrong = complaint(lstatSync(path), uid);
  if (wrong === null) return path;
  throw new ControlDirectoryError(
    `${path} ${wrong}, so whoever it belongs to could pose as our programs; remove it or set XDG_RUNTIME_DIR to a private directory`,
  );
}

/** In a lab everybody is root, by a user namespace of his own: who it is for those who share /tmp and /run. */
function uidOutside(uid: number): number {
  let ranges: string;
  try {
    ranges = readFileSync('/proc/self/uid_map', 'latin1');
  } catch {
    return uid; // no Linux, or one without user namespaces
  }
  for (const range of ranges.trim().split('\n')) {
    const [inside, outside, length] = range.trim().split(/\s+/).map(Number);
    if (uid >= inside && uid < inside + length) return outside + uid - inside;
  }
  return uid;
}

function choose(uid: number, outside: number): string {
  const { XDG_RUNTIME_DIR } = process.env;
  for (const base of [XDG_RUNTIME_DIR, `/run/user/${outside}`]) {
    if (base === undefined || !isAbsolute(base)) continue;
    const stats = lstatSync(base, { throwIfNoEntry: false });
    if (stats !== undefined && complaint(stats, uid) === null) return join(base, 'tapstack');
  }
  // /tmp is everybody's; that only we may remove what is ours there (the sticky bit) is what the name's safety rests on.
  return `/tmp/tapstack-${outside}`;
}

/** What makes a directory unfit: not one, another's, or open to others. */
function complaint(stats: Stats, uid: number): string | null {
  if (!stats.isDirectory()) return 'is no directory';
  if (stats.uid !== uid) return `belongs to another user (uid ${stats.uid})`;
  return (stats.mode & 0o077) === 0
    ? null
    : `is open to others (mode ${(stats.mode & 0o777).toString(8).padStart(4, '0')})`;
}

/** The socket of a program: its number comes first, so that a listing is in order. `nth`: one of several. */
export function socketPath(directory: string, pid: number, name: string, nth: number): string {
  const plain = name.replace(/[^\w.-]/g, '_').slice(0, 32) || 'stack';
  const path = join(directory, `${pid}-${plain}${nth === 0 ? '' : `.${nth}`}${SUFFIX}`);
  if (Buffer.byteLength(path) <= LONGEST_PATH) return path;
  throw new ControlDirectoryError(
    `${path} is longer than the path of a socket may be (${LONGEST_PATH} bytes); set XDG_RUNTIME_DIR to a directory whose path is shorter`,
  );
}

export function socketPaths(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith(SUFFIX))
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
    .map((name) => join(directory, name));
}
