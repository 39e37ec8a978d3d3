// The rarer options of level SOL_SOCKET (sk_setsockopt, sk_getsockopt): timestamps, MSG_ZEROCOPY, interfaces, who the peer is,
// and what is only kept. `undefined` stands for an option that is not among them.

import type { Sock } from '../core/sock.js';
import { TcpSock } from '../tcp/sock.js';
import { EINVAL, ENODATA, ENODEV, ENOENT, ENOPROTOOPT, ENOTCONN, EOPNOTSUPP, EPERM } from '../uapi/errno.js';
import {
  SOF_TIMESTAMPING_BIND_PHC,
  SOF_TIMESTAMPING_MASK,
  SOF_TIMESTAMPING_OPT_ID,
  SOF_TIMESTAMPING_OPT_ID_TCP,
  SOF_TIMESTAMPING_OPT_STATS,
  SOF_TIMESTAMPING_OPT_TSONLY,
} from '../uapi/errqueue.js';
import {
  SO_BINDTODEVICE,
  SO_BINDTOIFINDEX,
  SO_BUF_LOCK,
  SO_CNX_ADVICE,
  SO_COOKIE,
  SO_DETACH_FILTER,
  SO_DONTROUTE,
  SO_MAX_PACING_RATE,
  SO_MEMINFO,
  SO_PASSCRED,
  SO_PASSPIDFD,
  SO_PASSRIGHTS,
  SO_PASSSEC,
  SO_PEEK_OFF,
  SO_PEERCRED,
  SO_PEERGROUPS,
  SO_PEERNAME,
  SO_PEERPIDFD,
  SO_RESERVE_MEM,
  SO_RXQ_OVFL,
  SO_SELECT_ERR_QUEUE,
  SO_TIMESTAMP,
  SO_TIMESTAMP_NEW,
  SO_TIMESTAMPING,
  SO_TIMESTAMPING_NEW,
  SO_TIMESTAMPNS,
  SO_TIMESTAMPNS_NEW,
  SO_ZEROCOPY,
  SOL_SOCKET,
} from '../uapi/socket.js';
import { TCP_CLOSE, TCP_LISTEN } from '../uapi/tcp.js';
import { UdpSock } from '../udp/udp-sock.js';
import { getKept, keptOption, setKept } from './kept-options.js';
import { intOf } from './option-values.js';
import type { OptionResult, OptionValue } from './proto-ops.js';
import type { Socket } from './socket.js';

const SOCK_BUF_LOCK_MASK = 3;

/** SO_BINDTODEVICE takes a name of any length, so that it is asked before the length is. */
export function bindToDevice(socket: Socket, value: OptionValue): number {
  const { sk } = socket;
  if (sk.boundDevice !== 0 && sk.uid !== 0) return -EPERM;
  const name = typeof value === 'string' ? value.replace(/\0.*$/s, '') : '';
  const index = name === '' ? 0 : socket.ops.ip.deviceIndex(name);
  if (index < 0) return -ENODEV;
  return bindToIndex(socket, index);
}

/** sock_bindtoindex */
function bindToIndex(socket: Socket, index: number): number {
  const { sk } = socket;
  if (index < 0) return -EINVAL;
  if (sk.boundDevice !== 0 && sk.uid !== 0) return -EPERM;
  sk.boundDevice = index;
  socket.ops.rerouted(sk);
  return 0;
}

