// What recvmsg on a stream tells beside the bytes (tcp_recvmsg): when the last of them came, and how much is left (TCP_INQ).

import type { SockExtras } from '../core/sock-extras.js';
import { tcpInqHint } from '../tcp/recvmsg.js';
import type { TcpSock } from '../tcp/sock.js';
import { stampOf } from '../tcp/tx-marks.js';
import { IPPROTO_TCP, MSG_OOB, MSG_PEEK } from '../uapi/socket.js';
import { TCP_CM_INQ } from '../uapi/tcp.js';
import { putControl } from './control-message.js';
import { INT_SIZE } from './option-values.js';
import type { MessageInfo } from './proto-ops.js';
import { putTimestamps } from './receive-stamp.js';

/** `count` bytes were read, or looked at. */
export function tellStream(
  sk: TcpSock,
  extras: SockExtras,
  count: number,
  flags: number,
  info: MessageInfo | null,
): void {
  // A blocking call reads in steps: what the last one has to say holds for all.
  if (info?.control) info.control.length = 0;
  if (count > 0 && (flags & MSG_OOB) === 0 && extras.rxStamps.length > 0) {
    const end = (flags & MSG_PEEK) !== 0 ? extras.peekSeq : sk.copiedSeq;
    const us = stampOf(sk, extras, end);
    if (info !== null && us >= 0) putTimestamps(extras, info, us, false);
  }
  if (info !== null && extras.recvmsgInq) {
    putControl(info, IPPROTO_TCP, TCP_CM_INQ, tcpInqHint(sk), INT_SIZE);
  }
}
