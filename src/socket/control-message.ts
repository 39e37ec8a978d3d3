// Control messages (struct cmsghdr): what recvmsg tells beside the bytes, and what sendmsg is told for one datagram or write.

import type { ErrorEntry } from '../core/error-queue.js';
import { MSG_CTRUNC } from '../uapi/socket.js';
import type { MessageInfo, Timeval } from './proto-ops.js';
import type { SockAddr } from './sock-addr.js';

/** struct timespec, of Unix time. */
export interface StampTime {
  /** Seconds. */
  tv_sec: number;
  /** Nanoseconds beside them, 0 to 999,999,999. */
  tv_nsec: number;
}

/** struct sock_extended_err with its offender: data of IP_RECVERR. */
export interface ExtendedError {
  /** A positive errno; 0 of completions, ENOMSG of timestamps. */
  ee_errno: number;
  /** Who says it: SO_EE_ORIGIN_*. */
  ee_origin: number;
  /** ICMP type, if ICMP says it. */
  ee_type: number;
  /** ICMP code; of a zero-copy completion SO_EE_CODE_ZEROCOPY_COPIED or 0. */
  ee_code: number;
  /** MTU of the next hop (EMSGSIZE); SCM_TSTAMP_* of a timestamp; the first of the calls that are complete. */
  ee_info: number;
  /** The timestamp's number; the last of the calls that are complete. */
  ee_data: number;
  /** Who complained. */
  offender: SockAddr | null;
}

/** struct in_pktinfo: data of IP_PKTINFO. For sendmsg, interface (0: any) and source (`ipi_spec_dst`). */
export interface PacketInfo {
  /** Interface it came in by. */
  ipi_ifindex: number;
  /** Address of ours that an answer comes from. */
  ipi_spec_dst: string;
  /** Destination in its header. */
  ipi_addr: string;
}

/** struct scm_timestamping: data of SO_TIMESTAMPING. */
export interface Timestamping {
  /** The software stamp, a legacy one, the hardware's. The last two are zero: no device here has a clock. */
  ts: readonly [StampTime, StampTime, StampTime];
}

/**
 * What a message holds, by level and type: a number (IP_TTL, IP_TOS, SO_RXQ_OVFL, TCP_CM_INQ; sent: SO_TIMESTAMPING's flags);
 * Timeval (SO_TIMESTAMP); StampTime (SO_TIMESTAMPNS); Timestamping; PacketInfo; SockAddr (IP_ORIGDSTADDR); ExtendedError; and
 * of SCM_TIMESTAMPING_OPT_STATS an object of numbers by the names TCP_NLA_*.
 */
export type ControlData =
  | number
  | Timeval
  | StampTime
  | Timestamping
  | PacketInfo
  | SockAddr
  | ExtendedError
  | Record<string, number>;

/** One control message of sendmsg or recvmsg (struct cmsghdr). */
export interface ControlMessage {
  /** SOL_SOCKET, IPPROTO_IP, IPPROTO_TCP. */
  cmsg_level: number;
  /** An option of that level. */
  cmsg_type: number;
  /** What the type asks for. */
  cmsg_data: ControlData;
}

const HEADER = 16;

/** put_cmsg: one more message of `size` bytes of data; MSG_CTRUNC where there is no room for it. */
export function putControl(
  info: MessageInfo,
  level: number,
  type: number,
  data: ControlData,
  size: number,
): void {
  if (info.control === null || info.controlRoom < HEADER + size) {
    info.flags |= MSG_CTRUNC;
    info.controlRoom = 0;
    return;
  }
  info.control.push({ cmsg_level: level, cmsg_type: type, cmsg_data: data });
  info.controlRoom -= Math.min(info.controlRoom, HEADER + ((size + 7) & ~7));
}

/** sock_extended_err of an entry of the error queue. */
export function extendedError(entry: ErrorEntry, offender: SockAddr | null): ExtendedError {
  return {
    ee_errno: entry.errno,
    ee_origin: entry.origin,
    ee_type: entry.type,
    ee_code: entry.code,
    ee_info: entry.info,
    ee_data: entry.data >>> 0,
    offender,
  };
}
