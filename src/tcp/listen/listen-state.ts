// A listener's two queues: requests whose handshake is going on (SYN queue), and children waiting for accept().

import type { TcpSock } from '../sock.js';
import type { RequestSock } from './request-sock.js';
import type { Steering } from './steering.js';

/** Places of the accept queue that stay when it is empty. */
const KEPT = 256;

export class ListenState {
  /** sk_max_ack_backlog */
  backlog: number;
  /** sk_ack_backlog */
  acceptLength = 0;
  /** When the last SYN cookie was sent, in milliseconds of stack time; null: never. */
  lastCookieMs: number | null = null;
  /** Half-open requests; their number is what tcp_max_syn_backlog and the backlog bound. */
  synLength = 0;
  /** Those among them whose SYN-ACK was not repeated yet (qlen_young). */
  young = 0;
  /** What a program wants of it; null: what Linux does. */
  steering: Steering | null = null;
  // The SYN queue, linked through the requests. Not a Set: V8 makes the table of one that is old anew for each few hundred that
  // come and go, old at once, and what was in it stays with it until a full collection, most of all requests.
  #firstRequest: RequestSock | null = null;
  #lastRequest: RequestSock | null = null;
  /** The accept queue, a ring: the socks themselves are not linked, as each of them would keep the room for it ever after. */
  #children: (TcpSock | null)[] = [null, null, null, null];
  /** Stack time in milliseconds when each of them joined it. */
  #joinedMs = [0, 0, 0, 0];
  #first = 0;

  constructor(backlog: number) {
    this.backlog = backlog;
  }

  /** sk_acceptq_is_full: more than the backlog, so that a backlog of N holds N + 1. */
  get acceptFull(): boolean {
    return this.acceptLength > this.backlog;
  }

  /** inet_csk_reqsk_queue_is_full */
  get synFull(): boolean {
    return this.synLength > this.backlog;
  }

  add(request: RequestSock): void {
    request.queued = true;
    request.queuePrev = this.#lastRequest;
    if (this.#lastRequest === null) this.#firstRequest = request;
    else this.#lastRequest.queueNext = request;
    this.#lastRequest = request;
    this.synLength++;
    if (request.timeouts === 0) this.young++;
  }

  delete(request: RequestSock): void {
    if (!request.queued) return;
    const { queueNext, queuePrev } = request;
    if (queuePrev === null) this.#firstRequest = queueNext;
    else queuePrev.queueNext = queueNext;
    if (queueNext === null) this.#lastRequest = queuePrev;
    else queueNext.queuePrev = queuePrev;
    request.queued = false;
    request.queueNext = null;
    request.queuePrev = null;
    this.synLength--;
    if (request.timeouts === 0) this.young--;
  }

  /** Half-open requests, the oldest first. */
  requests(): RequestSock[] {
    const all: RequestSock[] = [];
    for (let one = this.#firstRequest; one !== null; one = one.queueNext) all.push(one);
    return all;
  }

  /**
   * How often a SYN-ACK is repeated just now (reqsk_timer_handler): half of the room is for the young. Once the queue is more
   * than half full of those who do not answer, each halving of the young's share costs the others a retry, down to two.
   */
  retries(most: number): number {
    const length = this.synLength;
    if (length * 2 <= Math.max(8, this.backlog)) return most;
    let left = most;
    for (let young = this.young * 2; left > 2 && length >= young; young *= 2) left--;
    return left;
  }

  push(child: TcpSock): void {
    if (this.acceptLength === this.#children.length) this.#grow();
    const at = (this.#first + this.acceptLength) & (this.#children.length - 1);
    this.#children[at] = child;
    this.#joinedMs[at] = child.host.nowMs;
    this.acceptLength++;
  }

  shift(): TcpSock | null {
    const child = this.#children[this.#first];
    if (child === null) return null;
    this.#children[this.#first] = null;
    this.#first = (this.#first + 1) & (this.#children.length - 1);
    child.acceptQueued = false;
    this.acceptLength--;
    if (this.acceptLength === 0 && this.#children.length > KEPT) this.#shrink();
    return child;
  }

  /** Children in the order in which accept() will return them. */
  waiting(): TcpSock[] {
    const { length } = this.#children;
    return Array.from(
      { length: this.acceptLength },
      (_, i) => this.#children[(this.#first + i) & (length - 1)] as TcpSock,
    );
  }

  /** When each of those joined the queue. */
  joined(): number[] {
    const { length } = this.#joinedMs;
    return Array.from(
      { length: this.acceptLength },
      (_, i) => this.#joinedMs[(this.#first + i) & (length - 1)],
    );
  }

  /** A burst is over: the room that it took is not kept for the next. */
  #shrink(): void {
    this.#children = [null, null, null, null];
    this.#joinedMs = [0, 0, 0, 0];
    this.#first = 0;
  }

  #grow(): void {
    const waiting = this.waiting();
    const joined = this.joined();
    this.#joinedMs = [...joined, ...new Array<number>(joined.length).fill(0)];
    this.#children = new Array<TcpSock | null>(this.#children.length * 2).fill(null);
    for (let i = 0; i < waiting.length; i++) this.#children[i] = waiting[i];
    this.#first = 0;
  }
}
