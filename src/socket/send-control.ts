// What sendmsg is told by control messages (__sock_cmsg_send, ip_cmsg_send): options for this one datagram or write.

import type { SendCookie } from '../core/send-cookie.js';
import type { Sock } from '../core/sock.js';
import { IpAddress } from '../packet/address.js';
import { EINVAL, EPERM } from '../uapi/errno.js';
import { SOF_TIMESTAMPING_TX_RECORD_MASK } from '../uapi/errqueue.js';
import {
  IP_PKTINFO,
  IP_TOS,
  IP_TTL,
  IPPROTO_IP,
  SO_MARK,
  SO_TIMESTAMPING,
  SO_TIMESTAMPING_NEW,
  SOL_SOCKET,
} from '../uapi/socket.js';
import type { ControlMessage, PacketInfo } from './control-message.js';

/** Fills `cookie`, which holds the sock's own options: 0, -EINVAL, -EPERM. `isIp`: level IPPROTO_IP means something, too. */
export function readSendControl(
  sk: Sock,
  control: readonly ControlMessage[],
  cookie: SendCookie,
  isIp: boolean,
): number {
  for (const { cmsg_level, cmsg_type, cmsg_data } of control) {
    let error = 0;
    if (cmsg_level === SOL_SOCKET) error = socketControl(sk, cmsg_type, cmsg_data, cookie);
    else if (cmsg_level === IPPROTO_IP && isIp) error = ipControl(cmsg_type, cmsg_data, cookie);
    if (error !== 0) return error;
  }
  return 0;
}

function socketControl(
  sk: Sock,
  type: number,
  data: ControlMessage['cmsg_data'],
  cookie: SendCookie,
): number {
  switch (type) {
    case SO_MARK:
      return sk.uid === 0 ? 0 : -EPERM;
    case SO_TIMESTAMPING:
    case SO_TIMESTAMPING_NEW:
      if (typeof data !== 'number' || (data & ~SOF_TIMESTAMPING_TX_RECORD_MASK) !== 0) return -EINVAL;
      cookie.tsflags = (cookie.tsflags & ~SOF_TIMESTAMPING_TX_RECORD_MASK) | data;
      return 0;
    default:
      return -EINVAL;
  }
}

function ipControl(type: number, data: ControlMessage['cmsg_data'], cookie: SendCookie): number {
  switch (type) {
    case IP_TTL:
      if (typeof data !== 'number' || data < 1 || data > 255) return -EINVAL;
      cookie.ttl = data;
      return 0;
    case IP_TOS:
      if (typeof data !== 'number' || data < 0 || data > 255) return -EINVAL;
      cookie.tos = data;
      return 0;
    case IP_PKTINFO: {
      const { ipi_ifindex, ipi_spec_dst } = data as PacketInfo;
      const source = IpAddress.parse(ipi_spec_dst);
      if (source === null) return -EINVAL;
      if (ipi_ifindex !== 0) cookie.device = ipi_ifindex;
      cookie.source = source.isAny ? null : source;
      return 0;
    }
    default:
      return -EINVAL;
  }
}
