// One stream of an iperf3 test: a connection that is written to or read from as fast as it goes, and what was counted.

import {
  EAGAIN,
  EPOLLIN,
  EPOLLOUT,
  IPPROTO_TCP,
  MSG_NOSIGNAL,
  MSG_SPLICE_PAGES,
  TCP_INFO,
  type TcpInfo,
} from '../index.js';
import { IESTREAMREAD, IESTREAMWRITE, IperfError } from './iperf3-protocol.js';
import type { ReadyLoop, Watched } from './ready-loop.js';

/** Blocks in one helping, before others have their turn. */
const HELPING = 16;

/** What one stream did in one interval; seconds from the start. */
export interface StreamInterval {
  start: number;
  end: number;
  bytes: number;
  retransmits: number;
  /** Of a sender: cwnd and the peer's window in bytes, rtt and its variation in microseconds. */
  cwnd: number;
  wnd: number;
  rtt: number;
  rttvar: number;
  pmtu: number;
  omitted: boolean;
}

/** What the streams of a test have in common: one block that all send from and receive into. */
export interface StreamOwner {
  readonly block: Uint8Array;
  /** Takes at most a block from the head of a stream: how much; 0 at its end; -errno. */
  take(fd: number): number;
  /** Blocks that may be sent now. After 0 the stream sleeps until `resume`. */
  allowed(stream: IperfStream): number;
  transferred(stream: IperfStream, bytes: number, wholeBlock: boolean): void;
  failed(error: IperfError): void;
}

export class IperfStream implements Watched {
  fd: number;
  /** The number in reports; the descriptor's, which outlives the descriptor. */
  readonly socket: number;
  readonly id: number;
  readonly sender: boolean;
  readonly local: { address: string; port: number };
  readonly peer: { address: string; port: number };
  /** Since the start, or since what is omitted ended. */
  bytes = 0;
  /** Of this interval. */
  intervalBytes = 0;
  retransmits = 0;
  readonly intervals: StreamInterval[] = [];
  maxCwnd = 0;
  maxWnd = 0;
  maxRtt = 0;
  minRtt = 0;
  sumRtt = 0;
  countRtt = 0;
  #lastRetransmits = 0;
  #blockLeft = 0;
  #watching = 0;
  readonly #loop: ReadyLoop;
  readonly #owner: StreamOwner;

  constructor(loop: ReadyLoop, owner: StreamOwner, fd: number, id: number, sender: boolean) {
    this.#loop = loop;
    this.#owner = owner;
    this.fd = fd;
    this.socket = fd;
    this.id = id;
    this.sender = sender;
    this.local = { address: '', port: 0 };
    this.peer = { address: '', port: 0 };
    loop.sys.getsockname(fd, Object.assign(this.local, { family: 0 }));
    loop.sys.getpeername(fd, Object.assign(this.peer, { family: 0 }));
  }

  start(): void {
    this.#watching = this.sender ? EPOLLOUT : EPOLLIN;
    this.#loop.watch(this, this.#watching);
  }

  ready(): void {
    if (this.sender) this.#send();
    else this.#receive();
  }

  /** A sender that was told to wait may go on. */
  resume(): void {
    if (this.sender && this.fd >= 0 && this.#watching === 0) this.#watch(EPOLLOUT);
  }

  /** Nothing is transferred any more. */
  pause(): void {
    if (this.fd >= 0 && this.#watching !== 0) this.#watch(0);
  }

  close(): void {
    if (this.fd < 0) return;
    this.#loop.sys.close(this.fd);
    this.fd = -1;
  }

  /** Ends an interval; `from` and `to` in seconds of the test. */
  endInterval(from: number, to: number, omitted: boolean): void {
    const interval: StreamInterval = {
      start: from,
      end: to,
      bytes: this.intervalBytes,
      retransmits: 0,
      cwnd: 0,
      wnd: 0,
      rtt: 0,
      rttvar: 0,
      pmtu: 0,
      omitted,
    };
    this.intervalBytes = 0;
    if (this.sender) this.#sample(interval);
    this.intervals.push(interval);
  }

  /** The omitted part is over. */
  reset(): void {
    this.bytes = 0;
    this.intervalBytes = 0;
    this.retransmits = 0;
    this.#lastRetransmits = this.#info()?.total_retrans ?? this.#lastRetransmits;
  }

  #sample(interval: StreamInterval): void {
    const info = this.#info();
    if (info === null) return;
    interval.retransmits = info.total_retrans - this.#lastRetransmits;
    this.#lastRetransmits = info.total_retrans;
    this.retransmits += interval.retransmits;
    interval.cwnd = info.snd_cwnd * info.snd_mss;
    interval.wnd = info.snd_wnd;
    interval.rtt = info.rtt;
    interval.rttvar = info.rttvar;
    interval.pmtu = info.pmtu;
    this.maxCwnd = Math.max(this.maxCwnd, interval.cwnd);
    this.maxWnd = Math.max(this.maxWnd, interval.wnd);
    this.maxRtt = Math.max(this.maxRtt, interval.rtt);
    this.minRtt = this.minRtt === 0 ? interval.rtt : Math.min(this.minRtt, interval.rtt);
    this.sumRtt += interval.rtt;
    this.countRtt++;
  }

  #info(): TcpInfo | null {
    const out: { value: object | number | string } = { value: 0 };
    if (this.fd < 0 || this.#loop.sys.getsockopt(this.fd, IPPROTO_TCP, TCP_INFO, out) < 0) return null;
    return out.value as TcpInfo;
  }

  #send(): void {
    const { sys } = this.#loop;
    const { block } = this.#owner;
    for (let i = Math.min(HELPING, this.#owner.allowed(this)); i > 0; i--) {
      if (this.#blockLeft === 0) this.#blockLeft = block.length;
      const sent = sys.send(this.fd, block, this.#blockLeft, MSG_NOSIGNAL | MSG_SPLICE_PAGES);
      if (sent === -EAGAIN) return;
      if (sent < 0) {
        this.#fail(IESTREAMWRITE, 'unable to write to stream socket', -sent);
        return;
      }
      this.#blockLeft -= sent;
      this.bytes += sent;
      this.intervalBytes += sent;
      this.#owner.transferred(this, sent, this.#blockLeft === 0);
      if (this.#blockLeft > 0) return;
    }
    if (this.fd >= 0 && this.#owner.allowed(this) <= 0) this.#watch(0);
  }

  #receive(): void {
    const { block } = this.#owner;
    for (let i = 0; i < HELPING; i++) {
      const count = this.#owner.take(this.fd);
      if (count === -EAGAIN) return;
      if (count <= 0) {
        if (count === 0) this.#watch(0);
        else this.#fail(IESTREAMREAD, 'unable to read from stream socket', -count);
        return;
      }
      this.bytes += count;
      this.intervalBytes += count;
      this.#owner.transferred(this, count, count === block.length);
      if (count < block.length) return;
    }
  }

  #watch(events: number): void {
    this.#watching = events;
    // The end of a stream would be reported for ever; what is to come is the control connection's to say.
    if (events === 0) this.#loop.forget(this);
    else this.#loop.watch(this, events);
  }

  #fail(code: number, message: string, errno: number): void {
    this.#owner.failed(new IperfError(code, message, errno));
  }
}
