// A listener that a program looks into and steers (`stack.listener`). The engine keeps what it is told in the listener's own state
// (tcp/listen/steering.ts), made with the first wish, so that several handles of one listener are the same.

import type { ListenerCounter } from '../core/mib.js';
import { socketOf } from '../socket/socket-file.js';
import type { ListenState } from '../tcp/listen/listen-state.js';
import {
  type AcceptOverflow,
  type OnSyn,
  Steering,
  type SynOverflow,
  type WakeOrder,
} from '../tcp/listen/steering.js';
import type { ConnectionEnd } from '../tcp/listen/syn-details.js';
import { TcpSock } from '../tcp/sock.js';
import { EBADF, EINVAL, ENOTSOCK, EOPNOTSUPP, errnoName } from '../uapi/errno.js';
import { TCP_LISTEN, TCP_STATE_NAMES } from '../uapi/tcp.js';
import type { FdTable } from './fd-table.js';

/** A handshake that is under way, in the SYN queue. */
export interface PendingHandshake {
  /** Who connects. */
  readonly peer: ConnectionEnd;
  /** To which address of ours. */
  readonly local: ConnectionEnd;
  /** Milliseconds since its SYN came. */
  readonly ageMs: number;
  /** SYN-ACKs sent so far. */
  readonly synAcks: number;
  /** Its third segment has come, and found the accept queue full, or no data (TCP_DEFER_ACCEPT). */
  readonly acked: boolean;
}

/** A connection that waits for accept(). */
export interface WaitingConnection {
  /** Who connects. */
  readonly peer: ConnectionEnd;
  /** To which address of ours. */
  readonly local: ConnectionEnd;
  /** Milliseconds since it joined the queue. */
  readonly ageMs: number;
  /** Mostly ESTABLISHED; CLOSE_WAIT if the peer has closed its half, CLOSE if it was reset, SYN_RECV with Fast Open. */
  readonly state: string;
  /** Bytes that are there to be read. */
  readonly bytes: number;
}

/**
 * What a listener has done on its own account: SYNs that a pause dropped, refused, or passed on to others of the group; that `onSyn` dropped,
 * refused, answered by cookies, or went wrong over; and RSTs for full queues.
 */
export type ListenerCounters = Readonly<Record<ListenerCounter, number>>;

/** How many a listener's queues hold. */
export interface ListenerLimits {
  /** What listen() was told, or net.core.somaxconn if that is less. */
  readonly backlog: number;
  /** Connections that may wait: the backlog and one. */
  readonly acceptQueue: number;
  /** Handshakes that may be under way before the queue is full: the backlog and one. */
  readonly synQueue: number;
  /** As many of them may be of peers never met: three quarters of net.ipv4.tcp_max_syn_backlog, and one. Null with cookies. */
  readonly synQueueOfStrangers: number | null;
}

const SYN_OVERFLOWS: readonly SynOverflow[] = ['sysctl', 'drop', 'cookie', 'reset'];
const ACCEPT_OVERFLOWS: readonly AcceptOverflow[] = ['sysctl', 'park', 'abort', 'reset'];
const WAKE_ORDERS: readonly WakeOrder[] = ['first', 'turns'];

/** A listener's queues as they are, and what it does with SYNs. docs/accept.md tells more. */
export class Listener {
  readonly #sk: TcpSock;
  readonly #state: ListenState;

  /** @internal */
  constructor(sk: TcpSock, state: ListenState) {
    this.#sk = sk;
    this.#state = state;
  }

  /** False once it was closed or shut down: queues are empty then, and nothing can be changed any more. */
  get listening(): boolean {
    return this.#sk.state === TCP_LISTEN && this.#sk.listener === this.#state;
  }

