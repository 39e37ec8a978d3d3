// struct sock: what a transport keeps for one end, and the callbacks by which it tells the socket above (net/core/sock.c).
// A received segment ends in `dataReady`, which walks the wait queue; programs and eventpolls hang there.

import { ANY_V4, type IpAddress } from '../packet/address.js';
import {
  POLLERR,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDBAND,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
} from '../uapi/poll.js';
import { IP_PMTUDISC_DONT } from '../uapi/socket.js';
import { TCP_CLOSE } from '../uapi/tcp.js';
import type { Host } from './host.js';
import type { PortBucket, PortHolder } from './ports.js';
import { SockExtras } from './sock-extras.js';
import { OptionedSock } from './sock-options.js';
import { ends, traceErrorReport, traceReadable, traceWakeup, traceWriteSpace } from './trace.js';
import type { WaitQueue } from './wait-queue.js';

export const RCV_SHUTDOWN = 1;
export const SEND_SHUTDOWN = 2;
export const SHUTDOWN_MASK = 3;

/** Sizes and addresses that the user fixed (sk_userlocks). */
export const SOCK_SNDBUF_LOCK = 1;
export const SOCK_RCVBUF_LOCK = 2;
export const SOCK_BINDADDR_LOCK = 4;
export const SOCK_BINDPORT_LOCK = 8;

const KEY_DATA = POLLIN | POLLPRI | POLLRDNORM | POLLRDBAND;
const KEY_SPACE = POLLOUT | POLLWRNORM | POLLWRBAND;

/** Common part of TCP and UDP socks. Times in milliseconds, sizes in bytes, ports in host order. */
export abstract class Sock extends OptionedSock {
  /** Its stack: clock, memory, tunables, counters. */
  readonly host: Host;
  /** sk_type: SOCK_STREAM, SOCK_DGRAM. */
  abstract readonly type: number;
  /** sk_protocol: IPPROTO_TCP, IPPROTO_UDP. */
  abstract readonly protocol: number;
  /** A TCP state; datagram socks use CLOSE and ESTABLISHED. */
  state = TCP_CLOSE;
  /** sk_err: a pending error, positive. */
  err = 0;
  /** The wait queue of the socket above; null for an orphan or a child nobody accepted yet (sk_wq). */
  wq: WaitQueue | null = null;

  /** inet_rcv_saddr: the address that it is bound to; any: wildcard. Never mutated in place, like the two below. */
  laddr: IpAddress = ANY_V4;
  /** inet_saddr: the address that it sends from. */
  saddr: IpAddress = ANY_V4;
  /** inet_daddr: the peer's. */
  daddr: IpAddress = ANY_V4;
  /** inet_num: its own port; 0: none. */
  sport = 0;
  /** inet_dport: the peer's; 0: none. */
  dport = 0;
  /** The port it holds, as its protocol's PortTable has it. */
  bindBucket: PortBucket | null = null;
  /** The next holder of that port; the table's own. */
  bindNext: PortHolder | null = null;
  /** The one before, likewise. */
  bindPrev: PortHolder | null = null;
  /** sk_rcvbuf: bound of what received bytes are charged (SO_RCVBUF). */
  rcvbuf: number;
  /** sk_sndbuf: bound of what bytes to be sent are charged (SO_SNDBUF). */
  sndbuf: number;

  /** What few socks have; null until one asks for it. */
  extras: SockExtras | null = null;

  constructor(host: Host, rcvbuf: number, sndbuf: number) {
    super();
    this.host = host;
    this.rcvbuf = rcvbuf;
    this.sndbuf = sndbuf;
    if (host.sysctl.ipNoPmtuDisc !== 0) this.mtuDiscover = IP_PMTUDISC_DONT;
  }

  /** Its extras, made if it has none yet. */
  ownExtras(): SockExtras {
    this.extras ??= new SockExtras();
    return this.extras;
  }

  /** sk_err_soft: an error that only mattered if the connection fails. */
  get errSoft(): number {
    return this.extras === null ? 0 : this.extras.errSoft;
  }

  set errSoft(errno: number) {
    if (errno !== this.errSoft) this.ownExtras().errSoft = errno;
  }

  /** How often the connection was dissolved. */
  get disconnects(): number {
    return this.extras === null ? 0 : this.extras.disconnects;
  }

  /** sock_error: takes the pending error; 0 or -errno. */
  takeError(): number {
    const err = this.err;
    this.err = 0;
    return err === 0 ? 0 : -err;
  }

  /** sock_def_readable */
  dataReady(): void {
    if (traceReadable.on) traceReadable.emit(this.host, ends(this));
    if (this.wq?.active) this.wq.wake(KEY_DATA, 1);
  }

  /** The same, and whoever is woken of those who wait exclusively comes last from then on. */
  dataReadyInTurns(): void {
    if (traceReadable.on) traceReadable.emit(this.host, ends(this));
    if (this.wq?.active) this.wq.wakeInTurns(KEY_DATA);
  }

  /** sock_def_wakeup: key 0, everyone. */
  stateChange(): void {
    if (traceWakeup.on) traceWakeup.emit(this.host, ends(this));
    if (this.wq?.active) this.wq.wake(0, 0);
  }

  /** sock_def_error_report */
  errorReport(): void {
    if (traceErrorReport.on) traceErrorReport.emit(this.host, ends(this));
    if (this.wq?.active) this.wq.wake(POLLERR, 1);
  }

  /** The wake-up of sk_stream_write_space and sock_def_write_space; the caller has checked that there is room. */
  wakeSpace(): void {
    if (traceWriteSpace.on) traceWriteSpace.emit(this.host, ends(this));
    if (this.wq?.active) this.wq.wake(KEY_SPACE, 1);
  }

  /** Mask of poll bits now (tcp_poll, udp_poll). */
  abstract poll(): number;
}
