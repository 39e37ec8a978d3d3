// An eventpoll (struct eventpoll): the interest set, the list of items thought ready, and those who sleep until it grows.
// Being a file itself it can be polled and watched; its readiness is found by looking through the ready list.

import { File, type FileOperations, type PollTable } from '../core/file.js';
import type { Host } from '../core/host.js';
import { traceEpRemove } from '../core/trace.js';
import { WaitQueue } from '../core/wait-queue.js';
import { EINVAL } from '../uapi/errno.js';
import { O_RDWR } from '../uapi/fcntl.js';
import { EPOLLIN, EPOLLRDNORM } from '../uapi/poll.js';
import { AsleepList } from './asleep.js';
import type { EpSleeper } from './ep-poll.js';
import type { EpItem } from './epitem.js';
import { InterestSet } from './interest-set.js';
import { ReadyList } from './ready-list.js';

/** Registrations of one user, which fs.epoll.max_user_watches bounds (user_struct.epoll_watches). */
export interface EpollUser {
  watches: number;
}

/** Wants to know of every event that is handed to a program. */
export interface ReportObserver {
  reported(item: EpItem): void;
}

/** What the eventpolls of one stack share. */
export class EventPollShared {
  readonly host: Host;
  /** Who is asleep, in epoll_wait or in any other call. */
  readonly asleep = new AsleepList();
  /** Sleepers not in use. */
  readonly sleepers: EpSleeper[] = [];
  /** Calls of epoll_wait that returned at once since the last that slept. */
  sleepless = 0;
  /** Number of the walk that looks for loops, so that it visits each eventpoll once (loop_check_gen). */
  generation = 0;
  observer: ReportObserver | null = null;
  /** Makes a sleeper that somebody looks on; null: nobody does. */
  newSleeper: ((shared: EventPollShared) => EpSleeper) | null = null;

  constructor(host: Host) {
    this.host = host;
  }
}

export class EventPoll {
  readonly shared: EventPollShared;
  readonly user: EpollUser;
  readonly file: File;
  readonly rdllist = new ReadyList();
  /** The part of the ready list that a scan has taken and not yet seen. */
  readonly txlist = new ReadyList();
  scanning = false;
  /** Callers of epoll_wait, exclusive, the latest first. */
  readonly wq = new WaitQueue();
  /** Who polls or watches this eventpoll. */
  readonly pollWait = new WaitQueue();
  readonly items = new InterestSet();
  /** Marks of the loop check: when it was last here, and how deep it went. */
  generation = 0;
  depth = 0;
  #ovflist: EpItem | null = null;

  constructor(shared: EventPollShared, user: EpollUser) {
    this.shared = shared;
    this.user = user;
    this.file = new File(eventPollOperations, this, O_RDWR);
  }

  /** ep_find: registrations are keyed by the open file and its number. */
  find(file: File, fd: number): EpItem | null {
    return this.items.find(file, fd);
  }

  /** Adds to the interest set and to the file's watchers (ep_rbtree_insert, attach_epitem). */
  attach(item: EpItem): void {
    this.items.insert(item);
    item.file.addWatch(item);
    this.user.watches++;
  }

  /** ep_remove: nobody is woken, and an event already queued is gone. */
  remove(item: EpItem): void {
    if (traceEpRemove.on) traceEpRemove.emit(this.shared.host, { fd: item.fd });
    item.unqueue();
    item.file.removeWatch(item);
    this.items.remove(item);
    item.unlink();
    this.user.watches--;
  }

  /** ep_start_scan: takes the ready list aside; what becomes ready meanwhile goes to the overflow list. */
  startScan(): ReadyList {
    this.txlist.spliceFront(this.rdllist);
    this.scanning = true;
    return this.txlist;
  }

  /** An item that became ready during a scan. */
  overflow(item: EpItem): void {
    if (item.ovflNext !== item) return;
    item.ovflNext = this.#ovflist;
    this.#ovflist = item;
  }

  /** ep_done_scan: first what the scan did not reach, then the overflow in order of arrival, then what was queued again. */
  doneScan(): void {
    for (let item = this.#ovflist; item !== null; ) {
      const next: EpItem | null = item.ovflNext;
      item.ovflNext = item;
      if (!item.linked) this.rdllist.pushFront(item);
      item = next;
    }
    this.#ovflist = null;
    this.scanning = false;
    this.rdllist.spliceFront(this.txlist);
    if (!this.rdllist.empty && this.wq.active) this.wq.wake(0, 1);
  }

  /** Tells who watches this eventpoll (ep_poll_safewake): its key is IN alone, whatever became ready inside. */
  safewake(): void {
    this.pollWait.wake(EPOLLIN, 1);
  }

  /** An item found ready by ep_insert or ep_modify is queued once, and both kinds of waiters hear of it. */
  queueReady(item: EpItem): void {
    if (item.linked) return;
    this.rdllist.pushBack(item);
    if (this.wq.active) this.wq.wake(0, 1);
    if (this.pollWait.active) this.safewake();
  }

  /** __ep_eventpoll_poll: readable if a harvest would find something. Items that turn out unready leave the list. */
  poll(table: PollTable | null): number {
    if (table !== null) table.queue(this.file, this.pollWait);
    const list = this.startScan();
    let mask = 0;
    while (!list.empty) {
      const item = list.rdlNext as EpItem;
      if (item.poll(null) !== 0) {
        mask = EPOLLIN | EPOLLRDNORM;
        break;
      }
      item.unlink();
    }
    this.doneScan();
    return mask;
  }

  /** ep_eventpoll_release */
  release(): void {
    if (this.pollWait.active) this.safewake();
    for (const item of [...this.items]) this.remove(item);
  }
}

export const eventPollOperations: FileOperations = {
  kind: 'eventpoll',
  poll: (file, table) => (file.private_ as EventPoll).poll(table),
  read: () => -EINVAL,
  write: () => -EINVAL,
  ioctl: () => -EINVAL,
  release: (file) => (file.private_ as EventPoll).release(),
};

/** is_file_epoll */
export function isEventPoll(file: File): boolean {
  return file.ops === eventPollOperations;
}
