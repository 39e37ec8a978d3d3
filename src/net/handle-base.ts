// What every TCP handle has, whatever it does: a descriptor, addresses, options, its place in the reactor, its end. Results are
// 0 or -errno, and what the reactor calls back runs in the handle's own async context, as under Node's wraps.

import { AsyncResource } from 'node:async_hooks';
import type { Listener } from '../kernel/listener-handle.js';
import type { SockAddr } from '../socket/sock-addr.js';
import type { Socket } from '../socket/socket.js';
import type { TcpSock } from '../tcp/sock.js';
import { EAFNOSUPPORT, EBADF } from '../uapi/errno.js';
import { EPOLL_CTL_ADD, EPOLL_CTL_MOD } from '../uapi/poll.js';
import {
  AF_INET,
  IPPROTO_TCP,
  SO_KEEPALIVE,
  SO_REUSEADDR,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../uapi/socket.js';
import { TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_NODELAY } from '../uapi/tcp.js';
import type { OpenHandle } from './open-handles.js';
import type { Driven, Reachable, Reactor } from './reactor.js';

export interface AddressOut {
  address?: string;
  family?: string;
  port?: number;
}

const NOWHERE: SockAddr = { family: AF_INET, address: '0.0.0.0', port: 0 };

export abstract class HandleBase implements Driven {
  fd = -1;
  /** Whom the callbacks are for. */
  owner: unknown = null;
  openBefore: OpenHandle | null = null;
  openAfter: OpenHandle | null = null;

  protected readonly reactor: Reactor;
  protected sk: TcpSock | null = null;
  /** EPOLL* bits that the eventpoll watches for. */
  protected interest = 0;
  protected closing = false;
  protected refd = true;
  protected onClose: (() => void) | null = null;
  #scope = new AsyncResource('TCPWRAP');
  #holding = false;
  #fed = false;

  constructor(reactor: Reactor) {
    this.reactor = reactor;
  }

  /** Whether it is doing something that the process should live for. */
  protected abstract get active(): boolean;
  /** Nothing will be read or accepted any more. */
  protected abstract stop(): void;
  protected abstract events(events: number): boolean;
  protected abstract continue(): void;
  protected abstract cancel(): void;
  protected abstract stackClosed(): void;
  abstract onLinkDown(left: Reachable): void;

  getAsyncId(): number {
    return this.#scope.asyncId();
  }

  getProviderType(): string {
    return 'TCPWRAP';
  }

  /** Whoever takes a kept-alive connection up anew has the events in his own context. */
  asyncReset(): void {
    this.#scope = new AsyncResource('TCPWRAP');
  }

  protected socket(): number {
    if (this.fd >= 0) return 0;
    if (this.closing) return -EBADF;
    const fd = this.reactor.sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    return fd < 0 ? fd : this.adopt(fd);
  }

  protected adopt(fd: number): number {
    const socket = this.reactor.process.files.get(fd)?.private_ as Socket;
    this.fd = fd;
    this.sk = socket.sk as TcpSock;
    this.reactor.opened(this);
    return 0;
  }

  /** Takes over an open descriptor of the stack. */
  open(fd: number): number {
    const error = this.reactor.sys.getsockname(fd, { ...NOWHERE });
    return error < 0 ? error : this.adopt(fd);
  }

  bind(address: string, port: number): number {
    const error = this.socket();
    if (error < 0) return error;
    const { sys } = this.reactor;
    sys.setsockopt(this.fd, SOL_SOCKET, SO_REUSEADDR, 1);
    return sys.bind(this.fd, { family: AF_INET, address, port });
  }

  /** The stack is a host without IPv6. */
  bind6(_address: string, _port: number, _flags = 0): number {
    return -EAFNOSUPPORT;
  }

  /** What it listens with. */
  get listener(): Listener {
    return this.reactor.process.listener(this.fd);
  }

  protected end(): void {
    this.closing = true;
    this.stop();
    if (this.fd >= 0) this.reactor.sys.close(this.fd);
    this.fd = -1;
    this.account();
    this.reactor.closed(this);
  }

  ref(): void {
    this.refd = true;
    this.account();
  }

  unref(): void {
    this.refd = false;
    this.account();
  }

  hasRef(): boolean {
    return this.refd && !this.closing;
  }

  getsockname(out: AddressOut): number {
    return this.name(out, this.reactor.sys.getsockname);
  }

  getpeername(out: AddressOut): number {
    return this.name(out, this.reactor.sys.getpeername);
  }

  protected name(out: AddressOut, ask: (fd: number, address: SockAddr) => number): number {
    if (this.fd < 0) return -EBADF;
    const address = { ...NOWHERE };
    const error = ask(this.fd, address);
    if (error < 0) return error;
    out.address = address.address;
    out.family = 'IPv4';
    out.port = address.port;
    return 0;
  }

  setNoDelay(on: boolean): number {
    const error = this.socket();
    return error || this.reactor.sys.setsockopt(this.fd, IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0);
  }

  /** `seconds` until the first probe; then one a second, and after ten the connection is lost, as libuv sets it. */
  setKeepAlive(on: boolean, seconds: number): number {
    const error = this.socket();
    if (error < 0) return error;
    const { sys } = this.reactor;
    const refused = sys.setsockopt(this.fd, SOL_SOCKET, SO_KEEPALIVE, on ? 1 : 0);
    if (refused < 0 || !on || seconds === 0) return refused;
    return (
      sys.setsockopt(this.fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds) ||
      sys.setsockopt(this.fd, IPPROTO_TCP, TCP_KEEPINTVL, 1) ||
      sys.setsockopt(this.fd, IPPROTO_TCP, TCP_KEEPCNT, 10)
    );
  }

  onEvent(events: number): boolean {
    return !this.closing && this.#scope.runInAsyncScope(this.events, this, events);
  }

  onFed(): void {
    this.#fed = false;
    if (!this.closing) this.#scope.runInAsyncScope(this.continue, this);
  }

  onClosed(): void {
    this.#scope.runInAsyncScope(this.cancel, this);
  }

  onStackClosed(): void {
    if (!this.closing) this.#scope.runInAsyncScope(this.stackClosed, this);
  }

  /** In words, for errors; see `Reactor.why`. */
  why(status: number): string | undefined {
    return this.reactor.why(status);
  }

  protected feed(): void {
    if (this.#fed) return;
    this.#fed = true;
    this.reactor.feed(this);
  }

  protected watch(interest: number): void {
    if (interest === this.interest) return;
    this.reactor.control(this.interest === 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, this.fd, interest, this);
    this.interest = interest;
  }

  /** Tells the reactor when it has become a reason for the process to live, or is none any more. */
  protected account(): void {
    if (this.active === this.#holding) return;
    this.#holding = !this.#holding;
    if (this.#holding) this.reactor.hold();
    else this.reactor.release();
  }
}
