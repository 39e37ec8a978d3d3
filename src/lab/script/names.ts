// Constants by the names that C programs use, from src/uapi: what a word among a call's arguments means.

import * as errno from '../../uapi/errno.js';
import * as errqueue from '../../uapi/errqueue.js';
import * as fcntl from '../../uapi/fcntl.js';
import * as poll from '../../uapi/poll.js';
import * as socket from '../../uapi/socket.js';
import * as tcp from '../../uapi/tcp.js';

/** Levels and other names of C's headers that the stack itself has no use for. */
const others: Readonly<Record<string, number>> = {
  SOL_IP: socket.IPPROTO_IP,
  SOL_TCP: socket.IPPROTO_TCP,
  SOL_UDP: socket.IPPROTO_UDP,
  CMSG_LEVEL_IP: socket.IPPROTO_IP,
  CMSG_TYPE_RECVERR: socket.IP_RECVERR,
  SCM_TIMESTAMPING: socket.SO_TIMESTAMPING,
  PIPE_BUF: 4096,
};

const table = new Map<string, number>();
for (const module of [errno, fcntl, poll, socket, tcp, others, errqueue]) {
  for (const [name, value] of Object.entries(module)) if (typeof value === 'number') table.set(name, value);
}

/** The number behind a name, or undefined. */
export function constant(name: string): number | undefined {
  return table.get(name);
}
