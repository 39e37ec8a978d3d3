// From the application's buffer into the send queue (tcp_sendmsg_locked), one copy, or none with MSG_ZEROCOPY, and on to output.
// Never sleeps: where a blocking caller would wait for room, the answer is -EAGAIN or what was taken so far.

import { SEND_SHUTDOWN } from '../core/sock.js';
import { MSG_GOES_ON } from '../core/sock-extras.js';
import { EAGAIN, EPIPE } from '../uapi/errno.js';
import { MSG_EOR, MSG_MORE, MSG_OOB, MSG_SPLICE_PAGES, MSG_ZEROCOPY } from '../uapi/socket.js';
import { TCP_CLOSE_WAIT, TCP_ESTABLISHED, TCP_SYN_RECV, TCP_SYN_SENT } from '../uapi/tcp.js';
import { CHRONO_BUSY, chronoStart } from './chrono.js';
import { NAGLE_PUSH } from './constants.js';
import { slowStartAfterIdleCheck } from './cwnd.js';
import { forcedPush, markPush, PUSH_ONE, push, pushPendingFrames, writeXmit } from './output.js';
import { currentMss } from './path/mss.js';
import { memoryFree, passiveFastOpen, writeSpace } from './poll.js';
import { rateCheckAppLimited } from './rate.js';
import { sizeGoal } from './size-goal.js';
import type { TcpSock } from './sock.js';
import { markWritten, mayZerocopy } from './tx-marks.js';
import { ROW_END, ROW_EOR, ROW_FLAGS, ROW_PSH, ROW_SEQ } from './write-queue.js';

/** What is shorter costs less to copy than to refer to. */
const WORTH_REFERRING = 4096;

/** Bytes taken, or -EAGAIN, -EPIPE, or the pending error. */
export function tcpSend(sk: TcpSock, buffer: Uint8Array, length: number, flags: number): number {
  if (sk.state !== TCP_ESTABLISHED && sk.state !== TCP_CLOSE_WAIT && !passiveFastOpen(sk)) {
    if (sk.err !== 0) return sk.takeError();
    if (sk.state !== TCP_SYN_SENT && sk.state !== TCP_SYN_RECV) return -EPIPE;
    return wouldBlock(sk);
  }
  if (sk.err !== 0 || (sk.shutdown & SEND_SHUTDOWN) !== 0) return sk.takeError() || -EPIPE;
  if (sk.extras !== null) {
    const refused = mayZerocopy(sk, sk.extras, flags, length);
    if (refused !== 0) return refused;
  }
  sk.ownTx();
  const oob = (flags & MSG_OOB) !== 0;
  const goal = oob ? currentMss(sk) : sizeGoal(sk);
  const { memory } = sk.tcp;
  if ((flags & MSG_GOES_ON) === 0) rateCheckAppLimited(sk);
  let taken = 0;
  let starved = false;
  let byReference = mayRefer(sk, buffer, length, flags);
  while (taken < length) {
    let room = tailRoom(sk, goal);
    const fresh = room <= 0;
    if (fresh) {
      if (!memoryFree(sk)) break;
      room = goal;
    }
    const part = room < length - taken ? room : length - taken;
    if (memory.tight && !memory.maySend(sk, part)) {
      memory.waitFor(sk);
      starved = true;
      break;
    }
    let done = part;
    if (!byReference || !sk.sndQueue.appendMapped(buffer.byteOffset + taken, part)) {
      byReference = false;
      done = sk.sndQueue.append(buffer, taken, part);
    }
    if (done > 0) queueBytes(sk, done, fresh, taken === 0);
    taken += done;
    if (done < part) {
      sk.host.memory.waitFor(sk);
      starved = true;
      break;
    }
    if (taken === length) {
      if ((flags & MSG_EOR) !== 0) endRecord(sk);
    } else if (part === room && !oob) pushFilled(sk);
  }
  const full = taken < length;
  if (full) sk.noSpace = true;
  if (taken > 0) {
    if ((flags & MSG_OOB) !== 0) {
      sk.tx.sndUp = sk.writeSeq;
      sk.tx.urgMode = true;
    }
    if (sk.extras !== null) markWritten(sk, sk.extras, flags, taken, length, byReference);
    push(sk, (flags & MSG_MORE) !== 0 && !full, full, goal);
  }
  if (taken > 0 || length === 0) return taken;
  // Without packet memory there is no room; `memoryAvailable` tells when there is.
  return starved ? -EAGAIN : wouldBlock(sk);
}

/**
 * Whether the bytes can be queued where they stand, as the program mapped that memory: with a note when they are done with
 * (skb_zerocopy_iter_stream) or without (skb_splice_from_iter).
 */
function mayRefer(sk: TcpSock, buffer: Uint8Array, length: number, flags: number): boolean {
  if ((flags & (MSG_ZEROCOPY | MSG_SPLICE_PAGES)) === 0 || length < WORTH_REFERRING) return false;
  if ((flags & MSG_SPLICE_PAGES) === 0 && sk.extras?.zerocopy !== true) return false;
  return sk.host.memory.mapped.holds(buffer);
}

/** -EAGAIN; with nothing queued at all, room is what there is, and the epoll user is told so (tcp_sendmsg_locked). */
function wouldBlock(sk: TcpSock): number {
  if (sk.tx.packetsOut === 0 && sk.sndQueue.length === 0) writeSpace(sk);
  return -EAGAIN;
}

/** What still fits into the unsent segment at the tail; bytes may join it even when no new one may be started. */
function tailRoom(sk: TcpSock, goal: number): number {
  const queue = sk.writeQueue;
  if (queue.sent === queue.count) return 0;
  const at = queue.at(queue.count - 1);
  if ((queue.rows[at + ROW_FLAGS] & ROW_EOR) !== 0) return 0;
  return goal - ((queue.rows[at + ROW_END] - queue.rows[at + ROW_SEQ]) | 0);
}

/** `count` bytes were appended: they extend the segment at the tail, or begin a `fresh` one (tcp_skb_entail). */
function queueBytes(sk: TcpSock, count: number, fresh: boolean, first: boolean): void {
  const queue = sk.writeQueue;
  const end = (sk.writeSeq + count) | 0;
  if (fresh) {
    slowStartAfterIdleCheck(sk);
    chronoStart(sk, CHRONO_BUSY);
    queue.push(sk.writeSeq, end, 0);
    sk.nonagle &= ~NAGLE_PUSH;
  } else {
    const at = queue.at(queue.count - 1);
    queue.rows[at + ROW_END] = end;
    // What ended a write before is in the middle of a segment now.
    if (first) queue.rows[at + ROW_FLAGS] &= ~ROW_PSH;
  }
  sk.writeSeq = end;
}

/** MSG_EOR: the record ends with the segment, and nothing will be appended to it. */
function endRecord(sk: TcpSock): void {
  const queue = sk.writeQueue;
  queue.rows[queue.at(queue.count - 1) + ROW_FLAGS] |= ROW_EOR;
}

/** A segment is full and there is more to come: it need not wait for that (tcp_push_one), and at times is pushed. */
function pushFilled(sk: TcpSock): void {
  const queue = sk.writeQueue;
  if (forcedPush(sk)) {
    markPush(sk);
    pushPendingFrames(sk, NAGLE_PUSH);
  } else if (queue.sent === queue.count - 1) writeXmit(sk, NAGLE_PUSH, PUSH_ONE);
}
