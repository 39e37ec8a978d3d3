// What TCP_INFO counts in bytes (tcp_info.tcpi_bytes_acked and its kin). A field that outgrows 31 bits changes the shape of all socks, and
// V8 compiles the whole of TCP anew in the middle of a transfer: so a sock's own fields count one gibibyte, and the few that
// get so far keep the number of gibibytes in their rare state.

import type { TcpSock } from './sock.js';

const GIB = 2 ** 30;

/** `count`, here and below: less than a gibibyte. */
export function countSent(sk: TcpSock, count: number): void {
  sk.sentLow += count;
  if (sk.sentLow < GIB) return;
  sk.sentLow -= GIB;
  sk.ownRare().sentGib++;
}

export function countAcked(sk: TcpSock, count: number): void {
  sk.ackedLow += count;
  if (sk.ackedLow < GIB) return;
  sk.ackedLow -= GIB;
  sk.ownRare().ackedGib++;
}

export function countReceived(sk: TcpSock, count: number): void {
  sk.receivedLow += count;
  if (sk.receivedLow < GIB) return;
  sk.receivedLow -= GIB;
  sk.ownRare().receivedGib++;
}

/** All that this connection sent, retransmissions included. */
export function bytesSent(sk: TcpSock): number {
  return sk.rare.sentGib * GIB + sk.sentLow;
}

export function bytesAcked(sk: TcpSock): number {
  return sk.rare.ackedGib * GIB + sk.ackedLow;
}

export function bytesReceived(sk: TcpSock): number {
  return sk.rare.receivedGib * GIB + sk.receivedLow;
}

/** As if there had been none (tcp_disconnect). */
export function forgetCounts(sk: TcpSock): void {
  sk.segsOut = 0;
  sk.segsIn = 0;
  sk.dataSegsOut = 0;
  sk.dataSegsIn = 0;
  sk.ackedLow = 0;
  sk.sentLow = 0;
  sk.receivedLow = 0;
  const { rare } = sk;
  if (rare.ackedGib + rare.sentGib + rare.receivedGib === 0) return;
  rare.ackedGib = 0;
  rare.sentGib = 0;
  rare.receivedGib = 0;
}
