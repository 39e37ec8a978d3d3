// What a socket is told aside from its data (sk_error_queue): timestamps of what it sent, completions of MSG_ZEROCOPY, ICMP
// errors. recvmsg takes entries out with MSG_ERRQUEUE; EPOLLERR says that there are some.

import { ANY_V4, IpAddress } from '../packet/address.js';
import { ETH_HLEN } from '../packet/ethernet.js';
import { IP_DST, IP_HLEN, IP_SRC, IP_TOS_FIELD, IP_TTL_FIELD } from '../packet/ipv4.js';
import {
  SO_EE_CODE_ZEROCOPY_COPIED,
  SO_EE_ORIGIN_ICMP,
  SO_EE_ORIGIN_ICMP6,
  SO_EE_ORIGIN_TIMESTAMPING,
  SO_EE_ORIGIN_ZEROCOPY,
} from '../uapi/errqueue.js';
import { AF_INET } from '../uapi/socket.js';

/** The sock whose queue it is, as far as the queue needs it. */
interface Owner {
  readonly rcvbuf: number;
  readonly orphan: boolean;
  err: number;
  errorReport(): void;
}

/** An ICMP error: who sent it, to which address of ours, by which interface. */
export interface Complaint {
  readonly from: IpAddress;
  readonly to: IpAddress;
  readonly device: number;
  readonly ttl: number;
  readonly tos: number;
}

/** What Linux charges for an entry without payload (truesize of alloc_skb(0)), and for one that holds a packet. */
const ENTRY_CHARGE = 960;
const NO_BYTES = new Uint8Array(0);

/** One entry: struct sock_extended_err and what belongs to it. */
export class ErrorEntry {
  errno = 0;
  origin = 0;
  type = 0;
  code = 0;
  info = 0;
  data = 0;
  /** The packet it is about, as far as it is told: what recvmsg copies out. */
  payload: Uint8Array = NO_BYTES;
  /** TCP_NLA_* values by their names, with SOF_TIMESTAMPING_OPT_STATS. */
  stats: Record<string, number> | null = null;
  /** Unix time in microseconds; -1: it bears no timestamp. */
  realUs = -1;
  /** Where the packet went, for `msg_name` (origins ICMP and LOCAL), and who complained, or sent what is timed. */
  address: IpAddress | null = null;
  port = 0;
  offender: IpAddress = ANY_V4;
  /** Address that the complaint came to, or what is timed went to, with its port, and the interface; 0: none. */
  to: IpAddress = ANY_V4;
  toPort = 0;
  device = 0;
  ttl = 0;
  tos = 0;

  /** ip_icmp_error, ip_local_error. */
  static about(errno: number, origin: number, type: number, code: number, info: number): ErrorEntry {
    const entry = new ErrorEntry();
    entry.errno = errno;
    entry.origin = origin;
    entry.type = type;
    entry.code = code;
    entry.info = info;
    return entry;
  }

  /** What is told of the ICMP packet that complained. */
  complainedBy(complaint: Complaint): void {
    this.offender = complaint.from.clone();
    this.to = complaint.to.clone();
    this.device = complaint.device;
    this.ttl = complaint.ttl;
    this.tos = complaint.tos;
  }

  /** The payload is a frame that left by `device` (PKTINFO_SKB_CB). */
  sentBy(device: number): void {
    const { payload } = this;
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    this.device = device;
    this.offender = new IpAddress(AF_INET, view.getInt32(ETH_HLEN + IP_SRC));
    this.to = new IpAddress(AF_INET, view.getInt32(ETH_HLEN + IP_DST));
    this.toPort = view.getUint16(ETH_HLEN + IP_HLEN + 2);
    this.ttl = payload[ETH_HLEN + IP_TTL_FIELD];
    this.tos = payload[ETH_HLEN + IP_TOS_FIELD];
  }

  get isIcmp(): boolean {
    return this.origin === SO_EE_ORIGIN_ICMP || this.origin === SO_EE_ORIGIN_ICMP6;
  }

  get charge(): number {
    return ENTRY_CHARGE + this.payload.length;
  }
}

export class ErrorQueue {
  readonly #entries: ErrorEntry[] = [];
  /** What the entries are charged to the receive buffer (their part of sk_rmem_alloc). */
  charged = 0;

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /**
   * sock_queue_err_skb: false, and the entry is gone, when the receive buffer has no room for it. `rmem`: what the buffer
   * holds already, this queue included.
   */
  add(sk: Owner, entry: ErrorEntry, rmem: number): boolean {
    if (rmem + entry.charge >= sk.rcvbuf) return false;
    this.charged += entry.charge;
    this.#entries.push(entry);
    if (!sk.orphan) sk.errorReport();
    return true;
  }

  /**
   * __msg_zerocopy_callback: sends `low` to `high` are done with. A completion that follows the last entry's extends it, and what
   * that said of copying stands.
   */
  zerocopyDone(sk: Owner, low: number, high: number, copied: boolean): void {
    const tail = this.#entries[this.#entries.length - 1] as ErrorEntry | undefined;
    if (tail?.origin === SO_EE_ORIGIN_ZEROCOPY && ((tail.data + 1) | 0) === low) tail.data = high;
    else {
      const entry = new ErrorEntry();
      entry.origin = SO_EE_ORIGIN_ZEROCOPY;
      entry.code = copied ? SO_EE_CODE_ZEROCOPY_COPIED : 0;
      entry.info = low;
      entry.data = high;
      this.#entries.push(entry);
      this.charged += entry.charge;
    }
    sk.errorReport();
  }

  /** sock_dequeue_err_skb: the oldest entry, or null. An ICMP error that comes next becomes the pending error. */
  shift(sk: Owner): ErrorEntry | null {
    const entry = this.#entries.shift();
    if (entry === undefined) return null;
    this.charged -= entry.charge;
    const next = this.#entries[0] as ErrorEntry | undefined;
    if (next?.isIcmp) sk.err = next.errno;
    else if (entry.isIcmp) sk.err = 0;
    if (next !== undefined) sk.errorReport();
    return entry;
  }

  /** skb_errqueue_purge: drops all but what somebody waits for, completions of MSG_ZEROCOPY and timestamps. */
  purge(): void {
    const kept = this.#entries.filter(
      ({ origin }) => origin === SO_EE_ORIGIN_ZEROCOPY || origin === SO_EE_ORIGIN_TIMESTAMPING,
    );
    this.#entries.splice(0, this.#entries.length, ...kept);
    this.charged = kept.reduce((sum, entry) => sum + entry.charge, 0);
  }
}
