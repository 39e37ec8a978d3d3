// Options that are kept to be read back and otherwise change nothing here: what they tune (drivers, filters, polling of
// devices, IPv6) does not exist in this stack. What they take and refuse, and from whom, is what Linux does.

import type { Sock } from '../core/sock.js';
import { EACCES, EINVAL, ENOPROTOOPT, EOPNOTSUPP, EPERM } from '../uapi/errno.js';
import {
  IP_HDRINCL,
  IP_MULTICAST_ALL,
  IP_NODEFRAG,
  IP_PASSSEC,
  IP_ROUTER_ALERT,
  IPPROTO_IP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  SO_BPF_EXTENSIONS,
  SO_BUSY_POLL,
  SO_BUSY_POLL_BUDGET,
  SO_DEBUG,
  SO_INCOMING_CPU,
  SO_INCOMING_NAPI_ID,
  SO_LOCK_FILTER,
  SO_NO_CHECK,
  SO_NOFCS,
  SO_PREFER_BUSY_POLL,
  SO_TXREHASH,
  SO_WIFI_STATUS,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
  UDP_GRO,
  UDP_NO_CHECK6_RX,
  UDP_NO_CHECK6_TX,
} from '../uapi/socket.js';
import { TCP_IS_MPTCP, TCP_REPAIR, TCP_THIN_DUPACK } from '../uapi/tcp.js';

export interface KeptOption {
  readonly level: number;
  readonly name: number;
  /** What it reads as until it is set. */
  readonly initial?: number;
  /** Kept as 0 or 1; or a whole number within bounds, -EINVAL outside of them. */
  readonly flag?: boolean;
  readonly min?: number;
  readonly max?: number;
  /** Type of socket that alone has it; others are told EOPNOTSUPP. */
  readonly only?: number;
  /** Who is not root may only take it down: -errno otherwise. */
  readonly privileged?: number;
  /** Setting it does nothing but this: 0 or -errno. */
  readonly fixed?: number;
  /** Once set it stays: -errno for taking it back. */
  readonly sticky?: number;
  /** It cannot be read. */
  readonly unreadable?: boolean;
}

const INT_MAX = 0x7fffffff;

export const KEPT_OPTIONS: readonly KeptOption[] = [
  { level: SOL_SOCKET, name: SO_DEBUG, flag: true, privileged: -EACCES },
  { level: SOL_SOCKET, name: SO_NO_CHECK, flag: true, only: SOCK_STREAM },
  { level: SOL_SOCKET, name: SO_WIFI_STATUS, flag: true },
  { level: SOL_SOCKET, name: SO_NOFCS, flag: true },
  { level: SOL_SOCKET, name: SO_LOCK_FILTER, flag: true, sticky: -EPERM },
  { level: SOL_SOCKET, name: SO_BUSY_POLL, min: 0, max: INT_MAX, privileged: -EPERM },
  { level: SOL_SOCKET, name: SO_PREFER_BUSY_POLL, flag: true, privileged: -EPERM },
  {
    level: SOL_SOCKET,
    name: SO_BUSY_POLL_BUDGET,
    min: 0,
    max: 0xffff,
    privileged: -EPERM,
    unreadable: true,
  },
  { level: SOL_SOCKET, name: SO_INCOMING_CPU, initial: -1 },
  { level: SOL_SOCKET, name: SO_TXREHASH, initial: 1, min: -1, max: 1, only: SOCK_STREAM },
  { level: SOL_SOCKET, name: SO_BPF_EXTENSIONS, initial: 64, fixed: -ENOPROTOOPT },
  { level: SOL_SOCKET, name: SO_INCOMING_NAPI_ID, fixed: -ENOPROTOOPT },
  { level: IPPROTO_IP, name: IP_HDRINCL, fixed: -ENOPROTOOPT },
  { level: IPPROTO_IP, name: IP_NODEFRAG, fixed: -ENOPROTOOPT },
  { level: IPPROTO_IP, name: IP_ROUTER_ALERT, fixed: -EINVAL },
  { level: IPPROTO_IP, name: IP_PASSSEC, flag: true },
  { level: IPPROTO_IP, name: IP_MULTICAST_ALL, initial: 1, min: 0, max: 1 },
  { level: IPPROTO_TCP, name: TCP_THIN_DUPACK, min: 0, max: 1, fixed: 0 },
  { level: IPPROTO_TCP, name: TCP_REPAIR, fixed: -EPERM },
  { level: IPPROTO_TCP, name: TCP_IS_MPTCP, fixed: -ENOPROTOOPT },
  { level: IPPROTO_UDP, name: UDP_NO_CHECK6_TX, flag: true, only: SOCK_DGRAM },
  { level: IPPROTO_UDP, name: UDP_NO_CHECK6_RX, flag: true, only: SOCK_DGRAM },
  { level: IPPROTO_UDP, name: UDP_GRO, flag: true, only: SOCK_DGRAM },
];

const table = new Map(KEPT_OPTIONS.map((each) => [keyOf(each.level, each.name), each]));

function keyOf(level: number, name: number): number {
  return (level << 16) | name;
}

/** The option of this level and name if it is one of these, else undefined. */
export function keptOption(level: number, name: number): KeptOption | undefined {
  return table.get(keyOf(level, name));
}

/** 0 or -errno. */
export function setKept(sk: Sock, option: KeptOption, int: number): number {
  const { flag, min, max, only, privileged, fixed, sticky } = option;
  if (only !== undefined && sk.type !== only) return -EOPNOTSUPP;
  const before = keptValue(sk, option);
  const value = flag ? Number(int !== 0) : int;
  if (privileged !== undefined && value > before && sk.uid !== 0) return privileged;
  if (min !== undefined && (value < min || value > (max ?? INT_MAX))) return -EINVAL;
  if (fixed !== undefined) return fixed;
  if (sticky !== undefined && before !== 0 && value === 0) return sticky;
  // -1 asks for what it was at first.
  const kept = min === -1 && value === -1 ? (option.initial ?? 0) : value;
  if (kept !== before) sk.ownExtras().kept.set(keyOf(option.level, option.name), kept);
  return 0;
}

/** 0 with the value in `out`, or -errno. */
export function getKept(sk: Sock, option: KeptOption, out: { value: number | string | object }): number {
  if (option.only !== undefined && sk.type !== option.only) return -EOPNOTSUPP;
  if (option.unreadable) return -ENOPROTOOPT;
  out.value = keptValue(sk, option);
  return 0;
}

function keptValue(sk: Sock, option: KeptOption): number {
  return sk.extras?.kept.get(keyOf(option.level, option.name)) ?? option.initial ?? 0;
}
