// Whether Linux would have taken a segment on its fast path (tcp_rcv_established, pred_flags): just what was expected next, with
// nothing but timestamps in its options, and a window that has not changed. Here there is one path for all, but who watches the
// wire can tell: on the fast path a pure ACK never sends a delayed one, data without a new acknowledgement sends none of ours, and a
// timestamp counts even with an acknowledgement that is old. Called by input.ts for each segment in ESTABLISHED.

import { ACK, PSH } from './constants.js';
import { packetWeight } from './scaling-ratio.js';
import type { Segment } from './segment.js';
import { after } from './seq.js';
import type { TcpSock } from './sock.js';

const PAGE_SIZE = 4096;

export function isPredicted(sk: TcpSock, segment: Segment): boolean {
  if ((segment.flags & ~PSH) !== ACK || segment.seq !== sk.rcvNxt) return false;
  if (segment.window << sk.sndWscale !== sk.sndWnd || after(segment.ackSeq, sk.sndNxt)) return false;
  if (sk.tstampOk) {
    if (segment.headerLength !== 32 || !segment.hasTs) return false;
    if (((segment.tsVal - sk.tsRecent) | 0) < 0) return false;
  } else if (segment.headerLength !== 20) return false;
  // tcp_fast_path_check
  const { rx } = sk;
  if (rx.reassembly !== null || rx.urgData !== 0 || sk.rcvWnd === 0 || sk.rmemAlloc >= sk.rcvbuf)
    return false;
  return segment.length === 0 || packetWeight(segment.headerLength + segment.length) <= chargedAhead(sk);
}

/**
 * sk_forward_alloc: memory is charged in pages, and what is left of the last one is there for data that comes. While something is
 * unread that depends on how Linux has joined packets; then any that fits into a page may go the fast way.
 */
function chargedAhead(sk: TcpSock): number {
  return (sk.rcvQueue.length > 0 ? -1 : -sk.wmemQueued) & (PAGE_SIZE - 1);
}
