// What recvmsg tells of a datagram beside its bytes (__sock_recv_cmsgs, ip_cmsg_recv): when it came, what was lost before it,
// and what its IP header said.

import {
  IP_CMSG_ORIGDSTADDR,
  IP_CMSG_PKTINFO,
  IP_CMSG_TOS,
  IP_CMSG_TTL,
  type SockExtras,
} from '../core/sock-extras.js';
import {
  AF_INET,
  IP_ORIGDSTADDR,
  IP_PKTINFO,
  IP_TOS,
  IP_TTL,
  IPPROTO_IP,
  SO_RXQ_OVFL,
  SOL_SOCKET,
} from '../uapi/socket.js';
import type { Sender, UdpSock } from '../udp/udp-sock.js';
import { putControl } from './control-message.js';
import { INT_SIZE } from './option-values.js';
import type { MessageInfo } from './proto-ops.js';
import { putTimestamps } from './receive-stamp.js';
import { SOCKADDR_IN_SIZE } from './sock-addr.js';

const PKTINFO_SIZE = 12;

export function tellDatagram(sk: UdpSock, extras: SockExtras, sender: Sender, info: MessageInfo): void {
  const { host } = sk;
  // A socket that began to ask only after the datagram had come is told the present moment.
  const stamped = extras.rcvStamp || sender.realUs !== 0;
  if (stamped) putTimestamps(extras, info, sender.realUs || host.realUs(host.nowUs), false);
  if (extras.rxqOvfl && sender.drops > 0) putControl(info, SOL_SOCKET, SO_RXQ_OVFL, sender.drops, INT_SIZE);
  const { cmsgFlags } = extras;
  if (cmsgFlags === 0) return;
  const to = sender.to.toString();
  if ((cmsgFlags & IP_CMSG_PKTINFO) !== 0) {
    const about = { ipi_ifindex: sender.device, ipi_spec_dst: to, ipi_addr: to };
    putControl(info, IPPROTO_IP, IP_PKTINFO, about, PKTINFO_SIZE);
  }
  if ((cmsgFlags & IP_CMSG_TTL) !== 0) putControl(info, IPPROTO_IP, IP_TTL, sender.ttl, INT_SIZE);
  if ((cmsgFlags & IP_CMSG_TOS) !== 0) putControl(info, IPPROTO_IP, IP_TOS, sender.tos, 1);
  if ((cmsgFlags & IP_CMSG_ORIGDSTADDR) !== 0) {
    const address = { family: AF_INET, address: to, port: sk.sport };
    putControl(info, IPPROTO_IP, IP_ORIGDSTADDR, address, SOCKADDR_IN_SIZE);
  }
}