  /** Where it listens; `0.0.0.0` for all addresses. */
  get local(): ConnectionEnd {
    return end(this.#sk.laddr, this.#sk.sport);
  }

  /** How many its queues hold just now: listen() and sysctls may change it. */
  get limits(): ListenerLimits {
    const { backlog, steering } = this.#state;
    const { tcpMaxSynBacklog, tcpSyncookies } = this.#sk.host.sysctl;
    const cookies = steering === null ? tcpSyncookies : steering.syncookies(tcpSyncookies);
    const strangers = tcpMaxSynBacklog - (tcpMaxSynBacklog >> 2) + 1;
    return {
      backlog,
      acceptQueue: backlog + 1,
      synQueue: backlog + 1,
      synQueueOfStrangers: cookies === 0 ? strangers : null,
    };
  }

  /** Handshakes under way, the oldest first: a picture of this moment. Who was answered by a cookie is in no queue. */
  get synQueue(): PendingHandshake[] {
    const { host } = this.#sk;
    host.refresh();
    return this.#state.requests().map((request) => ({
      peer: end(request.daddr, request.dport),
      local: end(request.saddr, request.sport),
      ageMs: (host.nowMs - request.firstSynackMs) | 0,
      synAcks: 1 + request.retransmitted,
      acked: request.acked,
    }));
  }

  /** Connections that wait, in the order in which accept() will return them: a picture of this moment. */
  get acceptQueue(): WaitingConnection[] {
    const { host } = this.#sk;
    host.refresh();
    const joined = this.#state.joined();
    return this.#state.waiting().map((child, at) => ({
      peer: end(child.daddr, child.dport),
      local: end(child.saddr, child.sport),
      ageMs: (host.nowMs - joined[at]) | 0,
      state: TCP_STATE_NAMES[child.state],
      bytes: child.rcvQueue.length,
    }));
  }

  /** What it has done on its own account, by the names of `stack.snmp().Listener`, which sums up all listeners. */
  get counters(): ListenerCounters {
    return { ...(this.#state.steering ?? new Steering()).counters };
  }

  /** Whether it pauses, and what it does with SYNs meanwhile. */
  get paused(): false | 'dropping' | 'refusing' {
    return this.#state.steering?.paused ?? false;
  }

  /**
   * Answers no SYN from now on: clients try again, as if it were lost. With `refuse` they are refused by a RST (ECONNREFUSED). Handshakes
   * under way come to their end, and what waits can be accepted. Others of its SO_REUSEPORT group that do not pause have its SYNs instead.
   * @throws Error (EINVAL) if it listens no more
   */
  pause(options: { refuse?: boolean } = {}): void {
    if (typeof options !== 'object' || options === null || typeof (options.refuse ?? false) !== 'boolean')
      throw new TypeError('pause() takes options such as { refuse: true }');
    this.#steering().paused = options.refuse ? 'refusing' : 'dropping';
  }

  /** Answers SYNs again. @throws Error (EINVAL) if it listens no more */
  resume(): void {
    this.#steering().paused = false;
  }

  /**
   * Asked about each SYN before the queues are, unless it pauses; null: nobody is asked. It is called inside of the stack, and must not
   * make system calls; pausing and the like it may. If it throws, the SYN is dropped, and the exception is an uncaught one.
   */
  get onSyn(): OnSyn | null {
    return this.#state.steering?.onSyn ?? null;
  }

  set onSyn(hook: OnSyn | null) {
    if (hook !== null && typeof hook !== 'function')
      throw new TypeError(`onSyn must be a function or null, and not ${typeof hook}`);
    this.#steering().onSyn = hook;
  }

  /** What happens to SYNs while the SYN queue is full. @throws RangeError for another word, Error (EINVAL) if it listens no more */
  get synOverflow(): SynOverflow {
    return this.#state.steering?.synOverflow ?? 'sysctl';
  }

  set synOverflow(policy: SynOverflow) {
    if (!SYN_OVERFLOWS.includes(policy)) throw noPolicy('synOverflow', policy, SYN_OVERFLOWS);
    this.#steering().synOverflow = policy;
  }

  /**
   * Which of several epoll sets with EPOLLEXCLUSIVE a connection wakes, of those in which somebody sleeps: the first that was registered,
   * as on Linux, or each in turn. Calls asleep in accept() take turns anyway. @throws RangeError for another word, Error (EINVAL) if it listens no more
   */
  get wakeOrder(): WakeOrder {
    return this.#state.steering?.wakeOrder ?? 'first';
  }

  set wakeOrder(order: WakeOrder) {
    if (!WAKE_ORDERS.includes(order)) throw noPolicy('wakeOrder', order, WAKE_ORDERS);
    this.#steering().wakeOrder = order;
  }

  /** What happens while the accept queue is full. @throws RangeError for another word, Error (EINVAL) if it listens no more */
  get acceptOverflow(): AcceptOverflow {
    return this.#state.steering?.acceptOverflow ?? 'sysctl';
  }

  set acceptOverflow(policy: AcceptOverflow) {
    if (!ACCEPT_OVERFLOWS.includes(policy)) throw noPolicy('acceptOverflow', policy, ACCEPT_OVERFLOWS);
    this.#steering().acceptOverflow = policy;
  }

  #steering(): Steering {
    if (!this.listening) throw listenerError(-EINVAL, 'this listener was closed, or shut down');
    this.#state.steering ??= new Steering();
    return this.#state.steering;
  }
}

/** The listener behind a descriptor. @throws Error with the errno that accept() would answer */
export function listenerAt(files: FdTable, fd: number): Listener {
  const file = files.get(fd);
  if (file === null) throw listenerError(-EBADF, `descriptor ${fd} is not open`);
  const sk = socketOf(file)?.sk;
  if (sk === undefined) throw listenerError(-ENOTSOCK, `descriptor ${fd} is no socket`);
  if (!(sk instanceof TcpSock))
    throw listenerError(-EOPNOTSUPP, `descriptor ${fd} is no stream socket, and has no connections`);
  if (sk.listener === null)
    throw listenerError(-EINVAL, `descriptor ${fd} does not listen; call listen() first`);
  return new Listener(sk, sk.listener);
}

function listenerError(errno: number, what: string): Error {
  const code = errnoName(errno);
  const error = new Error(`listener ${code}: ${what}`);
  return Object.assign(error, { errno, code, syscall: 'listener' });
}

function noPolicy(name: string, policy: unknown, known: readonly string[]): RangeError {
  const words = known.map((one) => `'${one}'`).join(', ');
  return new RangeError(`${name} cannot be ${JSON.stringify(policy)}: there are ${words}`);
}

function end(address: { toString(): string }, port: number): ConnectionEnd {
  return { address: address.toString(), port };
}
