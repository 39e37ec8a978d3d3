// What must hold of a sock after every segment, whatever the peer said.

import { expect } from 'vitest';
import { rowLength, rowPackets } from '../../src/tcp/row-packets.js';
import { UNSENT } from '../../src/tcp/send-state.js';
import { after } from '../../src/tcp/seq.js';
import type { TcpSock } from '../../src/tcp/sock.js';
import type { Tcp } from '../../src/tcp/tcp.js';
import {
  ROW_END,
  ROW_FLAGS,
  ROW_SEQ,
  TCPCB_LOST,
  TCPCB_SACKED_ACKED,
  TCPCB_SACKED_RETRANS,
} from '../../src/tcp/write-queue.js';
import { TCP_CLOSE, TCP_LISTEN } from '../../src/uapi/tcp.js';

/** Runs ascend and do not touch, but for what lies behind a FIN; what they hold and weigh is what the queue says of itself. */
function checkReassembly(sk: TcpSock): void {
  const queue = sk.rx.reassembly;
  if (queue === null) return;
  let bytes = 0;
  let charge = 0;
  let end = sk.rcvNxt;
  let fin = false;
  for (const run of queue.runs) {
    const apart = after(run.start, end) || (fin && run.start === end);
    if (!apart) throw new Error(`a run begins at ${run.start}, not after ${end}`);
    if (((run.end - run.start - (run.fin ? 1 : 0)) | 0) !== run.bytes.length)
      throw new Error(`run ${run.start} to ${run.end} holds ${run.bytes.length} bytes`);
    if (run.charge !== run.weigh(queue.rcvMss))
      throw new Error(`a run weighs ${run.weigh(queue.rcvMss)}, but is charged ${run.charge}`);
    end = run.end;
    fin = run.fin;
    bytes += run.bytes.length;
    charge += run.charge;
  }
  if (bytes !== queue.bytes || charge !== queue.charge)
    throw new Error(`${bytes} bytes, charge ${charge}, but counted: ${queue.bytes}, ${queue.charge}`);
}

/** Counters agree with the rows of the retransmit queue, the queues with the sequence numbers. */
export function checkSock(sk: TcpSock): void {
  if (sk.state === TCP_LISTEN || sk.state === TCP_CLOSE) return;
  const queue = sk.writeQueue;
  let packets = 0;
  let sacked = 0;
  let lost = 0;
  let retrans = 0;
  let at = sk.sndUna;
  for (let i = 0; i < queue.sent; i++) {
    const row = queue.at(i);
    const flags = queue.rows[row + ROW_FLAGS];
    const count = rowPackets(sk, i);
    // A row of one packet keeps what was acknowledged of it until it is sent again.
    const begun = i === 0 && count === 1 && ((queue.rows[row + ROW_SEQ] - at) | 0) <= 0;
    if (queue.rows[row + ROW_SEQ] !== at && !begun)
      throw new Error(`row ${i} begins at ${queue.rows[row + ROW_SEQ]}, not ${at}`);
    if (rowLength(sk, i) < 0) throw new Error(`row ${i} has a negative length`);
    at = queue.rows[row + ROW_END];
    packets += count;
    if ((flags & TCPCB_SACKED_ACKED) !== 0) sacked += count;
    if ((flags & TCPCB_LOST) !== 0) lost += count;
    if ((flags & TCPCB_SACKED_RETRANS) !== 0) retrans += count;
  }
  if (at !== sk.sndNxt) throw new Error(`the rows end at ${at}, not at sndNxt ${sk.sndNxt}`);
  for (let i = queue.sent; i < queue.count; i++) {
    const row = queue.at(i);
    if (queue.rows[row + ROW_SEQ] !== at)
      throw new Error(`unsent row ${i} begins at ${queue.rows[row + ROW_SEQ]}, not ${at}`);
    at = queue.rows[row + ROW_END];
  }
  if (at !== sk.writeSeq) throw new Error(`the unsent rows end at ${at}, not at writeSeq ${sk.writeSeq}`);
  const counters = [sk.tx.packetsOut, sk.sackOk ? sk.tx.sackedOut : 0, sk.tx.lostOut, sk.tx.retransOut];
  const rows = [packets, sk.sackOk ? sacked : 0, lost, retrans];
  if (counters.join() !== rows.join())
    throw new Error(`packets, sacked, lost, retrans: ${counters}, but rows: ${rows}`);
  if (sk.tx.sackedOut + sk.tx.lostOut > sk.tx.packetsOut)
    throw new Error(
      `more left the network than entered it: sack ${sk.sackOk} packets ${sk.tx.packetsOut} sacked ${sk.tx.sackedOut} lost ${sk.tx.lostOut} state ${sk.caState}`,
    );
  if (sk.inFlight < 0) throw new Error(`inFlight is ${sk.inFlight}`);
  if (sk.sndCwnd < 1) throw new Error(`sndCwnd is ${sk.sndCwnd}`);
  const unread = (sk.rcvNxt - sk.copiedSeq) | 0;
  const queued = sk.rcvQueue.length + (sk.done ? 1 : 0);
  if (unread !== queued && !(sk.done && unread === 0)) {
    throw new Error(`rcvNxt - copiedSeq is ${unread}, but ${sk.rcvQueue.length} bytes are queued`);
  }
  const unsent =
    (sk.writeSeq - (sk.tx === UNSENT ? sk.sndUna : sk.tx.sndQueueSeq) - (sk.finQueued ? 1 : 0)) | 0;
  if (unsent !== sk.sndQueue.length && unsent >= 0) {
    throw new Error(`the send queue holds ${sk.sndQueue.length} bytes, not ${unsent}`);
  }
  checkReassembly(sk);
}

export function checkAll(tcp: Tcp): void {
  for (const sk of tcp.established) checkSock(sk);
}

export function expectSound(sk: TcpSock): void {
  expect(() => checkSock(sk)).not.toThrow();
}
