// The TCP options that a program may set and most never do, in one record. A sock reads it; `sk.ownTuning()` gives it one to write to.

import { TCP_DELACK_MAX, TCP_RTO_MAX, TCP_RTO_MIN } from './constants.js';

/** Options that most sockets never touch, shared copy-on-write between a listener and its children. */
export class TcpTuning {
  /** Seconds; 0: the sysctl. */
  keepIdle = 0;
  keepIntvl = 0;
  keepCnt = 0;
  /** TCP_SYNCNT; 0: the sysctl. */
  synRetries = 0;
  /** TCP_LINGER2 in milliseconds; 0: the sysctl, negative: no FIN_WAIT2 at all. */
  linger2Ms = 0;
  userTimeoutMs = 0;
  /** Bytes; 0: the sysctl. */
  notsentLowat = 0;
  /** TCP_DEFER_ACCEPT as a number of SYN-ACK timeouts. */
  deferAccept = 0;
  userMss = 0;
  windowClamp = 0;
  /** TCP_RTO_MAX_MS; begins as the sysctl is when the socket is made. */
  rtoMaxMs = TCP_RTO_MAX;
  /** TCP_RTO_MIN_US; begins likewise. */
  rtoMinUs = TCP_RTO_MIN * 1000;
  /** TCP_DELACK_MAX_US, in milliseconds. */
  delackMaxMs = TCP_DELACK_MAX;
  thinLinearTimeouts = false;
  /** TCP_CONGESTION was set: children have this congestion control, too (icsk_ca_setsockopt). */
  controlChosen = false;

  clone(): TcpTuning {
    return Object.assign(new TcpTuning(), this);
  }
}

/** Of a sock whose options nobody has touched. Frozen: whoever writes must own one (`ownTuning`). */
export const DEFAULT_TUNING = Object.freeze(new TcpTuning());
