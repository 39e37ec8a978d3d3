// When data came, as recvmsg tells it (__sock_recv_timestamp, tcp_recv_timestamp): SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMPING.

import type { SockExtras } from '../core/sock-extras.js';
import {
  SOF_TIMESTAMPING_OPT_RX_FILTER,
  SOF_TIMESTAMPING_RX_SOFTWARE,
  SOF_TIMESTAMPING_SOFTWARE,
} from '../uapi/errqueue.js';
import {
  SO_TIMESTAMP,
  SO_TIMESTAMP_NEW,
  SO_TIMESTAMPING,
  SO_TIMESTAMPING_NEW,
  SO_TIMESTAMPNS,
  SO_TIMESTAMPNS_NEW,
  SOL_SOCKET,
} from '../uapi/socket.js';
import { putControl, type StampTime } from './control-message.js';
import type { MessageInfo } from './proto-ops.js';

const TIME_SIZE = 16;
const NO_TIME: StampTime = Object.freeze({ tv_sec: 0, tv_nsec: 0 });

/** `us`: Unix time in microseconds; `fromErrorQueue`: of an entry of the error queue, which bears its stamp in any case. */
export function putTimestamps(
  extras: SockExtras,
  info: MessageInfo,
  us: number,
  fromErrorQueue: boolean,
): void {
  const tv_sec = Math.floor(us / 1e6);
  const tv_usec = us % 1e6;
  const isNew = extras.stampNew;
  if (extras.rcvStampNs) {
    const type = isNew ? SO_TIMESTAMPNS_NEW : SO_TIMESTAMPNS;
    putControl(info, SOL_SOCKET, type, { tv_sec, tv_nsec: tv_usec * 1000 }, TIME_SIZE);
  } else if (extras.rcvStamp) {
    putControl(info, SOL_SOCKET, isNew ? SO_TIMESTAMP_NEW : SO_TIMESTAMP, { tv_sec, tv_usec }, TIME_SIZE);
  }
  const { tsflags } = extras;
  if ((tsflags & SOF_TIMESTAMPING_SOFTWARE) === 0) return;
  const wanted = (tsflags & SOF_TIMESTAMPING_RX_SOFTWARE) !== 0 || fromErrorQueue;
  if (!wanted && (tsflags & SOF_TIMESTAMPING_OPT_RX_FILTER) !== 0) return;
  const software = { tv_sec, tv_nsec: tv_usec * 1000 };
  const type = isNew ? SO_TIMESTAMPING_NEW : SO_TIMESTAMPING;
  putControl(info, SOL_SOCKET, type, { ts: [software, NO_TIME, NO_TIME] }, 3 * TIME_SIZE);
}
