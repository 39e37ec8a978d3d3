// What a sock remembers of what it has received: reassembly, urgent data, its own idea of the round trip, counters. Made with
// the first data (`sk.ownRx`); until then all socks share UNRECEIVED, which only reads, so that who hears nothing carries none.

import type { Timer } from '../time/timer-wheel.js';
import type { AckCompression } from './ack-compression.js';
import type { Reassembly } from './reassembly.js';

export class ReceiveState {
  reassembly: Reassembly | null = null;
  urgData = 0;
  urgSeq = 0;
  lastRcvSize = 0;
  dsackStart = 0;
  dsackEnd = 0;
  dsackPending = false;
  /** Made when duplicate acknowledgements may wait for each other. */
  compression: AckCompression | null = null;
  delackTimer: Timer | null = null;

  // Receive-buffer autotuning (tcp_rcv_space_adjust).
  rcvRttUs = 0;
  rcvRttSeq = 0;
  rcvRttTime = 0;
  rcvSpaceSeq = 0;

  // What TCP_INFO counts.
  rcvOooPack = 0;
  dataSegsIn = 0;
  bytesReceived = 0;
}

/** What a sock that has received nothing has received. Frozen: whoever writes must own one. */
export const UNRECEIVED: ReceiveState = Object.freeze(new ReceiveState());
