// Where a wake-up of a file's wait queue becomes an event (ep_poll_callback): the item is queued as ready and one sleeper of
// its eventpoll is woken. Nothing is asked of the file here; whether the event is still true is for the harvest to find out.

import { type TraceEvents, traceEpPollCallback, wakeNesting } from '../core/trace.js';
import { EPOLLEXCLUSIVE, EPOLLIN, EPOLLOUT } from '../uapi/poll.js';
import type { EpItem } from './epitem.js';
import { EP_PRIVATE_BITS } from './private-bits.js';

/** The result matters to the walk over exclusive entries alone: true ends it. */
export function epPollCallback(item: EpItem, key: number): boolean {
  const { ep } = item;
  const exclusive = (item.events & EPOLLEXCLUSIVE) !== 0;

  if (traceEpPollCallback.on) tellCallback(item, key);
  // A ONESHOT that has fired is deaf, to errors too; and a key that names nothing of interest is none of ours.
  // Key 0 says "look again" and concerns everybody.
  if ((item.events & ~EP_PRIVATE_BITS) === 0) return !exclusive;
  if (key !== 0 && (key & item.events) === 0) return !exclusive;

  if (ep.scanning) {
    ep.overflow(item);
  } else if (!item.linked) {
    ep.rdllist.pushBack(item);
  }

  let woke = !exclusive;
  if (ep.wq.active) {
    if (exclusive) woke = consumes(item.events, key);
    ep.wq.wake(0, 1);
  }
  if (ep.pollWait.active) ep.safewake();
  return woke;
}

/** The verdict that the callback is about to come to. */
function tellCallback(item: EpItem, key: number): void {
  const { ep, fd, events } = item;
  let verdict: TraceEvents['ep_poll_callback']['verdict'] = 'rdllist';
  if ((events & ~EP_PRIVATE_BITS) === 0) verdict = 'disabled';
  else if (key !== 0 && (key & events) === 0) verdict = 'not of interest';
  else if (ep.scanning) verdict = 'ovflist';
  else if (item.linked) verdict = 'linked already';
  traceEpPollCallback.emit(ep.shared.host, { fd, key, events, verdict, nested: wakeNesting.depth });
}

/** An exclusive item uses a wake-up up if it waits for just this direction, or if the key names none. */
function consumes(events: number, key: number): boolean {
  switch (key & (EPOLLIN | EPOLLOUT)) {
    case 0:
      return true;
    case EPOLLIN:
      return (events & EPOLLIN) !== 0;
    case EPOLLOUT:
      return (events & EPOLLOUT) !== 0;
    default:
      return false;
  }
}
