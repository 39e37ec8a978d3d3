// recvmsg with MSG_ERRQUEUE (ip_recv_error): takes the oldest entry out of a socket's error queue. It never sleeps.

import type { Sock } from '../core/sock.js';
import { IP_CMSG_PKTINFO } from '../core/sock-extras.js';
import { EAGAIN } from '../uapi/errno.js';
import { SO_EE_ORIGIN_ICMP } from '../uapi/errqueue.js';
import {
  IP_PKTINFO,
  IP_RECVERR,
  IPPROTO_IP,
  MSG_ERRQUEUE,
  MSG_TRUNC,
  SCM_TIMESTAMPING_OPT_STATS,
  SOL_SOCKET,
} from '../uapi/socket.js';
import { extendedError, putControl } from './control-message.js';
import type { MessageInfo } from './proto-ops.js';
import { putTimestamps } from './receive-stamp.js';
import { type SockAddr, writeSockAddr } from './sock-addr.js';

const EXTENDED_ERROR_SIZE = 32;
const PKTINFO_SIZE = 12;

/** Bytes of the packet it is about that were copied, with the rest in `info`; -EAGAIN: the queue is empty. */
export function recvError(sk: Sock, buffer: Uint8Array, count: number, info: MessageInfo | null): number {
  const { extras } = sk;
  const entry = extras === null ? null : extras.errorQueue.shift(sk);
  if (extras === null || entry === null) return -EAGAIN;
  const { payload } = entry;
  const copied = Math.min(payload.length, count);
  if (copied > 0) buffer.set(payload.subarray(0, copied));
  if (info === null) return copied;
  if (payload.length > count) info.flags |= MSG_TRUNC;
  if (entry.realUs >= 0) putTimestamps(extras, info, entry.realUs, true);
  if (entry.stats !== null)
    putControl(info, SOL_SOCKET, SCM_TIMESTAMPING_OPT_STATS, entry.stats, payload.length);
  if (info.name !== null && entry.address !== null) writeSockAddr(info.name, entry.address, entry.port);
  let offender: SockAddr | null = null;
  if (entry.origin === SO_EE_ORIGIN_ICMP) {
    offender = { family: 0, address: '', port: 0 };
    writeSockAddr(offender, entry.offender, 0);
    if ((extras.cmsgFlags & IP_CMSG_PKTINFO) !== 0 && entry.device !== 0) {
      const about = { ipi_ifindex: entry.device, ipi_spec_dst: '0.0.0.0', ipi_addr: entry.to.toString() };
      putControl(info, IPPROTO_IP, IP_PKTINFO, about, PKTINFO_SIZE);
    }
  }
  putControl(info, IPPROTO_IP, IP_RECVERR, extendedError(entry, offender), EXTENDED_ERROR_SIZE);
  info.flags |= MSG_ERRQUEUE;
  return copied;
}
