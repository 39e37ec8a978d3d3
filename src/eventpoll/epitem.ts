// One registration (struct epitem): a file under a descriptor number, what its owner wants to hear, and the entry by which it
// hangs in the file's wait queue (struct eppoll_entry), which is the item itself: a server has one for each connection. It ends
// with EPOLL_CTL_DEL, with its eventpoll, or with the file's last reference.

import type { File, FileWatch, PollTable } from '../core/file.js';
import { traceEpPtableQueueProc } from '../core/trace.js';
import { WaitNode, type WaitQueue } from '../core/wait-queue.js';
import { EPOLLEXCLUSIVE } from '../uapi/poll.js';
import { epPollCallback } from './ep-poll-callback.js';
import type { EventPoll } from './eventpoll.js';
import { type ReadyLink, unlink } from './ready-list.js';

/** What a program hands to epoll_ctl and gets back from epoll_wait; `data` is returned as it came. */
export interface EpollEvent {
  /** EPOLLIN and the like: what is watched for, or what there is. */
  events: number;
  /** Given back as it was registered. */
  data: unknown;
}

export class EpItem extends WaitNode implements ReadyLink, FileWatch, PollTable {
  rdlPrev: ReadyLink = this;
  rdlNext: ReadyLink = this;
  readonly ep: EventPoll;
  readonly file: File;
  readonly fd: number;
  events: number;
  data: unknown;
  /** The next in its chain of the interest set. */
  setNext: EpItem | null = null;
  nextWatch: FileWatch | null = null;
  prevWatch: FileWatch | null = null;
  /** Next on the overflow list; itself while it is on none (EP_UNACTIVE_PTR). */
  ovflNext: EpItem | null = this;

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

  /** ep_is_linked */
  get linked(): boolean {
    return this.rdlNext !== this;
  }

  /** It leaves the ready list, if it is there. */
  unlink(): void {
    unlink(this);
  }

  /** ep_ptable_queue_proc. Once only: where the kernel would take another eppoll_entry, no file here has a second queue. */
  queue(_file: File, wait: WaitQueue): void {
    if (this.whead !== null) throw new Error('a file asked one poll to wait in two queues');
    const exclusive = (this.events & EPOLLEXCLUSIVE) !== 0;
    if (traceEpPtableQueueProc.on) {
      traceEpPtableQueueProc.emit(this.ep.shared.host, { fd: this.fd, exclusive });
    }
    if (exclusive) wait.addExclusive(this);
    else wait.add(this);
  }

  /** ep_unregister_pollwait */
  unqueue(): void {
    this.whead?.remove(this);
  }

  override woken(key: number): boolean {
    return epPollCallback(this, key);
  }

  fileReleased(): void {
    this.ep.remove(this);
  }
}
