// What the IP header of a packet said, as control messages, each if it was asked for (ip_cmsg_recv). Of a datagram that was received,
// and of the packet that an entry of the error queue is about.

import { IP_CMSG_ORIGDSTADDR, IP_CMSG_PKTINFO, IP_CMSG_TOS, IP_CMSG_TTL } from '../core/sock-extras.js';
import { AF_INET, IP_ORIGDSTADDR, IP_PKTINFO, IP_TOS, IP_TTL, IPPROTO_IP } from '../uapi/socket.js';
import { putControl } from './control-message.js';
import { INT_SIZE } from './option-values.js';
import type { MessageInfo } from './proto-ops.js';
import { SOCKADDR_IN_SIZE } from './sock-addr.js';

const PKTINFO_SIZE = 12;

export interface HeaderFacts {
  /** Index of the interface; 0: none is known. */
  device: number;
  /** Our own address in it. */
  local: string;
  to: string;
  /** Where it went; null where it had no port. */
  port: number | null;
  ttl: number;
  tos: number;
}

export function tellHeader(cmsgFlags: number, header: HeaderFacts, info: MessageInfo): void {
  const { device, local, to, port, ttl, tos } = header;
  if ((cmsgFlags & IP_CMSG_PKTINFO) !== 0 && device !== 0) {
    const about = { ipi_ifindex: device, ipi_spec_dst: local, ipi_addr: to };
    putControl(info, IPPROTO_IP, IP_PKTINFO, about, PKTINFO_SIZE);
  }
  if ((cmsgFlags & IP_CMSG_TTL) !== 0) putControl(info, IPPROTO_IP, IP_TTL, ttl, INT_SIZE);
  if ((cmsgFlags & IP_CMSG_TOS) !== 0) putControl(info, IPPROTO_IP, IP_TOS, tos, 1);
  if ((cmsgFlags & IP_CMSG_ORIGDSTADDR) !== 0 && port !== null)
    putControl(info, IPPROTO_IP, IP_ORIGDSTADDR, { family: AF_INET, address: to, port }, SOCKADDR_IN_SIZE);
}
