// The syscalls of a process, all together: what `stack.sys` is. Each theme has a file of its own.

import type { Process } from './process.js';
import { EpollCalls } from './sys-epoll.js';
import { EventCalls } from './sys-event.js';
import { FileCalls } from './sys-file.js';
import { MemoryCalls } from './sys-memory.js';
import { MessageCalls } from './sys-message.js';
import { PollCalls } from './sys-poll.js';
import { SocketCalls } from './sys-socket.js';

/** The public calls of a theme, without what it keeps to itself. */
type Calls<T> = { readonly [K in keyof T]: T[K] };

/**
 * The kernel's calls as C has them: arguments in C's order, a result or -errno (`-EAGAIN`), never a throw, never a sleep. Only
 * `epoll_wait` and its kin, `poll` and `select` are promises.
 */
export type Syscalls = Calls<FileCalls> &
  Calls<SocketCalls> &
  Calls<MessageCalls> &
  Calls<EpollCalls> &
  Calls<PollCalls> &
  Calls<EventCalls> &
  Calls<MemoryCalls>;

export function createSyscalls(process: Process): Syscalls {
  return {
    ...new FileCalls(process),
    ...new SocketCalls(process),
    ...new MessageCalls(process),
    ...new EpollCalls(process),
    ...new PollCalls(process),
    ...new EventCalls(process),
    ...new MemoryCalls(process),
  };
}
