// What the processes of one stack share: the moment, the kinds of socket there are, the eventpolls' common state, users and
// paths. A syscall reaches everything below through here.

import type { Host } from '../core/host.js';
import { type EpollUser, EventPollShared } from '../eventpoll/eventpoll.js';
import type { InetFamily } from '../socket/af-inet.js';
import type { Doctor } from './doctor.js';
import type { OpenFiles } from './fd-table.js';
import type { Interposer } from './interposer.js';
import { PathTable } from './plain-files.js';

/** What the kernel asks of a process when the stack closes. */
export interface Exits {
  exit(): void;
}

export class Kernel {
  readonly host: Host;
  readonly inet: InetFamily;
  readonly eventpolls: EventPollShared;
  /** Who stands between processes and their syscalls, the innermost first. */
  readonly interposers: readonly Interposer[];
  readonly paths = new PathTable();
  /** Open files of all processes together, bounded by fs.file-max. */
  readonly openFiles: OpenFiles;
  /**
   * Every promise that a blocking call awaits before it touches the stack again goes through here: whoever looks on learns when the
   * call goes on. As it is, nobody does.
   */
  resumes: <T>(promise: Promise<T>) => Promise<T> = asItIs;
  /** Processes that have not exited. */
  readonly processes = new Set<Exits>();
  readonly #onClosed: (() => void)[] = [];
  readonly #users = new Map<number, EpollUser>();
  #nextPid = 1;

  /** @param doctor Stands nearest to the syscalls, if there is one. */
  constructor(
    host: Host,
    inet: InetFamily,
    doctor: Doctor | null = null,
    interposers: readonly Interposer[] = [],
  ) {
    this.host = host;
    this.inet = inet;
    this.openFiles = {
      open: 0,
      closed: false,
      get full(): boolean {
        return this.open >= host.sysctl.fileMax;
      },
    };
    this.eventpolls = new EventPollShared(host);
    this.eventpolls.observer = doctor;
    this.interposers = doctor === null ? interposers : [doctor, ...interposers];
  }

  /** user_struct: limits that hold for all processes of one uid together. */
  user(uid: number): EpollUser {
    let user = this.#users.get(uid);
    if (user === undefined) {
      user = { watches: 0 };
      this.#users.set(uid, user);
    }
    return user;
  }

  /** Ends every call that is asleep (-EINTR). */
  interruptAll(): void {
    this.eventpolls.asleep.interruptAll();
  }

  /** The stack was closed: nothing can be opened any more, and nobody falls asleep. */
  get closed(): boolean {
    return this.openFiles.closed;
  }

  /** Registers whom to tell, outside every call of a program's, when the stack is closed. */
  onClosed(work: () => void): void {
    this.#onClosed.push(work);
  }

  /** Ends every process and every call, for good. */
  close(): void {
    this.openFiles.closed = true;
    this.exitAll();
    this.interruptAll();
    for (const work of this.#onClosed) work();
  }

  exitAll(): void {
    for (const process of [...this.processes]) process.exit();
  }

  allocatePid(): number {
    return this.#nextPid++;
  }
}

function asItIs<T>(promise: Promise<T>): Promise<T> {
  return promise;
}
