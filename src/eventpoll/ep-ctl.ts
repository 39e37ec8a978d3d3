// epoll_ctl: adding, changing and removing registrations, with the kernel's order of checks (do_epoll_ctl). The caller has
// found both descriptors open and read the event.

import type { File } from '../core/file.js';
import { traceEpInsert, traceEpModify } from '../core/trace.js';
import { EEXIST, EINVAL, ELOOP, ENOENT, ENOSPC, EPERM } from '../uapi/errno.js';
import {
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLERR,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLWAKEUP,
} from '../uapi/poll.js';
import { nestingAllowed, pathsAllowed } from './ep-loop-check.js';
import { EpItem, type EpollEvent } from './epitem.js';
import { type EventPoll, isEventPoll } from './eventpoll.js';
import { EPOLLEXCLUSIVE_OK_BITS } from './private-bits.js';

/** 0 or -errno. `event` may be null for EPOLL_CTL_DEL only. */
export function epollCtl(
  epFile: File,
  op: number,
  fd: number,
  target: File,
  event: EpollEvent | null,
): number {
  if (target.ops.poll === null) return -EPERM;
  if (epFile === target || !isEventPoll(epFile)) return -EINVAL;
  const ep = epFile.private_ as EventPoll;

  // No one here may keep a machine awake, so EPOLLWAKEUP is dropped as it is without CAP_BLOCK_SUSPEND.
  const events = event === null ? 0 : event.events & ~EPOLLWAKEUP;
  if (op !== EPOLL_CTL_DEL && (events & EPOLLEXCLUSIVE) !== 0) {
    if (op === EPOLL_CTL_MOD) return -EINVAL;
    if (op === EPOLL_CTL_ADD && (isEventPoll(target) || (events & ~EPOLLEXCLUSIVE_OK_BITS) !== 0))
      return -EINVAL;
  }

  const affected =
    op === EPOLL_CTL_ADD && (isEventPoll(target) || epFile.watches !== null) ? new Set<File>() : null;
  if (affected !== null) {
    if (!isEventPoll(target)) affected.add(target);
    else if (!nestingAllowed(ep, target.private_ as EventPoll, affected)) return -ELOOP;
  }

  const item = ep.find(target, fd);
  switch (op) {
    case EPOLL_CTL_ADD:
      return item === null ? epInsert(ep, target, fd, events, event?.data, affected) : -EEXIST;
    case EPOLL_CTL_DEL:
      if (item === null) return -ENOENT;
      ep.remove(item);
      return 0;
    case EPOLL_CTL_MOD:
      return item === null ? -ENOENT : epModify(item, events, event?.data);
    default:
      return -EINVAL;
  }
}

/** ep_insert. `affected`: files whose wake-up paths the registration lengthens, if any. */
function epInsert(
  ep: EventPoll,
  target: File,
  fd: number,
  events: number,
  data: unknown,
  affected: Set<File> | null,
): number {
  if (ep.user.watches >= ep.shared.host.sysctl.epollMaxUserWatches) return -ENOSPC;
  const item = new EpItem(ep, target, fd, events | EPOLLERR | EPOLLHUP, data);
  if (traceEpInsert.on) traceEpInsert.emit(ep.shared.host, { fd, events: item.events });
  ep.attach(item);
  if (affected !== null && !pathsAllowed(affected)) {
    ep.remove(item);
    return -EINVAL;
  }
  if (item.poll(item) !== 0) ep.queueReady(item);
  return 0;
}

/** ep_modify: the new mask is judged at once; an item that is queued keeps its place and is judged at the harvest. */
function epModify(item: EpItem, events: number, data: unknown): number {
  if ((item.events & EPOLLEXCLUSIVE) !== 0) return -EINVAL;
  item.events = events | EPOLLERR | EPOLLHUP;
  item.data = data;
  if (traceEpModify.on) traceEpModify.emit(item.ep.shared.host, { fd: item.fd, events: item.events });
  if (item.poll(null) !== 0) item.ep.queueReady(item);
  return 0;
}
