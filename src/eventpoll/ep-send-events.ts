// The harvest (ep_send_events): each item thought ready is asked once more, and what is true now is what is reported.
// Level-triggered items go back to the end of the list, which is why a short harvest rotates through a long list.

import { traceEpDoneScan, traceEpItemPoll, traceEpSendEvents } from '../core/trace.js';
import { EFAULT } from '../uapi/errno.js';
import { EPOLLET, EPOLLONESHOT } from '../uapi/poll.js';
import type { EpItem, EpollEvent } from './epitem.js';
import type { EventPoll } from './eventpoll.js';
import { EP_PRIVATE_BITS } from './private-bits.js';

/** Fills `events`; how many, or -EFAULT if there is not even room for the first. */
export function epSendEvents(ep: EventPoll, events: readonly EpollEvent[], maxevents: number): number {
  const { host } = ep.shared;
  if (traceEpSendEvents.on) traceEpSendEvents.emit(host, { maxevents });
  let count = 0;
  const list = ep.startScan();
  while (!list.empty && count < maxevents) {
    const item = list.rdlNext as EpItem;
    item.unlink();
    const revents = item.poll(null);
    if (traceEpItemPoll.on) traceEpItemPoll.emit(host, { fd: item.fd, revents });
    if (revents === 0) continue;
    const slot = events[count];
    if (typeof slot !== 'object' || slot === null) {
      // The application's array ends here, or has a hole, as memory may in C: the item is put back for the next call.
      list.pushFront(item);
      if (count === 0) count = -EFAULT;
      break;
    }
    count++;
    slot.events = revents;
    slot.data = item.data;
    if (ep.shared.observer !== null) ep.shared.observer.reported(item);
    if ((item.events & EPOLLONESHOT) !== 0) item.events &= EP_PRIVATE_BITS;
    else if ((item.events & EPOLLET) === 0) ep.rdllist.pushBack(item);
  }
  ep.doneScan();
  if (traceEpDoneScan.on) traceEpDoneScan.emit(host, { count });
  return count;
}

/** An array of `length` events for epoll_wait to fill, made once and used for ever. */
export function epollEvents(length: number): EpollEvent[] {
  return Array.from({ length }, () => ({ events: 0, data: undefined }));
}
