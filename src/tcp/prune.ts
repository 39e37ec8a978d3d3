// Room for one more segment (tcp_try_rmem_schedule): within the sock's receive buffer and what the stack's socks share. Where
// there is none, the window shrinks and what came out of order is given up, furthest ahead first (tcp_prune_queue).

import { TcpExt } from '../core/mib.js';
import { SOCK_RCVBUF_LOCK } from '../core/sock.js';
import { dropped } from '../core/trace.js';
import type { Segment } from './segment.js';
import type { TcpSock } from './sock.js';
import { underPressure } from './window.js';

/** tcp_try_rmem_schedule: the segment may be queued as long as no more than `bound` bytes are charged already. */
export function tryRmemSchedule(sk: TcpSock, segment: Segment, bound: number): boolean {
  const { memory } = sk.tcp;
  if (sk.rmemAlloc <= bound && memory.mayReceive(sk)) return true;
  if (!pruneQueue(sk, segment)) return false;
  while (!memory.mayReceive(sk)) {
    if (!pruneOutOfOrder(sk, segment)) return false;
  }
  return true;
}

/** tcp_can_ingest */
function canIngest(sk: TcpSock): boolean {
  return sk.rmemAlloc <= sk.rcvbuf;
}

/** tcp_prune_queue. There is nothing to collapse first: queues stand close in memory, and runs weigh what they hold. */
function pruneQueue(sk: TcpSock, segment: Segment): boolean {
  if (sk.rmemAlloc === 0) return false;
  const { mib } = sk.host;
  mib.count(TcpExt.PruneCalled);
  if (!canIngest(sk)) clampWindow(sk);
  else if (sk.tcp.memory.pressure) underPressure(sk);
  if (canIngest(sk)) return true;
  pruneOutOfOrder(sk, segment);
  if (canIngest(sk)) return true;
  mib.count(TcpExt.RcvPruned);
  return false;
}

/** tcp_clamp_window: the buffer was hit. It grows if nobody fixed it and memory is plentiful; else the window closes. */
function clampWindow(sk: TcpSock): void {
  const { memory } = sk.tcp;
  const most = sk.host.sysctl.tcpRmem[2];
  sk.ackQuick = 0;
  if (sk.rcvbuf < most && (sk.userlocks & SOCK_RCVBUF_LOCK) === 0 && !memory.pressure && !memory.tight) {
    sk.rcvbuf = Math.min(sk.rmemAlloc, most);
  }
  if (sk.rmemAlloc > sk.rcvbuf) sk.rcvSsthresh = Math.min(sk.windowClamp, 2 * sk.advmss);
}

/**
 * tcp_prune_ofo_queue: an eighth of the buffer at a time from the far end, until there is room, or until the new segment would
 * itself be the last. What the peer was told of is forgotten with it; it sends it again.
 */
function pruneOutOfOrder(sk: TcpSock, segment: Segment): boolean {
  const ooo = sk.rx.reassembly;
  if (ooo === null) return false;
  let pruned = false;
  while (ooo.pruneTail(Math.max(sk.rcvbuf >> 3, 1), segment.seq)) {
    pruned = true;
    if (canIngest(sk) && !sk.tcp.memory.pressure) break;
  }
  if (!pruned) return false;
  dropped(sk.host, 'TCP_OFO_QUEUE_PRUNE');
  sk.host.mib.count(TcpExt.OfoPruned);
  ooo.resetSacks();
  sk.rx.dsackPending = false;
  if (ooo.runs.length === 0) sk.rx.reassembly = null;
  return true;
}
