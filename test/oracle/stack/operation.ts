// What operations on the stack's side share: the stack, the names, and how they say what happened.

import { EINTR, F_GETFL, O_NONBLOCK, type Stack } from '../../../src/index.js';
import { printCount } from '../language/words.js';
import type { OracleOptions } from '../options.js';
import type { Names } from './names.js';
import type { Task } from './task.js';

export interface Context {
  readonly stack: Stack;
  readonly names: Names;
  readonly options: OracleOptions;
  readonly task: Task;
}

export interface Operation {
  /** Words it needs after its name. */
  readonly least: number;
  /** It observes or sends, and so comes after the settle time. */
  readonly settles: boolean;
  /** `words` are those after the operation's name. */
  run(context: Context, words: readonly string[]): Promise<string> | string;
}

export type Operations = Readonly<Record<string, Operation>>;

export const now = (least: number, run: Operation['run']): Operation => ({ least, settles: false, run });
export const settled = (least: number, run: Operation['run']): Operation => ({ least, settles: true, run });

/** `fd=N` or an error; binds the name. */
export function resultFd({ names, options, task }: Context, fd: number): string {
  if (fd < 0) return resultCount(task, fd);
  if (task.bind !== undefined) names.bind(task.bind, fd);
  return options.hideFds ? 'ok' : `fd=${fd}`;
}

/** A count or an error; BLOCKED if the call slept for too long. */
export function resultCount(task: Task, result: number): string {
  return result === -EINTR && task.fired ? 'BLOCKED' : printCount(result);
}

/** Whether a call on it returns instead of sleeping, so that it goes through `stack.sys`; a bad number does, too. */
export function returnsAtOnce({ stack }: Context, fd: number): boolean {
  const flags = stack.sys.fcntl(fd, F_GETFL);
  return flags < 0 || (flags & O_NONBLOCK) !== 0;
}
