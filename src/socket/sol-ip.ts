// Options of level IPPROTO_IP (do_ip_setsockopt): type of service, time to live and path MTU discovery of what a socket
// sends, what it is told of what it receives, and which addresses and ports it may have.

import type { Sock } from '../core/sock.js';
import { IP_CMSG_ORIGDSTADDR, IP_CMSG_PKTINFO, IP_CMSG_TOS, IP_CMSG_TTL } from '../core/sock-extras.js';
import { EINVAL, ENOPROTOOPT, ENOTCONN, EOPNOTSUPP, EPERM } from '../uapi/errno.js';
import {
  IP_BIND_ADDRESS_NO_PORT,
  IP_FREEBIND,
  IP_LOCAL_PORT_RANGE,
  IP_MINTTL,
  IP_MTU,
  IP_MTU_DISCOVER,
  IP_MULTICAST_ALL,
  IP_PKTINFO,
  IP_PMTUDISC_DONT,
  IP_PMTUDISC_OMIT,
  IP_PROTOCOL,
  IP_RECVERR,
  IP_RECVORIGDSTADDR,
  IP_RECVTOS,
  IP_RECVTTL,
  IP_TOS,
  IP_TRANSPARENT,
  IP_TTL,
  IPPROTO_IP,
  SOCK_STREAM,
} from '../uapi/socket.js';
import { getKept, keptOption, setKept } from './kept-options.js';
import { INT_SIZE, intOf } from './option-values.js';
import type { OptionResult, OptionValue } from './proto-ops.js';

/** Congestion bits of the TOS byte: TCP's own business on a stream. */
const INET_ECN_MASK = 3;

const IPTOS_TOS_MASK = 0x1e;
/** rt_tos2priority, by the upper bits of the type of service: TC_PRIO_BESTEFFORT, BULK, INTERACTIVE, INTERACTIVE_BULK. */
const PRIORITY_OF_TOS = [0, 2, 6, 4];

/** Options that ask for a control message with each datagram, and the flag that remembers it. */
const CMSG_FLAGS = new Map([
  [IP_PKTINFO, IP_CMSG_PKTINFO],
  [IP_RECVTTL, IP_CMSG_TTL],
  [IP_RECVTOS, IP_CMSG_TOS],
  [IP_RECVORIGDSTADDR, IP_CMSG_ORIGDSTADDR],
]);

/** 0 or -errno; of any level that is not the transport's own, because this is where the chain of levels ends. */
export function setIpOption(
  sk: Sock,
  level: number,
  name: number,
  value: OptionValue,
  length: number,
): number {
  if (level !== IPPROTO_IP) return -ENOPROTOOPT;
  const int = shortInt(intOf(value), length);
  switch (name) {
    case IP_TOS:
      setTos(sk, int & 0xff);
      return 0;
    case IP_TTL:
      if (length < 1 || (int !== -1 && (int < 1 || int > 255))) return -EINVAL;
      sk.ttl = int === -1 ? 0 : int;
      return 0;
    case IP_MTU_DISCOVER:
      if (int < IP_PMTUDISC_DONT || int > IP_PMTUDISC_OMIT) return -EINVAL;
      sk.mtuDiscover = int;
      return 0;
    case IP_RECVERR:
      if (int !== 0) sk.ownExtras().recvErr = true;
      else if (sk.extras !== null) {
        sk.extras.recvErr = false;
        sk.extras.errorQueue.purge();
      }
      return 0;
    case IP_FREEBIND:
    case IP_TRANSPARENT:
      if (name === IP_TRANSPARENT && int !== 0 && sk.uid !== 0) return -EPERM;
      if (length < 1) return -EINVAL;
      if (int === 0 && sk.extras === null) return 0;
      if (name === IP_FREEBIND) sk.ownExtras().freebind = int !== 0;
      else sk.ownExtras().transparent = int !== 0;
      return 0;
    case IP_BIND_ADDRESS_NO_PORT:
      if (int !== 0 || sk.extras !== null) sk.ownExtras().bindAddressNoPort = int !== 0;
      return 0;
    case IP_MINTTL:
      if (length < 1 || int < 0 || int > 255) return -EINVAL;
      if (int !== 0 || sk.extras !== null) sk.ownExtras().minTtl = int;
      return 0;
    case IP_LOCAL_PORT_RANGE:
      return length === INT_SIZE ? setPortRange(sk, int) : -EINVAL;
    default:
      return setToldOrKept(sk, name, int, length);
  }
}

