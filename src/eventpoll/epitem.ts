// One registration (struct epitem): a file under a descriptor number, what its owner wants to hear, and the entry by which it
// hangs in the file's wait queue. It ends with EPOLL_CTL_DEL, with its eventpoll, or with the file's last reference.

import type { File, FileWatch, PollTable } from '../core/file.js';
import { traceEpPtableQueueProc } from '../core/trace.js';
import { type WaitQueue, WaitQueueEntry } from '../core/wait-queue.js';
import { EPOLLEXCLUSIVE } from '../uapi/poll.js';
import { epPollCallback } from './ep-poll-callback.js';
import type { EventPoll } from './eventpoll.js';
import { ReadyLink } from './ready-list.js';

/** What a program hands to epoll_ctl and gets back from epoll_wait; `data` is returned as it came. */
export interface EpollEvent {
  events: number;
  data: unknown;
}

export class EpItem extends ReadyLink implements FileWatch, PollTable {
  readonly ep: EventPoll;
  readonly file: File;
  readonly fd: number;
  events: number;
  data: unknown;
  /** The next registration under the same number, of another file: a descriptor that was closed while a dup lives. */
  sameFd: EpItem | null = null;
  nextWatch: FileWatch | null = null;
  prevWatch: FileWatch | null = null;
  /** Next on the overflow list, while `overflowed`. */
  ovflNext: EpItem | null = null;
  overflowed = false;
  /** Entries in the file's wait queues; a file rarely has more than one. */
  #wait: WaitQueueEntry | null = null;
  #moreWaits: WaitQueueEntry[] | null = null;

  constructor(ep: EventPoll, file: File, fd: number, events: number, data: unknown) {
    super();
    this.ep = ep;
    this.file = file;
    this.fd = fd;
    this.events = events;
    this.data = data;
  }

  /** ep_item_poll: what is true of the file now, of what is asked for. `table` hangs the item into its wait queues. */
  poll(table: PollTable | null): number {
    const { file } = this;
    return file.ops.poll === null ? 0 : file.ops.poll(file, table) & this.events;
  }

  /** ep_ptable_queue_proc */
  queue(_file: File, wait: WaitQueue): void {
    const entry = new WaitQueueEntry(epPollCallback, this);
    const exclusive = (this.events & EPOLLEXCLUSIVE) !== 0;
    if (traceEpPtableQueueProc.on) {
      traceEpPtableQueueProc.emit(this.ep.shared.host, { fd: this.fd, exclusive });
    }
    if (exclusive) wait.addExclusive(entry);
    else wait.add(entry);
    if (this.#wait === null) this.#wait = entry;
    else if (this.#moreWaits === null) this.#moreWaits = [entry];
    else this.#moreWaits.push(entry);
  }

  /** ep_unregister_pollwait */
  unqueue(): void {
    unhang(this.#wait);
    this.#wait = null;
    if (this.#moreWaits === null) return;
    for (const entry of this.#moreWaits) unhang(entry);
    this.#moreWaits = null;
  }

  fileReleased(): void {
    this.ep.remove(this);
  }
}

function unhang(entry: WaitQueueEntry | null): void {
  if (entry !== null && entry.queue !== null) entry.queue.remove(entry);
}
