// The event loop of the command's servers, as one writes it in C: a listening socket and its connections in one eventpoll. Level-
// triggered, it asks for input or output by turns (EPOLL_CTL_MOD); edge-triggered, it asks once for both and always exhausts them.

import {
  AF_INET,
  EAGAIN,
  ECONNABORTED,
  EINTR,
  EMFILE,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLET,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
  epollEvents,
  SO_REUSEADDR,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  type Stack,
  type Syscalls,
} from '../index.js';
import type { Connection } from './connection.js';
import { check } from './refusal.js';

const EVENTS = 256;
const BACKLOG = 4096;

export interface Service {
  readonly port: number;
  readonly edge: boolean;
  /** A connection that has done nothing for so long is closed; Infinity: never. */
  readonly idleMs: number;
  connect(sys: Syscalls, fd: number, peer: string): Connection;
  disconnected(connection: Connection): void;
}

export class EpollServer {
  readonly #sys: Syscalls;
  readonly #service: Service;
  readonly #epfd: number;
  readonly #listener: number;
  /** Open connections and when each last did something, the one that has been idle longest first. */
  readonly #connections = new Map<Connection, number>();
  #listening = true;

  constructor(stack: Stack, service: Service) {
    const { sys } = stack;
    this.#sys = sys;
    this.#service = service;
    this.#epfd = check('epoll_create1', sys.epoll_create1(0));
    this.#listener = check('socket', sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    check('setsockopt', sys.setsockopt(this.#listener, SOL_SOCKET, SO_REUSEADDR, 1));
    check('bind', sys.bind(this.#listener, { family: AF_INET, address: '0.0.0.0', port: service.port }));
    check('listen', sys.listen(this.#listener, BACKLOG));
    this.#watch(EPOLL_CTL_ADD, this.#listener, service.edge ? EPOLLIN | EPOLLET : EPOLLIN, null);
  }

  /** Serves until the stack is closed (-EINTR); rejects when it fails. */
  async run(): Promise<void> {
    const events = epollEvents(EVENTS);
    for (;;) {
      const result = await this.#sys.epoll_wait(this.#epfd, events, EVENTS, this.#patience());
      if (result === -EINTR) return;
      const count = check('epoll_wait', result);
      const now = performance.now();
      for (let i = 0; i < count; i++) {
        const connection = events[i].data as Connection | null;
        if (connection === null) this.#accept(now);
        else this.#serve(connection, now);
      }
      this.#closeIdle(now);
    }
  }

  #accept(now: number): void {
    const peer = { family: 0, address: '', port: 0 };
    for (;;) {
      const fd = this.#sys.accept4(this.#listener, peer, SOCK_NONBLOCK);
      if (fd === -EAGAIN) return;
      if (fd === -ECONNABORTED) continue;
      if (fd === -EMFILE) {
        // A level-triggered listener would report the waiting connections for ever. They wait until a descriptor is free.
        this.#watch(EPOLL_CTL_DEL, this.#listener, 0, null);
        this.#listening = false;
        return;
      }
      check('accept4', fd);
      const connection = this.#service.connect(this.#sys, fd, `${peer.address}:${peer.port}`);
      this.#connections.set(connection, now);
      const both = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
      this.#watch(EPOLL_CTL_ADD, fd, this.#service.edge ? both : connection.wants, connection);
    }
  }

  #serve(connection: Connection, now: number): void {
    const { edge, idleMs } = this.#service;
    const wanted = connection.wants;
    connection.ready(edge);
    if (connection.ended !== null) {
      this.#close(connection);
      return;
    }
    if (!edge && connection.wants !== wanted)
      this.#watch(EPOLL_CTL_MOD, connection.fd, connection.wants, connection);
    if (idleMs === Number.POSITIVE_INFINITY) return;
    this.#connections.delete(connection);
    this.#connections.set(connection, now);
  }

  #close(connection: Connection): void {
    this.#connections.delete(connection);
    this.#sys.close(connection.fd);
    this.#service.disconnected(connection);
    if (this.#listening) return;
    this.#listening = true;
    this.#watch(EPOLL_CTL_ADD, this.#listener, this.#service.edge ? EPOLLIN | EPOLLET : EPOLLIN, null);
  }

  /** Milliseconds until the next connection will have been idle for too long. */
  #patience(): number {
    const { idleMs } = this.#service;
    if (idleMs === Number.POSITIVE_INFINITY) return -1;
    for (const since of this.#connections.values())
      return Math.max(0, Math.ceil(since + idleMs - performance.now()));
    return -1;
  }

  #closeIdle(now: number): void {
    for (const [connection, since] of this.#connections) {
      if (now - since < this.#service.idleMs) return;
      connection.ended = 'idle for too long';
      this.#close(connection);
    }
  }

  #watch(op: number, fd: number, events: number, data: Connection | null): void {
    check('epoll_ctl', this.#sys.epoll_ctl(this.#epfd, op, fd, { events, data }));
  }
}
