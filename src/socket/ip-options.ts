// Options of level IPPROTO_IP (do_ip_setsockopt): type of service, time to live and path MTU discovery of
// what a socket sends.

import type { Sock } from '../core/sock.js';
import { EINVAL, ENOPROTOOPT, ENOTCONN, EOPNOTSUPP } from '../uapi/errno.js';
import {
  IP_MTU,
  IP_MTU_DISCOVER,
  IP_PMTUDISC_DONT,
  IP_PMTUDISC_OMIT,
  IP_TOS,
  IP_TTL,
  IPPROTO_IP,
  SOCK_STREAM,
} from '../uapi/socket.js';
import { intOf } from './option-values.js';
import type { OptionResult, OptionValue } from './proto-ops.js';

/** Congestion bits of the TOS byte: TCP's own business on a stream. */
const INET_ECN_MASK = 3;

/** 0 or -errno; of any level that is not the transport's own, because this is where the chain of levels ends. */
export function setIpOption(
  sk: Sock,
  level: number,
  name: number,
  value: OptionValue,
  length: number,
): number {
  if (level !== IPPROTO_IP) return -ENOPROTOOPT;
  const int = intOf(value);
  switch (name) {
    case IP_TOS:
      sk.tos =
        sk.type === SOCK_STREAM ? (int & 0xff & ~INET_ECN_MASK) | (sk.tos & INET_ECN_MASK) : int & 0xff;
      return 0;
    case IP_TTL:
      if (length < 1 || (int !== -1 && (int < 1 || int > 255))) return -EINVAL;
      sk.ttl = int === -1 ? 0 : int;
      return 0;
    case IP_MTU_DISCOVER:
      if (int < IP_PMTUDISC_DONT || int > IP_PMTUDISC_OMIT) return -EINVAL;
      sk.mtuDiscover = int;
      return 0;
    default:
      return -ENOPROTOOPT;
  }
}

/** `mtu`: of the path to the connected peer, 0 if there is none. */
export function getIpOption(sk: Sock, level: number, name: number, out: OptionResult, mtu: number): number {
  if (level !== IPPROTO_IP) return -EOPNOTSUPP;
  switch (name) {
    case IP_TOS:
      out.value = sk.tos;
      return 0;
    case IP_TTL:
      out.value = sk.ttl === 0 ? sk.host.sysctl.ipDefaultTtl : sk.ttl;
      return 0;
    case IP_MTU_DISCOVER:
      out.value = sk.mtuDiscover;
      return 0;
    case IP_MTU:
      if (mtu === 0) return -ENOTCONN;
      out.value = mtu;
      return 0;
    default:
      return -ENOPROTOOPT;
  }
}
