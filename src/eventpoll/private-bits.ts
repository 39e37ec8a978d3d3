// Which bits of an item's mask say how to report rather than what.

import {
  EPOLLERR,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  EPOLLWAKEUP,
} from '../uapi/poll.js';

/** They alone survive a ONESHOT that has fired. */
export const EP_PRIVATE_BITS = EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE;

/** What may stand beside EPOLLEXCLUSIVE, itself included. */
export const EPOLLEXCLUSIVE_OK_BITS =
  EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;
