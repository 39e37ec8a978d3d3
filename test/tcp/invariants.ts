// What must hold of a sock after every segment, whatever the peer said.

import { expect } from 'vitest';
import { RTX_END, RTX_FLAGS, RTX_LOST, RTX_RETRANS, RTX_SACKED, RTX_SEQ } from '../../src/tcp/rtx-queue.js';
import { rowLength, rowPackets } from '../../src/tcp/rtx-rows.js';
import type { TcpSock } from '../../src/tcp/sock.js';
import type { Tcp } from '../../src/tcp/tcp.js';
import { TCP_CLOSE, TCP_LISTEN } from '../../src/uapi/tcp.js';

/** Counters agree with the rows of the retransmit queue, the queues with the sequence numbers. */
export function checkSock(sk: TcpSock): void {
  if (sk.state === TCP_LISTEN || sk.state === TCP_CLOSE) return;
  const { rtx } = sk;
  let packets = 0;
  let sacked = 0;
  let lost = 0;
  let retrans = 0;
  let at = sk.sndUna;
  for (let i = 0; i < rtx.count; i++) {
    const row = rtx.at(i);
    const flags = rtx.rows[row + RTX_FLAGS];
    const count = rowPackets(sk, i);
    if (rtx.rows[row + RTX_SEQ] !== at)
      throw new Error(`row ${i} begins at ${rtx.rows[row + RTX_SEQ]}, not ${at}`);
    if (rowLength(sk, i) < 0) throw new Error(`row ${i} has a negative length`);
    at = rtx.rows[row + RTX_END];
    packets += count;
    if ((flags & RTX_SACKED) !== 0) sacked += count;
    if ((flags & RTX_LOST) !== 0) lost += count;
    if ((flags & RTX_RETRANS) !== 0) retrans += count;
  }
  if (at !== sk.sndNxt) throw new Error(`the rows end at ${at}, not at sndNxt ${sk.sndNxt}`);
  const counters = [sk.packetsOut, sk.sackOk ? sk.sackedOut : 0, sk.lostOut, sk.retransOut];
  const rows = [packets, sk.sackOk ? sacked : 0, lost, retrans];
  if (counters.join() !== rows.join())
    throw new Error(`packets, sacked, lost, retrans: ${counters}, but rows: ${rows}`);
  if (sk.sackedOut + sk.lostOut > sk.packetsOut) throw new Error('more left the network than entered it');
  if (sk.inFlight < 0) throw new Error(`inFlight is ${sk.inFlight}`);
  if (sk.sndCwnd < 1) throw new Error(`sndCwnd is ${sk.sndCwnd}`);
  const unread = (sk.rcvNxt - sk.copiedSeq) | 0;
  const queued = sk.rcvQueue.length + (sk.done ? 1 : 0);
  if (unread !== queued && !(sk.done && unread === 0)) {
    throw new Error(`rcvNxt - copiedSeq is ${unread}, but ${sk.rcvQueue.length} bytes are queued`);
  }
  const unsent = (sk.writeSeq - sk.sndQueueSeq - (sk.finQueued ? 1 : 0)) | 0;
  if (unsent !== sk.sndQueue.length && unsent >= 0) {
    throw new Error(`the send queue holds ${sk.sndQueue.length} bytes, not ${unsent}`);
  }
}

export function checkAll(tcp: Tcp): void {
  for (const sk of tcp.established) checkSock(sk);
}

export function expectSound(sk: TcpSock): void {
  expect(() => checkSock(sk)).not.toThrow();
}
