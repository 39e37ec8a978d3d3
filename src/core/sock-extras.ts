// What few socks have: options that are rarely set, the error queue, timestamps. A sock has none of it until one is asked for
// (`sk.extras` is null), so that the way of a segment tests one reference and idle socks stay small.

import { ErrorQueue } from './error-queue.js';

/** inet_cmsg_flags: what recvmsg tells of each datagram's IP header, and which options ask for it. */
export const IP_CMSG_PKTINFO = 1 << 0;
export const IP_CMSG_TTL = 1 << 1;
export const IP_CMSG_TOS = 1 << 2;
export const IP_CMSG_ORIGDSTADDR = 1 << 6;

/** A range of the byte stream whose sending is to be timed, or told complete. Ascending by `seq`. */
export interface TxMark {
  /** Sequence number of its last byte. */
  seq: number;
  /** SOF_TIMESTAMPING_TX_* that are still to be told of it; 0 for one of MSG_ZEROCOPY. */
  flags: number;
  /** First and last number of the sends that it completes (MSG_ZEROCOPY); `count` 0: none. */
  first: number;
  count: number;
}

export class SockExtras {
  readonly errorQueue = new ErrorQueue();
  /** Options that are kept to be read back, by level << 16 | name. */
  readonly kept = new Map<number, number>();
  /** IP_CMSG_* */
  cmsgFlags = 0;
  /** IP_RECVERR */
  recvErr = false;
  /** SOCK_RCVTSTAMP, SOCK_RCVTSTAMPNS, SOCK_TSTAMP_NEW: SO_TIMESTAMP and its kin. */
  rcvStamp = false;
  rcvStampNs = false;
  stampNew = false;
  /** SO_TIMESTAMPING (sk_tsflags), and what SOF_TIMESTAMPING_OPT_ID counts from (sk_tskey). */
  tsflags = 0;
  tskey = 0;
  /** SO_ZEROCOPY, and the number of the next send with MSG_ZEROCOPY (sk_zckey). */
  zerocopy = false;
  zckey = 0;
  /** SO_RXQ_OVFL, SO_SELECT_ERR_QUEUE, SO_DONTROUTE */
  rxqOvfl = false;
  selectErrQueue = false;
  dontRoute = false;
  freebind = false;
  transparent = false;
  bindAddressNoPort = false;
  /** IP_LOCAL_PORT_RANGE: low and high; 0: the sysctl's. */
  portLow = 0;
  portHigh = 0;
  /** IP_MINTTL */
  minTtl = 0;
  /** SO_COOKIE once it was asked for; 0: not yet. */
  cookie = 0;
  /** TCP_INQ */
  recvmsgInq = false;
  /** TCP_SAVE_SYN, and what it saved for TCP_SAVED_SYN. */
  saveSyn = 0;
  savedSyn: Uint8Array | null = null;
  /** TCP: what of the stream is to be told of when it is sent or acknowledged. */
  txMarks: TxMark[] | null = null;
  /** TCP: when the bytes in the receive queue came, as pairs of the sequence number behind them and stack time. */
  rxStamps: number[] | null = null;

  /** sk_clone_lock: what a child has from its listener. */
  clone(): SockExtras {
    const copy = new SockExtras();
    for (const [key, value] of this.kept) copy.kept.set(key, value);
    copy.cmsgFlags = this.cmsgFlags;
    copy.recvErr = this.recvErr;
    copy.rcvStamp = this.rcvStamp;
    copy.rcvStampNs = this.rcvStampNs;
    copy.stampNew = this.stampNew;
    copy.tsflags = this.tsflags;
    copy.tskey = this.tskey;
    copy.zerocopy = this.zerocopy;
    copy.rxqOvfl = this.rxqOvfl;
    copy.selectErrQueue = this.selectErrQueue;
    copy.dontRoute = this.dontRoute;
    copy.freebind = this.freebind;
    copy.transparent = this.transparent;
    copy.bindAddressNoPort = this.bindAddressNoPort;
    copy.portLow = this.portLow;
    copy.portHigh = this.portHigh;
    copy.minTtl = this.minTtl;
    copy.recvmsgInq = this.recvmsgInq;
    copy.saveSyn = this.saveSyn;
    return copy;
  }
}