/** 0 or -errno; undefined: it is not here. */
export function setRareSocket(socket: Socket, name: number, value: OptionValue): number | undefined {
  const { sk } = socket;
  const int = intOf(value);
  const on = int !== 0;
  switch (name) {
    case SO_TIMESTAMP:
    case SO_TIMESTAMP_NEW:
      return setTimestamp(sk, on, name === SO_TIMESTAMP_NEW, false);
    case SO_TIMESTAMPNS:
    case SO_TIMESTAMPNS_NEW:
      return setTimestamp(sk, on, name === SO_TIMESTAMPNS_NEW, true);
    case SO_TIMESTAMPING:
    case SO_TIMESTAMPING_NEW:
      return setTimestamping(sk, int, name === SO_TIMESTAMPING_NEW);
    case SO_ZEROCOPY:
      if (int < 0 || int > 1) return -EINVAL;
      if (on || sk.extras !== null) sk.ownExtras().zerocopy = on;
      return 0;
    case SO_MAX_PACING_RATE:
      sk.maxPacingRate = pacingRate(value);
      return 0;
    case SO_RXQ_OVFL:
      if (on || sk.extras !== null) sk.ownExtras().rxqOvfl = on;
      return 0;
    case SO_PEEK_OFF:
      if (int >= 0 || sk.extras !== null) sk.ownExtras().peekOff = int;
      return 0;
    case SO_SELECT_ERR_QUEUE:
      if (on || sk.extras !== null) sk.ownExtras().selectErrQueue = on;
      return 0;
    case SO_DONTROUTE:
      if (on || sk.extras !== null) sk.ownExtras().dontRoute = on;
      socket.ops.rerouted(sk);
      return 0;
    case SO_BINDTOIFINDEX:
      return bindToIndex(socket, int);
    case SO_BUF_LOCK:
      if ((int & ~SOCK_BUF_LOCK_MASK) !== 0) return -EINVAL;
      sk.userlocks = (sk.userlocks & ~SOCK_BUF_LOCK_MASK) | int;
      return 0;
    case SO_RESERVE_MEM:
      return int < 0 ? -EINVAL : -EOPNOTSUPP;
    case SO_CNX_ADVICE:
      return 0;
    case SO_DETACH_FILTER:
      return -ENOENT;
    case SO_PASSCRED:
    case SO_PASSSEC:
    case SO_PASSPIDFD:
    case SO_PASSRIGHTS:
      return -EOPNOTSUPP;
    default: {
      const option = keptOption(SOL_SOCKET, name);
      return option === undefined ? undefined : setKept(sk, option, int);
    }
  }
}

/** An int of all ones is no limit; what is larger than an int is a number of bytes per second, too. */
function pacingRate(value: OptionValue): number {
  if (typeof value !== 'number') return -1;
  if (value < 0) return value === -1 ? -1 : value >>> 0;
  return value === 0xffffffff ? -1 : value;
}

/** sock_set_timestamp */
function setTimestamp(sk: Sock, on: boolean, isNew: boolean, isNs: boolean): number {
  if (!on && sk.extras === null) return 0;
  const extras = sk.ownExtras();
  extras.rcvStamp = on;
  extras.rcvStampNs = on && isNs;
  if (on) extras.stampNew = isNew;
  return 0;
}

/** sock_set_timestamping */
function setTimestamping(sk: Sock, flags: number, isNew: boolean): number {
  if ((flags & ~SOF_TIMESTAMPING_MASK) !== 0) return -EINVAL;
  if ((flags & SOF_TIMESTAMPING_OPT_ID_TCP) !== 0 && (flags & SOF_TIMESTAMPING_OPT_ID) === 0) return -EINVAL;
  const before = sk.extras === null ? 0 : sk.extras.tsflags;
  let key = 0;
  if ((flags & ~before & SOF_TIMESTAMPING_OPT_ID) !== 0 && sk instanceof TcpSock) {
    if (sk.state === TCP_CLOSE || sk.state === TCP_LISTEN) return -EINVAL;
    key = (flags & SOF_TIMESTAMPING_OPT_ID_TCP) !== 0 ? sk.writeSeq : sk.sndUna;
  }
  const stats = (flags & SOF_TIMESTAMPING_OPT_STATS) !== 0;
  if (stats && (flags & SOF_TIMESTAMPING_OPT_TSONLY) === 0) return -EINVAL;
  // No device here has a clock of its own to bind to.
  if ((flags & SOF_TIMESTAMPING_BIND_PHC) !== 0) return -EOPNOTSUPP;
  const extras = sk.ownExtras();
  if ((flags & ~before & SOF_TIMESTAMPING_OPT_ID) !== 0) extras.tskey = key;
  extras.tsflags = flags;
  extras.stampNew = isNew;
  return 0;
}

