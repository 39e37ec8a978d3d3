// Small writes made one after another while frames of theirs still stand in the transmit ring become one segment
// (tcp_autocorking). Nothing is later for it: the ring goes out at the end of the batch, and what was held joins it there.

import { TcpExt } from '../core/mib.js';
import type { TcpSock } from './sock.js';
import { ROW_END, ROW_EOR, ROW_FLAGS, ROW_SEQ } from './write-queue.js';

/** tcp_should_autocork: what was just written, less than `goal` of it unsent in the last segment, can wait for the ring. */
export function shouldAutocork(sk: TcpSock, goal: number): boolean {
  const { route } = sk;
  // A link that takes frames at once, as the loopback does, holds none of ours (skb_orphan).
  if (route === null || sk.tx.packetsOut === 0 || route.device.tx.passed(sk.tx.txMark)) return false;
  if (sk.host.sysctl.tcpAutocorking === 0 || tailIsFull(sk, goal)) return false;
  sk.host.mib.count(TcpExt.TCPAutoCorking);
  return true;
}

/** Nothing can join the segment at the tail: it is full, or ends a record. */
function tailIsFull(sk: TcpSock, goal: number): boolean {
  const queue = sk.writeQueue;
  if (queue.sent === queue.count) return true;
  const at = queue.at(queue.count - 1);
  if ((queue.rows[at + ROW_FLAGS] & ROW_EOR) !== 0) return true;
  return ((queue.rows[at + ROW_END] - queue.rows[at + ROW_SEQ]) | 0) >= goal;
}
