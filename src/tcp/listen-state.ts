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
  /** The accept queue, a ring: the socks themselves are not linked, as each of them would keep the room for it ever after. */
  #children: (TcpSock | null)[] = [null, null, null, null];
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
    if (this.acceptLength === this.#children.length) this.#grow();
    this.#children[(this.#first + this.acceptLength) & (this.#children.length - 1)] = child;
    this.acceptLength++;
  }

  shift(): TcpSock | null {
    const child = this.#children[this.#first];
    if (child === null) return null;
    this.#children[this.#first] = null;
    this.#first = (this.#first + 1) & (this.#children.length - 1);
    child.acceptQueued = false;
    this.acceptLength--;
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

  #grow(): void {
    const waiting = this.waiting();
    this.#children = new Array<TcpSock | null>(this.#children.length * 2).fill(null);
    for (let i = 0; i < waiting.length; i++) this.#children[i] = waiting[i];
    this.#first = 0;
  }
}
