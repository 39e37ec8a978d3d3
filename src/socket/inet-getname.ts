// getsockname and getpeername of an internet socket (inet_getname).

import type { Sock } from '../core/sock.js';
import { ENOTCONN } from '../uapi/errno.js';
import { TCP_CLOSE, TCP_SYN_SENT } from '../uapi/tcp.js';
import { type SockAddr, writeSockAddr } from './sock-addr.js';

/** `peer`: 0 its own name, 1 its peer's, 2 its peer's even if the connection is over. 0 or -ENOTCONN. */
export function inetGetname(sk: Sock, address: SockAddr, peer: number): number {
  if (peer === 0) {
    writeSockAddr(address, sk.laddr.isAny ? sk.saddr : sk.laddr, sk.sport);
    return 0;
  }
  const gone = sk.state === TCP_CLOSE || sk.state === TCP_SYN_SENT;
  if (sk.dport === 0 || (gone && peer === 1)) return -ENOTCONN;
  writeSockAddr(address, sk.daddr, sk.dport);
  return 0;
}
