// What a sock remembers of trouble with what it received: holes, urgent data, duplicates, marks. Made at the first of it (`sk.ownRx`);
// until then all socks share UNRECEIVED, which only reads.

import type { AckCompression } from './ack-compression.js';
import type { Reassembly } from './reassembly.js';

export class ReceiveState {
  reassembly: Reassembly | null = null;
  urgData = 0;
  urgSeq = 0;
  dsackStart = 0;
  dsackEnd = 0;
  dsackPending = false;
  /** Made when duplicate acknowledgements may wait for each other. */
  compression: AckCompression | null = null;
  /** Milliseconds of stack time; 0: never. */
  lastOowAckTime = 0;
  /** Packets out of order, for TCP_INFO. */
  rcvOooPack = 0;
  /** Segments that came marked as through congestion, and bytes by their mark: ECT(1), ECT(0), CE. For TCP_INFO. */
  receivedCe = 0;
  receivedEct1Bytes = 0;
  receivedEct0Bytes = 0;
  receivedCeBytes = 0;
}

/** Of a sock whose data came in order. Frozen: whoever writes must own one. */
export const UNRECEIVED: ReceiveState = Object.freeze(new ReceiveState());
