// Constants by the names that C programs use, from src/uapi: what a word among a call's arguments means.

import * as errno from '../../uapi/errno.js';
import * as fcntl from '../../uapi/fcntl.js';
import * as poll from '../../uapi/poll.js';
import * as socket from '../../uapi/socket.js';
import * as tcp from '../../uapi/tcp.js';

/** Levels and other names of C's headers that the stack itself has no use for. */
const others: Readonly<Record<string, number>> = {
  SOL_IP: socket.IPPROTO_IP,
  SOL_TCP: socket.IPPROTO_TCP,
  SOL_UDP: socket.IPPROTO_UDP,
  TCP_CM_INQ: tcp.TCP_INQ,
  CMSG_LEVEL_IP: socket.IPPROTO_IP,
  CMSG_TYPE_RECVERR: socket.IP_RECVERR,
  SCM_TIMESTAMPING: socket.SO_TIMESTAMPING,
  ENOMSG: 42,
  PIPE_BUF: 4096,
};

/** linux/net_tstamp.h and linux/errqueue.h. */
const timestamping: Readonly<Record<string, number>> = {
  SOF_TIMESTAMPING_TX_HARDWARE: 1 << 0,
  SOF_TIMESTAMPING_TX_SOFTWARE: 1 << 1,
  SOF_TIMESTAMPING_RX_HARDWARE: 1 << 2,
  SOF_TIMESTAMPING_RX_SOFTWARE: 1 << 3,
  SOF_TIMESTAMPING_SOFTWARE: 1 << 4,
  SOF_TIMESTAMPING_SYS_HARDWARE: 1 << 5,
  SOF_TIMESTAMPING_RAW_HARDWARE: 1 << 6,
  SOF_TIMESTAMPING_OPT_ID: 1 << 7,
  SOF_TIMESTAMPING_TX_SCHED: 1 << 8,
  SOF_TIMESTAMPING_TX_ACK: 1 << 9,
  SOF_TIMESTAMPING_OPT_CMSG: 1 << 10,
  SOF_TIMESTAMPING_OPT_TSONLY: 1 << 11,
  SOF_TIMESTAMPING_OPT_STATS: 1 << 12,
  SCM_TSTAMP_SND: 0,
  SCM_TSTAMP_SCHED: 1,
  SCM_TSTAMP_ACK: 2,
  SO_EE_ORIGIN_NONE: 0,
  SO_EE_ORIGIN_LOCAL: 1,
  SO_EE_ORIGIN_ICMP: 2,
  SO_EE_ORIGIN_TIMESTAMPING: 4,
  SO_EE_ORIGIN_ZEROCOPY: 5,
  SO_EE_CODE_ZEROCOPY_COPIED: 1,
};

const table = new Map<string, number>();
for (const module of [errno, fcntl, poll, socket, tcp, others, timestamping]) {
  for (const [name, value] of Object.entries(module)) if (typeof value === 'number') table.set(name, value);
}

/** The number behind a name, or undefined. */
export function constant(name: string): number | undefined {
  return table.get(name);
}
