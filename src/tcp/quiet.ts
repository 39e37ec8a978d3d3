// What a sock needs only while something is under way it takes with the first segment (TcpSock.ownTx), and leaves here to the next one: when
// an acknowledgement has told that all arrived, or when the connection is over.

import { TCP_CA_Open, TCP_ESTABLISHED } from '../uapi/tcp.js';
import { UNSENT } from './send-state.js';
import type { TcpSock } from './sock.js';
import { NO_SEGMENTS } from './write-queue.js';

/** All that was sent is acknowledged: unless there was trouble to remember, or few send at all, the sock lets go. */
export function fallQuiet(sk: TcpSock): void {
  if (!sk.tcp.spare.manySend) return;
  const { tx, cc } = sk;
  const plain = sk.state === TCP_ESTABLISHED && sk.caState === TCP_CA_Open && !cc.controls;
  if (!plain || sk.pacingNeeded || sk.maxPacingRate >= 0 || !tx.calm) return;
  cc.quiet(sk);
  giveTxBack(sk);
}

/** The connection is over, its queues are empty and its timers off: the next one can have what it needed. */
export function giveBack(sk: TcpSock): void {
  const { tx } = sk;
  if (tx !== UNSENT && tx.calm && tx.pacingTimer === null) giveTxBack(sk);
  else sk.tcp.spare.left(tx);
  sk.emptyRcvQueue();
}

function giveTxBack(sk: TcpSock): void {
  const { tx, tcp } = sk;
  if (tx.chrono !== null) sk.busyUs += tx.chrono.takeBusy();
  sk.tx = UNSENT;
  sk.sndQueue = tcp.noBytes;
  sk.writeQueue = NO_SEGMENTS;
  tx.reuse();
  tcp.spare.left(tx);
  tcp.spare.sends.push(tx);
}
