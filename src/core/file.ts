// An open file (struct file): what a descriptor number points at, shared by its dups, and what an eventpoll watches.

import type { WaitQueue } from './wait-queue.js';

/** Collects the wait queues a file's `poll` would sleep on (poll_table); null there means "just look". */
export interface PollTable {
  /** poll_wait: called by `poll` for each wait queue that will be woken when the answer may have changed. */
  queue(file: File, wait: WaitQueue): void;
}

/** Ends a registration when the last reference to its file goes (eventpoll_release_file). */
export interface FileWatch {
  /** Its neighbours among those who watch the same file. */
  nextWatch: FileWatch | null;
  prevWatch: FileWatch | null;
  fileReleased(): void;
}

/** Operations of a kind of file (struct file_operations). `poll` null: it cannot be polled, epoll_ctl says EPERM. */
export interface FileOperations {
  /** Name for listings: `socket`, `eventpoll`, `pipe` … */
  readonly kind: string;
  /** Current mask of poll bits; registers with `table` if there is one. */
  readonly poll: ((file: File, table: PollTable | null) => number) | null;
  /** Never sleeps: bytes, or -EAGAIN where the caller would have to. */
  read(file: File, buffer: Uint8Array, count: number): number;
  write(file: File, buffer: Uint8Array, count: number): number;
  /** Result or -errno; -ENOTTY for requests it does not know. A value goes to `out.value`. */
  ioctl(file: File, request: number, out: { value: number }): number;
  /** The last reference is gone. */
  release(file: File): void;
}

/** Open files of one stack (nr_files). */
export interface FileCount {
  open: number;
}

export class File {
  readonly ops: FileOperations;
  /** What it is open on: a Socket, an EventPoll, a pipe end … */
  readonly private_: unknown;
  /** O_NONBLOCK and friends; shared by all dups. */
  flags: number;
  /** References: descriptors, and calls asleep on it. */
  count = 1;
  /** The newest of the eventpoll items that watch this file (f_ep); the others follow. */
  watches: FileWatch | null = null;
  /** Where it counts as open, once a descriptor stands for it. */
  counted: FileCount | null = null;

  constructor(ops: FileOperations, private_: unknown, flags: number) {
    this.ops = ops;
    this.private_ = private_;
    this.flags = flags;
  }

  /** get_file */
  get(): File {
    this.count++;
    return this;
  }

  /** fput: the last one ends its registrations, then releases it. */
  put(): void {
    if (--this.count > 0) return;
    this.leave();
    this.ops.release(this);
  }

  /** What comes before the release: it is open no more, and its registrations end (eventpoll_release). */
  leave(): void {
    if (this.counted !== null) this.counted.open--;
    while (this.watches !== null) this.watches.fileReleased();
  }

  addWatch(watch: FileWatch): void {
    watch.nextWatch = this.watches;
    if (this.watches !== null) this.watches.prevWatch = watch;
    this.watches = watch;
  }

  removeWatch(watch: FileWatch): void {
    if (watch.prevWatch !== null) watch.prevWatch.nextWatch = watch.nextWatch;
    else this.watches = watch.nextWatch;
    if (watch.nextWatch !== null) watch.nextWatch.prevWatch = watch.prevWatch;
    watch.nextWatch = null;
    watch.prevWatch = null;
  }
}
