// What few socks have: options that are rarely set, the error queue, timestamps. A sock has none of it until one is asked for
// (`sk.extras` is null), so that the way of a segment tests one reference and idle socks stay small.

import { SOF_TIMESTAMPING_RX_SOFTWARE } from '../uapi/errqueue.js';
import { ErrorQueue } from './error-queue.js';

/** inet_cmsg_flags: what recvmsg tells of each datagram's IP header, and which options ask for it. */
export const IP_CMSG_PKTINFO = 1 << 0;
export const IP_CMSG_TTL = 1 << 1;
export const IP_CMSG_TOS = 1 << 2;
export const IP_CMSG_ORIGDSTADDR = 1 << 6;

/** What Linux charges to optmem for a send with MSG_ZEROCOPY until it is complete (a small skb), and what it asks to be free. */
export const ZEROCOPY_CHARGE = 832;
export const ZEROCOPY_ASKED = 576;
/** Bytes and sends that one completion tells of at most (msg_zerocopy_realloc). */
export const ZEROCOPY_BYTES = 1 << 19;
export const ZEROCOPY_SENDS = 0xfffe;

/** A byte of the stream of which something is to be told when it is sent or acknowledged. Ascending by `seq`. */
export interface TxMark {
  seq: number;
  /** SOF_TIMESTAMPING_TX_* to be told of it. */
  flags: number;
}

/** Sends with MSG_ZEROCOPY that end at byte `seq`: the numbers `first` to `last` (struct ubuf_info_msgzc). */
export interface ZerocopySend {
  seq: number;
  first: number;
  last: number;
  /** Bytes that they were asked to send. */
  asked: number;
  /** Some of it was copied after all. */
  copied: boolean;
}

/** What a write of a stream does that may sleep and go on: all of it at once, its first step, a later one. */
export const WRITE_WHOLE = 0;
export const WRITE_FIRST = 1;
export const WRITE_LATER = 2;
/** Among the flags of a send, ours alone: a call that slept goes on. Linux would not be at the beginning of its tcp_sendmsg again. */
export const MSG_GOES_ON = 0x1000000;

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
  /** SO_PEEK_OFF (sk_peek_off): how far behind the first unread byte the next MSG_PEEK begins. Negative: at it, and none is kept. */
  peekOff = -1;
  /** TCP: where the last peek ended (peek_seq), and that the next one is the same call, which slept, and begins there. */
  peekSeq = 0;
  peekGoesOn = false;
  /** sk_err_soft */
  errSoft = 0;
  /** How often the connection was dissolved: a call asleep on it then gives up (sk_disconnects). */
  disconnects = 0;
  /** TCP_INQ */
  recvmsgInq = false;
  /** TCP_SAVE_SYN, and what it saved for TCP_SAVED_SYN. */
  saveSyn = 0;
  savedSyn: Uint8Array | null = null;
  /** TCP: bytes to be timed, sends with MSG_ZEROCOPY that are not acknowledged, and where in its call a write is. */
  txMarks: TxMark[] = [];
  zerocopySends: ZerocopySend[] = [];
  writeStep = WRITE_WHOLE;
  /** TCP: flags of SO_TIMESTAMPING for the write being made, if a control message gave others than `tsflags`; -1: none. */
  writeTsflags = -1;
  /** TCP: when the bytes in the receive queue came: pairs of the sequence number behind them and Unix time, microseconds. */
  rxStamps: number[] = [];

  /** Received data is to be stamped (SOCK_TIMESTAMP, SOCK_TIMESTAMPING_RX_SOFTWARE). */
  get stampsReceived(): boolean {
    return this.rcvStamp || (this.tsflags & SOF_TIMESTAMPING_RX_SOFTWARE) !== 0;
  }

  /** sk_peek_offset_fwd: so many bytes were looked at, or, negative, read (sk_peek_offset_bwd). */
  movePeekOff(count: number): void {
    if (this.peekOff >= 0) this.peekOff = Math.max((this.peekOff + count) | 0, 0);
  }

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
    copy.peekOff = this.peekOff;
    copy.saveSyn = this.saveSyn;
    return copy;
  }
}
