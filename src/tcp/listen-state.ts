// A listener's two queues: requests whose handshake is going on (SYN queue), and children waiting for accept().

import type { RequestSock } from './request-sock.js';
import type { TcpSock } from './sock.js';

export class ListenState {
  /** sk_max_ack_backlog */
  backlog: number;
  /** sk_ack_backlog */
  acceptLength = 0;
  /** When the last SYN cookie was sent, in milliseconds of stack time; null: never. */
  lastCookieMs: number | null = null;
  /** Half-open requests; their number is what tcp_max_syn_backlog and the backlog bound. */
  readonly requests = new Set<RequestSock>();
  /** Those among them whose SYN-ACK was not repeated yet (qlen_young). */
  young = 0;
  #head: TcpSock | null = null;
  #tail: TcpSock | null = null;

  constructor(backlog: number) {
    this.backlog = backlog;
  }

  /** sk_acceptq_is_full: more than the backlog, so that a backlog of N holds N + 1. */
  get acceptFull(): boolean {
    return this.acceptLength > this.backlog;
  }

  /** inet_csk_reqsk_queue_is_full */
  get synFull(): boolean {
    return this.requests.size > this.backlog;
  }

  add(request: RequestSock): void {
    this.requests.add(request);
    if (request.timeouts === 0) this.young++;
  }

  delete(request: RequestSock): void {
    if (this.requests.delete(request) && request.timeouts === 0) this.young--;
  }

  /**
   * How often a SYN-ACK is repeated just now (reqsk_timer_handler): half of the room is for the young. Once the queue is more
   * than half full of those who do not answer, each halving of the young's share costs the others a retry, down to two.
   */
  retries(most: number): number {
    const length = this.requests.size;
    if (length * 2 <= Math.max(8, this.backlog)) return most;
    let left = most;
    for (let young = this.young * 2; left > 2 && length >= young; young *= 2) left--;
    return left;
  }

  push(child: TcpSock): void {
    if (this.#tail === null) this.#head = child;
    else this.#tail.acceptNext = child;
    this.#tail = child;
    this.acceptLength++;
  }

  shift(): TcpSock | null {
    const child = this.#head;
    if (child === null) return null;
    this.#head = child.acceptNext;
    if (this.#head === null) this.#tail = null;
    child.acceptNext = null;
    child.parent = null;
    this.acceptLength--;
    return child;
  }

  /** Children in the order in which accept() will return them. */
  *waiting(): IterableIterator<TcpSock> {
    for (let child = this.#head; child !== null; child = child.acceptNext) yield child;
  }
}
