// Options of level SOL_SOCKET (sk_setsockopt, sk_getsockopt): clamps, what is read back, and the three that can raise an
// event by themselves (SO_SNDBUF, SO_RCVLOWAT, and SO_ERROR's taking of the error, which raises none).

import { SOCK_RCVBUF_LOCK, SOCK_SNDBUF_LOCK, type Sock } from '../core/sock.js';
import { EDOM, EINVAL, ENOPROTOOPT, EPERM } from '../uapi/errno.js';
import {
  SO_ACCEPTCONN,
  SO_BINDTODEVICE,
  SO_BROADCAST,
  SO_BSDCOMPAT,
  SO_DOMAIN,
  SO_ERROR,
  SO_KEEPALIVE,
  SO_LINGER,
  SO_MARK,
  SO_NO_CHECK,
  SO_OOBINLINE,
  SO_PRIORITY,
  SO_PROTOCOL,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_RCVLOWAT,
  SO_RCVTIMEO,
  SO_RCVTIMEO_NEW,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SO_SNDLOWAT,
  SO_SNDTIMEO,
  SO_SNDTIMEO_NEW,
  SO_TYPE,
} from '../uapi/socket.js';
import { TCP_LISTEN } from '../uapi/tcp.js';
import { UdpSock } from '../udp/udp-sock.js';
import { INT_SIZE, intOf, isLinger, isTimeval, LINGER_SIZE, TIMEVAL_SIZE } from './option-values.js';
import type { OptionResult, OptionValue, Timeval } from './proto-ops.js';
import type { Socket } from './socket.js';
import { bindToDevice, getRareSocket, setRareSocket } from './sol-socket-rare.js';

export const SOCK_MIN_SNDBUF = 4608;
export const SOCK_MIN_RCVBUF = 2304;
/** Time-outs are kept in whole ticks, as on a kernel with HZ=250. */
const TICK_MS = 4;
const INT_MAX = 0x7fffffff;
/** Highest SO_PRIORITY an ordinary user may set. */
const TC_PRIO_INTERACTIVE = 6;

/** 0 or -errno. `length`: what the caller says the value measures. */
export function setSolSocket(socket: Socket, name: number, value: OptionValue, length: number): number {
  if (name === SO_BINDTODEVICE) return bindToDevice(socket, value);
  if (length < INT_SIZE) return -EINVAL;
  const { sk } = socket;
  const int = intOf(value);
  const on = int !== 0;
  switch (name) {
    case SO_REUSEADDR:
      sk.reuse = on;
      return 0;
    case SO_REUSEPORT:
      sk.reusePort = on;
      return 0;
    case SO_BROADCAST:
      sk.broadcast = on;
      return 0;
    case SO_KEEPALIVE:
      socket.ops.setKeepalive(sk, on);
      sk.keepOpen = on;
      return 0;
    case SO_OOBINLINE:
      sk.oobInline = on;
      return 0;
    case SO_SNDBUF:
      return setSndbuf(socket, Math.min(int >>> 0, sk.host.sysctl.wmemMax));
    case SO_RCVBUF:
      return setRcvbuf(sk, Math.min(int >>> 0, sk.host.sysctl.rmemMax));
    case SO_SNDBUFFORCE:
      return sk.uid === 0 ? setSndbuf(socket, Math.max(int, 0)) : -EPERM;
    case SO_RCVBUFFORCE:
      return sk.uid === 0 ? setRcvbuf(sk, Math.max(int, 0)) : -EPERM;
    case SO_PRIORITY:
      if ((int < 0 || int > TC_PRIO_INTERACTIVE) && sk.uid !== 0) return -EPERM;
      sk.priority = int;
      return 0;
    case SO_MARK:
      if (sk.uid !== 0) return -EPERM;
      sk.mark = int;
      return 0;
    case SO_LINGER:
      return setLinger(sk, value, length);
    case SO_RCVLOWAT:
      socket.ops.setRcvlowat(sk, int < 0 ? INT_MAX : int);
      return 0;
    case SO_RCVTIMEO:
    case SO_SNDTIMEO:
    case SO_RCVTIMEO_NEW:
    case SO_SNDTIMEO_NEW:
      return setTimeval(sk, name, value, length);
    case SO_NO_CHECK:
      if (!(sk instanceof UdpSock)) return setRareSocket(socket, name, value) ?? -ENOPROTOOPT;
      sk.noCheck = on;
      return 0;
    case SO_BSDCOMPAT:
      return 0;
    default:
      return setRareSocket(socket, name, value) ?? -ENOPROTOOPT;
  }
}

function setSndbuf(socket: Socket, wanted: number): number {
  const { sk } = socket;
  sk.userlocks |= SOCK_SNDBUF_LOCK;
  sk.sndbuf = Math.max(Math.min(wanted, INT_MAX >> 1) * 2, SOCK_MIN_SNDBUF);
  socket.ops.writeSpace(sk);
  return 0;
}

