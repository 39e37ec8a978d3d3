// Whether Linux would have taken a segment on its fast path (tcp_rcv_established, pred_flags): just what was expected next, with
// nothing but timestamps in its options, and a window that has not changed. Here there is one path for all, but who watches the
// wire can tell: on the fast path a pure ACK never sends a delayed one, data without a new acknowledgement sends none of ours, and a
// timestamp counts even with an acknowledgement that is old. Called by input.ts for each segment in ESTABLISHED.

import { ACK, PSH } from './constants.js';
import type { Segment } from './segment.js';
import { after } from './seq.js';
import type { TcpSock } from './sock.js';

export function isPredicted(sk: TcpSock, segment: Segment): boolean {
  if ((segment.flags & ~PSH) !== ACK || segment.seq !== sk.rcvNxt) return false;
  if (segment.window << sk.sndWscale !== sk.sndWnd || after(segment.ackSeq, sk.sndNxt)) return false;
  if (sk.tstampOk) {
    if (segment.headerLength !== 32 || !segment.hasTs) return false;
    if (((segment.tsVal - sk.tsRecent) | 0) < 0) return false;
  } else if (segment.headerLength !== 20) return false;
  // tcp_fast_path_check
  const { rx } = sk;
  return rx.reassembly === null && rx.urgData === 0 && sk.rcvWnd !== 0 && sk.rmemAlloc < sk.rcvbuf;
}
