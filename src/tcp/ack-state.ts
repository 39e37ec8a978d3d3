// What one acknowledgement is found to say while it passes from ack.ts through the scoreboard and the write queue to recovery
// (the `flag` and struct tcp_sacktag_state of tcp_ack). One instance serves all socks: it is valid during one tcpAck.

import { RateSample } from './rate.js';
import { before } from './seq.js';
import type { TcpSock } from './sock.js';

/** The segment carries data; it moved the window; it acknowledged data; some of that was sent again; it acknowledged a SYN. */
export const FLAG_DATA = 0x01;
export const FLAG_WIN_UPDATE = 0x02;
export const FLAG_DATA_ACKED = 0x04;
export const FLAG_RETRANS_DATA_ACKED = 0x08;
export const FLAG_SYN_ACKED = 0x10;
export const FLAG_ACKED = FLAG_DATA_ACKED | FLAG_SYN_ACKED;
/** It selected something new; echoed congestion; a retransmission was found lost; a segment sent only once arrived. */
export const FLAG_DATA_SACKED = 0x20;
export const FLAG_ECE = 0x40;
export const FLAG_LOST_RETRANS = 0x80;
export const FLAG_ORIG_SACK_ACKED = 0x200;
export const FLAG_SND_UNA_ADVANCED = 0x400;
/** It reported a duplicate; the retransmission timer is to be set anew; the peer forgot what it had selected. */
export const FLAG_DSACKING_ACK = 0x800;
export const FLAG_SET_XMIT_TIMER = 0x1000;
export const FLAG_SACK_RENEGING = 0x2000;
/** Its timestamp is newer than the one before (FLAG_TS_PROGRESS). */
export const FLAG_TS_PROGRESS = 0x40000;
/** It may have been delayed, as it acknowledges the only segment; its D-SACK is about a loss probe. */
export const FLAG_ACK_MAYBE_DELAYED = 0x10000;
export const FLAG_DSACK_TLP = 0x20000;

export const FLAG_NOT_DUP = FLAG_DATA | FLAG_WIN_UPDATE | FLAG_ACKED;
export const FLAG_CA_ALERT = FLAG_DATA_SACKED | FLAG_ECE | FLAG_DSACKING_ACK;
export const FLAG_FORWARD_PROGRESS = FLAG_ACKED | FLAG_DATA_SACKED;

/** What is to be sent once the window is settled: nothing, lost segments, or new ones (REXMIT_*). */
export const REXMIT_NONE = 0;
export const REXMIT_LOST = 1;
export const REXMIT_NEW = 2;

export class AckState {
  flag = 0;
  priorUna = 0;
  /** Highest selected sequence number before this ACK. */
  priorFack = 0;
  /** Lowest sequence number that arrived later than one sent after it. */
  reord = 0;
  /** When the first and the last of the newly selected segments were sent; valid if `sacked`. */
  sacked = false;
  firstSackUs = 0;
  lastSackUs = 0;
  /** Bytes that it selected and no other before it; valid with FLAG_DATA_SACKED. */
  selectedBytes = 0;
  rexmit = REXMIT_NONE;
  reneged = false;
  hasEcr = false;
  tsEcr = 0;
  readonly sample = new RateSample();

  /** tcp_tsopt_ecr_before: the timestamp echoed is older than stack time `ms`. */
  echoBefore(sk: TcpSock, ms: number): boolean {
    return this.hasEcr && before(this.tsEcr, (ms + sk.tsOffset) | 0);
  }
}
