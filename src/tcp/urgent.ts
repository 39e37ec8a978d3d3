// Urgent data (RFC 6093; tcp_check_urg, tcp_urg): one byte is held beside the stream, just before the urgent pointer.

import { URG, URG_NOTYET, URG_VALID } from './constants.js';
import type { Segment } from './segment.js';
import { after, before } from './seq.js';
import type { TcpSock } from './sock.js';

export function receiveUrgent(sk: TcpSock, segment: Segment): void {
  sk.ownRx();
  if ((segment.flags & URG) !== 0) checkUrgent(sk, segment);
  if (sk.rx.urgData !== URG_NOTYET) return;
  const at = (sk.rx.urgSeq - segment.seq) | 0;
  if (at < 0 || at >= segment.length) return;
  sk.rx.urgData = URG_VALID | sk.host.memory.bytes[segment.data + at];
  if (!sk.orphan) sk.dataReady();
}

function checkUrgent(sk: TcpSock, segment: Segment): void {
  let pointer = segment.urgent;
  if (pointer !== 0 && sk.host.sysctl.tcpStdurg === 0) pointer--;
  const seq = (segment.seq + pointer) | 0;
  // Old news: read already, received already, or overtaken by a newer pointer.
  if (after(sk.copiedSeq, seq) || before(seq, sk.rcvNxt)) return;
  if (sk.rx.urgData !== 0 && !after(seq, sk.rx.urgSeq)) return;
  // A newer byte arrives while the old one is next to be read: the old one leaves the stream (BSD's and Linux's way).
  if (sk.rx.urgSeq === sk.copiedSeq && sk.rx.urgData !== 0 && !sk.oobInline && sk.copiedSeq !== sk.rcvNxt) {
    sk.copiedSeq = (sk.copiedSeq + 1) | 0;
    if (sk.rcvQueue.length > 0) sk.rcvQueue.drop(1);
  }
  sk.rx.urgData = URG_NOTYET;
  sk.rx.urgSeq = seq;
}
