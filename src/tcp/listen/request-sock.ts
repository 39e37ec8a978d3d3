// A handshake that is going on at a listener (struct tcp_request_sock, state NEW_SYN_RECV): what the SYN said and what we
// answered, and the timer that answers again. It becomes a sock when the third segment arrives.

import type { Route } from '../../ip/routes.js';
import type { IpAddress } from '../../packet/address.js';
import { Timer } from '../../time/timer-wheel.js';
import { TCP_TIMEOUT_INIT } from '../constants.js';
import type { Tuple } from '../demux.js';
import type { AccEcn } from '../ecn/accecn.js';
import type { TcpSock } from '../sock.js';

export class RequestSock extends Timer implements Tuple<RequestSock> {
  hash = 0;
  hashNext: RequestSock | null = null;
  /** Its neighbours in the listener's SYN queue, while it stands there. */
  queued = false;
  queueNext: RequestSock | null = null;
  queuePrev: RequestSock | null = null;
  /** Another when it has ended (migrate.ts). */
  listener: TcpSock;
  readonly route: Route;
  readonly saddr: IpAddress;
  readonly daddr: IpAddress;
  readonly sport: number;
  readonly dport: number;

  irs = 0;
  /** What we acknowledge: the SYN, and with Fast Open its data. */
  rcvNxt = 0;
  iss = 0;
  /** Receive window announced in the SYN-ACK. */
  rcvWnd = 0;
  windowClamp = 0;
  rcvWscale = 0;
  sndWscale = 0;
  mss = 0;
  advmss = 0;
  wscaleOk = false;
  tstampOk = false;
  sackOk = false;
  ecnOk = false;
  /** Accurate ECN is agreed on. */
  accecn: AccEcn | null = null;
  /** Type of service of the SYN, or of the ACK that brought its cookie back. */
  tos = 0;
  tsRecent = 0;
  tsOffset = 0;
  /** Microseconds when the first SYN-ACK went out, for the first round-trip time. */
  synackUs = 0;
  /** Milliseconds of stack time at which the first and the last SYN-ACK went out: what the peer's timestamps can echo. */
  firstSynackMs = 0;
  lastSynackMs = 0;
  /** SYN-ACK timeouts so far, and SYN-ACKs sent again because of them. */
  timeouts = 0;
  retransmitted = 0;
  lastOowAckTime = 0;
  /** Headers of the SYN, for TCP_SAVED_SYN. */
  savedSyn: Uint8Array | null = null;
  /** The bare third ACK came, but the listener defers accept until there is data. */
  acked = false;

  constructor(
    listener: TcpSock,
    route: Route,
    saddr: IpAddress,
    sport: number,
    daddr: IpAddress,
    dport: number,
  ) {
    super();
    this.listener = listener;
    this.route = route;
    this.saddr = saddr;
    this.sport = sport;
    this.daddr = daddr;
    this.dport = dport;
  }

  /** What it waits for the third ACK: the first timeout, doubled each time, twenty times at most (tcp_reqsk_timeout). */
  get timeoutMs(): number {
    return TCP_TIMEOUT_INIT << Math.min(this.timeouts, 20);
  }

  override expire(): void {
    this.listener.tcp.requestExpired(this);
  }
}
