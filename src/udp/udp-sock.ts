// struct udp_sock: one end that sends and receives datagrams. Received ones lie one after another in packet memory, each
// behind a record of where it came from, and are charged to the receive buffer as Linux charges its buffers.

import type { Host } from '../core/host.js';
import { RCV_SHUTDOWN, SHUTDOWN_MASK, Sock } from '../core/sock.js';
import type { Route } from '../ip/routes.js';
import type { RxPacket } from '../ip/rx-packet.js';
import { ByteQueue, QUEUE_RECEIVE } from '../memory/byte-queue.js';
import { IpAddress } from '../packet/address.js';
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDHUP,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
} from '../uapi/poll.js';
import { AF_INET, IPPROTO_UDP, SOCK_DGRAM } from '../uapi/socket.js';
import type { Cork } from './cork.js';

/** What a datagram costs beside its bytes: sk_buff, shared info and headroom, so that many small ones fill a buffer, too. */
const OVERHEAD = 640;
/**
 * The record before each datagram: length, port, address (family and four words), type of service and time to live, interface,
 * destination (four words), drops before it; then Unix time in microseconds, as a double; then, as a byte, whether it was looked at.
 */
const RECORD = 72;
const RECORD_TIME = 7;
const RECORD_PEEKED = 64;

/** Where a received datagram came from, and what else is known of it; `recv` fills it. */
export class Sender {
  readonly address = new IpAddress(AF_INET, 0);
  port = 0;
  /** The datagram's length, of which the caller may have seen only a part, as MSG_TRUNC says. */
  length = 0;
  cut = false;
  /** Address of ours that it came to. */
  readonly to = new IpAddress(AF_INET, 0);
  tos = 0;
  ttl = 0;
  device = 0;
  /** Datagrams dropped before it. */
  drops = 0;
  /** Unix time in microseconds at which it came; 0 if nobody asked for that then. */
  realUs = 0;
}

export class UdpSock extends Sock {
  /** SO_NO_CHECK: send without a checksum. */
  noCheck = false;
  /** UDP_CORK: what is sent waits for more. */
  corked = false;
  /** What waits so; null: nothing (up->pending). */
  cork: Cork | null = null;
  /** The connected peer's route. */
  route: Route | null = null;
  /** Datagrams that found the receive buffer full (sk_drops). */
  drops = 0;
  /** What datagrams are charged to the receive buffer. */
  rmem = 0;
  /** Neighbours in the list of the port or of the connected tuple it is found by. */
  next: UdpSock | null = null;
  readonly #queue: ByteQueue;

  constructor(host: Host) {
    super(host, host.sysctl.rmemDefault, host.sysctl.wmemDefault);
    this.#queue = new ByteQueue(host.memory, null, QUEUE_RECEIVE);
  }

  override get type(): number {
    return SOCK_DGRAM;
  }

  override get protocol(): number {
    return IPPROTO_UDP;
  }

  /** With what the error queue holds (sk_rmem_alloc). */
  get rmemAlloc(): number {
    return this.rmem + (this.extras === null ? 0 : this.extras.errorQueue.charged);
  }

