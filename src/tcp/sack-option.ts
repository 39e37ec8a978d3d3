// The SACK option of what we send (RFC 2018, 2883; tcp_established_options): how many blocks, and which.

import { TCPOLEN_TSTAMP_ALIGNED } from './constants.js';
import { writeSackHeader } from './segment.js';
import type { TcpSock } from './sock.js';

const MAX_SACK_BLOCKS = 4;

/** Length of the SACK option on the next segment: while there are holes, or a duplicate to report (tcp_established_options). */
export function sackLength(sk: TcpSock): number {
  if (sk.rx.reassembly === null && !sk.rx.dsackPending) return 0;
  const blocks = sackBlocks(sk, sk.tstampOk ? TCPOLEN_TSTAMP_ALIGNED : 0);
  return blocks > 0 ? 4 + 8 * blocks : 0;
}

/** Blocks that fit behind `used` bytes of options; 0: none, or nothing to tell. */
export function sackBlocks(sk: TcpSock, used: number): number {
  if (!sk.sackOk) return 0;
  const runs = sk.rx.reassembly === null ? 0 : sk.rx.reassembly.sacks;
  const blocks = runs + (sk.rx.dsackPending ? 1 : 0);
  const most = Math.min(MAX_SACK_BLOCKS, (40 - used - 4) >> 3);
  return blocks < most ? blocks : most;
}

/** Writes the option with so many blocks, two nops before it; a duplicate is reported once. */
export function writeSack(sk: TcpSock, view: DataView, at: number, blocks: number): void {
  writeSackHeader(view, at, blocks);
  let to = at + 4;
  let left = blocks;
  if (sk.rx.dsackPending) {
    view.setInt32(to, sk.rx.dsackStart);
    view.setInt32(to + 4, sk.rx.dsackEnd);
    to += 8;
    left--;
    sk.rx.dsackPending = false;
  }
  if (left === 0 || sk.rx.reassembly === null) return;
  const { sackStart, sackEnd } = sk.rx.reassembly;
  for (let i = 0; i < left; i++, to += 8) {
    view.setInt32(to, sackStart[i]);
    view.setInt32(to + 4, sackEnd[i]);
  }
}
