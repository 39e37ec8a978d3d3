// recvmsg with MSG_ERRQUEUE (ip_recv_error): takes the oldest entry out of a socket's error queue. It never sleeps.

import type { ErrorEntry } from '../core/error-queue.js';
import type { Sock } from '../core/sock.js';
import type { SockExtras } from '../core/sock-extras.js';
import { EAGAIN } from '../uapi/errno.js';
import { SO_EE_ORIGIN_ICMP, SOF_TIMESTAMPING_OPT_CMSG } from '../uapi/errqueue.js';
import {
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
import { type HeaderFacts, tellHeader } from './tell-header.js';

const EXTENDED_ERROR_SIZE = 32;

/** ipv4_datagram_support_cmsg: of a packet of ours only if asked for, and known by which device it left. */
function hasHeader({ tsflags }: SockExtras, entry: ErrorEntry): boolean {
  if (entry.origin === SO_EE_ORIGIN_ICMP) return true;
  return entry.device !== 0 && (tsflags & SOF_TIMESTAMPING_OPT_CMSG) !== 0;
}

/** Of what it is about, or what brought it. Where an ICMP packet went has no port, and it tells no address of ours. */
function header(entry: ErrorEntry): HeaderFacts {
  const isIcmp = entry.origin === SO_EE_ORIGIN_ICMP;
  return {
    device: entry.device,
    local: isIcmp ? '0.0.0.0' : entry.offender.toString(),
    to: entry.to.toString(),
    port: isIcmp ? null : entry.toPort,
    ttl: entry.ttl,
    tos: entry.tos,
  };
}

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
  if (hasHeader(extras, entry)) {
    offender = { family: 0, address: '', port: 0 };
    writeSockAddr(offender, entry.offender, 0);
    tellHeader(extras.cmsgFlags, header(entry), info);
  }
  putControl(info, IPPROTO_IP, IP_RECVERR, extendedError(entry, offender), EXTENDED_ERROR_SIZE);
  info.flags |= MSG_ERRQUEUE;
  return copied;
}
