// What recvmsg tells of a datagram beside its bytes (__sock_recv_cmsgs, ip_cmsg_recv): when it came, what was lost before it,
// and what its IP header said.

import type { SockExtras } from '../core/sock-extras.js';
import { SO_RXQ_OVFL, SOL_SOCKET } from '../uapi/socket.js';
import type { Sender, UdpSock } from '../udp/udp-sock.js';
import { putControl } from './control-message.js';
import { INT_SIZE } from './option-values.js';
import type { MessageInfo } from './proto-ops.js';
import { putTimestamps } from './receive-stamp.js';
import { tellHeader } from './tell-header.js';

export function tellDatagram(sk: UdpSock, extras: SockExtras, sender: Sender, info: MessageInfo): void {
  const { host } = sk;
  // A socket that began to ask only after the datagram had come is told the present moment.
  const stamped = extras.rcvStamp || sender.realUs !== 0;
  if (stamped) putTimestamps(extras, info, sender.realUs || host.realUs(host.nowUs), false);
  if (extras.rxqOvfl && sender.drops > 0) putControl(info, SOL_SOCKET, SO_RXQ_OVFL, sender.drops, INT_SIZE);
  const { cmsgFlags } = extras;
  if (cmsgFlags === 0) return;
  const to = sender.to.toString();
  const { device, ttl, tos } = sender;
  tellHeader(cmsgFlags, { device, local: to, to, port: sk.sport, ttl, tos }, info);
}