function setRcvbuf(sk: Sock, wanted: number): number {
  sk.userlocks |= SOCK_RCVBUF_LOCK;
  sk.rcvbuf = Math.max(Math.min(wanted, INT_MAX >> 1) * 2, SOCK_MIN_RCVBUF);
  return 0;
}

function setLinger(sk: Sock, value: OptionValue, length: number): number {
  if (length < LINGER_SIZE || !isLinger(value)) return -EINVAL;
  sk.lingerOn = value.l_onoff !== 0;
  if (sk.lingerOn) sk.lingerMs = (value.l_linger >>> 0) * 1000;
  return 0;
}

/** sock_set_timeout. 0: for ever; a negative time is no time at all, kept as -1. */
function setTimeval(sk: Sock, name: number, value: OptionValue, length: number): number {
  if (length < TIMEVAL_SIZE || !isTimeval(value)) return -EINVAL;
  if (!Number.isFinite(value.tv_sec) || !Number.isFinite(value.tv_usec)) return -EINVAL;
  if (value.tv_usec < 0 || value.tv_usec >= 1_000_000) return -EDOM;
  let ms = -1;
  if (value.tv_sec >= 0) {
    ms = value.tv_sec * 1000 + Math.ceil(value.tv_usec / (TICK_MS * 1000)) * TICK_MS;
  }
  if (name === SO_RCVTIMEO || name === SO_RCVTIMEO_NEW) sk.rcvTimeoMs = ms;
  else sk.sndTimeoMs = ms;
  return 0;
}

function timeval(ms: number): Timeval {
  const whole = ms > 0 ? ms : 0;
  return { tv_sec: Math.floor(whole / 1000), tv_usec: (whole % 1000) * 1000 };
}

/** 0, with the answer in `out.value`; or -errno. */
export function getSolSocket(socket: Socket, name: number, out: OptionResult): number {
  const { sk } = socket;
  switch (name) {
    case SO_REUSEADDR:
      out.value = Number(sk.reuse);
      return 0;
    case SO_REUSEPORT:
      out.value = Number(sk.reusePort);
      return 0;
    case SO_BROADCAST:
      out.value = Number(sk.broadcast);
      return 0;
    case SO_KEEPALIVE:
      out.value = Number(sk.keepOpen);
      return 0;
    case SO_OOBINLINE:
      out.value = Number(sk.oobInline);
      return 0;
    case SO_SNDBUF:
      out.value = sk.sndbuf;
      return 0;
    case SO_RCVBUF:
      out.value = sk.rcvbuf;
      return 0;
    case SO_PRIORITY:
      out.value = sk.priority;
      return 0;
    case SO_MARK:
      out.value = sk.mark;
      return 0;
    case SO_LINGER:
      out.value = { l_onoff: Number(sk.lingerOn), l_linger: Math.floor(sk.lingerMs / 1000) | 0 };
      return 0;
    case SO_RCVLOWAT:
      out.value = sk.rcvlowat;
      return 0;
    case SO_SNDLOWAT:
      out.value = 1;
      return 0;
    case SO_RCVTIMEO:
    case SO_RCVTIMEO_NEW:
      out.value = timeval(sk.rcvTimeoMs);
      return 0;
    case SO_SNDTIMEO:
    case SO_SNDTIMEO_NEW:
      out.value = timeval(sk.sndTimeoMs);
      return 0;
    default:
      return getReadOnly(socket, name, out);
  }
}

function getReadOnly(socket: Socket, name: number, out: OptionResult): number {
  const { sk } = socket;
  switch (name) {
    case SO_TYPE:
      out.value = socket.type;
      return 0;
    case SO_PROTOCOL:
      out.value = sk.protocol;
      return 0;
    case SO_DOMAIN:
      out.value = sk.family;
      return 0;
    case SO_ERROR:
      out.value = takeSocketError(sk);
      return 0;
    case SO_ACCEPTCONN:
      out.value = Number(sk.state === TCP_LISTEN);
      return 0;
    case SO_NO_CHECK:
      if (!(sk instanceof UdpSock)) return getRareSocket(socket, name, out) ?? -ENOPROTOOPT;
      out.value = Number(sk.noCheck);
      return 0;
    case SO_BSDCOMPAT:
      out.value = 0;
      return 0;
    default:
      return getRareSocket(socket, name, out) ?? -ENOPROTOOPT;
  }
}

/** SO_ERROR: the pending error, else the soft one; positive. Nobody is woken, though the mask loses ERR. */
function takeSocketError(sk: Sock): number {
  const error = -sk.takeError();
  if (error !== 0) return error;
  const soft = sk.errSoft;
  sk.errSoft = 0;
  return soft;
}
