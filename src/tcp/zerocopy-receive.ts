// Reads that lend instead of copying (tcp_zerocopy_receive): the program is given the chunks of packet memory that its bytes were
// received into, and the receive queue is rid of them. The kernel maps pages where the program wants them; here it gets views.

import type { ByteQueue } from '../memory/byte-queue.js';
import type { ProcessMemory } from '../memory/process-memory.js';
import { EFAULT, EINVAL, EIO, ENOTCONN } from '../uapi/errno.js';
import { TCP_LISTEN } from '../uapi/tcp.js';
import { afterRead } from './delayed-ack.js';
import { tcpInq, tcpInqHint, tcpRecv } from './recvmsg.js';
import type { TcpSock } from './sock.js';
import { adjustReceiveSpace } from './window.js';

/** The kernel lends whole pages. Fewer bytes in one piece are copied sooner than lent. */
const PAGE_SIZE = 4096;

/**
 * What `getsockopt(fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, { value: zc })` takes and fills in (struct tcp_zerocopy_receive). The
 * stream goes on with `iov`, then with what is in `copybuf`, then with what `recv` gives.
 */
export interface TcpZerocopyReceive {
  /** In: how much may be lent; less than 68 KiB may be too little for the next piece. Out: how much is. */
  length: number;
  /**
   * Out: what is lent, in the place of `address`. It stays as it is until the next call that finds it here, and what was taken out
   * until munmap, or the end of the process. The socket may be closed.
   */
  iov?: Uint8Array[];
  /** Out: bytes that come next and are not worth lending; they are to be had by `recv`. */
  recv_skip_hint?: number;
  /** Out: bytes left to read; 1 for the end of the stream. Neither lent nor to be skipped: at an urgent byte, `recv` goes on. */
  inq?: number;
  /** Out: the socket's error, negative, which is taken away; or 0. */
  err?: number;
  /** In: where what is not worth lending may be copied to. */
  copybuf?: Uint8Array | null;
  /** In: how much of `copybuf` is free. Out: bytes that were copied. */
  copybuf_len?: number;
}

/**
 * 0, and all of `zc` is filled in; -EINVAL or -EFAULT for one that makes no sense, -ENOTCONN for a listener, -EIO where the stream has
 * ended and all was read.
 */
export function tcpZerocopyReceive(sk: TcpSock, zc: TcpZerocopyReceive, mm: ProcessMemory): number {
  const room = zc.copybuf_len ?? 0;
  if (!(zc.length >= 0) || !(room >= 0)) return -EINVAL;
  if (room > (zc.copybuf?.length ?? 0)) return -EFAULT;
  giveBack(zc, mm);
  zc.copybuf_len = 0;
  if (sk.state === TCP_LISTEN) return -ENOTCONN;
  const inq = tcpInq(sk);
  const result =
    inq > 0 && inq <= room ? receiveFallbackToCopy(sk, zc, inq) : lendAndCopy(sk, zc, mm, inq, room);
  if (result < 0) return result;
  zc.inq = tcpInqHint(sk);
  zc.err = sk.takeError();
  return 0;
}

/** The kernel zaps what is mapped where it is about to map. */
function giveBack(zc: TcpZerocopyReceive, mm: ProcessMemory): void {
  const { iov } = zc;
  if (iov === undefined) zc.iov = [];
  // Not by setting `length`, which is a call into the runtime.
  else for (let bytes = iov.pop(); bytes !== undefined; bytes = iov.pop()) mm.takeBack(bytes);
}

/** receive_fallback_to_copy: so little is there that all of it goes where the program wants copies. */
function receiveFallbackToCopy(sk: TcpSock, zc: TcpZerocopyReceive, inq: number): number {
  zc.length = 0;
  zc.recv_skip_hint = 0;
  const copied = tcpRecv(sk, zc.copybuf as Uint8Array, inq, 0);
  if (copied > 0) zc.copybuf_len = copied;
  return copied;
}

/** Chunks from the head on as long as they are worth it, and of what is not as much as there is room for copies. 0 or -EIO. */
function lendAndCopy(
  sk: TcpSock,
  zc: TcpZerocopyReceive,
  mm: ProcessMemory,
  inq: number,
  room: number,
): number {
  const queue = sk.rcvQueue;
  const wanted = zc.length < inq ? zc.length : inq;
  const lent = lendChunks(queue, wanted, zc.iov as Uint8Array[], mm);
  const limit = lent > 0 || inq < PAGE_SIZE ? inq - lent : wanted;
  let skip = queue.before(PAGE_SIZE, limit);
  // What could be lent was not: programs hold as much as they may.
  if (lent === 0 && skip === 0) skip = limit;
  const copied = skip < room ? skip : room;
  if (copied > 0) {
    queue.copyTo(zc.copybuf as Uint8Array, 0, copied, 0);
    queue.drop(copied);
  }
  zc.length = lent;
  zc.recv_skip_hint = skip - copied;
  zc.copybuf_len = copied;
  const taken = lent + copied;
  if (taken === 0) return skip === 0 && sk.done ? -EIO : 0;
  if (queue.length === 0) sk.emptyRcvQueue();
  sk.copiedSeq = (sk.copiedSeq + taken) | 0;
  adjustReceiveSpace(sk);
  // As a read does, it steps over the FIN with the last byte.
  if (sk.done && sk.rcvQueue.length === 0) sk.copiedSeq = sk.rcvNxt;
  afterRead(sk, taken);
  return 0;
}

function lendChunks(queue: ByteQueue, wanted: number, iov: Uint8Array[], mm: ProcessMemory): number {
  const { memory } = queue;
  let lent = 0;
  while (wanted - lent >= PAGE_SIZE && queue.length > 0) {
    const length = queue.headLength;
    if (length < PAGE_SIZE || length > wanted - lent || !mm.mayLend(memory.sizeOf(queue.head))) break;
    iov.push(mm.lend(queue.shiftChunk()));
    lent += length;
  }
  return lent;
}
