// What all socks of one stack share: the tables that find them, the segment being received, and the work put off to the end
// of the batch. The engine's functions reach it through `sk.tcp`; the timers' handlers are hung in by tcp.ts, on top.

import type { Host } from '../core/host.js';
import { HsipKey } from '../core/hsiphash.js';
import { PortTable } from '../core/ports.js';
import type { Ip } from '../ip/ip.js';
import { RxPacket } from '../ip/rx-packet.js';
import { ByteQueue } from '../memory/byte-queue.js';
import { AckState } from './ack-state.js';
import type { CongestionControl } from './congestion/congestion.js';
import { TupleTable } from './demux.js';
import { FastOpenShared } from './fastopen/fastopen.js';
import { ListenerTable } from './listen/listener-table.js';
import type { RequestSock } from './listen/request-sock.js';
import { SynCookies } from './listen/syncookies.js';
import { TcpMemory } from './memory.js';
import { TcpMetricsTable } from './path/tcp-metrics.js';
import { Segment } from './segment.js';
import type { TcpSock } from './sock.js';
import { SpareStates } from './spare-states.js';
import type { TimeWaitSock } from './time-wait.js';

export class TcpShared {
  readonly host: Host;
  readonly ip: Ip;
  /** The segment being received. */
  readonly segment = new Segment();
  /** And one from a backlog, whose answers may be received while it is being dealt with. */
  readonly backlogSegment = new Segment();
  /** What the acknowledgement being dealt with says. */
  readonly ackState = new AckState();
  readonly backlogPacket = new RxPacket();
  readonly established = new TupleTable<TcpSock>();
  readonly requests = new TupleTable<RequestSock>();
  readonly timeWaits = new TupleTable<TimeWaitSock>();
  readonly listeners = new ListenerTable();
  /** What the queues of all socks hold. */
  readonly memory: TcpMemory;
  /** What socks that fell quiet have left for the next. */
  readonly spare = new SpareStates();
  /** The queue of a sock that has sent, or received, nothing yet. Frozen: `ownTx` and `ownRx` make one to be written to. */
  readonly noBytes: ByteQueue;
  /** What earlier connections found out about their peers. */
  readonly metrics: TcpMetricsTable;
  readonly ports: PortTable;
  readonly tableKey: HsipKey;
  readonly secretKey: HsipKey;
  readonly fastopen: FastOpenShared;
  /** Socks whose application is gone but whose protocol is not done. */
  orphans = 0;
  /** Why `transmit` sent nothing: the device's own queue takes no more (NET_XMIT_DROP), not the ring. */
  congested = false;
  /** Challenge ACKs left in this second (RFC 5961 section 7). */
  challengeLeft = 0;
  challengeSecond = -1;

  /** A congestion control by its name, or null. */
  controlNamed: (name: string) => CongestionControl | null = unbound;
  timerExpired: (sk: TcpSock, kind: number) => void = unbound;
  requestExpired: (request: RequestSock) => void = unbound;
  timeWaitExpired: (tw: TimeWaitSock) => void = unbound;

  #cookies: SynCookies | null = null;
  #deferred: TcpSock[] = [];
  #flushing: TcpSock[] = [];

  constructor(host: Host, ip: Ip) {
    this.host = host;
    this.ip = ip;
    this.memory = new TcpMemory(host);
    this.noBytes = new ByteQueue(host.memory, this.memory);
    Object.freeze(this.noBytes);
    this.ports = new PortTable(host);
    this.tableKey = new HsipKey(host.random);
    this.secretKey = new HsipKey(host.random);
    this.fastopen = new FastOpenShared(host);
    this.metrics = new TcpMetricsTable(host, this.tableKey);
  }

  /** Made when the first cookie is needed. */
  get cookies(): SynCookies {
    this.#cookies ??= new SynCookies(this.host);
    return this.#cookies;
  }

  /** Puts `sk` on the list of those with something to send at the end of the batch. */
  defer(sk: TcpSock): void {
    if (!sk.deferred) {
      sk.deferred = true;
      this.#deferred.push(sk);
    }
    if (sk.route !== null) sk.route.device.link.requestFlush();
  }

  /** `defer`, for what is in the send queue. */
  deferSend(sk: TcpSock): void {
    sk.sendDeferred = true;
    this.defer(sk);
  }

  /** Takes the list; what is deferred meanwhile goes to the next one. */
  takeDeferred(): TcpSock[] {
    const list = this.#deferred;
    this.#deferred = this.#flushing;
    this.#flushing = list;
    return list;
  }
}

function unbound(): never {
  throw new Error('the TCP engine is not assembled: construct it through Tcp');
}
