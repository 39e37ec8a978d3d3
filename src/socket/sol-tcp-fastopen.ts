// Fast Open's options of level IPPROTO_TCP (RFC 7413 appendix A, do_tcp_setsockopt): the listener's queue and key, and the client's
// connect() that waits for data.

import {
  FastOpenQueue,
  TFO_CLIENT_ENABLE,
  TFO_SERVER_ENABLE,
  TFO_SERVER_WO_SOCKOPT1,
} from '../tcp/fastopen/fastopen.js';
import { FastOpenContext, TCP_FASTOPEN_KEY_LENGTH } from '../tcp/fastopen/fastopen-cookie.js';
import type { TcpSock } from '../tcp/sock.js';
import type { Tcp } from '../tcp/tcp.js';
import { EINVAL, EOPNOTSUPP } from '../uapi/errno.js';
import {
  TCP_CLOSE,
  TCP_FASTOPEN,
  TCP_FASTOPEN_CONNECT,
  TCP_FASTOPEN_KEY,
  TCP_FASTOPEN_NO_COOKIE,
  TCP_LISTEN,
} from '../uapi/tcp.js';
import type { OptionResult, OptionValue } from './proto-ops.js';

/** Whether the option is one of Fast Open's that take an int. */
export function isFastOpenOption(name: number): boolean {
  return name === TCP_FASTOPEN || name === TCP_FASTOPEN_CONNECT || name === TCP_FASTOPEN_NO_COOKIE;
}

/** 0, -EINVAL or -EOPNOTSUPP. */
export function setFastOpen(tcp: Tcp, sk: TcpSock, name: number, int: number): number {
  const passive = sk.state === TCP_CLOSE || sk.state === TCP_LISTEN;
  if (name === TCP_FASTOPEN) {
    if (int < 0 || !passive) return -EINVAL;
    tcp.fastopen.initKey();
    tuneQueue(sk, int);
    return 0;
  }
  if (int < 0 || int > 1) return -EINVAL;
  if (name === TCP_FASTOPEN_NO_COOKIE) {
    if (!passive) return -EINVAL;
    sk.ownFastOpen().noCookie = int !== 0;
    return 0;
  }
  if ((sk.host.sysctl.tcpFastopen & TFO_CLIENT_ENABLE) === 0) return -EOPNOTSUPP;
  if (sk.state !== TCP_CLOSE) return -EINVAL;
  sk.ownFastOpen().connect = int !== 0;
  return 0;
}

/** TCP_FASTOPEN_KEY: 16 bytes, or 32 with a backup key behind. */
export function setFastOpenKey(sk: TcpSock, value: OptionValue, length: number): number {
  if (length !== TCP_FASTOPEN_KEY_LENGTH && length !== 2 * TCP_FASTOPEN_KEY_LENGTH) return -EINVAL;
  if (!(value instanceof Uint8Array) || value.length < length) return -EINVAL;
  queueOf(sk).context = FastOpenContext.fromBytes(value.subarray(0, length));
  return 0;
}

/** 0, with the answer in `out.value`. */
export function getFastOpen(tcp: Tcp, sk: TcpSock, name: number, out: OptionResult): number {
  const { fastopen } = sk;
  switch (name) {
    case TCP_FASTOPEN_KEY:
      out.value = (fastopen?.queue?.context ?? tcp.fastopen.context)?.bytes ?? new Uint8Array(0);
      return 0;
    case TCP_FASTOPEN:
      out.value = fastopen?.queue?.maxLength ?? 0;
      return 0;
    case TCP_FASTOPEN_CONNECT:
      out.value = Number(fastopen?.connect === true);
      return 0;
    default:
      out.value = Number(fastopen?.noCookie === true);
      return 0;
  }
}

/** inet_listen: with the right bits in net.ipv4.tcp_fastopen a listener needs no option. */
export function listenFastOpen(tcp: Tcp, sk: TcpSock, backlog: number): void {
  const { tcpFastopen } = sk.host.sysctl;
  const wanted = TFO_SERVER_ENABLE | TFO_SERVER_WO_SOCKOPT1;
  if ((tcpFastopen & wanted) !== wanted) return;
  if (sk.fastopen !== null && sk.fastopen.queue !== null && sk.fastopen.queue.maxLength !== 0) return;
  tuneQueue(sk, backlog);
  tcp.fastopen.initKey();
}

/** fastopen_queue_tune */
function tuneQueue(sk: TcpSock, length: number): void {
  queueOf(sk).maxLength = Math.min(length, sk.host.sysctl.somaxconn);
}

function queueOf(sk: TcpSock): FastOpenQueue {
  const state = sk.ownFastOpen();
  state.queue ??= new FastOpenQueue();
  return state.queue;
}
