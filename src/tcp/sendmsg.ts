// From the application's buffer into the send queue (tcp_sendmsg_locked), one copy, and on to output. Never sleeps: where a
// blocking caller would wait for room, the answer is -EAGAIN or what was taken so far.

import { SEND_SHUTDOWN } from '../core/sock.js';
import { EAGAIN, EPIPE } from '../uapi/errno.js';
import { MSG_MORE, MSG_OOB } from '../uapi/socket.js';
import { TCP_CLOSE_WAIT, TCP_ESTABLISHED, TCP_SYN_RECV, TCP_SYN_SENT } from '../uapi/tcp.js';
import { push } from './output.js';
import { memoryFree, passiveFastOpen, writeSpace } from './poll.js';
import { sizeGoal } from './size-goal.js';
import type { TcpSock } from './sock.js';
import { markWritten, mayZerocopy } from './tx-marks.js';

/** Bytes taken, or -EAGAIN, -EPIPE, or the pending error. */
export function tcpSend(sk: TcpSock, buffer: Uint8Array, length: number, flags: number): number {
  if (sk.state !== TCP_ESTABLISHED && sk.state !== TCP_CLOSE_WAIT && !passiveFastOpen(sk)) {
    if (sk.err !== 0) return sk.takeError();
    if (sk.state !== TCP_SYN_SENT && sk.state !== TCP_SYN_RECV) return -EPIPE;
    return wouldBlock(sk);
  }
  if (sk.err !== 0 || (sk.shutdown & SEND_SHUTDOWN) !== 0) return sk.takeError() || -EPIPE;
  if (sk.extras !== null) {
    const refused = mayZerocopy(sk, sk.extras, flags);
    if (refused !== 0) return refused;
  }
  const goal = sizeGoal(sk);
  const { memory } = sk.tcp;
  let taken = 0;
  let starved = false;
  while (taken < length) {
    let room = tailRoom(sk, goal);
    if (room === 0) {
      if (!memoryFree(sk)) break;
      room = goal;
    }
    const part = room < length - taken ? room : length - taken;
    if (memory.tight && !memory.maySend(sk, part)) {
      memory.waitFor(sk);
      starved = true;
      break;
    }
    const done = sk.sndQueue.append(buffer, taken, part);
    sk.writeSeq = (sk.writeSeq + done) | 0;
    taken += done;
    if (done < part) {
      sk.host.memory.waitFor(sk);
      starved = true;
      break;
    }
  }
  const full = taken < length;
  if (full) sk.noSpace = true;
  if (taken > 0) {
    if ((flags & MSG_OOB) !== 0) {
      sk.sndUp = sk.writeSeq;
      sk.urgMode = true;
    }
    if (sk.extras !== null) markWritten(sk, sk.extras, flags, taken, !full, goal);
    push(sk, (flags & MSG_MORE) !== 0 && !full, full, goal);
  }
  if (taken > 0 || length === 0) return taken;
  // Without packet memory there is no room; `memoryAvailable` tells when there is.
  return starved ? -EAGAIN : wouldBlock(sk);
}

/** -EAGAIN; with nothing queued at all, room is what there is, and the epoll user is told so (tcp_sendmsg_locked). */
function wouldBlock(sk: TcpSock): number {
  if (sk.packetsOut === 0 && sk.sndQueue.length === 0) writeSpace(sk);
  return -EAGAIN;
}

/** What still fits into the unsent segment at the tail; bytes may join it even when no new one may be started. */
function tailRoom(sk: TcpSock, goal: number): number {
  const unsent = sk.notsent;
  if (unsent === 0) return 0;
  const last = unsent % goal;
  return last === 0 ? 0 : goal - last;
}
