// What stays of a connection after its sock is gone (struct tcp_timewait_sock): enough to acknowledge a repeated FIN, and to
// keep the four-tuple from being used again while old segments may be about. FIN_WAIT2 of an orphan waits here too.

import type { PortBucket, PortHolder } from '../core/ports.js';
import type { Route } from '../ip/routes.js';
import type { IpAddress } from '../packet/address.js';
import { Timer } from '../time/timer-wheel.js';
import { TCP_TIME_WAIT } from '../uapi/tcp.js';
import type { Tuple } from './demux.js';
import type { TcpSock } from './sock.js';
import type { TcpShared } from './tcp-shared.js';

export class TimeWaitSock extends Timer implements Tuple<TimeWaitSock>, PortHolder {
  readonly tcp: TcpShared;
  hash = 0;
  hashNext: TimeWaitSock | null = null;
  readonly route: Route;
  readonly laddr: IpAddress;
  readonly saddr: IpAddress;
  readonly daddr: IpAddress;
  readonly sport: number;
  readonly dport: number;
  readonly reuse: boolean;
  readonly reusePort: boolean;
  readonly uid: number;
  readonly boundDevice: number;
  readonly state = TCP_TIME_WAIT;
  bindBucket: PortBucket | null = null;
  bindNext: PortHolder | null = null;
  bindPrev: PortHolder | null = null;

  /** FIN_WAIT2 or TIME_WAIT. */
  substate: number;
  rcvNxt: number;
  readonly sndNxt: number;
  readonly rcvWnd: number;
  readonly rcvWscale: number;
  readonly tstampOk: boolean;
  tsRecent: number;
  /** Milliseconds of stack time at which tsRecent was taken; 0: no timestamps. */
  tsRecentStamp: number;
  /** When TIME_WAIT began, in milliseconds of stack time (tw_entry_stamp). */
  entryStamp: number;
  readonly tsOffset: number;
  readonly tos: number;
  lastOowAckTime = 0;

  constructor(sk: TcpSock, route: Route, substate: number) {
    super();
    this.tcp = sk.tcp;
    this.route = route;
    this.laddr = sk.laddr;
    this.saddr = sk.saddr;
    this.daddr = sk.daddr;
    this.sport = sk.sport;
    this.dport = sk.dport;
    this.reuse = sk.reuse;
    this.reusePort = sk.reusePort;
    this.uid = sk.uid;
    this.boundDevice = sk.boundDevice;
    this.substate = substate;
    this.rcvNxt = sk.rcvNxt;
    this.sndNxt = sk.sndNxt;
    this.rcvWnd = Math.max(0, (sk.rcvWup + sk.rcvWnd - sk.rcvNxt) | 0);
    this.rcvWscale = sk.rcvWscale;
    this.tstampOk = sk.tstampOk;
    this.tsRecent = sk.tsRecent;
    this.tsRecentStamp = sk.tsRecentStamp;
    this.entryStamp = sk.host.nowMs;
    this.tsOffset = sk.tsOffset;
    this.tos = sk.tos;
  }

  override expire(): void {
    this.tcp.timeWaitExpired(this);
  }
}
