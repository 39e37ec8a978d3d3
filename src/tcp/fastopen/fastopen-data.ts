// Data that rides on a SYN or a SYN-ACK (tcp_fastopen_add_skb): the first bytes of the stream, into an empty receive queue.

import { countReceived } from '../byte-counts.js';
import { FIN } from '../constants.js';
import { receiveFin } from '../input.js';
import type { Segment } from '../segment.js';
import type { TcpSock } from '../sock.js';

/** The segment's SYN is taken already; its text and FIN follow. */
export function addSynData(sk: TcpSock, segment: Segment): void {
  const state = sk.fastopen;
  if (state === null || segment.endSeq === sk.rcvNxt) return;
  const { length } = segment;
  // Without memory for it the peer sends it again.
  if (length > 0 && !sk.ownRcvQueue().appendFrom(segment.data, length)) return;
  sk.rcvNxt = segment.endSeq;
  state.synDataAcked = true;
  countReceived(sk, length);
  // As for a child, which begins with it: what came to a client before is not counted any more, and its data is twice.
  sk.segsIn = segment.segments;
  if (length > 0) sk.dataSegsIn += segment.segments;
  if ((segment.flags & FIN) !== 0) receiveFin(sk);
}
