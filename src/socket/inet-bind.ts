// bind() of an internet socket (__inet_bind), the same for streams and datagrams but for the table that holds the ports.

import type { PortTable } from '../core/ports.js';
import { SOCK_BINDADDR_LOCK, SOCK_BINDPORT_LOCK, type Sock } from '../core/sock.js';
import type { Ip } from '../ip/ip.js';
import { ANY_V4, IpAddress } from '../packet/address.js';
import { EACCES, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EINVAL } from '../uapi/errno.js';
import { AF_INET, AF_UNSPEC } from '../uapi/socket.js';
import { TCP_CLOSE } from '../uapi/tcp.js';
import { isPort, SOCKADDR_IN_SIZE, type SockAddr } from './sock-addr.js';

/** 0 or -errno, checked in the kernel's order: an address that is not ours is refused before a second bind is. */
export function inetBind(sk: Sock, ip: Ip, ports: PortTable, address: SockAddr, length: number): number {
  if (length < SOCKADDR_IN_SIZE) return -EINVAL;
  const wanted = IpAddress.parse(address.address);
  if (wanted === null) return -EINVAL;
  // AF_UNSPEC with the wildcard address passes for AF_INET: old programs rely on it.
  if (address.family !== AF_INET && (address.family !== AF_UNSPEC || !wanted.isAny)) return -EAFNOSUPPORT;

  const { sysctl } = sk.host;
  const group = wanted.isMulticast || ip.isBroadcast(wanted);
  const ours = wanted.isAny || group || ip.isLocal(wanted);
  const anywhere =
    sysctl.ipNonlocalBind !== 0 || sk.extras?.freebind === true || sk.extras?.transparent === true;
  if (!ours && !anywhere) return -EADDRNOTAVAIL;
  if (!isPort(address.port)) return -EINVAL;
  if (address.port !== 0 && address.port < sysctl.ipUnprivilegedPortStart && sk.uid !== 0) return -EACCES;
  if (sk.state !== TCP_CLOSE || ports.portOf(sk) !== 0) return -EINVAL;

  sk.laddr = wanted;
  sk.saddr = group ? ANY_V4 : wanted;
  // With IP_BIND_ADDRESS_NO_PORT the port is left to connect(), which can share it among peers.
  const portless = address.port === 0 && sk.extras?.bindAddressNoPort === true;
  const port = portless ? 0 : ports.bind(sk, address.port);
  if (port < 0) {
    sk.laddr = ANY_V4;
    sk.saddr = ANY_V4;
    return -EADDRINUSE;
  }
  if (!wanted.isAny) sk.userlocks |= SOCK_BINDADDR_LOCK;
  if (address.port !== 0) sk.userlocks |= SOCK_BINDPORT_LOCK;
  sk.sport = port;
  sk.daddr = ANY_V4;
  sk.dport = 0;
  return 0;
}

/** inet_autobind: an ephemeral port at the address it has, for a sock without one. 0 or -EAGAIN. */
export function inetAutobind(sk: Sock, ports: PortTable): number {
  const port = ports.bind(sk, 0);
  if (port < 0) return port;
  sk.sport = port;
  return 0;
}
