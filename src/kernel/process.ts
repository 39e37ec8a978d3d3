// A process: descriptors, a user, and the two faces of the syscalls. Several may live on one stack and hand open files to one
// another, so that pre-forking servers and shared listeners can be tried.

import { epSendEvents } from '../eventpoll/ep-send-events.js';
import type { EpollEvent } from '../eventpoll/epitem.js';
import type { EventPoll } from '../eventpoll/eventpoll.js';
import { ProcessMemory } from '../memory/process-memory.js';
import { EBADF } from '../uapi/errno.js';
import { O_RDWR } from '../uapi/fcntl.js';
import { type Blocking, createBlocking } from './blocking.js';
import { FdTable } from './fd-table.js';
import type { Kernel } from './kernel.js';
import { type Listener, listenerAt } from './listener-handle.js';
import { createSyscalls, type Syscalls } from './syscalls.js';

/** RLIMIT_NOFILE's soft limit where nobody raised it. */
export const DEFAULT_NOFILE = 1024;

/** Who a process is and what it may have. */
export interface ProcessOptions {
  /** Owner; 0, the default, may bind ports below 1024. */
  uid?: number;
  /** RLIMIT_NOFILE: how many descriptors it may have; 1024 unless given. */
  nofile?: number;
}

/** A program on the stack: a table of descriptors, an owner, and the calls it makes. `stack.createProcess()` makes another. */
export class Process {
  /** Of the stack that it runs on. */
  readonly kernel: Kernel;
  /** Its number on this stack, from 1. */
  readonly pid: number;
  /** Its owner; 0 may bind ports below 1024. */
  readonly uid: number;
  /** Its descriptors. */
  readonly files: FdTable;
  /** Calls that never sleep: a result, or -errno. Each can be taken out of the object and used alone. */
  readonly sys: Syscalls;
  /** The calls that may sleep, as promises of the same results. */
  readonly blocking: Blocking;
  /** How often each signal was raised. None does anything else here. */
  readonly signals = {
    /** Writes to a stream that was shut down or reset, without MSG_NOSIGNAL. */
    SIGPIPE: 0,
  };
  /** What it has of the packet memory. A child has none of it: its memory is a copy. */
  readonly mm: ProcessMemory;
  /** Called for each SIGPIPE. */
  onSigpipe: (() => void) | null = null;
  /** Called when it has exited, by itself or with its stack. */
  onExit: (() => void) | null = null;

  constructor(kernel: Kernel, options: ProcessOptions = {}, files?: FdTable) {
    this.kernel = kernel;
    this.pid = kernel.allocatePid();
    kernel.processes.add(this);
    this.uid = options.uid ?? 0;
    this.mm = new ProcessMemory(kernel.host.memory);
    this.files = files ?? new FdTable(options.nofile ?? DEFAULT_NOFILE, kernel.openFiles, this.uid === 0);
    this.sys = kernel.interposers.reduce((sys, each) => each.examine(this, sys), createSyscalls(this));
    this.blocking = kernel.interposers.reduce(
      (blocking, each) => each.examineBlocking(this, blocking),
      createBlocking(this),
    );
    if (files === undefined) for (let fd = 0; fd < 3; fd++) this.sys.open('/dev/null', O_RDWR);
  }

  /** RLIMIT_NOFILE; may be raised or lowered at any time, and does not touch what is open. */
  get nofile(): number {
    return this.files.limit;
  }

  set nofile(limit: number) {
    this.files.limit = limit;
  }

  /** fork: a child with a copy of the descriptors; the open files behind them are shared. */
  fork(): Process {
    const files = new FdTable(this.files.limit, this.kernel.openFiles, this.uid === 0);
    for (const fd of this.files.numbers()) {
      const file = this.files.get(fd);
      if (file !== null) files.replace(fd, file.get(), this.files.closeOnExec(fd));
    }
    return new Process(this.kernel, { uid: this.uid }, files);
  }

  /** execve: descriptors marked close-on-exec are closed, and what is mapped or lent is given back. */
  exec(): void {
    this.mm.unmapAll();
    for (const fd of [...this.files.numbers()]) if (this.files.closeOnExec(fd)) this.sys.close(fd);
  }

  /**
   * What epoll_wait returns when it need not sleep, for an event loop that has been woken by its own entry in the wait queue: how many
   * of `events` were filled, at most `maxevents`, or -EBADF. No call of a program's: nothing else is looked at.
   */
  harvest(epfd: number, events: readonly EpollEvent[], maxevents: number): number {
    const file = this.files.get(epfd);
    return file === null ? -EBADF : epSendEvents(file.private_ as EventPoll, events, maxevents);
  }

  /** Hands an open file to another process (SCM_RIGHTS): its number there, -EBADF or -EMFILE. */
  pass(fd: number, to: Process): number {
    const file = this.files.get(fd);
    if (file === null) return -EBADF;
    const number = to.files.reserve(false);
    if (number >= 0) to.files.install(number, file.get());
    return number;
  }

  /** A listener of this process, to look into and to steer. @throws Error with the errno that accept() would answer: EBADF, ENOTSOCK … */
  listener(fd: number): Listener {
    return listenerAt(this.files, fd);
  }

  /** exit: closes everything and gives back what is mapped or lent. Calls asleep hold their files, and so end by themselves or by their signal. */
  exit(): void {
    for (const fd of [...this.files.numbers()]) this.sys.close(fd);
    this.mm.unmapAll();
    if (this.kernel.processes.delete(this)) this.tellExit();
  }

  /** Its program, or whoever asked for it. */
  tellExit(): void {
    this.onExit?.();
  }

  /** send_sig(SIGPIPE) */
  raiseSigpipe(): void {
    this.signals.SIGPIPE++;
    if (this.onSigpipe !== null) this.onSigpipe();
  }
}