/** 0 with the answer in `out.value`, or -errno; undefined: it is not here. */
export function getRareSocket(socket: Socket, name: number, out: OptionResult): number | undefined {
  const { sk } = socket;
  const { extras } = sk;
  switch (name) {
    case SO_TIMESTAMP:
      out.value = Number(extras?.rcvStamp === true && !extras.stampNew && !extras.rcvStampNs);
      return 0;
    case SO_TIMESTAMPNS:
      out.value = Number(extras?.rcvStampNs === true && !extras.stampNew);
      return 0;
    case SO_TIMESTAMP_NEW:
      out.value = Number(extras?.rcvStamp === true && extras.stampNew);
      return 0;
    case SO_TIMESTAMPNS_NEW:
      out.value = Number(extras?.rcvStampNs === true && extras.stampNew);
      return 0;
    case SO_TIMESTAMPING:
    case SO_TIMESTAMPING_NEW:
      // What the old option set is no answer to the new one.
      out.value = extras === null || (name === SO_TIMESTAMPING_NEW && !extras.stampNew) ? 0 : extras.tsflags;
      return 0;
    case SO_ZEROCOPY:
      out.value = Number(extras?.zerocopy === true);
      return 0;
    case SO_MAX_PACING_RATE:
      out.value = sk.maxPacingRate;
      return 0;
    case SO_RXQ_OVFL:
      out.value = Number(extras?.rxqOvfl === true);
      return 0;
    case SO_PEEK_OFF:
      out.value = extras === null ? -1 : extras.peekOff;
      return 0;
    case SO_SELECT_ERR_QUEUE:
      out.value = Number(extras?.selectErrQueue === true);
      return 0;
    case SO_DONTROUTE:
      out.value = Number(extras?.dontRoute === true);
      return 0;
    case SO_BUF_LOCK:
      out.value = sk.userlocks & SOCK_BUF_LOCK_MASK;
      return 0;
    case SO_RESERVE_MEM:
      out.value = 0;
      return 0;
    default:
      return getIdentity(socket, name, out);
  }
}

/** Who and where it is. */
function getIdentity(socket: Socket, name: number, out: OptionResult): number | undefined {
  const { sk } = socket;
  switch (name) {
    case SO_BINDTODEVICE:
      out.value = socket.ops.ip.deviceName(sk.boundDevice);
      return 0;
    case SO_BINDTOIFINDEX:
      out.value = sk.boundDevice;
      return 0;
    case SO_COOKIE: {
      const own = sk.ownExtras();
      if (own.cookie === 0) own.cookie = ++sk.host.sockCookie;
      out.value = own.cookie;
      return 0;
    }
    case SO_MEMINFO:
      out.value = memoryInfo(sk);
      return 0;
    case SO_PEERNAME: {
      const address = { family: 0, address: '', port: 0 };
      if (socket.ops.getname(socket, address, 2) < 0) return -ENOTCONN;
      out.value = address;
      return 0;
    }
    case SO_PEERCRED:
      out.value = { pid: 0, uid: -1, gid: -1 };
      return 0;
    case SO_PEERGROUPS:
    case SO_PEERPIDFD:
      return -ENODATA;
    case SO_PASSCRED:
    case SO_PASSSEC:
    case SO_PASSPIDFD:
    case SO_PASSRIGHTS:
      return -EOPNOTSUPP;
    case SO_CNX_ADVICE:
    case SO_DETACH_FILTER:
      return -ENOPROTOOPT;
    default: {
      const option = keptOption(SOL_SOCKET, name);
      return option === undefined ? undefined : getKept(sk, option, out);
    }
  }
}

/** sk_get_meminfo: bytes charged and allowed, by the names of SK_MEMINFO_*. */
export function memoryInfo(sk: Sock): Record<string, number> {
  const isTcp = sk instanceof TcpSock;
  return {
    rmem_alloc: isTcp || sk instanceof UdpSock ? sk.rmemAlloc : 0,
    rcvbuf: sk.rcvbuf,
    wmem_alloc: 0,
    sndbuf: sk.sndbuf,
    fwd_alloc: 0,
    wmem_queued: isTcp ? sk.wmemQueued : 0,
    optmem: 0,
    backlog: isTcp && sk.backlog !== null ? sk.backlog.bytes : 0,
    drops: sk instanceof UdpSock ? sk.drops : 0,
  };
}