  /** Length of the first datagram in the queue, 0 if there is none (first_packet_length). */
  get firstLength(): number {
    if (this.#queue.length === 0) return 0;
    this.#queue.copyTo(recordBytes, 0, RECORD, 0);
    return record[0];
  }

  /** __udp_enqueue_schedule_skb: queues `length` bytes of packet memory. False: the buffer is full, it is dropped. */
  enqueue(packet: RxPacket, port: number, offset: number, length: number): boolean {
    const { src, dst } = packet;
    const { rmemAlloc } = this;
    // An empty buffer takes a datagram of any size.
    if (rmemAlloc > 0 && rmemAlloc + length + OVERHEAD > this.rcvbuf) {
      this.drops++;
      return false;
    }
    record[0] = length;
    record[1] = port;
    record[2] = src.family;
    record[3] = src.a;
    record[4] = src.b;
    record[5] = src.c;
    record[6] = src.d;
    record[7] = (packet.ttl << 8) | packet.tos;
    record[8] = packet.device;
    record[9] = dst.a;
    record[10] = dst.b;
    record[11] = dst.c;
    record[12] = dst.d;
    record[13] = this.drops;
    recordBytes[RECORD_PEEKED] = 0;
    recordTimes[RECORD_TIME] = this.extras?.stampsReceived ? this.host.realUs(this.host.nowUs) : 0;
    const before = this.#queue.length;
    const recorded = this.#queue.append(recordBytes, 0, RECORD);
    if (recorded < RECORD || !this.#queue.appendFrom(offset, length)) {
      this.#queue.truncate(before);
      this.drops++;
      return false;
    }
    this.rmem = (this.rmem + length + OVERHEAD) | 0;
    return true;
  }

  /** Copies the first datagram out, at most `count` bytes of it, and takes it off the queue. Bytes copied, or -1: there is none. */
  dequeue(buffer: Uint8Array, count: number, from: Sender): number {
    if (this.#queue.length === 0) return -1;
    this.#queue.copyTo(recordBytes, 0, RECORD, 0);
    const length = record[0];
    const copied = this.#copyOut(buffer, count, from, 0, 0);
    this.#queue.drop(RECORD + length);
    this.rmem = (this.rmem - length - OVERHEAD) | 0;
    return copied;
  }

  /**
   * Copies what MSG_PEEK finds, of the datagram that is SO_PEEK_OFF bytes on (__skb_try_recv_from_queue). An empty one is found once.
   * Bytes copied, or -1: nobody has sent as much.
   */
  peek(buffer: Uint8Array, count: number, from: Sender): number {
    const queue = this.#queue;
    const peekOff = this.extras === null ? -1 : this.extras.peekOff;
    let skip = Math.max(peekOff, 0);
    for (let at = 0; at < queue.length; at += RECORD + record[0]) {
      queue.copyTo(recordBytes, 0, RECORD, at);
      const isPast = skip >= record[0] && (skip > 0 || recordBytes[RECORD_PEEKED] !== 0);
      if (peekOff < 0 || !isPast) {
        queue.setByte(at + RECORD_PEEKED, 1);
        return this.#copyOut(buffer, count, from, at, skip);
      }
      skip -= record[0];
    }
    return -1;
  }

  /** Of the datagram whose record, at `at`, was just read, what follows its first `skip` bytes. */
  #copyOut(buffer: Uint8Array, count: number, from: Sender, at: number, skip: number): number {
    const length = record[0];
    from.length = length;
    from.port = record[1];
    from.address.family = record[2];
    from.address.a = record[3];
    from.address.b = record[4];
    from.address.c = record[5];
    from.address.d = record[6];
    from.tos = record[7] & 0xff;
    from.ttl = record[7] >> 8;
    from.device = record[8];
    from.to.family = record[2];
    from.to.a = record[9];
    from.to.b = record[10];
    from.to.c = record[11];
    from.to.d = record[12];
    from.drops = record[13];
    from.realUs = recordTimes[RECORD_TIME];
    // As udp_recvmsg has it: all that follows, if exactly that is wanted, still counts as cut.
    from.cut = count <= length - skip && count < length;
    const wanted = count < length - skip ? count : length - skip;
    return wanted === 0 ? 0 : this.#queue.copyTo(buffer, 0, wanted, at + RECORD + skip);
  }

  /** Drops everything received. */
  purge(): void {
    this.#queue.clear();
    this.rmem = 0;
  }

  /** udp_poll, datagram_poll. What it sends is gone at once, so it is always writable. */
  override poll(): number {
    let mask = POLLOUT | POLLWRNORM | POLLWRBAND;
    if (this.err !== 0 || this.extras?.errorQueue.isEmpty === false) {
      mask |= this.extras?.selectErrQueue ? POLLERR | POLLPRI : POLLERR;
    }
    if ((this.shutdown & RCV_SHUTDOWN) !== 0) mask |= POLLRDHUP | POLLIN | POLLRDNORM;
    if (this.shutdown === SHUTDOWN_MASK) mask |= POLLHUP;
    if (this.#queue.length > 0) mask |= POLLIN | POLLRDNORM;
    return mask;
  }
}

/** One record at a time passes through here on its way between queue and program. */
const record = new Int32Array(RECORD / 4);
const recordBytes = new Uint8Array(record.buffer);
const recordTimes = new Float64Array(record.buffer);
