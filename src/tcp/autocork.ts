// Small writes made one after another while frames of theirs still stand in the transmit ring become one segment
// (tcp_autocorking). Nothing is later for it: the ring goes out at the end of the batch, and what was held joins it there.

import { TcpExt } from '../core/mib.js';
import type { TcpSock } from './sock.js';

/** tcp_should_autocork: what was just written, less than `goal` of it unsent in the last segment, can wait for the ring. */
export function shouldAutocork(sk: TcpSock, goal: number): boolean {
  const { route } = sk;
  // A link that takes frames at once, as the loopback does, holds none of ours (skb_orphan).
  if (route === null || sk.packetsOut === 0 || route.device.tx.passed(sk.txMark)) return false;
  if (sk.host.sysctl.tcpAutocorking === 0 || sk.notsent % goal === 0) return false;
  sk.host.mib.count(TcpExt.TCPAutoCorking);
  return true;
}