/** A value of fewer bytes than an int is read as one byte, and of none as 0 (do_ip_setsockopt). */
function shortInt(int: number, length: number): number {
  if (length >= INT_SIZE) return int;
  return length > 0 ? int & 0xff : 0;
}

/** __ip_sock_set_tos: the priority of what is sent follows the type of service. */
function setTos(sk: Sock, wanted: number): void {
  const tos = sk.type === SOCK_STREAM ? (wanted & ~INET_ECN_MASK) | (sk.tos & INET_ECN_MASK) : wanted;
  if (tos === sk.tos) return;
  sk.tos = tos;
  sk.priority = PRIORITY_OF_TOS[(tos & IPTOS_TOS_MASK) >> 3];
}

/** Low port in the lower half, high port in the upper; 0 leaves that end to net.ipv4.ip_local_port_range. */
function setPortRange(sk: Sock, range: number): number {
  const low = range & 0xffff;
  const high = range >>> 16;
  if (low !== 0 && high !== 0 && low > high) return -EINVAL;
  if (range === 0 && sk.extras === null) return 0;
  const extras = sk.ownExtras();
  extras.portLow = low;
  extras.portHigh = high;
  return 0;
}

/** Flags that ask recvmsg to tell something of each datagram's header, and options that are only kept. */
function setToldOrKept(sk: Sock, name: number, int: number, length: number): number {
  const told = CMSG_FLAGS.get(name);
  if (told !== undefined) {
    if (int !== 0) sk.ownExtras().cmsgFlags |= told;
    else if (sk.extras !== null) sk.extras.cmsgFlags &= ~told;
    return 0;
  }
  const kept = keptOption(IPPROTO_IP, name);
  if (kept === undefined) return -ENOPROTOOPT;
  return kept.name === IP_MULTICAST_ALL && length < 1 ? -EINVAL : setKept(sk, kept, int);
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
    case IP_PROTOCOL:
      // Linux answers with the port (inet_num), whatever the name says.
      out.value = sk.sport;
      return 0;
    default:
      return getRareIp(sk, name, out);
  }
}

function getRareIp(sk: Sock, name: number, out: OptionResult): number {
  const { extras } = sk;
  const told = CMSG_FLAGS.get(name);
  if (told !== undefined) {
    out.value = extras !== null && (extras.cmsgFlags & told) !== 0 ? 1 : 0;
    return 0;
  }
  switch (name) {
    case IP_RECVERR:
      out.value = Number(extras?.recvErr === true);
      return 0;
    case IP_FREEBIND:
      out.value = Number(extras?.freebind === true);
      return 0;
    case IP_TRANSPARENT:
      out.value = Number(extras?.transparent === true);
      return 0;
    case IP_BIND_ADDRESS_NO_PORT:
      out.value = Number(extras?.bindAddressNoPort === true);
      return 0;
    case IP_MINTTL:
      out.value = extras === null ? 0 : extras.minTtl;
      return 0;
    case IP_LOCAL_PORT_RANGE:
      out.value = extras === null ? 0 : (extras.portHigh << 16) | extras.portLow;
      return 0;
    default: {
      const kept = keptOption(IPPROTO_IP, name);
      return kept === undefined ? -ENOPROTOOPT : getKept(sk, kept, out);
    }
  }
}
