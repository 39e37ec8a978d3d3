// Masks of poll bits in words.

import * as poll from '../uapi/poll.js';

const NAMES: readonly (readonly [number, string])[] = [
  [poll.POLLIN, 'IN'],
  [poll.POLLPRI, 'PRI'],
  [poll.POLLOUT, 'OUT'],
  [poll.POLLERR, 'ERR'],
  [poll.POLLHUP, 'HUP'],
  [poll.POLLRDNORM, 'RDNORM'],
  [poll.POLLRDBAND, 'RDBAND'],
  [poll.POLLWRNORM, 'WRNORM'],
  [poll.POLLWRBAND, 'WRBAND'],
  [poll.POLLRDHUP, 'RDHUP'],
  [poll.EPOLLEXCLUSIVE, 'EXCLUSIVE'],
  [poll.EPOLLONESHOT, 'ONESHOT'],
  [poll.EPOLLET, 'ET'],
];

/** `IN|RDHUP`; `0` for an empty mask. */
export function pollBits(mask: number): string {
  return (
    NAMES.filter(([bit]) => (mask & bit) !== 0)
      .map(([, name]) => name)
      .join('|') || '0'
  );
}
